    -- Whoever deletes connections, and says nothing of it to the sums of their stretch.
    CREATE TRIGGER stretch_connection AFTER DELETE ON connection
    BEGIN
        UPDATE stretch SET state = 3 WHERE id = OLD.id >> 16 AND state < 2;
    END;
