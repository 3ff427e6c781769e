//! What the engine is told.

use connmon_record::{Connection, Lookup, Timestamp};

/// Something that happened, as the store tells it.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A recording began.
    Recording(Timestamp),
    /// A connection was opened, or was there when the recording began.
    Opened(&'a Connection),
    /// A connection still lasted at a time.
    Lasts(&'a Connection, Timestamp),
    /// A connection ended, or its recording did.
    Ended(&'a Connection),
    /// A question to DNS was answered, or given up.
    Lookup(&'a Lookup),
}

/// Which event of its connection a detector sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It was opened: bytes and end are not known, and names may come later.
    Opened,
    /// It lasts.
    Lasts,
    /// It ended: all is known.
    Ended,
}

impl Event<'_> {
    /// When it happened.
    pub fn time(&self) -> Timestamp {
        match self {
            Self::Recording(time) | Self::Lasts(_, time) => *time,
            Self::Opened(connection) => connection.opened,
            Self::Ended(connection) => connection.known_end().unwrap_or(connection.opened),
            Self::Lookup(lookup) => lookup.answered.unwrap_or(lookup.time),
        }
    }
}
