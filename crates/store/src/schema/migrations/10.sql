    -- What the process asked for, where a BPF program led its connection to the remote; NULL elsewhere, and where it was not seen.
    ALTER TABLE connection ADD COLUMN asked_ip TEXT;
    ALTER TABLE connection ADD COLUMN asked_port INTEGER;
