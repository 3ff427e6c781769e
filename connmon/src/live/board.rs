//! What a viewer knows: the connections that are open and the last of those that ended, as the store has them.

mod moved;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::event::{Event, What};
use super::meter::{Meter, Rate};
use super::update::{Listener, Totals, Update};
use crate::model::{
    CUT_OFF, Connection, End, Hit, Lookup, Name, Observed, Process, Run, STEP_LENGTHS, Timestamp,
};
use crate::store::RUN_SHIFT;
use crate::track::{ConnectionRow, LookupRow, NameRow, ProcessRow};
use moved::Moved;

/// Answers of DNS that are remembered.
const MAX_LOOKUPS: usize = 200;
/// Steps of all connections that are remembered: beyond, they become longer.
const MAX_STEPS: usize = 400_000;

/// A connection and all that was told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its row.
    pub row: ConnectionRow,
    /// What was moved.
    moved: Moved,
    names: Vec<NameRow>,
    observed: Option<Observed>,
    label: Option<Arc<str>>,
    hits: Vec<Hit>,
    meter: Meter,
}

/// What an update has changed. Connections are named by their ids in the store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Everything is new: a snapshot has begun.
    pub reset: bool,
    /// New or changed connections, in the order of their ids.
    pub connections: Vec<i64>,
    /// Connections that are not there any more: left out, or pushed out by newer ones.
    pub gone: Vec<i64>,
    /// What happened, in the order of time. A snapshot tells of nothing that happened.
    pub events: Vec<Event>,
}

/// The connections of a recording, as far as they are remembered.
#[derive(Clone, Debug, Default)]
pub struct Board {
    keep: usize,
    rates: bool,
    seq: u64,
    now: Timestamp,
    run: Option<Run>,
    processes: HashMap<i64, Arc<Process>>,
    parents: HashMap<i64, i64>,
    entries: BTreeMap<i64, Entry>,
    /// Connections that are over, in the order in which they ended.
    over: VecDeque<i64>,
    of_addresses: HashMap<IpAddr, Vec<Name>>,
    lookups: VecDeque<LookupRow>,
    listeners: Vec<Listener>,
    totals: Totals,
    missed: u64,
    complete: bool,
    ended: bool,
    /// How long the steps are in which is kept what was moved, a place in [`STEP_LENGTHS`], and how many there are of all connections.
    step: usize,
    steps: usize,
    /// When the recording ended, which cuts off what is open.
    cut: Option<Timestamp>,
}

impl Board {
    /// An empty board that remembers so many connections beside those that are open, and their rates if somebody looks at them.
    pub fn new(keep: usize, rates: bool) -> Self {
        Self { keep, rates, ..Self::default() }
    }

    /// The recording, once it is known.
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// The latest time that the recorder told.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The number of the last update.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Sums of the whole recording.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Updates that were missed, and made good by a snapshot.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Whether a whole snapshot has come.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether the recording ended in order.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Connections of the recording that are not remembered here; the store has them.
    pub fn forgotten(&self) -> u64 {
        self.totals.connections.saturating_sub(self.entries.len() as u64)
    }

    /// Sockets that listen.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The last answers of DNS, oldest first.
    pub fn lookups(&self) -> impl DoubleEndedIterator<Item = &LookupRow> {
        self.lookups.iter()
    }

    /// The ids of the connections that are remembered, in order.
    pub fn ids(&self) -> impl Iterator<Item = i64> + '_ {
        self.entries.keys().map(|row| self.id(*row))
    }

    /// The connections that are remembered, in the order of their ids, each with the number of its run.
    pub fn connections(&self) -> impl Iterator<Item = (i64, Connection)> + '_ {
        let run = self.run.as_ref().map_or(0, |run| run.id);
        self.entries.iter().map(move |(row, entry)| (run, self.whole(*row, entry)))
    }

    /// What is remembered of a connection.
    pub fn entry(&self, id: i64) -> Option<&Entry> {
        self.entries.get(&row_of(id))
    }

    /// A connection as the store would give it.
    pub fn connection(&self, id: i64) -> Option<Connection> {
        let entry = self.entry(id)?;
        Some(self.whole(row_of(id), entry))
    }

    /// Bytes that a connection has sent and received, as far as was told.
    pub fn moved(&self, id: i64) -> (u64, u64) {
        self.entry(id).map_or((0, 0), |entry| entry.moved.bytes())
    }

    /// How fast a connection is.
    pub fn rate(&self, id: i64) -> Rate {
        self.entry(id).map(|entry| entry.meter.rate(self.now)).unwrap_or_default()
    }

    /// Adds what a connection moved in the steps of the last minute: see [`Meter::history`].
    pub fn history(&self, id: i64, steps: &mut [u64]) {
        if let Some(entry) = self.entry(id) {
            entry.meter.history(self.now, steps);
        }
    }

    /// A process by its row.
    pub fn process(&self, row: i64) -> Option<&Arc<Process>> {
        self.processes.get(&row)
    }

    /// A question to DNS with the process that asked it.
    pub fn lookup(&self, row: &LookupRow) -> Lookup {
        Lookup {
            time: row.time,
            answered: row.answered,
            process: row.process.and_then(|process| self.process(process)).cloned(),
            server: row.server,
            proto: row.proto,
            name: row.name.clone(),
            kind: row.kind.clone(),
            code: row.code.clone(),
            answers: row.answers.clone(),
        }
    }

    /// The id in the store of a row of this recording.
    fn id(&self, row: i64) -> i64 {
        self.run.as_ref().map_or(0, |run| run.id) << RUN_SHIFT | row
    }

    /// Takes in what a recorder told.
    pub fn apply(&mut self, update: &Update) -> Changes {
        let mut changes = Changes::default();
        if let Some(snapshot) = update.snapshot {
            if snapshot.first {
                let (keep, rates, missed) = (self.keep, self.rates, self.missed);
                *self =
                    Self { keep, rates, missed: missed.saturating_add(snapshot.missed), ..Self::default() };
                changes.reset = true;
            }
            self.complete = snapshot.last;
        }
        while self.step < update.step && self.lengthen() {}
        self.seq = update.seq;
        self.now = self.now.max(update.time);
        self.totals = update.totals;
        self.ended = update.ended;
        if let Some(run) = &update.run {
            self.run = Some((**run).clone());
        }
        let before = self.cut;
        self.cut = update.ended.then_some(self.now).or(self.run.as_ref().and_then(|run| run.ended));
        if let Some(listeners) = &update.listeners {
            self.listeners.clone_from(listeners);
        }
        let mut changed = BTreeSet::new();
        if before != self.cut {
            changed
                .extend(self.entries.iter().filter(|(_, one)| one.row.closed.is_none()).map(|(row, _)| *row));
        }
        let fresh = self.take_processes(&update.processes, &mut changed);
        for (ip, name) in &update.address_names {
            let names = self.of_addresses.entry(*ip).or_default();
            if !names.iter().any(|known| known.source == name.source && known.name == name.name) {
                names.push(name.clone());
                changed.extend(
                    self.entries.iter().filter(|(_, entry)| entry.row.remote.ip == *ip).map(|(row, _)| *row),
                );
            }
        }
        for row in &update.connections {
            self.take_connection(row, &mut changes.events);
            changed.insert(row.row);
        }
        self.take_facts(update, &mut changed);
        // What a connection moved tells whether it failed.
        for event in &mut changes.events {
            if let What::Closed(id) = event.what
                && self.connection(id).is_some_and(|one| one.has_failed())
            {
                event.what = What::Failed(id);
            }
        }
        self.lookups.extend(update.lookups.iter().cloned());
        while self.lookups.len() > MAX_LOOKUPS {
            self.lookups.pop_front();
        }
        for row in &update.left_out {
            if self.remove(*row) {
                changed.remove(row);
                changes.gone.push(self.id(*row));
            }
        }
        self.forget(&mut changes.gone);
        changes.connections = changed
            .into_iter()
            .filter(|row| self.entries.contains_key(row))
            .map(|row| self.id(row))
            .collect();
        if update.snapshot.is_some() {
            changes.events.clear();
        } else {
            self.also(update, &fresh, &mut changes.events);
        }
        changes
    }

    /// Takes in processes; gives the rows that are new.
    fn take_processes(&mut self, rows: &[ProcessRow], changed: &mut BTreeSet<i64>) -> HashSet<i64> {
        let (mut fresh, mut again) = (HashSet::new(), HashSet::new());
        for row in rows {
            if let Some(parent) = row.parent {
                self.parents.insert(row.row, parent);
            }
            let parent = self.parents.get(&row.row).and_then(|parent| self.processes.get(parent)).cloned();
            let process = Arc::new(Process { parent, ..row.process.clone() });
            match self.processes.insert(row.row, process) {
                Some(_) => again.insert(row.row),
                None => fresh.insert(row.row),
            };
        }
        if !again.is_empty() {
            let uses = |entry: &Entry| {
                entry.row.owner.is_some_and(|owner| again.contains(&owner))
                    || entry.moved.rows().iter().any(|moved| again.contains(&moved.process))
            };
            changed.extend(self.entries.iter().filter(|(_, entry)| uses(entry)).map(|(row, _)| *row));
        }
        fresh
    }

    fn take_connection(&mut self, row: &ConnectionRow, events: &mut Vec<Event>) {
        let id = self.id(row.row);
        let (opened, established, over) = match self.entries.get_mut(&row.row) {
            Some(entry) => {
                let before = std::mem::replace(&mut entry.row, row.clone());
                (false, before.established.is_some(), before.closed.is_some())
            }
            None => {
                let entry = Entry {
                    row: row.clone(),
                    moved: Moved::default(),
                    names: Vec::new(),
                    observed: None,
                    label: None,
                    hits: Vec::new(),
                    meter: Meter::default(),
                };
                self.entries.insert(row.row, entry);
                (true, false, false)
            }
        };
        if opened {
            events.push(Event { time: row.opened, what: What::New(id) });
        }
        if let (false, Some(time)) = (established, row.established) {
            events.push(Event { time, what: What::Established(id) });
        }
        if let (false, Some(time)) = (over, row.closed) {
            events.push(Event { time, what: What::Closed(id) });
            self.over.push_back(row.row);
        }
    }

    /// Takes in what is told of connections beside their rows.
    fn take_facts(&mut self, update: &Update, changed: &mut BTreeSet<i64>) {
        for traffic in &update.traffic {
            let Some(entry) = self.entries.get_mut(&traffic.connection) else { continue };
            changed.insert(traffic.connection);
            if self.rates && update.snapshot.is_none() {
                entry.meter.add(update.time, traffic.tx_bytes, traffic.rx_bytes);
            }
            self.steps += usize::from(entry.moved.add(traffic, self.step));
        }
        while self.steps > MAX_STEPS && self.lengthen() {}
        for name in &update.names {
            let Some(entry) = self.entries.get_mut(&name.connection) else { continue };
            if !entry.names.iter().any(|known| known.source == name.source && known.name == name.name) {
                entry.names.push(name.clone());
                changed.insert(name.connection);
            }
        }
        for (row, observed) in &update.observed {
            let Some(entry) = self.entries.get_mut(row) else { continue };
            let before = entry.observed.take().unwrap_or_default();
            let alpn = if observed.alpn.is_empty() { before.alpn } else { observed.alpn.clone() };
            entry.observed = Some(Observed { service: observed.service.clone(), alpn });
            changed.insert(*row);
        }
        for (row, label) in &update.labels {
            let Some(entry) = self.entries.get_mut(row) else { continue };
            entry.label.clone_from(label);
            changed.insert(*row);
        }
        for (row, hit) in &update.hits {
            let Some(entry) = self.entries.get_mut(row) else { continue };
            entry.hits.push(hit.clone());
            changed.insert(*row);
        }
    }

    /// Answers of DNS and new programs, among the events.
    fn also(&self, update: &Update, fresh: &HashSet<i64>, events: &mut Vec<Event>) {
        let lookups = update.lookups.iter();
        events.extend(lookups.map(|row| Event {
            time: row.answered.unwrap_or(row.time),
            what: What::Dns(Box::new(row.clone())),
        }));
        let began = self.run.as_ref().map_or(Timestamp(0), |run| run.started);
        let owners = update.connections.iter().filter_map(|row| row.owner);
        let users: BTreeSet<i64> = owners
            .chain(update.traffic.iter().map(|row| row.process))
            .filter(|row| fresh.contains(row))
            .collect();
        let started = users.into_iter().filter_map(|row| Some((row, self.processes.get(&row)?.started)));
        events.extend(
            started
                .filter(|(_, started)| *started >= began)
                .map(|(row, time)| Event { time, what: What::Exec(row) }),
        );
        // What is told of one moment keeps the order of what can follow from what.
        events.sort_by_key(|event| event.time);
    }

    /// Forgets what was pushed out by newer connections, and processes and names that nobody needs any more.
    fn forget(&mut self, gone: &mut Vec<i64>) {
        while self.over.len() > self.keep {
            let Some(row) = self.over.pop_front() else { break };
            if self.remove(row) {
                gone.push(self.id(row));
            }
        }
        let most = 2 * (self.entries.len() + self.keep).max(1_000);
        if self.processes.len() > most {
            let mut used: HashSet<i64> = HashSet::new();
            for entry in self.entries.values() {
                used.extend(entry.row.owner);
                used.extend(entry.moved.rows().iter().map(|moved| moved.process));
                used.extend(entry.names.iter().filter_map(|name| name.process));
            }
            self.processes.retain(|row, _| used.contains(row));
            self.parents.retain(|row, _| used.contains(row));
        }
        if self.of_addresses.len() > most {
            let used: HashSet<IpAddr> = self.entries.values().map(|entry| entry.row.remote.ip).collect();
            self.of_addresses.retain(|ip, _| used.contains(ip));
        }
    }

    /// Removes a connection; whether there was one.
    fn remove(&mut self, row: i64) -> bool {
        let entry = self.entries.remove(&row);
        self.steps -= entry.as_ref().map_or(0, |entry| entry.moved.rows().len());
        entry.is_some()
    }

    /// Makes all steps longer; whether they can be.
    fn lengthen(&mut self) -> bool {
        if self.step + 1 >= STEP_LENGTHS.len() {
            return false;
        }
        self.step += 1;
        self.entries.values_mut().for_each(|entry| entry.moved.lengthen(self.step));
        self.steps = self.entries.values().map(|entry| entry.moved.rows().len()).sum();
        true
    }

    fn whole(&self, row: i64, entry: &Entry) -> Connection {
        let process = |row: i64| self.processes.get(&row).cloned();
        let (traffic, steps) = entry.moved.shares(process, self.step);
        let mut names: Vec<Name> = entry
            .names
            .iter()
            .map(|name| Name {
                name: name.name.to_string(),
                source: name.source,
                process: name.process.and_then(process),
                time: name.time,
            })
            .chain(self.of_addresses.get(&entry.row.remote.ip).into_iter().flatten().cloned())
            .collect();
        names.sort_by_key(|name| name.source);
        let ConnectionRow {
            proto, direction, local, remote, opened, closed, end, preexisting, subflow, ..
        } = entry.row;
        let cut_off = self.cut.filter(|_| closed.is_none()).map(|cut| cut.max(opened));
        let end = end.or(closed.map(|_| End::Unseen)).or(cut_off.map(|_| End::RecordingEnded));
        Connection {
            id: self.id(row),
            proto,
            direction,
            local,
            remote,
            opened,
            closed,
            cut_off,
            end,
            subflow,
            preexisting,
            inexact: entry.row.inexact.as_deref().or(cut_off.map(|_| CUT_OFF)).map(ToOwned::to_owned),
            owner: entry.row.owner.and_then(process),
            traffic,
            steps,
            within: None,
            beyond: 0,
            kernel: entry.row.kernel,
            wire: entry.row.wire,
            country: entry.row.country.clone(),
            place: entry.row.place.clone(),
            names,
            observed: entry.observed.clone(),
            label: entry.label.clone(),
            hits: entry.hits.clone(),
        }
    }
}

/// The row within its recording of an id in the store.
fn row_of(id: i64) -> i64 {
    id & ((1 << RUN_SHIFT) - 1)
}
