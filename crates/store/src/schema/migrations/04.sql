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
