//! Who moved how many bytes: a table for people, CSV, JSON.
//!
//! Connections pass by one at a time, and only the groups are kept.

mod builder;
mod figures;
mod interfaces;
mod json;
mod separated;
mod table;
#[cfg(test)]
mod tests;

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use connmon_analysis::groups::key::process_name;
use connmon_analysis::groups::{FiguresByProtocol, GroupFigures};
use connmon_analysis::{Completeness, GeoNotes, HostInternal, Indicators, Service};
use connmon_record::{Process, Proto, Untrusted};

pub use builder::Builder;
pub use connmon_analysis::groups::key::{GroupBy, GroupKey};
pub use interfaces::{InterfaceComparison, InterfaceTraffic};
pub use json::write as write_json;
pub use separated::write as write_csv;
pub use table::write as write_table;

/// What groups are sorted by; numbers from the highest down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after what it sorts by")]
pub enum GroupSort {
    Bytes,
    Tx,
    Rx,
    Connections,
    Name,
}

impl GroupSort {
    /// The order where none is asked for: times one after the other, else most bytes first.
    pub fn usual(by: GroupBy) -> Self {
        if by.is_time() { Self::Name } else { Self::Bytes }
    }
}

/// Connections that have something in common.
#[derive(Clone, Debug)]
pub struct Group {
    /// What that is: a key for each thing that was grouped by.
    pub keys: Vec<GroupKey>,
    /// For a process: what is known of it, as of its newest connection.
    pub process: Option<Arc<Process>>,
    /// For an autonomous system: who runs it, as of its newest connection.
    pub org: Option<Untrusted>,
    /// Connections and bytes.
    pub figures: FiguresByProtocol,
}

impl Group {
    /// The keys in machine output.
    pub fn key_texts(&self) -> impl Iterator<Item = String> {
        self.keys.iter().map(|key| self.key_text(key))
    }

    fn key_text(&self, key: &GroupKey) -> String {
        match (key, &self.process) {
            (GroupKey::Process(..), Some(process)) => process_name(process),
            (GroupKey::Process(_, id), None) => id.pid.to_string(),
            (GroupKey::Text(text), _) => text.clone(),
            (GroupKey::Remote(ip), _) => ip.to_string(),
            (GroupKey::Port(port), _) => port.to_string(),
            (GroupKey::Network(asn), _) => format!("AS{asn}"),
            (GroupKey::Nobody, _) => "(no process)".into(),
            (GroupKey::Pruned, _) => "(pruned)".into(),
        }
    }

    /// The name of a key for people: a port with the service that is usual for it, an autonomous system with who runs it.
    fn label(&self, key: &GroupKey) -> String {
        if let (GroupKey::Network(_), Some(org)) = (key, &self.org) {
            return format!("{} ({})", self.key_text(key), org.shown());
        }
        let GroupKey::Port(port) = *key else { return self.key_text(key) };
        let proto = if self.figures.tcp.connections > 0 { Proto::TCP } else { Proto::UDP };
        match Service::name_of(proto, port) {
            Some(service) => format!("{port} ({service})"),
            None => port.to_string(),
        }
    }

    /// Equal stores give equal output: where the figures are the same, the key decides.
    fn compare(&self, other: &Self, sort: GroupSort) -> Ordering {
        let figure = |group: &Self| {
            let figures: &GroupFigures = &group.figures.all;
            Reverse(match sort {
                GroupSort::Bytes => figures.bytes(),
                GroupSort::Tx => figures.tx_bytes,
                GroupSort::Rx => figures.rx_bytes,
                GroupSort::Connections => figures.connections,
                GroupSort::Name => 0,
            })
        };
        let names = || match (sort, &self.process, &other.process) {
            (GroupSort::Name, Some(one), Some(other)) => process_name(one).cmp(&process_name(other)),
            _ => Ordering::Equal,
        };
        figure(self).cmp(&figure(other)).then_with(names).then_with(|| self.keys.cmp(&other.keys))
    }
}

/// The result of an audit.
#[derive(Clone, Debug)]
pub struct Audit {
    /// What was grouped by.
    pub by: Vec<GroupBy>,
    /// What is missing.
    pub completeness: Completeness,
    /// Where places and networks come from.
    pub geo: GeoNotes,
    /// How many connections match lists of indicators.
    pub indicators: Indicators,
    /// Everything together.
    pub totals: FiguresByProtocol,
    /// Connections whose both ends are here: they are in the totals twice.
    pub own: HostInternal,
    /// All groups, or the first of them.
    pub groups: Vec<Group>,
    /// How many groups were left out, and their sum.
    pub rest: (u64, FiguresByProtocol),
    /// What the interfaces counted meanwhile.
    pub comparison: InterfaceComparison,
}

impl Audit {
    /// Groups in all.
    pub fn group_count(&self) -> u64 {
        self.groups.len() as u64 + self.rest.0
    }
}
