//! The rows of the aggregates.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::HostInternal;
use super::groups::GroupFigures;
use connmon_record::{AddressKind, End, Location, Process, ProcessId, Proto, Timestamp, Untrusted};

/// Figures over everything selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelectionTotals {
    /// Connections and bytes.
    pub figures: GroupFigures,
    /// Connections that existed before their recording began.
    pub preexisting: u64,
    /// Connections whose both ends are here: they are in the figures twice.
    pub own: HostInternal,
    /// Distinct processes.
    pub processes: u64,
    /// Distinct remote addresses.
    pub remotes: u64,
    /// Distinct countries of public remotes.
    pub countries: u64,
}

/// A process across recordings: PIDs and start times begin again at every boot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessKey {
    /// The boot that the process lived in.
    pub boot: Arc<str>,
    /// The process within that boot.
    pub id: ProcessId,
}

/// The traffic of one process.
#[derive(Clone, Debug)]
pub struct ProcessRow {
    /// The identity of the process.
    pub key: ProcessKey,
    /// The facts about the process, as of its newest connection.
    pub process: Arc<Process>,
    /// Other executables that the same process ran before or after, at most eight.
    pub other_exes: BTreeSet<Untrusted>,
    /// Its connections, with what it moved itself on them.
    pub figures: GroupFigures,
    /// TCP alone.
    pub tcp: GroupFigures,
    /// UDP alone.
    pub udp: GroupFigures,
    /// Distinct remote addresses.
    pub remotes: u64,
    /// Distinct countries of public remotes.
    pub countries: u64,
    /// First connection opened.
    pub first_seen: Timestamp,
    /// Last sign of life of a connection: its opening or its end.
    pub last_seen: Timestamp,
}

/// The traffic with one address.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteRow {
    /// The address.
    pub ip: IpAddr,
    /// Its kind.
    pub kind: AddressKind,
    /// Its names, at most eight, the first by the alphabet.
    pub names: BTreeSet<Untrusted>,
    /// Its country, if known: an ISO 3166-1 alpha-2 code.
    pub country: Option<String>,
    /// Further facts about the address.
    pub place: Option<Arc<Location>>,
    /// Connections and bytes.
    pub figures: GroupFigures,
    /// Rows of [`Summary::processes`](super::Summary::processes) that used it, in ascending order.
    pub processes: Vec<usize>,
    /// Service ports used, at most eight, the lowest.
    pub services: BTreeSet<(Proto, u16)>,
    /// First connection opened.
    pub first_seen: Timestamp,
    /// Last sign of life of a connection.
    pub last_seen: Timestamp,
}

/// The traffic with the public addresses of one country.
#[derive(Clone, Debug, PartialEq)]
pub struct CountryRow {
    /// ISO 3166-1 alpha-2; `None` for public addresses whose country is not known.
    pub code: Option<String>,
    /// Connections and bytes.
    pub figures: GroupFigures,
    /// Distinct remote addresses.
    pub remotes: u64,
    /// Distinct processes.
    pub processes: u64,
}

/// The traffic with addresses of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct KindRow {
    /// The kind.
    pub kind: AddressKind,
    /// Connections and bytes.
    pub figures: GroupFigures,
    /// Distinct remote addresses.
    pub remotes: u64,
}

/// The traffic over one service port.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceRow {
    /// The protocol.
    pub proto: Proto,
    /// The port of the side that was called; 0 where there is none.
    pub port: u16,
    /// Connections and bytes.
    pub figures: GroupFigures,
    /// Distinct processes.
    pub processes: u64,
    /// Distinct remote addresses.
    pub remotes: u64,
}

/// The traffic over one protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct ProtocolRow {
    /// The protocol.
    pub proto: Proto,
    /// Connections and bytes.
    pub figures: GroupFigures,
}

/// The number of connections with one end reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndRow {
    /// `None`: they last.
    pub end: Option<End>,
    /// The number of connections.
    pub connections: u64,
}
