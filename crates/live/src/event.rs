//! Events: things that happened, one at a time.

use connmon_record::Timestamp;
use connmon_record::rows::LookupRow;

/// Something that happened to a connection, or beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// The kind of the event.
    pub kind: EventKind,
}

/// The kinds of events. Connections are named by their ids in the store.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// A connection was opened, or asked for.
    New(i64),
    /// Its handshake is over.
    Established(i64),
    /// It ended.
    Closed(i64),
    /// It failed: see [`Connection::has_failed`](connmon_record::Connection::has_failed).
    Failed(i64),
    /// DNS answered, or did not; with the row of the process that asked.
    Dns(Box<LookupRow>),
    /// A process that started during the recording uses its first connection: the row of the process.
    Exec(i64),
}

impl EventKind {
    /// Its word in machine-readable output.
    pub fn name(&self) -> &'static str {
        match self {
            Self::New(_) => "new",
            Self::Established(_) => "established",
            Self::Closed(_) => "closed",
            Self::Failed(_) => "failed",
            Self::Dns(_) => "dns",
            Self::Exec(_) => "exec",
        }
    }

    /// The connection to which the event belongs, if any.
    pub fn connection(&self) -> Option<i64> {
        match self {
            Self::New(id) | Self::Established(id) | Self::Closed(id) | Self::Failed(id) => Some(*id),
            Self::Dns(_) | Self::Exec(_) => None,
        }
    }
}
