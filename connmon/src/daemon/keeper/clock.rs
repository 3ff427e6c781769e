//! Whether the host's clock was set while a recording is running. A clock that is slowed or hurried by NTP takes CLOCK_BOOTTIME
//! with it, so what lies between the two changes by steps only.

use std::time::Duration;

use connmon_analysis::format::duration;
use connmon_capture::{boot_time_ns, clock_offset_ns};
use connmon_record::frame::Frame;
use connmon_record::{STEP_NS, Timestamp};

/// A difference that is told, nanoseconds: smaller ones add up until they are.
const STEP: u64 = 100_000_000;

/// The clock, and what was last told of it: CLOCK_REALTIME − CLOCK_BOOTTIME.
pub(super) struct Clock {
    began_ns: i64,
    offset_ns: i64,
}

impl Clock {
    /// As it was when the recording began.
    pub(super) fn new(offset_ns: i64) -> Self {
        Self { began_ns: offset_ns, offset_ns }
    }

    /// The present as the recording's times go, whatever the clock was set to meanwhile.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp((boot_time_ns() as i64).wrapping_add(self.began_ns))
    }

    /// The present, nanoseconds of CLOCK_BOOTTIME.
    pub(super) fn now_ns(&self) -> u64 {
        boot_time_ns()
    }

    /// CLOCK_REALTIME − CLOCK_BOOTTIME as it was last looked at, nanoseconds.
    pub(super) fn offset_ns(&self) -> i64 {
        self.offset_ns
    }

    /// A time of this recording as nanoseconds of CLOCK_BOOTTIME.
    pub(super) fn boot_ns(&self, time: Timestamp) -> u64 {
        u64::try_from(time.0.wrapping_sub(self.began_ns)).unwrap_or(0)
    }

    /// How long until the next step of traffic begins.
    pub(super) fn to_next_step(&self) -> Duration {
        let now = self.now();
        let gone = now.0.saturating_sub(now.step().0);
        Duration::from_nanos(STEP_NS.saturating_sub(gone).unsigned_abs())
    }

    /// Looks at it; a frame if it has been set.
    pub(super) fn look(&mut self) -> Option<Frame> {
        let by = self.step(clock_offset_ns())?;
        let way = if by < 0 { "back" } else { "forward" };
        tracing::warn!(
            "the clock was set {way} by {}; the times of this recording go on by the clock as it was when it began",
            duration(by.unsigned_abs())
        );
        Some(Frame::Clock(boot_time_ns(), self.offset_ns))
    }

    /// By how much it has been set since it was last told, if that is worth telling.
    fn step(&mut self, offset_ns: i64) -> Option<i64> {
        let by = offset_ns.saturating_sub(self.offset_ns);
        if by.unsigned_abs() < STEP {
            return None;
        }
        self.offset_ns = offset_ns;
        Some(by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_told_once_and_small_ones_together() {
        const MS: i64 = 1_000_000;
        let mut clock = Clock::new(1_000 * MS);
        let told = [1_000, 1_010, 990, 1_060, 1_099].map(|offset| clock.step(offset * MS));
        assert_eq!(told, [None; 5], "what a reading differs by is no step");
        assert_eq!(clock.step(1_120 * MS), Some(120 * MS), "small steps add up");
        assert_eq!(clock.step(1_121 * MS), None);
        assert_eq!(clock.step(3_601_120 * MS), Some(3_600_000 * MS));
        assert_eq!(clock.step(1_120 * MS), Some(-3_600_000 * MS));
        assert_eq!(clock.step(i64::MIN), Some(i64::MIN), "whatever the clock was set to");
    }
}
