    -- Sockets without a connection of their own: they are together in connections that say so.
    ALTER TABLE run ADD COLUMN aggregated_sockets INTEGER NOT NULL DEFAULT 0;
