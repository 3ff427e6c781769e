//! Rows in, plain data for every view out: the audit, the exports and the report all show what is computed here.
//!
//! No I/O and no clock. [`Builder`] takes the connections one by one and keeps aggregates that are exact over all
//! of them, plus a bounded list of single connections: memory grows with the number of distinct processes and
//! addresses, by a fixed number of bytes each, and by a few for each pair of these, not with the number of
//! connections. All lists have a fixed order, so equal rows give equal output.

mod activity;
pub mod baseline;
mod builder;
pub mod cells;
pub mod compare;
mod completeness;
mod finish;
pub mod format;
pub mod geo;
pub mod groups;
mod host_internal;
mod indicators;
mod minutes;
mod names;
mod pairs;
mod processes;
pub mod redact;
mod remotes;
mod rows;
mod selection;
mod spans;
pub mod table;
pub mod timeline_rows;
mod top_connections;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use connmon_record::{Connection, Run};

pub use activity::{Activity, Bucket};
pub use builder::{Builder, Cell};
pub use completeness::{
    ClockStepRow, Completeness, Coverage, Level, Statement, Verdict, clock_words, pruned_until,
};
pub use connmon_record::AddressKind;
pub use connmon_record::{Service, service_of};
pub use geo::{GeoNotes, ShownDatabase};
pub use groups::GroupFigures;
pub use host_internal::{HostInternal, HostInternalFinder};
pub use indicators::Indicators;
pub use minutes::minute_of;
pub use names::Names;
pub use processes::{ProcessRow, ProcessSource, Processes, Program, ToldProcess};
pub use remotes::{LISTED, RemoteRow, Remotes};
pub use rows::{CountryRow, EndRow, KindRow, ProtocolRow, SelectionTotals, ServiceRow};
pub use selection::{Selection, Window};

/// The number of single connections that a summary keeps by default.
pub const DEFAULT_CONNECTION_CAP: usize = 60;

/// Summarises all of some connections, each with the number of its recording.
pub fn summarize(runs: Vec<Run>, connections: impl IntoIterator<Item = (i64, Connection)>) -> Summary {
    let mut builder = Builder::new(runs, Selection::default(), DEFAULT_CONNECTION_CAP);
    connections.into_iter().for_each(|(run, connection)| builder.add(run, connection));
    builder.finish()
}

/// Everything that views show of a selection of connections.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The selection that the summary answers.
    pub selection: Selection,
    /// The recordings it comes from, by start.
    pub runs: Vec<Run>,
    /// The time that the answer covers; `None` without any recording.
    pub window: Option<Window>,
    /// The completeness of the answer: what is missing, and whether absence can be trusted.
    pub completeness: Completeness,
    /// The number of connections that match lists of indicators.
    pub indicators: Indicators,
    /// Figures over everything selected.
    pub totals: SelectionTotals,
    /// The processes, most bytes first.
    pub processes: Processes,
    /// Connections for which process unknown, and that no process used.
    pub unowned: GroupFigures,
    /// The remote addresses, most bytes first.
    pub remotes: Remotes,
    /// The countries of public remotes, most bytes first; the row without a code is "unknown".
    pub countries: Vec<CountryRow>,
    /// The kinds of remote addresses, in the order of [`AddressKind::ALL`](connmon_record::AddressKind::ALL).
    pub kinds: Vec<KindRow>,
    /// Protocol and service port, most bytes first.
    pub services: Vec<ServiceRow>,
    /// Protocols, most bytes first.
    pub protocols: Vec<ProtocolRow>,
    /// The end reasons of connections, most frequent first.
    pub ends: Vec<EndRow>,
    /// When connections were opened.
    pub activity: Activity,
    /// Single connections, oldest first.
    pub connections: Connections,
}

impl Summary {
    /// Whether nothing was lost: then what is not in here did not happen, as far as connmon can see.
    pub fn is_complete(&self) -> bool {
        self.completeness.is_complete()
    }
}

/// Single connections: all of them, or a stated choice.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    /// The connections kept, by time of opening.
    pub rows: Vec<SelectedConnection>,
    /// The total number.
    pub total: u64,
    /// Of the rows kept, how many were chosen for their bytes; the others are the newest of the rest.
    pub by_bytes: usize,
}

impl Connections {
    /// Whether some connections are only in the figures, not in the list.
    pub fn is_cut(&self) -> bool {
        (self.rows.len() as u64) < self.total
    }
}

/// A single connection with the recording it belongs to.
#[derive(Clone, Debug)]
pub struct SelectedConnection {
    /// The recording.
    pub run: i64,
    /// Its owner's row in [`Summary::processes`].
    pub process: Option<usize>,
    /// The connection.
    pub connection: Arc<Connection>,
}
