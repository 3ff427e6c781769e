//! When and why a connection ended, as expressions on the columns of the store.

/// When the recording of a connection ended, as far as is known; null while it goes on.
macro_rules! run_end {
    () => {
        "(SELECT coalesce(run.ended, iif(going_on(), NULL, run.last_flush)) FROM run WHERE run.id = c.run_id)"
    };
}

/// Up to when a connection was open, or is known to have been: [`Connection::known_end`](connmon_record::Connection::known_end).
pub const KNOWN_END: &str = concat!("coalesce(c.closed, ", run_end!(), ")");

/// Why a connection ended, as [`Connection::end`](connmon_record::Connection) has it.
pub const END: &str = concat!(
    "coalesce(c.end, iif(c.closed IS NOT NULL, 'unseen', iif(",
    run_end!(),
    " IS NULL, 'open', 'recording-ended')))"
);
