    ALTER TABLE connection ADD COLUMN retransmitted_bytes INTEGER;
    ALTER TABLE connection ADD COLUMN rtt_us INTEGER;
    ALTER TABLE connection ADD COLUMN subflow INTEGER NOT NULL DEFAULT 0; -- of an MPTCP connection
    -- The wire plane: from the IP header on; NULL where packets were not counted.
    ALTER TABLE connection ADD COLUMN wire_tx_bytes INTEGER;
    ALTER TABLE connection ADD COLUMN wire_rx_bytes INTEGER;
    ALTER TABLE connection ADD COLUMN wire_tx_packets INTEGER;
    ALTER TABLE connection ADD COLUMN wire_rx_packets INTEGER;
