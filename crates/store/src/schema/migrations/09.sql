    -- The host's clock was set while a recording was running. All its times are by the clock as it was at the start.
    CREATE TABLE clock_step (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES run (id),
        time INTEGER NOT NULL,             -- as the recording's times go
        clock_before INTEGER NOT NULL,     -- what the clock said just before
        clock_after INTEGER NOT NULL       -- and just after
    ) STRICT;
