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
