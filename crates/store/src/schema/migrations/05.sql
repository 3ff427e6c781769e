    -- Connections that a recording with a filter did not keep.
    CREATE TABLE left_out (
        run_id INTEGER PRIMARY KEY REFERENCES run (id),
        filter TEXT NOT NULL,              -- what it kept
        connections INTEGER NOT NULL,
        tx_bytes INTEGER NOT NULL,
        rx_bytes INTEGER NOT NULL
    ) STRICT;
