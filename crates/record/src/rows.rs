//! Rows: the tracker makes them from frames, and the store keeps them.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::frame::Start;
use crate::untrusted::exact;
use crate::{
    AddressNames, ClockStep, Endpoint, Facts, Gap, GeoDatabase, HostLocation, InterfaceSample, LateRead,
    Location, LookupAnswer, LossCounters, Name, NameSource, ObservedService, Process, Proto, Timestamp,
    Untrusted,
};

/// Rows to be written in one transaction.
#[derive(Debug, Default, PartialEq)]
pub struct Batch {
    /// The recording began.
    pub start: Option<Start>,
    /// With `start`: the geo databases; filled in by `enrich`.
    pub geo: Vec<GeoDatabase>,
    /// The location of this host, once it is known; `enrich` fills it in.
    pub location: Option<HostLocation>,
    /// New processes, each before its first use.
    pub processes: Vec<ProcessRow>,
    /// New or changed connections.
    pub connections: Vec<ConnectionRow>,
    /// Traffic since the last batch.
    pub traffic: Vec<TrafficRow>,
    /// New names of connections.
    pub names: Vec<NameRow>,
    /// Protocols that were observed on connections.
    pub observed: Vec<(i64, ObservedService)>,
    /// Questions to DNS that were answered, or given up.
    pub lookups: Vec<LookupRow>,
    /// The host's own list of names, if it was told.
    pub hosts: Option<(Timestamp, AddressNames)>,
    /// Answers of reverse DNS.
    pub reverse: Vec<(Timestamp, AddressNames)>,
    /// Rows of connections that nothing more will be told of, in this recording.
    pub over: Vec<i64>,
    /// Rows of processes that nothing more will refer to, in this recording.
    pub past_processes: Vec<i64>,
    /// Counters of the interfaces.
    pub interfaces: Vec<InterfaceSample>,
    /// State of the counters, if it was told.
    pub completeness: Option<LossCounters>,
    /// When the clock was set.
    pub clock_steps: Vec<ClockStep>,
    /// When the counters were read late.
    pub late_reads: Vec<LateRead>,
    /// Intervals without a record.
    pub gaps: Vec<Gap>,
    /// The latest time that a frame told.
    pub time: Timestamp,
    /// The recording ended in order.
    pub ended: bool,
    /// The last segment that is in it, where it was made of segments.
    pub segment: Option<u64>,
    /// The state of the tracker after that segment, if it is to be kept.
    pub checkpoint: Option<Vec<u8>>,
}

impl Batch {
    /// Adds what came after it, to be written in the same transaction.
    pub fn append(&mut self, later: Self) {
        let Self {
            start,
            geo,
            location,
            processes,
            connections,
            traffic,
            names,
            observed,
            lookups,
            hosts,
            reverse,
            over,
            past_processes,
            interfaces,
            completeness,
            clock_steps,
            late_reads,
            gaps,
            time,
            ended,
            segment,
            checkpoint,
        } = later;
        self.start = self.start.take().or(start);
        self.geo.extend(geo);
        self.location = location.or(self.location.take());
        self.processes.extend(processes);
        self.connections.extend(connections);
        self.traffic.extend(traffic);
        self.names.extend(names);
        self.observed.extend(observed);
        self.lookups.extend(lookups);
        self.hosts = hosts.or(self.hosts.take());
        self.reverse.extend(reverse);
        self.over.extend(over);
        self.past_processes.extend(past_processes);
        self.interfaces.extend(interfaces);
        self.completeness = completeness.or(self.completeness.take());
        self.clock_steps.extend(clock_steps);
        self.late_reads.extend(late_reads);
        self.gaps.extend(gaps);
        // The clock may have been set back.
        self.time = time;
        self.ended |= ended;
        self.segment = segment.or(self.segment);
        self.checkpoint = checkpoint;
    }

    /// Bytes of memory that it takes, roughly.
    pub fn weight(&self) -> usize {
        /// A row and what it has elsewhere.
        fn of<T>(rows: &[T], elsewhere: usize) -> usize {
            rows.len() * (size_of::<T>() + elsewhere)
        }
        let names = self.reverse.iter().map(|(_, names)| names.len()).sum::<usize>();
        let interfaces = self.interfaces.iter().map(|sample| sample.interfaces.len()).sum::<usize>();
        size_of::<Self>()
            + of(&self.processes, 1024)
            + of(&self.connections, 64)
            + of(&self.traffic, 0)
            + of(&self.names, 64)
            + of(&self.observed, 64)
            + of(&self.lookups, 512)
            + of(&self.over, 0)
            + of(&self.past_processes, 0)
            + 128 * (names + interfaces)
    }
}

/// A process (one program that it ran) as a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessRow {
    /// Counted from 1 within the recording.
    pub row: i64,
    /// Row of the process that started it; `None` also where the row is written again.
    pub parent: Option<i64>,
    /// The facts about the process.
    pub process: Process,
}

/// A connection as a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// Counted from 1 within the recording.
    pub row: i64,
    /// The facts that the recorder saw on the connection.
    #[serde(flatten)]
    pub facts: Facts,
    /// When the handshake was over; of TCP only, and not stored.
    pub established: Option<Timestamp>,
    /// Row of the process that opened it.
    pub owner: Option<i64>,
    /// Country of the remote; filled in by `enrich`.
    pub country: Option<String>,
    /// Further facts of the databases about the remote address; `enrich` fills them in.
    pub place: Option<Arc<Location>>,
}

impl Deref for ConnectionRow {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}

impl DerefMut for ConnectionRow {
    fn deref_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

/// The bytes that one process moved on one connection in one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficRow {
    /// Row of the connection.
    pub connection: i64,
    /// Row of the process.
    pub process: i64,
    /// Start of the interval, seconds since 1970.
    pub bucket: i64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Calls that sent.
    pub tx_calls: u64,
    /// Calls that received.
    pub rx_calls: u64,
}

/// A name of a connection as a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NameRow {
    /// Row of the connection.
    pub connection: i64,
    /// The name.
    #[serde(serialize_with = "exact")]
    pub name: Untrusted<Arc<str>>,
    /// The source of the name.
    pub source: NameSource,
    /// Row of the process that asked for it.
    pub process: Option<i64>,
    /// When it was seen.
    pub time: Timestamp,
}

impl NameRow {
    /// The name itself, where its process is this one.
    pub fn told_by(&self, process: Option<Arc<Process>>) -> Name {
        Name { name: self.name.map(str::to_owned), source: self.source, process, time: self.time }
    }

    /// Whether it tells `name`, be it of another process or time.
    pub fn tells(&self, name: &Name) -> bool {
        self.source == name.source && self.name.borrowed() == name.name.borrowed()
    }
}

/// A question to DNS as a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookupRow {
    /// When it was asked.
    pub time: Timestamp,
    /// When it was answered.
    pub answered: Option<Timestamp>,
    /// Row of the process that asked.
    pub process: Option<i64>,
    /// UDP or TCP.
    pub proto: Proto,
    /// The server.
    pub server: Endpoint,
    /// The name that was asked for.
    #[serde(serialize_with = "exact")]
    pub name: Untrusted,
    /// The type of record.
    #[serde(serialize_with = "exact")]
    pub kind: Untrusted,
    /// The answer's code.
    #[serde(serialize_with = "exact")]
    pub code: Option<Untrusted>,
    /// The answer.
    pub answers: Vec<LookupAnswer>,
}
