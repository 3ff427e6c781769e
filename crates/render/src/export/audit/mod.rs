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
use connmon_analysis::groups::{Figures, Split};
use connmon_analysis::{Completeness, GeoNotes, Indicators, Own, Service};
use connmon_record::{Process, Proto, Untrusted};

pub use builder::Builder;
pub use connmon_analysis::groups::key::{By, Key};
pub use interfaces::{Comparison, Metered};
pub use json::write as write_json;
pub use separated::write as write_csv;
pub use table::write as write_table;

/// What groups are sorted by; numbers from the highest down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after what it sorts by")]
pub enum Sort {
    Bytes,
    Tx,
    Rx,
    Connections,
    Name,
}

impl Sort {
    /// The order where none is asked for: times one after the other, else most bytes first.
    pub fn usual(by: By) -> Self {
        if by.period().is_some() { Self::Name } else { Self::Bytes }
    }
}

/// Connections that have something in common.
#[derive(Clone, Debug)]
pub struct Group {
    /// What that is: a key for each thing that was grouped by.
    pub keys: Vec<Key>,
    /// For a process: what is known of it, as of its newest connection.
    pub process: Option<Arc<Process>>,
    /// For an autonomous system: who runs it, as of its newest connection.
    pub org: Option<Untrusted>,
    /// Connections and bytes.
    pub figures: Split,
}

impl Group {
    /// The keys in machine output.
    pub fn key_texts(&self) -> impl Iterator<Item = String> {
        self.keys.iter().map(|key| self.key_text(key))
    }

    fn key_text(&self, key: &Key) -> String {
        match (key, &self.process) {
            (Key::Process(..), Some(process)) => process_name(process),
            (Key::Process(_, id), None) => id.pid.to_string(),
            (Key::Text(text), _) => text.clone(),
            (Key::Remote(ip), _) => ip.to_string(),
            (Key::Port(port), _) => port.to_string(),
            (Key::Network(asn), _) => format!("AS{asn}"),
            (Key::Nobody, _) => "(no process)".into(),
        }
    }

    /// The name of a key for people: a port with the service that is usual for it, an autonomous system with who runs it.
    fn label(&self, key: &Key) -> String {
        if let (Key::Network(_), Some(org)) = (key, &self.org) {
            return format!("{} ({})", self.key_text(key), org.shown());
        }
        let Key::Port(port) = *key else { return self.key_text(key) };
        let proto = if self.figures.tcp.connections > 0 { Proto::TCP } else { Proto::UDP };
        match Service::name_of(proto, port) {
            Some(service) => format!("{port} ({service})"),
            None => port.to_string(),
        }
    }

    /// Equal stores give equal output: where the figures are the same, the key decides.
    fn compare(&self, other: &Self, sort: Sort) -> Ordering {
        let figure = |group: &Self| {
            let figures: &Figures = &group.figures.all;
            Reverse(match sort {
                Sort::Bytes => figures.bytes(),
                Sort::Tx => figures.tx_bytes,
                Sort::Rx => figures.rx_bytes,
                Sort::Connections => figures.connections,
                Sort::Name => 0,
            })
        };
        let names = || match (sort, &self.process, &other.process) {
            (Sort::Name, Some(one), Some(other)) => process_name(one).cmp(&process_name(other)),
            _ => Ordering::Equal,
        };
        figure(self).cmp(&figure(other)).then_with(names).then_with(|| self.keys.cmp(&other.keys))
    }
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Audit {
    /// What was grouped by.
    pub by: Vec<By>,
    /// What is missing.
    pub completeness: Completeness,
    /// Where places and networks come from.
    pub geo: GeoNotes,
    /// How many connections match lists of indicators.
    pub indicators: Indicators,
    /// Everything together.
    pub totals: Split,
    /// Connections whose both ends are here: they are in the totals twice.
    pub own: Own,
    /// All groups, or the first of them.
    pub groups: Vec<Group>,
    /// How many groups were left out, and their sum.
    pub rest: (u64, Split),
    /// What the interfaces counted meanwhile.
    pub comparison: Comparison,
}

impl Audit {
    /// Groups in all.
    pub fn group_count(&self) -> u64 {
        self.groups.len() as u64 + self.rest.0
    }
}
