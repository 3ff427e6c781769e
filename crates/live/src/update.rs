//! The message of a recorder to its viewers: the rows of a batch as they were stored.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::findings::LiveFindings;
use connmon_record::rows::{Batch, ConnectionRow, LookupRow, NameRow, ProcessRow, TrafficRow};
use connmon_record::untrusted::exact;
use connmon_record::{Endpoint, Hit, Name, ObservedService, Proto, Run, Timestamp, Untrusted, json_safe};
use connmon_store::Classification;

/// The form of the lines on the socket. A change that a viewer must know of gets another number.
pub const FORMAT: u32 = 2;
/// A line longer than this is no update, bytes.
pub const MAX_LINE: usize = 64 << 20;

/// The changes since the previous update, or, in a snapshot, everything that is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Update {
    /// [`FORMAT`].
    pub format: u32,
    /// Counts the updates of a recording; a snapshot has the number of the last one that is in it.
    pub seq: u64,
    /// Part of a snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// The latest time that the recorder knows of.
    pub time: Timestamp,
    /// The recording as the store has it, if that has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<Run>>,
    /// New or changed processes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<ProcessRow>,
    /// New or changed connections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<ConnectionRow>,
    /// The length of the steps of `traffic`: an index in [`STEP_LENGTHS`](connmon_record::STEP_LENGTHS).
    pub step: usize,
    /// The bytes that were moved; in a snapshot, all bytes so far.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub traffic: Vec<TrafficRow>,
    /// New names of connections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<NameRow>,
    /// Protocols that were observed on connections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<(i64, ObservedService)>,
    /// Questions to DNS that were answered, or given up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<LookupRow>,
    /// Names of remote addresses that hold for all their connections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub address_names: Vec<(IpAddr, Name)>,
    /// Labels that changed.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "exact")]
    pub labels: Vec<(i64, Option<Untrusted<Arc<str>>>)>,
    /// Matches of indicators.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hits: Vec<(i64, Hit)>,
    /// Connections that the recording's filter did not keep.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<i64>,
    /// Sockets that listen, if that has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listeners: Option<Vec<Listener>>,
    /// What is worth a look, if that has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Box<LiveFindings>>,
    /// Sums of the whole recording.
    pub totals: LiveTotals,
    /// The recording ended in order.
    pub ended: bool,
    /// The configuration was read again, or could not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reload: Option<ReloadNote>,
}

/// The result of reading the configuration again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadNote {
    /// It could not be read, and the one before stays in force.
    pub failed: bool,
    /// The parts that were read and those that need a restart; or the reason why it could not be read.
    pub words: String,
}

/// The part of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Everything that was known before is to be forgotten.
    pub first: bool,
    /// No part follows.
    pub last: bool,
    /// Updates that this viewer has missed since its last snapshot.
    pub missed: u64,
    /// Connections of the recording that are not in it, because newer ones pushed them out.
    pub forgotten: u64,
}

/// Sums of a recording: what the store has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveTotals {
    /// Connections.
    pub connections: u64,
    /// The open connections.
    pub open: u64,
    /// Application bytes sent.
    pub tx_bytes: u64,
    /// Application bytes received.
    pub rx_bytes: u64,
    /// Rows that the recorder could not pass on: viewers see less by this number. The store has everything.
    pub unseen: u64,
}

/// A socket that listens, in the network namespace of the recorder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    /// The protocol.
    pub proto: Proto,
    /// The address on which the socket listens.
    pub local: Endpoint,
    /// The process that has it, if that could be found; 0 otherwise.
    pub pid: u32,
    /// The name of its program.
    #[serde(serialize_with = "exact")]
    pub comm: Untrusted,
}

impl Update {
    /// The update about a batch that was just stored.
    pub fn from_batch(batch: Batch, verdicts: Classification, run: Option<Run>) -> Self {
        Self {
            format: FORMAT,
            // A store has numbers of its own and nothing of the store before, so viewers start over as well.
            snapshot: batch.start.is_some().then_some(Snapshot {
                first: true,
                last: true,
                ..Snapshot::default()
            }),
            time: batch.time,
            run: run.map(Box::new),
            processes: batch.processes,
            connections: batch.connections,
            traffic: batch.traffic,
            names: batch.names,
            observed: batch.observed,
            lookups: batch.lookups,
            address_names: verdicts.names,
            labels: verdicts.labels,
            hits: verdicts.hits,
            left_out: verdicts.left_out,
            ended: batch.ended,
            ..Self::default()
        }
    }

    /// Adds what came later.
    pub fn absorb(&mut self, later: Self) {
        if later.snapshot.is_some_and(|part| part.first) {
            *self = later;
            return;
        }
        self.time = later.time;
        self.run = later.run.or(self.run.take());
        self.processes.extend(later.processes);
        self.connections.extend(later.connections);
        self.traffic.extend(later.traffic);
        self.names.extend(later.names);
        self.observed.extend(later.observed);
        self.lookups.extend(later.lookups);
        self.address_names.extend(later.address_names);
        self.labels.extend(later.labels);
        self.hits.extend(later.hits);
        self.left_out.extend(later.left_out);
        self.listeners = later.listeners.or(self.listeners.take());
        self.findings = later.findings.or(self.findings.take());
        self.ended = later.ended;
        self.reload = later.reload.or(self.reload.take());
    }

    /// The number of rows in the update.
    pub fn rows(&self) -> usize {
        self.processes.len()
            + self.connections.len()
            + self.traffic.len()
            + self.names.len()
            + self.lookups.len()
    }

    /// One line of JSON, with its end; a terminal that shows it obeys nothing in it.
    pub fn to_line(&self) -> String {
        // Plain data with text keys: serde_json can only fail at those (docs.rs/serde_json, `to_string`).
        let mut line = json_safe(&serde_json::to_string(self).unwrap_or_default());
        line.push('\n');
        line
    }
}
