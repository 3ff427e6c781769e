//! Lists made ready for matching: tables by address, name and hash.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::indicator::{name, sha256};
use super::{Indicator, IndicatorValue, IocError, List, UrlHost};
use crate::FilterRow;
use connmon_record::{IndicatorKind, IndicatorList, Untrusted};

/// Indicators of all lists together at most.
const MOST: usize = 20_000_000;

/// One indicator of one list, below its key in a table. Those of one key are a chain.
struct IndicatorEntry {
    /// The index of the list.
    list: u32,
    port: Option<u16>,
    /// A URL, of which the key is the host.
    url: Option<Box<str>>,
    /// The next of the same key.
    next: Option<u32>,
}

/// All lists of a command. Looking something up costs the same for any number of indicators.
#[derive(Default)]
pub struct Lists {
    abouts: Vec<Arc<IndicatorList>>,
    entries: Vec<IndicatorEntry>,
    networks: IndicatorTable<IpNet>,
    names: IndicatorTable<Box<str>>,
    hashes: IndicatorTable<[u8; 32]>,
    /// The lengths of prefixes that there are, the longest first.
    lengths_v4: Vec<u8>,
    lengths_v6: Vec<u8>,
}

/// The first entry of each key: of those for any port, and of those for one. So a chain has at most two entries of each
/// list, whatever its indicators.
struct IndicatorTable<K> {
    any: HashMap<K, u32>,
    by_port: HashMap<u16, HashMap<K, u32>>,
}

impl<K> Default for IndicatorTable<K> {
    fn default() -> Self {
        Self { any: HashMap::new(), by_port: HashMap::new() }
    }
}

impl<K: Hash + Eq> IndicatorTable<K> {
    /// Whether there is a key, for whatever port.
    fn has<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.any.contains_key(key) || self.by_port.values().any(|table| table.contains_key(key))
    }

    fn is_empty(&self) -> bool {
        self.any.is_empty() && self.by_port.is_empty()
    }

    /// The first entries of a key: at most one for any port and one for this.
    fn heads<Q: Hash + Eq + ?Sized>(&self, key: &Q, port: u16) -> impl Iterator<Item = u32>
    where
        K: Borrow<Q>,
    {
        let of_port = self.by_port.get(&port).and_then(|table| table.get(key));
        self.any.get(key).into_iter().chain(of_port).copied()
    }

    /// Puts an indicator below its key. One that its list has twice counts once, and so do URLs of one host.
    fn add(&mut self, entries: &mut Vec<IndicatorEntry>, key: K, entry: IndicatorEntry) {
        let table = match entry.port {
            Some(port) => self.by_port.entry(port).or_default(),
            None => &mut self.any,
        };
        // There are at most `MOST`, checked before.
        let new = entries.len() as u32;
        let next = match table.entry(key) {
            Slot::Occupied(mut slot) => {
                let mut at = Some(*slot.get());
                // The newest list is in front, so this ends with its own.
                while let Some(other) = at.map(|at| &entries[at as usize]).filter(|it| it.list == entry.list)
                {
                    if other.url.is_some() == entry.url.is_some() {
                        return;
                    }
                    at = other.next;
                }
                Some(slot.insert(new))
            }
            Slot::Vacant(slot) => {
                slot.insert(new);
                None
            }
        };
        entries.push(IndicatorEntry { next, ..entry });
    }
}

/// An indicator that fits.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match<'a> {
    /// The index in [`Lists::abouts`].
    pub list: usize,
    /// The list.
    pub about: &'a Arc<IndicatorList>,
    /// The thing that the indicator names.
    pub kind: IndicatorKind,
    /// The indicator.
    pub indicator: Untrusted,
}

impl Lists {
    /// The tables of some lists.
    ///
    /// # Errors
    /// They have more indicators together than can be held.
    pub fn new(lists: Vec<List>) -> Result<Self, IocError> {
        let mut all = Self::default();
        for (number, list) in (0_u32..).zip(lists) {
            if all.entries.len() + list.indicators.len() > MOST {
                return Err(IocError::TooMany(MOST));
            }
            all.abouts.push(list.about);
            list.indicators.into_iter().for_each(|indicator| all.add(number, indicator));
        }
        all.lengths_v4.sort_unstable_by(|a, b| b.cmp(a));
        all.lengths_v6.sort_unstable_by(|a, b| b.cmp(a));
        Ok(all)
    }

    /// Whether there is nothing to match.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The lists, in their order.
    pub fn abouts(&self) -> &[Arc<IndicatorList>] {
        &self.abouts
    }

    fn add(&mut self, list: u32, Indicator { value: what, port }: Indicator) {
        let entries = &mut self.entries;
        let entry = |url| IndicatorEntry { list, port, url, next: None };
        let (network, entry) = match what {
            IndicatorValue::Name(name) => return self.names.add(entries, name, entry(None)),
            IndicatorValue::Url(UrlHost::Name(name), url) => {
                return self.names.add(entries, name, entry(Some(url)));
            }
            IndicatorValue::Sha256(hash) => return self.hashes.add(entries, hash, entry(None)),
            IndicatorValue::Url(UrlHost::Address(ip), url) => (ip.into(), entry(Some(url))),
            IndicatorValue::Network(network) => (network, entry(None)),
        };
        let lengths = match network {
            IpNet::V4(_) => &mut self.lengths_v4,
            IpNet::V6(_) => &mut self.lengths_v6,
        };
        if !lengths.contains(&network.prefix_len()) {
            lengths.push(network.prefix_len());
        }
        self.networks.add(entries, network, entry);
    }

    /// Whether an address can be one that [`Lists::matches`] finds, whatever its port.
    pub fn has_address(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let lengths = if ip.is_ipv4() { &self.lengths_v4 } else { &self.lengths_v6 };
        let mut networks = lengths.iter().filter_map(|length| IpNet::new(ip, *length).ok());
        networks.any(|network| self.networks.has(&network.trunc()))
    }

    /// Whether there are names at all.
    pub fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// The same for a name: it, or a domain above it.
    pub fn has_name(&self, host: &str) -> bool {
        let Some(host) = name(host).filter(|_| self.has_names()) else { return false };
        let mut domains = std::iter::successors(Some(&*host), |domain| Some(domain.split_once('.')?.1));
        domains.any(|domain| self.names.has(domain))
    }

    /// The same for the hash of an executable.
    pub fn has_hash(&self, text: &str) -> bool {
        !self.hashes.is_empty() && sha256(text).is_some_and(|hash| self.hashes.has(&hash))
    }

    /// The indicators that a connection fits: by its remote address and port, by the remote's names, and by the
    /// executables of its processes.
    pub fn matches<'a>(&'a self, row: &FilterRow<'_>, remote_port: u16) -> Vec<Match<'a>> {
        let mut found = Vec::new();
        let mut take = |head: u32, shown: &dyn Fn() -> String, kind, whole: bool| {
            let mut next = Some(head);
            while let Some(entry) = next.and_then(|at| self.entries.get(at as usize)) {
                next = entry.next;
                // A URL means its host and no name below it.
                if !whole && entry.url.is_some() {
                    continue;
                }
                let (kind, indicator) = match (&entry.url, entry.port) {
                    (Some(url), _) => (IndicatorKind::Url, url.to_string()),
                    (None, Some(port)) => (kind, with_port(&shown(), port)),
                    (None, None) => (kind, shown()),
                };
                let about = &self.abouts[entry.list as usize];
                found.push(Match { list: entry.list as usize, about, kind, indicator: indicator.into() });
            }
        };
        let ip = row.remote.to_canonical();
        for length in if ip.is_ipv4() { &self.lengths_v4 } else { &self.lengths_v6 } {
            let Ok(network) = IpNet::new(ip, *length) else { continue };
            let network = network.trunc();
            let is_address = network.prefix_len() == network.max_prefix_len();
            let kind = if is_address { IndicatorKind::Address } else { IndicatorKind::Network };
            let shown = || if is_address { ip.to_string() } else { network.to_string() };
            let heads = self.networks.heads(&network, remote_port);
            heads.for_each(|head| take(head, &shown, kind, true));
        }
        if !self.names.is_empty() {
            for host in &row.hosts {
                let Some(host) = name(host) else { continue };
                let mut rest = Some(&*host);
                while let Some(domain) = rest {
                    let whole = domain.len() == host.len();
                    let shown = || domain.to_owned();
                    let heads = self.names.heads(domain, remote_port);
                    heads.for_each(|head| take(head, &shown, IndicatorKind::Name, whole));
                    rest = domain.split_once('.').map(|(_, domain)| domain);
                }
            }
        }
        if !self.hashes.is_empty() {
            for process in &row.processes {
                let Some(text) = process.sha256.as_deref() else { continue };
                let shown = || text.to_ascii_lowercase();
                if let Some(hash) = sha256(text) {
                    let heads = self.hashes.heads(&hash, remote_port);
                    heads.for_each(|head| take(head, &shown, IndicatorKind::Sha256, true));
                }
            }
        }
        // Several names or processes of a connection can fit the same indicator.
        found.sort_unstable_by(|a, b| (a.list, a.kind, &a.indicator).cmp(&(b.list, b.kind, &b.indicator)));
        found.dedup();
        found
    }
}

fn with_port(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(ip) => std::net::SocketAddr::new(ip, port).to_string(),
        Err(_) => format!("{host}:{port}"),
    }
}
