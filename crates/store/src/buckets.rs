//! What the bucket of traffic says: when the step began, in seconds since 1970, and how long it is. Those of ten seconds are multiples of
//! ten; one that has the sum of an hour is a second after the hour's start.

use connmon_record::{HOUR_NS, STEP_NS, Timestamp};

/// Nanoseconds of a second.
pub(super) const SECOND: i64 = 1_000_000_000;
/// Seconds of an hour.
pub(super) const HOUR: i64 = HOUR_NS / SECOND;
/// Seconds of a step as it is recorded.
pub(super) const SHORT: i64 = STEP_NS / SECOND;
/// What is added to the start of an hour whose row has its sum.
const MARK: i64 = 1;

/// The bucket of an hour that begins at this second.
pub(super) fn hour_bucket(start: i64) -> i64 {
    start + MARK
}

/// When the step of a bucket began, and how long it is; nanoseconds.
pub(super) fn step_of_bucket(bucket: i64) -> (Timestamp, i64) {
    match bucket.rem_euclid(SHORT) {
        0 => (Timestamp(bucket.saturating_mul(SECOND)), STEP_NS),
        mark => (Timestamp(bucket.saturating_sub(mark).saturating_mul(SECOND)), HOUR_NS),
    }
}
