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
