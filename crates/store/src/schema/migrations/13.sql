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
