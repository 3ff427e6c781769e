    -- Findings that somebody has seen, and said so.
    CREATE TABLE acknowledged (
        finding TEXT PRIMARY KEY,          -- its id
        time INTEGER NOT NULL,
        person TEXT NOT NULL,              -- who said so
        note TEXT,
        severity TEXT NOT NULL,            -- what the finding was then
        score REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
