//! Sweeps that fail. The kernel's maps keep what they have, so the next one makes up for it, and no recording ends for it.

use std::time::{Duration, Instant};

use super::Clock;
use connmon_capture::bpf::CaptureError;
use connmon_record::Timestamp;
use connmon_record::frame::Frame;

/// How often a trouble that goes on is told of.
const REMIND: Duration = Duration::from_secs(60);

/// How the sweeps go.
#[derive(Default)]
pub(super) struct Sweeps {
    /// When the last one was that read everything, nanoseconds of CLOCK_BOOTTIME.
    whole: Option<u64>,
    /// When it was last told that they fail.
    told: Option<Instant>,
    /// The step of traffic that the last one was in.
    step: Option<Timestamp>,
}

impl Sweeps {
    /// A step of traffic has begun since the last one. What is found now was moved before it, and what the next one finds was not:
    /// so the sums of steps are exact but for what is moved while a sweep goes on.
    pub(super) fn is_new_step(&self, now: Timestamp) -> bool {
        self.step.is_none_or(|step| step != now.step())
    }

    /// One is over.
    pub(super) fn took(&mut self, swept: Result<(), CaptureError>, (now, now_ns): (Timestamp, u64)) {
        self.step = Some(now.step());
        match swept {
            Ok(()) => {
                self.whole = Some(now_ns);
                if self.told.take().is_some() {
                    tracing::warn!("the kernel's maps can be read again; nothing in them was lost");
                }
            }
            Err(error) if self.told.is_none_or(|told| told.elapsed() >= REMIND) => {
                self.told = Some(Instant::now());
                tracing::warn!("{error}; the recording goes on, and connmon will try again");
            }
            Err(_) => {}
        }
    }

    /// The last one failed, and none follows: what had changed since the last whole one may be missing.
    pub(super) fn end(&self, error: &CaptureError, clock: &Clock) -> Frame {
        let reason = format!("what was last counted could not be read: {error}");
        tracing::warn!("{reason}");
        let to = clock.now_ns();
        Frame::Gap(self.whole.unwrap_or(to), to, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connmon_record::STEP_NS;

    #[test]
    fn a_sweep_parts_one_step_of_traffic_from_the_next() {
        let mut sweeps = Sweeps::default();
        let at = |ns: i64| Timestamp(7 * STEP_NS + ns);
        assert!(sweeps.is_new_step(at(1)));
        sweeps.took(Ok(()), (at(1), 1));
        assert!(!sweeps.is_new_step(at(STEP_NS - 1)));
        assert!(sweeps.is_new_step(at(STEP_NS)));
        sweeps.took(Err(CaptureError::Map("SOCKS", std::io::Error::other("x"))), (at(STEP_NS), 2));
        assert!(!sweeps.is_new_step(at(STEP_NS + 1)), "one that failed is tried again when the next is due");
        assert_eq!(sweeps.whole, Some(1), "what is missing is so since the last that read everything");
        assert!(sweeps.told.is_some());
        sweeps.took(Ok(()), (at(STEP_NS + 2), 3));
        assert_eq!((sweeps.whole, sweeps.told), (Some(3), None));
    }
}
