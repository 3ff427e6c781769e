    -- What a summary needs of the connections in the sums of a stretch (see stretches/cells.rs).
    ALTER TABLE stretch ADD COLUMN cell_rows INTEGER;     -- connections in cells; NULL: it has none
    ALTER TABLE stretch ADD COLUMN long_lived INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE stretch ADD COLUMN longest INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE stretch_cell (
        stretch_id INTEGER NOT NULL,
        remote_id INTEGER NOT NULL,
        process_id INTEGER NOT NULL,       -- 0: none
        proto INTEGER NOT NULL,
        port INTEGER NOT NULL,             -- of the service
        counted INTEGER NOT NULL,          -- 0: connections and their process, 1: connections, 2: what a process moved, 3: connections
                                           -- without a process
        connections INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        inbound INTEGER NOT NULL,
        inexact INTEGER NOT NULL,
        preexisting INTEGER NOT NULL,
        tx_bytes INTEGER NOT NULL,
        rx_bytes INTEGER NOT NULL,
        first INTEGER NOT NULL,            -- when the first was opened
        last INTEGER NOT NULL,             -- so much later something last happened
        newest INTEGER NOT NULL,           -- so much later than the first the newest was opened
        newest_id INTEGER NOT NULL,        -- the lowest bits of its id
        PRIMARY KEY (stretch_id, remote_id, process_id, proto, port, counted)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE stretch_end (
        stretch_id INTEGER NOT NULL,
        end TEXT NOT NULL,
        connections INTEGER NOT NULL,
        PRIMARY KEY (stretch_id, end)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE stretch_minute (
        stretch_id INTEGER NOT NULL,
        minute INTEGER NOT NULL,           -- from 1970 on
        connections INTEGER NOT NULL,      -- opened in it
        failed INTEGER NOT NULL,
        PRIMARY KEY (stretch_id, minute)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE stretch_failed (
        stretch_id INTEGER NOT NULL,
        process_id INTEGER NOT NULL,       -- the owner
        minute INTEGER NOT NULL,
        connections INTEGER NOT NULL,
        PRIMARY KEY (stretch_id, process_id, minute)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE stretch_name (
        stretch_id INTEGER NOT NULL,
        remote_id INTEGER NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (stretch_id, remote_id, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE stretch_sizes (
        stretch_id INTEGER NOT NULL,
        first INTEGER NOT NULL,            -- the first connection
        sizes BLOB NOT NULL,               -- of each, how much further its id is, and its bytes
        PRIMARY KEY (stretch_id, first)
    ) STRICT;
    -- Stretches whose cells are being deleted.
    CREATE TABLE stretch_gone (
        stretch_id INTEGER PRIMARY KEY
    ) STRICT;
    UPDATE stretch SET state = 3 WHERE state < 2;
