//! Minutes, by which connections are counted.

use connmon_record::Timestamp;

/// One minute.
pub(super) const MINUTE_NS: i64 = 60_000_000_000;

/// The minute of a moment, counted from 1970.
pub fn minute_of(time: Timestamp) -> i64 {
    time.0.div_euclid(MINUTE_NS)
}

/// When a minute begins.
pub(super) fn start_of(minute: i64) -> Timestamp {
    Timestamp(minute.saturating_mul(MINUTE_NS))
}
