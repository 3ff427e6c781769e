//! From the kernel's clock to times: by the wall clock as it was at the moment that is meant, or as it became known to be right later.

use serde::{Deserialize, Serialize};

use super::Tracker;
use connmon_record::frame::Start;
use connmon_record::{ClockEffect, ClockStep, LateRead, Timestamp};

/// Settings of the clock that are remembered; of more, the oldest but the first is forgotten.
const MOST: usize = 4096;

/// When the wall clock turned out to be right (CLOCK_BOOTTIME), and CLOCK_REALTIME − CLOCK_BOOTTIME then, nanoseconds.
pub type ClockRight = (u64, i64);

/// The wall clock of a recording.
#[derive(Default, Serialize, Deserialize)]
pub struct Clock {
    /// Whether times follow it when it is set.
    follows: bool,
    /// From when on it was how far ahead of CLOCK_BOOTTIME, in order; the first is that of all times before the second as well.
    offsets: Vec<(u64, i64)>,
    /// The offset that was last reported.
    told_ns: i64,
    /// When it became right: whatever was told of it before is no time.
    right: Option<ClockRight>,
    /// It has become right, and times before that were not by it.
    found: Option<ClockRight>,
}

impl Clock {
    /// A recording begins; all its times are by a clock that becomes right later, where that is known.
    fn begin(&mut self, start: &mut Start) {
        self.told_ns = start.clock_offset_ns;
        if let Some((_, offset_ns)) = self.right {
            start.clock_offset_ns = offset_ns;
        }
        self.follows = start.follows_clock;
        self.offsets = vec![(0, start.clock_offset_ns)];
    }

    /// A time of CLOCK_BOOTTIME.
    pub fn at(&self, boot_ns: u64) -> Timestamp {
        Timestamp((boot_ns as i64).wrapping_add(self.offset_at(boot_ns)))
    }

    fn offset_at(&self, boot_ns: u64) -> i64 {
        // One that began later is asked for first: as a rule there is one.
        let known = self.offsets.iter().rev().find(|(from_ns, _)| *from_ns <= boot_ns);
        known.or(self.offsets.first()).map_or(0, |(_, offset_ns)| *offset_ns)
    }

    /// By how much it was set between two times, nanoseconds.
    pub fn set_between(&self, from_ns: u64, to_ns: u64) -> i64 {
        self.offset_at(to_ns).wrapping_sub(self.offset_at(from_ns))
    }

    /// It was set: from this time on it is so far ahead. `is_right` if that is known for the first time.
    fn set(&mut self, time_ns: u64, offset_ns: i64, is_right: bool) -> ClockStep {
        let before = (time_ns as i64).wrapping_add(std::mem::replace(&mut self.told_ns, offset_ns));
        let effect = match self.right {
            _ if !self.follows => ClockEffect::Told,
            Some((right_ns, _)) if time_ns <= right_ns => ClockEffect::Corrected,
            _ => {
                self.follow(time_ns, offset_ns, is_right);
                ClockEffect::Followed
            }
        };
        let to = (time_ns as i64).wrapping_add(offset_ns);
        let time = if effect == ClockEffect::Followed { Timestamp(to) } else { self.at(time_ns) };
        ClockStep { time, from: Timestamp(before), to: Timestamp(to), effect }
    }

    fn follow(&mut self, time_ns: u64, offset_ns: i64, is_right: bool) {
        if is_right && self.offsets.iter().any(|(_, known)| *known != offset_ns) {
            self.found = Some((time_ns, offset_ns));
        }
        if self.offset_at(time_ns) != offset_ns {
            self.offsets.push((time_ns, offset_ns));
        }
        if self.offsets.len() > MOST {
            self.offsets.remove(1);
        }
    }
}

impl Tracker {
    /// A time of CLOCK_BOOTTIME by the wall clock.
    pub(super) fn time(&self, boot_ns: u64) -> Timestamp {
        self.processes.clock.at(boot_ns)
    }

    /// Takes the clock as it was when the recording began.
    pub(super) fn clock_begins(&mut self, start: &mut Start) {
        self.processes.clock.begin(start);
    }

    /// The clock was set: from this time on the offset is another one.
    pub(super) fn clock_set(&mut self, time_ns: u64, offset_ns: i64, is_right: bool) {
        let step = self.processes.clock.set(time_ns, offset_ns, is_right);
        if step.shift_ns() != 0 {
            self.batch.clock_steps.push(step);
        }
    }

    /// A sweep is over, which was late for its step if none was at the step's beginning.
    pub(super) fn swept(&mut self, time_ns: u64) {
        let elapsed = time_ns.saturating_sub(std::mem::replace(&mut self.swept_ns, time_ns));
        self.batch.late_reads.extend(LateRead::of(self.time(time_ns), elapsed));
    }

    /// Has all times be by the clock as it was when it had become right. To be called before the first frame.
    pub fn correct(&mut self, right: ClockRight) {
        let clock = &mut self.processes.clock;
        (clock.right, clock.offsets) = (Some(right), vec![(0, right.1)]);
        if let Some(start) = &mut self.start {
            start.clock_offset_ns = right.1;
        }
    }

    /// The clock has turned out to be right, and times that were told before were not by it: they are if all begins anew after
    /// [`Self::correct`], otherwise they stay as they are.
    pub fn take_found(&mut self) -> Option<ClockRight> {
        self.processes.clock.found.take()
    }
}
