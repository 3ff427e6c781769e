//! Whether the host's clock was set while a recording is running, and whether it is right. A clock that is slowed or hurried by NTP takes CLOCK_BOOTTIME
//! with it, so what lies between the two changes by steps only.

use std::time::Duration;

use connmon_analysis::format::duration;
use connmon_capture::{boot_time_ns, clock_is_synchronised, clock_offset_ns};
use connmon_record::frame::Frame;
use connmon_record::{STEP_NS, Timestamp};

/// A difference that is told, nanoseconds: smaller ones add up until they are.
const STEP: u64 = 100_000_000;
/// 2026, when there was no recorder yet whose times follow the clock: no clock that says an earlier time is right.
const EARLIEST: Timestamp = Timestamp(1_767_225_600_000_000_000);

/// How far what the clock says can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trust {
    /// Nobody has set it since the host began, and the host does not keep it while it is off.
    Unset,
    /// It says what may be.
    Plausible,
    /// The kernel says that it follows a server's.
    Synchronised,
}

impl Trust {
    fn in_time(now: Timestamp, is_synchronised: impl FnOnce() -> bool) -> Self {
        match now {
            now if now < EARLIEST => Self::Unset,
            _ if is_synchronised() => Self::Synchronised,
            _ => Self::Plausible,
        }
    }
}

/// The clock, and what was last told of it: CLOCK_REALTIME − CLOCK_BOOTTIME.
pub(super) struct Clock {
    began_ns: i64,
    offset_ns: i64,
    trust: Trust,
}

impl Clock {
    /// As it was when the recording began.
    pub(super) fn new(offset_ns: i64) -> Self {
        let trust = Trust::in_time(wall_clock(offset_ns), clock_is_synchronised);
        Self { began_ns: offset_ns, offset_ns, trust }
    }

    /// The present, as the recording's times go.
    pub(super) fn now(&self) -> Timestamp {
        wall_clock(self.offset_ns)
    }

    /// The present, nanoseconds of CLOCK_BOOTTIME.
    pub(super) fn now_ns(&self) -> u64 {
        boot_time_ns()
    }

    /// CLOCK_REALTIME − CLOCK_BOOTTIME as it was last looked at, nanoseconds.
    pub(super) fn offset_ns(&self) -> i64 {
        self.offset_ns
    }

    /// How long until the next step of traffic begins.
    pub(super) fn to_next_step(&self) -> Duration {
        let now = self.now();
        let gone = now.0.saturating_sub(now.step().0);
        Duration::from_nanos(STEP_NS.saturating_sub(gone).unsigned_abs())
    }

    /// Looks at it; a frame if it has been set, or if what it was set to can be believed now.
    pub(super) fn look(&mut self) -> Option<Frame> {
        let offset_ns = clock_offset_ns();
        let trust = match self.trust {
            Trust::Synchronised => self.trust,
            _ => Trust::in_time(wall_clock(offset_ns), clock_is_synchronised),
        };
        let (by, is_right) = self.step(offset_ns, trust)?;
        let set = match by {
            0 => "the clock is known to be right now".to_owned(),
            by => {
                let way = if by < 0 { "back" } else { "forward" };
                format!("the clock was set {way} by {}", duration(by.unsigned_abs()))
            }
        };
        if is_right {
            tracing::warn!(
                "{set}; it had not been right before, and the times of this recording are corrected by it"
            );
            return Some(Frame::ClockRight(boot_time_ns(), self.offset_ns));
        }
        tracing::warn!("{set}; the times of this recording follow it");
        Some(Frame::Clock(boot_time_ns(), self.offset_ns))
    }

    /// By how much it has been set since it was last told, and whether it is right for the first time, if that is worth telling.
    fn step(&mut self, offset_ns: i64, trust: Trust) -> Option<(i64, bool)> {
        let is_right = trust > self.trust;
        self.trust = self.trust.max(trust);
        let by = offset_ns.saturating_sub(self.offset_ns);
        if by.unsigned_abs() >= STEP {
            self.offset_ns = offset_ns;
            return Some((by, is_right));
        }
        // What was told before was not by it.
        (is_right && self.offset_ns != self.began_ns).then_some((0, true))
    }
}

fn wall_clock(offset_ns: i64) -> Timestamp {
    Timestamp((boot_time_ns() as i64).wrapping_add(offset_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const HOUR: i64 = 3_600_000 * MS;

    fn clock(trust: Trust) -> Clock {
        Clock { began_ns: 1_000 * MS, offset_ns: 1_000 * MS, trust }
    }

    #[test]
    fn steps_are_told_once_and_small_ones_together() {
        let mut clock = clock(Trust::Plausible);
        let mut step = |offset| clock.step(offset, Trust::Plausible).map(|(by, _)| by);
        let told = [1_000, 1_010, 990, 1_060, 1_099].map(|offset| step(offset * MS));
        assert_eq!(told, [None; 5], "what a reading differs by is no step");
        assert_eq!(step(1_120 * MS), Some(120 * MS), "small steps add up");
        assert_eq!(step(1_121 * MS), None);
        assert_eq!(step(1_120 * MS + HOUR), Some(HOUR));
        assert_eq!(step(1_120 * MS), Some(-HOUR));
        assert_eq!(step(i64::MIN), Some(i64::MIN), "whatever the clock was set to");
    }

    #[test]
    fn a_clock_becomes_right_when_it_can_be_believed_more_than_before() {
        let mut unset = clock(Trust::Unset);
        assert_eq!(unset.step(HOUR, Trust::Plausible), Some((HOUR - 1_000 * MS, true)));
        assert_eq!(unset.step(2 * HOUR, Trust::Plausible), Some((HOUR, false)), "somebody set it again");
        assert_eq!(unset.step(2 * HOUR, Trust::Synchronised), Some((0, true)), "and a server says the same");
        assert_eq!(unset.step(2 * HOUR, Trust::Plausible), None);
        assert_eq!(unset.step(3 * HOUR, Trust::Synchronised), Some((HOUR, false)));
        let mut right = clock(Trust::Plausible);
        assert_eq!(right.step(1_010 * MS, Trust::Synchronised), None, "it was right all the time");
        assert!(Trust::in_time(Timestamp(HOUR), || true) == Trust::Unset);
        assert!(Trust::in_time(EARLIEST, || false) == Trust::Plausible);
    }
}
