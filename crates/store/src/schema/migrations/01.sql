    -- One recording. Times are nanoseconds since 1970 UTC everywhere.
    CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        host TEXT NOT NULL,
        boot_id TEXT NOT NULL,
        kernel TEXT NOT NULL,
        tool_version TEXT NOT NULL,
        object_sha256 TEXT NOT NULL,
        backend TEXT NOT NULL,
        backend_notes TEXT NOT NULL,       -- JSON array of sentences
        clock_offset_ns INTEGER NOT NULL,  -- CLOCK_REALTIME - CLOCK_BOOTTIME at the start
        started INTEGER NOT NULL,
        ended INTEGER,                     -- null while recording, or after a crash
        last_flush INTEGER NOT NULL,
        lost_events INTEGER NOT NULL DEFAULT 0,
        lost_connections INTEGER NOT NULL DEFAULT 0,
        lost_processes INTEGER NOT NULL DEFAULT 0,
        unattributed_tx_bytes INTEGER NOT NULL DEFAULT 0,
        unattributed_rx_bytes INTEGER NOT NULL DEFAULT 0,
        map_full INTEGER NOT NULL DEFAULT 0,
        read_errors INTEGER NOT NULL DEFAULT 0,
        malformed INTEGER NOT NULL DEFAULT 0,
        probe_misses INTEGER NOT NULL DEFAULT 0,
        rec_compared INTEGER NOT NULL DEFAULT 0,
        rec_equal INTEGER NOT NULL DEFAULT 0,
        rec_tx_undelivered INTEGER NOT NULL DEFAULT 0,
        rec_rx_unread INTEGER NOT NULL DEFAULT 0,
        rec_unexplained INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    -- One program that a process ran; a process that calls exec has several.
    CREATE TABLE process (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES run (id),
        pid INTEGER NOT NULL,
        start_ns INTEGER NOT NULL,         -- CLOCK_BOOTTIME: with pid, the identity within a boot
        started INTEGER NOT NULL,
        ppid INTEGER NOT NULL,
        comm TEXT NOT NULL,
        exe TEXT NOT NULL,
        cmdline TEXT NOT NULL,
        uid INTEGER NOT NULL,
        user TEXT,
        kernel_thread INTEGER NOT NULL
    ) STRICT;
    -- A remote address, looked up once.
    CREATE TABLE endpoint (
        id INTEGER PRIMARY KEY,
        ip TEXT NOT NULL UNIQUE,
        country TEXT
    ) STRICT;
    CREATE TABLE connection (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES run (id),
        proto INTEGER NOT NULL,
        direction TEXT NOT NULL,
        local_ip TEXT NOT NULL,
        local_port INTEGER NOT NULL,
        remote_id INTEGER NOT NULL REFERENCES endpoint (id),
        remote_port INTEGER NOT NULL,
        opened INTEGER NOT NULL,
        closed INTEGER,
        end TEXT,
        preexisting INTEGER NOT NULL,
        inexact TEXT,                      -- why the figures may be incomplete
        netns INTEGER NOT NULL,
        owner_id INTEGER REFERENCES process (id),
        kernel_tx INTEGER,
        kernel_rx INTEGER,
        retransmits INTEGER
    ) STRICT;
    -- Application bytes of one process on one connection in one interval (bucket: seconds since 1970).
    CREATE TABLE traffic (
        connection_id INTEGER NOT NULL REFERENCES connection (id),
        process_id INTEGER NOT NULL REFERENCES process (id),
        bucket INTEGER NOT NULL,
        tx_bytes INTEGER NOT NULL,
        rx_bytes INTEGER NOT NULL,
        tx_calls INTEGER NOT NULL,
        rx_calls INTEGER NOT NULL,
        PRIMARY KEY (connection_id, process_id, bucket)
    ) STRICT, WITHOUT ROWID;
    -- An interval without a record.
    CREATE TABLE gap (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES run (id),
        started INTEGER NOT NULL,
        ended INTEGER NOT NULL,
        reason TEXT NOT NULL
    ) STRICT;
