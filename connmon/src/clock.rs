//! The wall clock. Commands ask it once, and hand the time on; a recording has its own (`daemon`). Nothing else reads a clock, so
//! that a replay gives what the recording gave.

use std::time::{SystemTime, UNIX_EPOCH};

use connmon_record::Timestamp;

/// The time of day.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// A moment, for telling how long something takes.
pub fn moment() -> std::time::Instant {
    std::time::Instant::now()
}
