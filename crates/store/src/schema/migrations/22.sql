    -- The cells of a stretch, many in a row: see stretches/pieces.rs. Those of stretch_cell are deleted little by little.
    CREATE TABLE stretch_piece (
        stretch_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        cells BLOB NOT NULL,
        PRIMARY KEY (stretch_id, number)
    ) STRICT;
    UPDATE stretch SET state = 3 WHERE state < 2;
