    -- What the interfaces of the recorder's network namespace had counted at a moment, since they came to be.
    CREATE TABLE interface (
        run_id INTEGER NOT NULL REFERENCES run (id),
        time INTEGER NOT NULL,
        name TEXT NOT NULL,
        number INTEGER NOT NULL,           -- the kernel's ifindex; 0 where not known
        rx_bytes INTEGER NOT NULL,
        rx_packets INTEGER NOT NULL,
        tx_bytes INTEGER NOT NULL,
        tx_packets INTEGER NOT NULL,
        PRIMARY KEY (run_id, time, name)
    ) STRICT, WITHOUT ROWID;
