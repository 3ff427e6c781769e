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
