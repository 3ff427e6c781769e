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
