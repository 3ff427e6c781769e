//! The rows of the aggregates.

use super::HostInternal;
use super::groups::GroupFigures;
use connmon_record::{AddressKind, End, Proto};

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
