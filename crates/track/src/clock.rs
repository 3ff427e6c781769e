//! From the kernel's clock to times. All of a recording go by the clock as it was when it began, also after it was set.

use super::Tracker;
use connmon_record::{ClockStep, Timestamp};

/// CLOCK_BOOTTIME to the wall clock, by the offset that was measured when the recording began.
pub(super) fn wall_clock(boot_ns: u64, offset_ns: i64) -> Timestamp {
    Timestamp((boot_ns as i64).wrapping_add(offset_ns))
}

impl Tracker {
    /// The clock was set: from this time on the offset is another one.
    pub(super) fn clock_set(&mut self, time: u64, offset_ns: i64) {
        let at = self.time(time);
        let from = Timestamp(at.0.saturating_add(self.clock_steps.last().map_or(0, ClockStep::ahead)));
        let step = ClockStep { time: at, from, to: wall_clock(time, offset_ns) };
        self.clock_steps.push(step);
        self.batch.clock_steps.push(step);
    }
}
