//! What repeats, kept once.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use connmon_record::{
    Connection, Facts, Hit, Location, Name, NameSource, Process, Proto, Run, Untrusted, service_of,
};

/// Entries in the order in which they came, each once.
pub(super) struct Dictionary<K, V = K> {
    pub(super) places: HashMap<K, u32>,
    pub(super) entries: Vec<V>,
}

impl<K, V> Default for Dictionary<K, V> {
    fn default() -> Self {
        Self { places: HashMap::new(), entries: Vec::new() }
    }
}

impl<K: Eq + Hash + Clone> Dictionary<K> {
    /// Of entries that are their own keys.
    pub(super) fn of_entries(entries: Vec<K>) -> Self {
        let places = entries.iter().cloned().zip(0..).collect();
        Self { places, entries }
    }
}

impl<K: Eq + Hash, V> Dictionary<K, V> {
    fn place(&mut self, key: K, entry: impl FnOnce() -> V) -> u32 {
        *self.places.entry(key).or_insert_with(|| {
            self.entries.push(entry());
            u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

/// A remote address and what was known of it.
pub(super) struct Remote {
    pub(super) ip: IpAddr,
    pub(super) country: Option<String>,
    pub(super) place: Option<Arc<Location>>,
}

/// A process and where its parent is in the dictionary.
pub(super) struct Entry {
    pub(super) process: Arc<Process>,
    pub(super) parent: Option<u32>,
}

/// A name, where it comes from, and the place of the process that stated or asked for it. The time is in the row.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct NameEntry {
    pub(super) name: Untrusted,
    pub(super) source: NameSource,
    pub(super) process: Option<u32>,
}

/// What tells sets of hits apart.
pub(super) type HitKey = Vec<(Untrusted, Untrusted)>;

/// All dictionaries of a page. Of texts, sets and labels the first entry stands for none.
pub(super) struct Dictionaries {
    runs: Vec<i64>,
    pub(super) processes: Dictionary<usize, Entry>,
    pub(super) locals: Dictionary<IpAddr>,
    /// The entries of each address: one, unless what was known of it changed.
    pub(super) remote_places: HashMap<IpAddr, Vec<u32>>,
    pub(super) remotes: Vec<Remote>,
    pub(super) protos: Dictionary<Proto>,
    pub(super) services: Dictionary<&'static str>,
    pub(super) labels: Dictionary<Untrusted<Arc<str>>>,
    pub(super) inexact: Dictionary<String>,
    pub(super) hits: Dictionary<HitKey, Vec<Hit>>,
    pub(super) names: Dictionary<Vec<NameEntry>>,
}

impl Dictionaries {
    pub(super) fn new(runs: &[Run]) -> Self {
        let mut all = Self {
            runs: runs.iter().map(|run| run.id).collect(),
            processes: Dictionary::default(),
            locals: Dictionary::default(),
            remote_places: HashMap::new(),
            remotes: Vec::new(),
            protos: Dictionary::default(),
            services: Dictionary::default(),
            labels: Dictionary::default(),
            inexact: Dictionary::default(),
            hits: Dictionary::default(),
            names: Dictionary::default(),
        };
        all.services.place("", || "");
        all.labels.place("".into(), || "".into());
        all.inexact.place(String::new(), String::new);
        all.hits.place(Vec::new(), Vec::new);
        all.names.place(Vec::new(), Vec::new);
        all
    }

    pub(super) fn processes(&self) -> &[Entry] {
        &self.processes.entries
    }

    pub(super) fn remotes(&self) -> &[Remote] {
        &self.remotes
    }

    pub(super) fn hit_sets(&self) -> &[Vec<Hit>] {
        &self.hits.entries
    }

    pub(super) fn name_sets(&self) -> &[Vec<NameEntry>] {
        &self.names.entries
    }

    /// The place of a process; its ancestors get one too.
    pub(super) fn process(&mut self, process: &Arc<Process>) -> u32 {
        // The entry keeps the process alive, so that no other process gets its address in memory.
        let key = Arc::as_ptr(process) as usize;
        if let Some(place) = self.processes.places.get(&key) {
            return *place;
        }
        let parent = process.parent.as_ref().map(|parent| self.process(parent));
        self.processes.place(key, || Entry { process: process.clone(), parent })
    }

    pub(super) fn local(&mut self, ip: IpAddr) -> u32 {
        self.locals.place(ip, || ip)
    }

    pub(super) fn remote(&mut self, connection: &Connection) -> u32 {
        let Connection { country, place, facts: Facts { remote, .. }, .. } = connection;
        let entries = self.remote_places.entry(remote.ip).or_default();
        let same = |entry: &u32| {
            let entry = &self.remotes[*entry as usize];
            entry.country == *country && entry.place == *place
        };
        if let Some(entry) = entries.iter().find(|entry| same(entry)) {
            return *entry;
        }
        let entry = u32::try_from(self.remotes.len()).unwrap_or(u32::MAX);
        entries.push(entry);
        self.remotes.push(Remote { ip: remote.ip, country: country.clone(), place: place.clone() });
        entry
    }

    pub(super) fn names(&mut self, names: &[Name]) -> u32 {
        if names.is_empty() {
            return 0;
        }
        let entry = |name: &Name| NameEntry {
            name: name.name.clone(),
            source: name.source,
            process: name.process.as_ref().map(|process| self.process(process)),
        };
        let set: Vec<NameEntry> = names.iter().map(entry).collect();
        self.names.place(set.clone(), || set)
    }

    pub(super) fn hits(&mut self, hits: &[Hit]) -> u32 {
        let key = hits.iter().map(|hit| (hit.indicator.clone(), hit.list.name.clone())).collect();
        self.hits.place(key, || hits.to_vec())
    }

    pub(super) fn run(&self, run: i64) -> u32 {
        let place = self.runs.iter().position(|id| *id == run).unwrap_or(0);
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    pub(super) fn proto(&mut self, proto: Proto) -> u32 {
        self.protos.place(proto, || proto)
    }

    pub(super) fn service(&mut self, connection: &Connection) -> u32 {
        let name = service_of(connection).name.unwrap_or_default();
        self.services.place(name, || name)
    }

    pub(super) fn label(&mut self, label: Option<&Untrusted<Arc<str>>>) -> u32 {
        let label = label.cloned().unwrap_or_else(|| "".into());
        self.labels.place(label.clone(), || label)
    }

    pub(super) fn inexact(&mut self, reason: Option<&str>) -> u32 {
        let reason = reason.unwrap_or_default();
        self.inexact.place(reason.to_owned(), || reason.to_owned())
    }
}
