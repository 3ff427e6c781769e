    -- What it means for the times of the recording: told (nothing), followed (by the clock as it was), corrected (all are by a
    -- clock that became right later).
    ALTER TABLE clock_step ADD COLUMN effect TEXT NOT NULL DEFAULT 'told';
    -- When the clock became right, CLOCK_BOOTTIME: clock_offset_ns is as it was then.
    ALTER TABLE run ADD COLUMN clock_right_ns INTEGER;
