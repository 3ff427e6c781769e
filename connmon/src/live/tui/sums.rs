//! Connections taken together: by process, and by where they go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::items::{Item, Items};
use crate::live::meter::Rate;
use crate::model::{AddressKind, Process, ProcessId, Proto, Untrusted, country_of};

/// Names, addresses and processes of a row that are kept.
const FEW: usize = 8;

/// Figures of several connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    /// Connections.
    pub connections: u64,
    /// Of these, those that last.
    pub open: u64,
    /// Of these, those that failed.
    pub failed: u64,
    /// Bytes sent.
    pub tx: u64,
    /// Bytes received.
    pub rx: u64,
    /// How fast they are.
    pub rate: Rate,
    /// Their ids.
    pub ids: Vec<i64>,
}

impl Sum {
    fn add(&mut self, id: i64, item: &Item, tx: u64, rx: u64) {
        self.connections += 1;
        self.open += u64::from(item.open());
        self.failed += u64::from(item.connection.has_failed());
        self.tx = self.tx.saturating_add(tx);
        self.rx = self.rx.saturating_add(rx);
        self.rate += item.rate;
        self.ids.push(id);
    }

    /// Bytes both ways.
    pub fn bytes(&self) -> u64 {
        self.tx.saturating_add(self.rx)
    }
}

/// What one process does.
#[derive(Clone, Debug)]
pub(super) struct ProcessSum {
    /// The process; `None` for connections for which none could be named.
    pub process: Option<Arc<Process>>,
    /// Its connections and its own bytes.
    pub sum: Sum,
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

/// By process. Bytes are each process's own; a rate is counted where the connection belongs.
pub(super) fn by_process(items: &Items) -> Vec<(Option<ProcessId>, ProcessSum)> {
    let mut sums: BTreeMap<Option<ProcessId>, ProcessSum> = BTreeMap::new();
    for (id, item) in items.fitting() {
        let connection = &item.connection;
        let owner = connection.owner.as_ref().or(connection.traffic.first().map(|share| &share.process));
        let entry = |sums: &mut BTreeMap<Option<ProcessId>, ProcessSum>,
                     process: Option<&Arc<Process>>,
                     mine: bool,
                     tx,
                     rx| {
            let row = sums.entry(process.map(|process| process.id)).or_insert_with(|| ProcessSum {
                process: process.cloned(),
                sum: Sum::default(),
                remotes: BTreeSet::new(),
            });
            // The newest connection has the newest name.
            row.process = process.cloned();
            row.remotes.insert(connection.remote.ip);
            row.sum.add(id, item, tx, rx);
            if !mine {
                row.sum.rate.tx -= item.rate.tx;
                row.sum.rate.rx -= item.rate.rx;
            }
        };
        let own = |process: Option<&Arc<Process>>| process.map(|process| process.id);
        let mut seen = false;
        for share in &connection.traffic {
            let mine = Some(share.process.id) == own(owner);
            seen |= mine;
            entry(&mut sums, Some(&share.process), mine, share.tx_bytes, share.rx_bytes);
        }
        if !seen {
            entry(&mut sums, owner, true, 0, 0);
        }
    }
    sums.into_iter().collect()
}

/// By what destinations are taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum By {
    /// The organisation that has the network, within a country.
    #[default]
    Organisation,
    /// The country.
    Country,
    /// The address.
    Address,
}

/// What is exchanged with one destination.
#[derive(Clone, Debug)]
pub(super) struct PlaceSum {
    /// What it is called; captured.
    pub title: Untrusted,
    /// Its country's code; empty where there is none.
    pub country: String,
    /// Connections and bytes.
    pub sum: Sum,
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
pub(super) fn by_place(items: &Items, by: By) -> Vec<(String, PlaceSum)> {
    let mut sums: BTreeMap<String, PlaceSum> = BTreeMap::new();
    for (id, item) in items.fitting() {
        let (key, title, country) = place(item, by);
        let row = sums.entry(key).or_insert_with(|| PlaceSum {
            title,
            country,
            sum: Sum::default(),
            names: BTreeSet::new(),
            remotes: BTreeSet::new(),
            processes: BTreeSet::new(),
            services: BTreeSet::new(),
        });
        row.sum.add(id, item, item.tx, item.rx);
        row.remotes.insert(item.connection.remote.ip);
        few(&mut row.names, item.connection.host());
        few(&mut row.processes, item.connection.owner.as_ref().map(|process| &process.comm));
        if row.services.len() < FEW {
            row.services.insert((item.connection.proto, item.service.port));
        }
    }
    sums.into_iter().collect()
}

fn few(set: &mut BTreeSet<Untrusted>, text: Option<&Untrusted>) {
    if let Some(text) = text.filter(|text| set.len() < FEW && !set.contains(*text)) {
        set.insert(text.clone());
    }
}

/// Key, title and country of the destination of a connection.
fn place(item: &Item, by: By) -> (String, Untrusted, String) {
    let connection = &item.connection;
    let country = connection.country.clone().unwrap_or_default();
    let title = country_of(&country).map_or("Country unknown", |country| country.name);
    if by == By::Address {
        let ip = connection.remote.ip.to_string();
        return (ip.clone(), ip.into(), country);
    }
    if item.kind != AddressKind::Public {
        return (format!(" {}", item.kind.name()), item.kind.label().into(), String::new());
    }
    let org = connection.place.as_deref().filter(|_| by == By::Organisation);
    match org.map(|place| (place.asn, place.org.as_ref(), place.network())) {
        Some((asn, Some(org), _)) => (format!("{country} {asn:?} {org:?}"), org.clone(), country),
        Some((Some(asn), None, network)) => (format!("{country} {asn}"), network, country),
        _ => (country.clone(), title.into(), country),
    }
}
