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
