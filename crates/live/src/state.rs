//! What a viewer knows: the connections that are open and the last of those that ended, as the store has them.

mod entry;
mod forget;
mod remembered;
mod snapshot;
mod sums;
mod take;
mod traffic;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::event::{Event, EventKind};
use super::findings::LiveFindings;
use super::rate_window::{Rate, RateWindow, WINDOW};
use super::update::{Listener, LiveTotals, Snapshot, Update};
use connmon_record::rows::LookupRow;
use connmon_record::{Connection, Lookup, Name, Process, Run, STEP_LENGTHS, Timestamp};
use connmon_store::RUN_SHIFT;
pub use entry::LiveConnection;
use forget::NeededCounts;
use remembered::RememberedConnections;

/// Answers of DNS that are remembered.
const MAX_LOOKUPS: usize = 200;
/// Steps of all connections that are remembered: beyond, they become longer.
const MAX_STEPS: usize = 400_000;

/// The changes of an update. Connections are named by their ids in the store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Everything is new: a snapshot has begun.
    pub reset: bool,
    /// New or changed connections, in the order of their ids.
    pub connections: Vec<i64>,
    /// Connections that are no longer there: not kept by the recording's filter, or pushed out by newer ones.
    pub gone: Vec<i64>,
    /// The events, in the order of time. A snapshot has no events.
    pub events: Vec<Event>,
}

/// The connections of a recording, as far as they are remembered.
#[derive(Clone, Debug, Default)]
pub struct LiveState {
    keep: usize,
    rates: bool,
    seq: u64,
    now: Timestamp,
    run: Option<Run>,
    processes: HashMap<i64, Arc<Process>>,
    parents: HashMap<i64, i64>,
    kept: RememberedConnections,
    /// The bytes that all connections moved, including those that were pushed out; and when one was last pushed out, or missed.
    meter: RateWindow,
    pushed_out: Option<Timestamp>,
    of_addresses: HashMap<IpAddr, Vec<Name>>,
    needed: NeededCounts,
    lookups: VecDeque<LookupRow>,
    listeners: Vec<Listener>,
    findings: LiveFindings,
    totals: LiveTotals,
    missed: u64,
    complete: bool,
    ended: bool,
    /// The length of the steps in which traffic is kept, an index in [`STEP_LENGTHS`], and the number of steps of all connections.
    step: usize,
    steps: usize,
    /// When the recording ended, which cuts off what is open.
    cut: Option<Timestamp>,
}

impl LiveState {
    /// An empty live state that remembers `keep` ended connections besides the open ones, and with `rates` their rates.
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
    pub fn totals(&self) -> LiveTotals {
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

    /// Connections of the recording that newer ones pushed out, here or at the recorder; the store has them.
    pub fn forgotten(&self) -> u64 {
        self.kept.forgotten()
    }

    /// Whether as many ended connections are remembered as allowed: one more pushes out the oldest.
    pub fn is_full(&self) -> bool {
        self.kept.closed() >= self.keep
    }

    /// Sockets that listen.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// What is worth a look.
    pub fn findings(&self) -> &LiveFindings {
        &self.findings
    }

    /// The last answers of DNS, oldest first.
    pub fn lookups(&self) -> impl DoubleEndedIterator<Item = &LookupRow> {
        self.lookups.iter()
    }

    /// The ids of the connections that are remembered, in order.
    pub fn ids(&self) -> impl Iterator<Item = i64> + '_ {
        self.kept.keys().map(|row| self.id(*row))
    }

    /// The connections that are remembered, in the order of their ids, each with the number of its run.
    pub fn connections(&self) -> impl Iterator<Item = (i64, Connection)> + '_ {
        let run = self.run.as_ref().map_or(0, |run| run.id);
        self.kept.iter().map(move |(row, entry)| (run, self.whole(*row, entry)))
    }

    /// The remembered connection.
    pub fn entry(&self, id: i64) -> Option<&LiveConnection> {
        self.kept.get(&row_of(id)).map(Box::as_ref)
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

    /// The rate of a connection.
    pub fn rate(&self, id: i64) -> Rate {
        self.entry(id).map(|entry| entry.meter.rate(self.now)).unwrap_or_default()
    }

    /// The rate of all connections, whether they are still remembered or not.
    pub fn rate_of_all(&self) -> Rate {
        self.meter.rate(self.now)
    }

    /// Whether the rates of the remembered connections add up to the rate of all.
    pub fn has_all_rates(&self) -> bool {
        self.pushed_out.is_none_or(|time| self.now.0.saturating_sub(time.0) >= WINDOW)
    }

    /// Adds what a connection moved in the steps of the last minute: see [`RateWindow::history`].
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
        self.forget(&mut changes.gone);
        if let Some(snapshot) = update.snapshot {
            if snapshot.first {
                *self = self.after(snapshot, update);
                changes = Changes { reset: true, ..Changes::default() };
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
        if let Some(findings) = &update.findings {
            self.findings = (**findings).clone();
        }
        if let Some(listeners) = &update.listeners {
            self.listeners.clone_from(listeners);
        }
        let mut changed = BTreeSet::new();
        if before != self.cut {
            changed.extend(self.kept.open_rows());
        }
        let fresh = self.take_processes(&update.processes, &mut changed);
        for (ip, name) in &update.address_names {
            let names = self.of_addresses.entry(*ip).or_default();
            if !names.iter().any(|known| known.source == name.source && known.name == name.name) {
                names.push(name.clone());
                changed.extend(
                    self.kept.iter().filter(|(_, entry)| entry.row.remote.ip == *ip).map(|(row, _)| *row),
                );
            }
        }
        for row in &update.connections {
            self.take_connection(row, &mut changes.events);
            changed.insert(row.row);
        }
        self.take_facts(update, &mut changed);
        // Whether a connection failed depends on the bytes that it moved, which are known only now.
        for event in &mut changes.events {
            if let EventKind::Closed(id) = event.kind
                && self.connection(id).is_some_and(|one| one.has_failed())
            {
                event.kind = EventKind::Failed(id);
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
        changes.connections =
            changed.into_iter().filter(|row| self.kept.contains_key(row)).map(|row| self.id(row)).collect();
        if update.snapshot.is_some() {
            changes.events.clear();
        } else {
            self.take_lookups_and_programs(update, &fresh, &mut changes.events);
        }
        changes
    }

    /// The live state at the start of a snapshot. The bytes that missed updates reported count for the rate all the same.
    fn after(&mut self, snapshot: Snapshot, update: &Update) -> Self {
        let mut meter = std::mem::take(&mut self.meter);
        let again = self.rates && snapshot.missed > 0;
        if again {
            let (before, now) = (self.totals, update.totals);
            let grown = |now: u64, before: u64| now.saturating_sub(before);
            meter.add(
                update.time,
                grown(now.tx_bytes, before.tx_bytes),
                grown(now.rx_bytes, before.rx_bytes),
            );
        }
        Self {
            keep: self.keep,
            rates: self.rates,
            missed: self.missed.saturating_add(snapshot.missed),
            kept: RememberedConnections::after(snapshot.forgotten),
            meter,
            pushed_out: again.then_some(update.time),
            ..Self::default()
        }
    }

    /// The recorder is gone without having ended the recording: the recording stops now, and open connections are known up to here.
    pub fn cut_off(&mut self) -> Changes {
        if self.ended || self.cut.is_some() {
            return Changes::default();
        }
        let now = self.now;
        if let Some(run) = &mut self.run {
            run.going_on = false;
            run.last_flush = run.last_flush.max(now);
        }
        self.cut = Some(now);
        Changes { connections: self.kept.open_rows().map(|row| self.id(row)).collect(), ..Changes::default() }
    }

    /// Removes a connection; whether there was one.
    fn remove(&mut self, row: i64) -> bool {
        let entry = self.kept.remove(row);
        self.steps -= entry.as_ref().map_or(0, |entry| entry.moved.rows().len());
        entry.is_some()
    }

    /// Makes all steps longer; whether they can be.
    fn lengthen(&mut self) -> bool {
        if self.step + 1 >= STEP_LENGTHS.len() {
            return false;
        }
        self.step += 1;
        self.kept.values_mut().for_each(|entry| entry.moved.lengthen(self.step));
        self.steps = self.kept.values().map(|entry| entry.moved.rows().len()).sum();
        true
    }
}

/// The row within its recording of an id in the store.
fn row_of(id: i64) -> i64 {
    id & ((1 << RUN_SHIFT) - 1)
}
