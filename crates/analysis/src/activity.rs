//! When connections were opened, in equal steps of time.

use super::Window;
use super::groups::GroupFigures;
use super::minutes::{MINUTE_NS, minute_of, start_of};
use connmon_record::Timestamp;

const BUCKETS: u64 = 120;

/// Counts of opened connections over the window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Start of the first bucket.
    pub from: Timestamp,
    /// Length of a bucket in nanoseconds.
    pub step_ns: u64,
    /// The buckets; empty without a window.
    pub buckets: Vec<Bucket>,
    /// Connections opened before the window, which last into it.
    pub before: u64,
}

impl Activity {
    /// Connections of the bucket that has most.
    pub fn most(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.opened).max().unwrap_or(0)
    }
}

/// The connections opened in one step of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Connections.
    pub opened: u64,
    /// Of these, connections that failed.
    pub failed: u64,
}

impl Activity {
    pub(super) fn new(window: Option<Window>) -> Self {
        let Some(window) = window else { return Self::default() };
        let of = |nanos: u64| nanos.div_ceil(BUCKETS).max(1);
        let (mut from, mut step_ns) = (window.from, of(window.nanos()));
        if step_ns > MINUTE_NS as u64 {
            // Whole minutes, so that it can be told from counts of minutes.
            from = start_of(minute_of(from));
            step_ns = of(window.to.0.abs_diff(from.0)).next_multiple_of(MINUTE_NS as u64);
        }
        let count = window.to.0.abs_diff(from.0).div_ceil(step_ns).clamp(1, BUCKETS);
        let buckets = (0..count).map(|_| Bucket::default()).collect();
        Self { from, step_ns, buckets, before: 0 }
    }

    /// Whether it can be told from counts of minutes.
    pub(super) fn is_of_minutes(&self) -> bool {
        self.step_ns > MINUTE_NS as u64
    }

    /// Counts a connection, as its figures do.
    pub(super) fn add(&mut self, opened: Timestamp, figures: GroupFigures) {
        let Ok(offset) = u64::try_from(opened.0.saturating_sub(self.from.0)) else {
            self.before += figures.connections;
            return;
        };
        let last = self.buckets.len().saturating_sub(1);
        let index = usize::try_from(offset / self.step_ns.max(1)).map_or(last, |index| index.min(last));
        if let Some(bucket) = self.buckets.get_mut(index) {
            bucket.opened += figures.connections;
            bucket.failed += figures.failed;
        }
    }
}
