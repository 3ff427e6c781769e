    ALTER TABLE connection ADD COLUMN label TEXT;      -- of the first rule that fits its last state
    -- The rules by which the connections of a recording were labelled.
    CREATE TABLE rule (
        run_id INTEGER NOT NULL REFERENCES run (id),
        number INTEGER NOT NULL,           -- the order in which they were asked
        label TEXT NOT NULL,
        color TEXT,                        -- #rrggbb
        expression TEXT NOT NULL,          -- in the query language
        text INTEGER NOT NULL,             -- whether a report writes the label out
        PRIMARY KEY (run_id, number)
    ) STRICT, WITHOUT ROWID;
    -- A list of indicators of compromise.
    CREATE TABLE indicator_list (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        sha256 TEXT NOT NULL,              -- of its file
        date INTEGER,
        indicators INTEGER NOT NULL,
        UNIQUE (name, sha256)
    ) STRICT;
    -- Lists with which the connections of a recording were compared, and when that began last.
    CREATE TABLE checked (
        run_id INTEGER NOT NULL REFERENCES run (id),
        list_id INTEGER NOT NULL REFERENCES indicator_list (id),
        time INTEGER NOT NULL,
        PRIMARY KEY (run_id, list_id)
    ) STRICT, WITHOUT ROWID;
    -- A connection that matches an indicator.
    CREATE TABLE hit (
        connection_id INTEGER NOT NULL REFERENCES connection (id),
        list_id INTEGER NOT NULL REFERENCES indicator_list (id),
        kind TEXT NOT NULL,                -- address, network, name, url, sha256
        indicator TEXT NOT NULL,
        time INTEGER NOT NULL,             -- when it was found to match
        PRIMARY KEY (connection_id, list_id, kind, indicator)
    ) STRICT, WITHOUT ROWID;
