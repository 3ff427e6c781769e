    -- Findings as the recorder last wrote them, and what its engine knew then (see found.rs). `content` of a finding is all of it, as JSON.
    CREATE TABLE finding (
        id TEXT PRIMARY KEY,
        detector TEXT NOT NULL,
        severity TEXT NOT NULL,
        score REAL NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        what TEXT NOT NULL,
        filter TEXT NOT NULL,
        content TEXT NOT NULL,
        changed INTEGER NOT NULL   -- grows with each writing, so that what is new is found
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX finding_changed ON finding (changed);
    CREATE TABLE finding_state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        time INTEGER NOT NULL,
        content BLOB NOT NULL
    ) STRICT;
    -- Of what the report once called findings.
    DROP TABLE stretch_failed;
    ALTER TABLE stretch DROP COLUMN long_lived;
    ALTER TABLE stretch DROP COLUMN longest;