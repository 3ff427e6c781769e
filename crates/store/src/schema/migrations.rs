//! The tables, as they came to be. A migration is never changed once it has been released; the next one is appended.

/// Applied in order; `PRAGMA user_version` tells how many have been.
pub(super) const MIGRATIONS: &[&str] = &[
    "
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
",
    "
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
",
    "
    ALTER TABLE connection ADD COLUMN retransmitted_bytes INTEGER;
    ALTER TABLE connection ADD COLUMN rtt_us INTEGER;
    ALTER TABLE connection ADD COLUMN subflow INTEGER NOT NULL DEFAULT 0; -- of an MPTCP connection
    -- The wire plane: from the IP header on; NULL where packets were not counted.
    ALTER TABLE connection ADD COLUMN wire_tx_bytes INTEGER;
    ALTER TABLE connection ADD COLUMN wire_rx_bytes INTEGER;
    ALTER TABLE connection ADD COLUMN wire_tx_packets INTEGER;
    ALTER TABLE connection ADD COLUMN wire_rx_packets INTEGER;
",
    "
    ALTER TABLE process ADD COLUMN parent_id INTEGER REFERENCES process (id);
    ALTER TABLE process ADD COLUMN euid INTEGER;
    ALTER TABLE process ADD COLUMN session INTEGER;      -- the audit system's login session
    ALTER TABLE process ADD COLUMN exe_state TEXT;       -- deleted, memfd; NULL as usual
    ALTER TABLE process ADD COLUMN sha256 TEXT;
    ALTER TABLE process ADD COLUMN not_hashed TEXT;      -- why there is no sha256
    ALTER TABLE process ADD COLUMN cwd TEXT;
    ALTER TABLE process ADD COLUMN redacted INTEGER NOT NULL DEFAULT 0; -- secrets in cmdline were blotted out
    ALTER TABLE process ADD COLUMN cgroup TEXT;
    ALTER TABLE process ADD COLUMN unit TEXT;
    ALTER TABLE process ADD COLUMN slice TEXT;
    ALTER TABLE process ADD COLUMN container_runtime TEXT;
    ALTER TABLE process ADD COLUMN container_id TEXT;
    ALTER TABLE process ADD COLUMN container_name TEXT;
    ALTER TABLE process ADD COLUMN container_image TEXT;
    ALTER TABLE process ADD COLUMN pod TEXT;
",
    "
    -- Connections that a recording with a filter did not keep.
    CREATE TABLE left_out (
        run_id INTEGER PRIMARY KEY REFERENCES run (id),
        filter TEXT NOT NULL,              -- what it kept
        connections INTEGER NOT NULL,
        tx_bytes INTEGER NOT NULL,
        rx_bytes INTEGER NOT NULL
    ) STRICT;
",
    "
    -- What geo databases know of a remote address besides its country, and which of them answered.
    ALTER TABLE endpoint ADD COLUMN region TEXT;
    ALTER TABLE endpoint ADD COLUMN city TEXT;
    ALTER TABLE endpoint ADD COLUMN latitude REAL;     -- degrees north
    ALTER TABLE endpoint ADD COLUMN longitude REAL;    -- degrees east
    ALTER TABLE endpoint ADD COLUMN asn INTEGER;
    ALTER TABLE endpoint ADD COLUMN org TEXT;
    ALTER TABLE endpoint ADD COLUMN geo_source TEXT;
    ALTER TABLE run ADD COLUMN geo_databases TEXT;     -- JSON array, in the order in which they were asked
    ALTER TABLE run ADD COLUMN location TEXT;          -- JSON object: where the host stands
",
    "
    -- Names of the other end: what was said on the connection itself, and what DNS had answered before.
    CREATE TABLE connection_name (
        connection_id INTEGER NOT NULL REFERENCES connection (id),
        source TEXT NOT NULL,              -- sni, quic, http, dns
        name TEXT NOT NULL,
        process_id INTEGER REFERENCES process (id), -- who asked for it
        time INTEGER NOT NULL,
        UNIQUE (connection_id, source, name)
    ) STRICT;
    -- What a connection's first bytes showed that it speaks.
    CREATE TABLE observed (
        connection_id INTEGER PRIMARY KEY REFERENCES connection (id),
        service TEXT NOT NULL,             -- tls, quic, http, dns, ssh
        alpn TEXT                          -- JSON array: what a client of TLS offered within
    ) STRICT;
    -- Names of an address, whatever the connection.
    CREATE TABLE endpoint_name (
        endpoint_id INTEGER NOT NULL REFERENCES endpoint (id),
        source TEXT NOT NULL,              -- hosts, rdns
        name TEXT NOT NULL,
        time INTEGER NOT NULL,
        UNIQUE (endpoint_id, source, name)
    ) STRICT;
    -- Questions to DNS.
    CREATE TABLE lookup (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES run (id),
        time INTEGER NOT NULL,
        answered INTEGER,
        process_id INTEGER REFERENCES process (id),
        proto INTEGER NOT NULL,
        server_ip TEXT NOT NULL,
        server_port INTEGER NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,                -- type of record
        code TEXT,                         -- of the answer
        answers TEXT NOT NULL              -- JSON array of [name, type, seconds to live, data]
    ) STRICT;
    ALTER TABLE run ADD COLUMN names_missed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE run ADD COLUMN evicted INTEGER NOT NULL DEFAULT 0;
",
    "
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
",
    "
    -- The host's clock was set while a recording was running. All its times are by the clock as it was at the start.
    CREATE TABLE clock_step (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES run (id),
        time INTEGER NOT NULL,             -- as the recording's times go
        clock_before INTEGER NOT NULL,     -- what the clock said just before
        clock_after INTEGER NOT NULL       -- and just after
    ) STRICT;
",
    "
    -- What the process asked for, where a BPF program led its connection to the remote; NULL elsewhere, and where it was not seen.
    ALTER TABLE connection ADD COLUMN asked_ip TEXT;
    ALTER TABLE connection ADD COLUMN asked_port INTEGER;
",
    "
    -- Sockets without a connection of their own: they are together in connections that say so.
    ALTER TABLE run ADD COLUMN aggregated_sockets INTEGER NOT NULL DEFAULT 0;
",
    "
    -- What was recorded, sealed: everything else can be made of it again.
    CREATE TABLE segment (
        id INTEGER PRIMARY KEY,            -- the order of the chain
        run_id INTEGER NOT NULL REFERENCES run (id),
        number INTEGER NOT NULL,           -- from 1 within the run
        first_ns INTEGER NOT NULL,         -- CLOCK_BOOTTIME: the end of the segment before
        last_ns INTEGER NOT NULL,
        clock_offset_ns INTEGER NOT NULL,  -- CLOCK_REALTIME - CLOCK_BOOTTIME when it was sealed
        frames INTEGER NOT NULL,
        length INTEGER NOT NULL,           -- bytes before compression
        payload_sha256 BLOB NOT NULL,
        previous BLOB NOT NULL,            -- sha256 of the segment before it
        sha256 BLOB NOT NULL,
        payload BLOB,                      -- zstd; null once pruned
        UNIQUE (run_id, number)
    ) STRICT;
    -- What the tracker knew after a segment, so that rows of later ones can be made without those before.
    CREATE TABLE checkpoint (
        run_id INTEGER NOT NULL REFERENCES run (id),
        number INTEGER NOT NULL,           -- of the segment; 0: before the first
        state BLOB NOT NULL,               -- zstd; read by the version that wrote it, and those after it that say so
        PRIMARY KEY (run_id, number)
    ) STRICT;
    -- Segments of which there are rows: all up to this number; null in runs of versions without segments.
    ALTER TABLE run ADD COLUMN indexed INTEGER;
",
    "
    -- What the connections of a block have in common, whose ids differ in their lowest ten bits: when they were opened, and which
    -- remote addresses they have (packed numbers, see blocks.rs). It can be more than what there is.
    CREATE TABLE block (
        id INTEGER PRIMARY KEY,            -- connection.id >> 10
        first INTEGER NOT NULL,
        last INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE block_remotes (
        id INTEGER PRIMARY KEY,
        remotes BLOB NOT NULL
    ) STRICT;
    -- Those that are not where their time is.
    CREATE INDEX connection_long ON connection (closed, opened) WHERE closed IS NULL OR closed - opened > 60000000000;
    CREATE INDEX lookup_time ON lookup (time);
",
    "
    -- Whose traffic is summed: what `audit` groups by and stays when details are pruned. Empty where no process is known.
    CREATE TABLE sum_owner (
        id INTEGER PRIMARY KEY,
        exe TEXT NOT NULL,
        user TEXT NOT NULL,
        unit TEXT NOT NULL,
        container TEXT NOT NULL,
        country TEXT NOT NULL,             -- or the kind of the remote address, in brackets
        own INTEGER NOT NULL,              -- the remote address is the local one
        UNIQUE (exe, user, unit, container, country, own)
    ) STRICT;
    -- Connections whose details were pruned: their sums by day or month, in UTC.
    CREATE TABLE traffic_sum (
        day INTEGER NOT NULL,              -- with which the period begins, since 1970-01-01
        month INTEGER NOT NULL,            -- whether it is a month
        part INTEGER NOT NULL,             -- 0: bytes moved then, and connections within; 1, 2: connections that end later, in the same
                                           -- month or not; 3: connections that were open when it began
        proto INTEGER NOT NULL,
        owner_id INTEGER NOT NULL REFERENCES sum_owner (id),
        connections INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        inbound INTEGER NOT NULL,
        inexact INTEGER NOT NULL,
        preexisting INTEGER NOT NULL,
        tx_bytes INTEGER NOT NULL,
        rx_bytes INTEGER NOT NULL,
        wire_known INTEGER NOT NULL,       -- connections with figures of the wire, and without
        wire_unknown INTEGER NOT NULL,
        wire_tx_bytes INTEGER NOT NULL,
        wire_rx_bytes INTEGER NOT NULL,
        PRIMARY KEY (day, month, part, proto, owner_id)
    ) STRICT, WITHOUT ROWID;
    -- Of which recordings details were pruned.
    CREATE TABLE pruned (
        run_id INTEGER PRIMARY KEY REFERENCES run (id),
        until INTEGER NOT NULL,            -- the connections had ended by then
        connections INTEGER NOT NULL,
        tx_bytes INTEGER NOT NULL,
        rx_bytes INTEGER NOT NULL
    ) STRICT;
",
    "
    -- What the connections of a stretch add up to, whose ids differ in their lowest sixteen bits (see stretches.rs).
    CREATE TABLE stretch (
        id INTEGER PRIMARY KEY,            -- connection.id >> 16
        state INTEGER NOT NULL,            -- 0: its sums are being made, 1: they are there, 2: it gets none any more,
                                           -- 3: they are to be made anew
        first INTEGER NOT NULL,            -- when the first connection in its sums was opened, and the last one ended
        last INTEGER NOT NULL,
        locals INTEGER NOT NULL,           -- of stretch_local, those up to this one were known
        processes INTEGER NOT NULL         -- no process in its sums has a higher id
    ) STRICT;
    CREATE TABLE stretch_sum (
        stretch_id INTEGER NOT NULL REFERENCES stretch (id),
        day INTEGER NOT NULL,              -- this and what follows as in traffic_sum
        part INTEGER NOT NULL,
        proto INTEGER NOT NULL,
        owner_id INTEGER NOT NULL REFERENCES sum_owner (id),
        connections INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        inbound INTEGER NOT NULL,
        inexact INTEGER NOT NULL,
        preexisting INTEGER NOT NULL,
        tx_bytes INTEGER NOT NULL,
        rx_bytes INTEGER NOT NULL,
        wire_known INTEGER NOT NULL,
        wire_unknown INTEGER NOT NULL,
        wire_tx_bytes INTEGER NOT NULL,
        wire_rx_bytes INTEGER NOT NULL,
        PRIMARY KEY (stretch_id, day, part, proto, owner_id)
    ) STRICT, WITHOUT ROWID;
    -- Connections that are in no sum of their stretch, because they were open when it was made.
    CREATE TABLE stretch_rest (
        connection_id INTEGER PRIMARY KEY
    ) STRICT;
    -- Addresses of this host.
    CREATE TABLE stretch_local (
        id INTEGER PRIMARY KEY,
        ip TEXT NOT NULL UNIQUE
    ) STRICT;
    -- Sums of a process of which something else is known now are made anew.
    CREATE TRIGGER stretch_process AFTER UPDATE OF exe, comm, user, uid, unit, container_runtime, container_id, container_name,
        container_image ON process WHEN (OLD.exe, OLD.comm, OLD.user, OLD.uid, OLD.unit, OLD.container_runtime, OLD.container_id,
            OLD.container_name, OLD.container_image) IS NOT (NEW.exe, NEW.comm, NEW.user, NEW.uid, NEW.unit, NEW.container_runtime,
            NEW.container_id, NEW.container_name, NEW.container_image)
    BEGIN
        DELETE FROM stretch_sum WHERE stretch_id IN (SELECT id FROM stretch WHERE state < 2 AND processes >= NEW.id);
        UPDATE stretch SET state = 3 WHERE state < 2 AND processes >= NEW.id;
    END;
",
    "
    -- What it means for the times of the recording: told (nothing), followed (by the clock as it was), corrected (all are by a
    -- clock that became right later).
    ALTER TABLE clock_step ADD COLUMN effect TEXT NOT NULL DEFAULT 'told';
    -- When the clock became right, CLOCK_BOOTTIME: clock_offset_ns is as it was then.
    ALTER TABLE run ADD COLUMN clock_right_ns INTEGER;
",
    "
    -- Whoever deletes connections, and says nothing of it to the sums of their stretch.
    CREATE TRIGGER stretch_connection AFTER DELETE ON connection
    BEGIN
        UPDATE stretch SET state = 3 WHERE id = OLD.id >> 16 AND state < 2;
    END;
",
    "
    -- traffic.bucket: what was moved long ago is kept by the hour, in a row whose bucket is one second after the hour's start;
    -- all others have a multiple of ten, and are of ten seconds.
",
    "
    -- The kernel's counters were read late for a step of traffic that had begun: what was moved between these two readings may be in
    -- another step than it belongs to.
    CREATE TABLE late_read (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES run (id),
        started INTEGER NOT NULL,
        ended INTEGER NOT NULL
    ) STRICT;
",
    "
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
",
    "
    -- Findings that somebody has seen, and said so.
    CREATE TABLE acknowledged (
        finding TEXT PRIMARY KEY,          -- its id
        time INTEGER NOT NULL,
        person TEXT NOT NULL,              -- who said so
        note TEXT,
        severity TEXT NOT NULL,            -- what the finding was then
        score REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    -- The cells of a stretch, many in a row: see stretches/pieces.rs. Those of stretch_cell are deleted little by little.
    CREATE TABLE stretch_piece (
        stretch_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        cells BLOB NOT NULL,
        PRIMARY KEY (stretch_id, number)
    ) STRICT;
    UPDATE stretch SET state = 3 WHERE state < 2;
",
];
