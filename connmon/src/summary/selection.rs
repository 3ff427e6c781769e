//! What was asked for, and the time that the answer covers.

use crate::model::{Connection, Run, Timestamp};

/// A choice of connections. The store applies it; here it is stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Connections that lasted to this time or beyond; `None` from the beginning.
    pub since: Option<Timestamp>,
    /// Connections opened before this time; `None` to the end.
    pub until: Option<Timestamp>,
    /// The filter as it was typed; empty for none.
    pub filter: String,
}

impl Selection {
    /// Whether a connection overlaps the interval. A connection that does is counted with all its bytes.
    pub fn overlaps(&self, connection: &Connection) -> bool {
        let lasted = self.since.is_none_or(|since| connection.closed.is_none_or(|closed| closed >= since));
        lasted && self.until.is_none_or(|until| connection.opened < until)
    }

    /// Whether anything is left out on purpose.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// An interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Start.
    pub from: Timestamp,
    /// End.
    pub to: Timestamp,
}

impl Window {
    /// From the first recording to the last, cut to the selection.
    pub fn of(runs: &[Run], selection: &Selection) -> Option<Self> {
        let first = runs.iter().map(|run| run.started).min()?;
        let last = runs.iter().map(end_of).max()?;
        let from = selection.since.map_or(first, |since| since.max(first));
        Some(Self { from, to: selection.until.map_or(last, |until| until.min(last)).max(from) })
    }

    /// Length in nanoseconds.
    pub fn nanos(&self) -> u64 {
        u64::try_from(self.to.0.saturating_sub(self.from.0)).unwrap_or(0)
    }
}

/// Up to when a recording says something.
pub(super) fn end_of(run: &Run) -> Timestamp {
    run.ended.unwrap_or(run.last_flush).max(run.started)
}
