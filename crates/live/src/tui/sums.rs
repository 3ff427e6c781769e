//! Connections taken together: by process, and by where they go.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::items::{Item, Items};
use crate::rate_window::Rate;
use connmon_analysis::groups::{self, GroupFigures, Groups};
use connmon_record::{AddressKind, Process, ProcessId, Proto, Untrusted, country_of};

/// The largest number of names, processes and services that are kept for a row.
const FEW: usize = 8;

/// Figures of several connections.
#[derive(Clone, Debug, Default)]
pub(super) struct TrafficSum {
    /// Connections and bytes.
    pub figures: GroupFigures,
    /// How fast they are.
    pub rate: Rate,
    /// Their ids.
    pub ids: Vec<i64>,
}

impl TrafficSum {
    fn add(&mut self, id: i64, figures: GroupFigures, rate: Rate) {
        self.figures += figures;
        self.rate += rate;
        self.ids.push(id);
    }
}

/// What one process does.
#[derive(Clone, Debug, Default)]
pub(super) struct ProcessSum {
    /// The process; `None` for connections for which none could be named.
    pub process: Option<Arc<Process>>,
    /// Its connections and its own bytes.
    pub sum: TrafficSum,
    /// Addresses.
    pub remotes: BTreeSet<IpAddr>,
}

impl ProcessSum {
    /// The name of its program, as it was captured.
    pub fn name(&self) -> Untrusted<&str> {
        self.process.as_ref().map_or(NOBODY.into(), |process| process.comm.borrowed())
    }
}

/// In the place of a process that could not be named.
pub(super) const NOBODY: &str = "(unknown)";

/// The sums by process. Bytes are each process's own; a connection's rate counts for its owner, or else for the first process.
pub(super) fn by_process(items: &Items) -> Vec<(Option<ProcessId>, ProcessSum)> {
    let mut sums: Groups<Option<ProcessId>, ProcessSum> = Groups::default();
    for (id, item) in items.fitting() {
        let connection = &item.connection;
        let mut place = |process: Option<&Arc<Process>>| {
            let place = sums.place(process.map(|process| process.id), |_| ProcessSum::default());
            // The newest connection has the newest name.
            sums.at(place).process = process.cloned();
            place
        };
        let mut users = groups::users(connection, |process| place(Some(process)));
        if users.is_empty() {
            users.push((place(None), item.figures));
        }
        // The first is the owner, if there is one.
        for (nth, (place, figures)) in users.into_iter().enumerate() {
            let row = sums.at(place);
            row.remotes.insert(connection.remote.ip);
            row.sum.add(id, figures, if nth == 0 { item.rate } else { Rate::default() });
        }
    }
    sums.sorted()
}

/// By what destinations are taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DestinationGrouping {
    /// The organisation that has the network, within a country.
    #[default]
    Organisation,
    /// The country.
    Country,
    /// The address.
    Address,
}

/// What is exchanged with one destination.
#[derive(Clone, Debug, Default)]
pub(super) struct DestinationSum {
    /// What it is called; captured.
    pub title: Untrusted,
    /// Its country's code; empty where there is none.
    pub country: String,
    /// Connections and bytes.
    pub sum: TrafficSum,
    /// Names of the other ends, few.
    pub names: BTreeSet<Untrusted>,
    /// Addresses.
    pub remotes: BTreeSet<IpAddr>,
    /// Names of processes, few.
    pub processes: BTreeSet<Untrusted>,
    /// Ports of services, few.
    pub services: BTreeSet<(Proto, u16)>,
}

/// By destination, each with a key that stays the same.
pub(super) fn by_destination(items: &Items, by: DestinationGrouping) -> Vec<(String, DestinationSum)> {
    let mut sums: Groups<String, DestinationSum> = Groups::default();
    for (id, item) in items.fitting() {
        let (key, title, country) = place(item, by);
        let row = sums.row(key, |_| DestinationSum { title, country, ..DestinationSum::default() });
        row.sum.add(id, item.figures, item.rate);
        row.remotes.insert(item.connection.remote.ip);
        few(&mut row.names, item.connection.host());
        few(&mut row.processes, item.connection.owner.as_ref().map(|process| &process.comm));
        if row.services.len() < FEW {
            row.services.insert((item.connection.proto, item.service.port));
        }
    }
    sums.sorted()
}

fn few(set: &mut BTreeSet<Untrusted>, text: Option<&Untrusted>) {
    if let Some(text) = text.filter(|text| set.len() < FEW && !set.contains(*text)) {
        set.insert(text.clone());
    }
}

/// Key, title and country of the destination of a connection.
fn place(item: &Item, by: DestinationGrouping) -> (String, Untrusted, String) {
    let connection = &item.connection;
    let country = connection.country.clone().unwrap_or_default();
    let title = country_of(&country).map_or("Country unknown", |country| country.name);
    if by == DestinationGrouping::Address {
        let ip = connection.remote.ip.to_string();
        return (ip.clone(), ip.into(), country);
    }
    if item.kind != AddressKind::Public {
        return (format!(" {}", item.kind.name()), item.kind.label().into(), String::new());
    }
    let org = connection.place.as_deref().filter(|_| by == DestinationGrouping::Organisation);
    match org.map(|place| (place.asn, place.org.as_ref(), place.network())) {
        Some((asn, Some(org), _)) => (format!("{country} {asn:?} {org:?}"), org.clone(), country),
        Some((Some(asn), None, network)) => (format!("{country} {asn}"), network, country),
        _ => (country.clone(), title.into(), country),
    }
}
