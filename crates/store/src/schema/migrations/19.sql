    -- The kernel's counters were read late for a step of traffic that had begun: what was moved between these two readings may be in
    -- another step than it belongs to.
    CREATE TABLE late_read (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES run (id),
        started INTEGER NOT NULL,
        ended INTEGER NOT NULL
    ) STRICT;
