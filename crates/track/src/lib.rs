//! The state machine: frames in, rows for the store out. Pure, so that a replay gives what the recording gave.

mod checkpoint;
mod clock;
mod completeness;
mod end;
mod figures;
mod flows;
mod inexact;
mod names;
mod naming;
mod new_store;
mod orphans;
mod processes;
mod program_watch;
#[cfg(test)]
mod tests;
mod totals;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use connmon_ebpf::{AcctKey, Addr, Share, SockEntry, flag};

pub use checkpoint::CheckpointError;
pub use clock::ClockRight;
use connmon_record::frame::{Counters, Frame, Start};
use connmon_record::rows::{Batch, ConnectionRow, TrafficRow};
use connmon_record::{Backend, Direction, Endpoint, Facts, Gap, InterfaceSample, ProcessId, Proto, STEP_NS};
use figures::{Counted, ShareFigures, ShareSlot, sum};
use flows::{FlowChain, Flows};
use names::Names;
use orphans::Orphans;
use processes::Processes;
pub use program_watch::ProgramWatch;

/// A connection whose final record may still be followed by shares waits for this many sweeps; and one that neither
/// a sweep nor the ring has shown for as many has been lost.
const PATIENCE: u8 = 2;
/// Connections that wait for their transaction at most.
const MAX_WAITING: usize = 20_000;

/// A connection that is not over.
#[derive(Serialize, Deserialize)]
struct OpenConnection {
    row: i64,
    /// The entry as last written to a row.
    entry: SockEntry,
    /// Figures already handed on, by process and place. One process can have shares in several places, each of which only
    /// grows: where threads race for an inline share, and where it becomes another user.
    counted: Counted,
    /// The final entry, while shares may follow.
    last: Option<Box<SockEntry>>,
    /// Sweeps since it was last met, or since its final record.
    sweeps: u8,
    /// It has the names that its address had when it was opened.
    named: bool,
    /// The row of the process that has it, once there is one.
    owner: Option<i64>,
    /// It leads through a proxy to another host.
    proxied: bool,
    /// The address that the process asked for, where it is another one.
    asked: Option<Addr>,
    /// Of a connection of datagrams that may pause: what it consists of.
    chain: Option<Box<FlowChain>>,
}

/// Records that the kernel side lost until it counted so.
pub fn lost(counters: &Counters) -> u64 {
    let mut tally = completeness::Tally::default();
    tally.counters(counters);
    tally.total().lost_events
}

/// Connections and processes of one recording.
#[derive(Default, Serialize, Deserialize)]
pub struct Tracker {
    /// Whether the backend sees each call's result on a socket, whatever protocol rides on it.
    sees_calls: bool,
    /// Whether packets are counted.
    wire: bool,
    /// The frame with which the recording began.
    start: Option<Box<Start>>,
    /// When the store was begun that rows go into, CLOCK_BOOTTIME; 0 where it has the whole recording.
    began_ns: u64,
    /// The latest time that a frame told, CLOCK_BOOTTIME.
    now_ns: u64,
    /// When the last sweep was over, or the recording began, CLOCK_BOOTTIME.
    swept_ns: u64,
    processes: Processes,
    names: Names,
    open: HashMap<u64, OpenConnection>,
    orphans: Orphans,
    flows: Flows,
    /// Addresses that were asked for, of connections that are not met yet, and the sweeps since.
    asked: HashMap<u64, (Addr, u8)>,
    connections: i64,
    completeness: completeness::Tally,
    /// Never anything at the end of a segment.
    #[serde(skip)]
    batch: Batch,
}

impl Tracker {
    /// Takes in a frame.
    pub fn feed(&mut self, frame: Frame) {
        match frame {
            Frame::Start(mut start) => {
                self.clock_begins(&mut start);
                self.processes.begin(&start);
                self.now_ns = start.started_ns;
                self.swept_ns = start.started_ns;
                self.wire = start.wire;
                self.flows.begin(start.idle_ns);
                self.sees_calls = start.backend.raw() == Backend::Tracepoint.name();
                self.start = Some(start.clone());
                self.batch.start = Some(*start);
            }
            Frame::Task(task) => self.processes.task(&task),
            Frame::Exec(exec) => self.processes.exec(&exec),
            Frame::Process(facts) => self.processes.facts(facts),
            Frame::Program(facts) => self.processes.program(facts),
            Frame::Cgroup(cgroup) => self.processes.cgroup(&cgroup),
            Frame::Live(entry) if self.flows.keep(&entry) => self.part(&entry, false),
            Frame::Closed(entry) if self.flows.keep(&entry) => self.part(&entry, true),
            Frame::Live(entry) => self.update_live(&entry),
            Frame::Closed(entry) => self.closed(entry),
            Frame::Asked(asked) => self.asked(&asked),
            Frame::Share(key, share) => self.share(key, &share),
            Frame::Observation(observation) => self.names.observe(*observation),
            Frame::Hosts(time, names) => self.batch.hosts = Some((self.time(time), names)),
            Frame::Reverse(time, names) => {
                let time = self.time(time);
                self.batch.reverse.push((time, names));
            }
            Frame::Counters(counters) => self.completeness.counters(&counters),
            Frame::Interfaces(time, interfaces) => {
                let time = self.time(time);
                self.batch.interfaces.push(InterfaceSample { time, interfaces });
            }
            Frame::Gap(from, to, reason) => {
                let (from, to) = (self.time(from), self.time(to));
                self.batch.gaps.push(Gap { from, to, reason: reason.into() });
            }
            Frame::Clock(time, offset) => self.clock_set(time, offset, false),
            Frame::ClockRight(time, offset) => self.clock_set(time, offset, true),
            Frame::SweepEnd(time) => self.sweep_end(time),
            Frame::End(time) => self.end(time),
        }
    }

    /// Takes out the rows that have come together.
    pub fn take(&mut self) -> Batch {
        self.lookups();
        let mut batch = std::mem::take(&mut self.batch);
        batch.processes = self.processes.take_rows();
        batch.past_processes = std::mem::take(&mut self.processes.past_rows);
        // A replay has nothing to look at.
        self.processes.take_subjects();
        batch.time = self.time(self.now_ns);
        let mut completeness = self.completeness.total();
        completeness.evicted = self.processes.evicted() + self.names.evicted();
        batch.completeness = Some(completeness);
        batch
    }

    /// Whether so much waits to be taken that it should be.
    pub fn is_full(&self) -> bool {
        self.batch.connections.len() >= MAX_WAITING
    }

    /// Connections met so far.
    pub fn connections(&self) -> i64 {
        self.connections
    }

    fn update_live(&mut self, entry: &SockEntry) {
        let time = self.now_ns;
        // Met before.
        self.named(entry);
        let known = self.open.get_mut(&entry.id);
        let changed = match &known {
            Some(open) => {
                open.entry.established_ns != entry.established_ns
                    || open.entry.closed_ns != entry.closed_ns
                    || open.entry.shares[0].tgid != entry.shares[0].tgid
                    || open.entry.local != entry.local
                    || open.entry.wire != entry.wire
                    || open.entry.lost_calls != entry.lost_calls
                    || (open.entry.wire_unknown, open.entry.diverted) != (entry.wire_unknown, entry.diverted)
            }
            None => true,
        };
        let row = match known {
            Some(open) => {
                open.sweeps = 0;
                if changed {
                    open.entry = *entry;
                }
                open.row
            }
            None => self.begin(entry),
        };
        if changed {
            let row = self.row(row, entry);
            self.batch.connections.push(row);
        }
        self.name_from_observations(row, entry);
        self.inline_shares(entry, time);
    }

    fn closed(&mut self, entry: Box<SockEntry>) {
        if !self.open.contains_key(&entry.id) {
            self.begin(&entry);
        }
        self.inline_shares(&entry, entry.closed_ns);
        self.named(&entry);
        if let Some(row) = self.open.get(&entry.id).map(|open| open.row) {
            self.name_from_observations(row, &entry);
        }
        if entry.extra_shares == 0 {
            self.finish(&entry);
            return;
        }
        if let Some(open) = self.open.get_mut(&entry.id) {
            open.sweeps = 0;
            let row = open.row;
            open.last = Some(entry.clone());
            // Its traffic may be written before its last row is.
            let row = self.row(row, &entry);
            self.batch.connections.push(row);
        }
    }

    fn begin(&mut self, entry: &SockEntry) -> i64 {
        self.connections += 1;
        let row = self.connections;
        let open = OpenConnection {
            row,
            entry: *entry,
            counted: Vec::new(),
            last: None,
            sweeps: 0,
            named: false,
            owner: None,
            proxied: false,
            asked: self.asked.remove(&entry.id).map(|(asked, _)| asked),
            chain: self.flows.chain(entry),
        };
        self.open.insert(entry.id, open);
        self.adopt(entry.id);
        row
    }

    /// Takes in what waited for an entry.
    fn adopt(&mut self, id: u64) {
        for (key, share) in self.orphans.adopted(id) {
            self.share(key, &share);
        }
    }

    /// The row of the process that has a connection.
    fn owner(&mut self, entry: &SockEntry) -> Option<i64> {
        let known = self.open.get_mut(&entry.id);
        if let Some(row) = known.as_ref().and_then(|open| open.owner) {
            return Some(row);
        }
        let owner = &entry.shares[0];
        if owner.tgid == 0 {
            return None;
        }
        let id = ProcessId { pid: owner.tgid, start_ns: owner.start_ns };
        // Who was called accepts later.
        let until_ns = if entry.flags & flag::OUTBOUND != 0 { entry.opened_ns } else { u64::MAX };
        let row = self.processes.row(id, owner.uid, &entry.comm, (entry.opened_ns, until_ns));
        // A sweep can meet a connection before the ring has told of its process: then it is looked up once more.
        if let Some(open) = known.filter(|_| self.processes.is_told(id)) {
            open.owner = Some(row);
        }
        Some(row)
    }

    /// Takes out a connection that is over.
    fn remove(&mut self, id: u64) -> Option<OpenConnection> {
        let open = self.open.remove(&id)?;
        open.counted.iter().for_each(|((process, _), _)| self.processes.release(*process));
        if let Some(chain) = &open.chain {
            self.flows.remove(chain, &open.entry);
        }
        Some(open)
    }

    /// Writes the connection's last row.
    fn finish(&mut self, entry: &SockEntry) {
        let Some(at) = self.open.get(&entry.id).map(|open| open.row) else { return };
        let mut row = self.row(at, entry);
        if let Some(open) = self.remove(entry.id) {
            self.ends(&mut row, entry.opened_ns, entry.closed_ns);
            row.end = Some(end::reason(entry));
            let moved = sum(&open.counted);
            if self.completeness.reconcile(entry, &moved) && row.inexact.is_none() {
                row.inexact = Some("the kernel counted bytes that no call was seen to move".into());
            }
            if self.wire {
                self.completeness.reconcile_datagrams(entry, &moved);
                row.wire = row.wire.filter(|wire| !completeness::lacks_packets(entry, wire, &moved));
            }
            self.batch.over.push(row.row);
            self.batch.connections.push(row);
        }
    }

    fn inline_shares(&mut self, entry: &SockEntry, time: u64) {
        // What it moves is told of the row by which the connection has it.
        self.owner(entry);
        for (slot, share) in entry.shares.iter().enumerate().filter(|(_, share)| share.tgid != 0) {
            self.count(entry.id, share, ShareSlot::Inline(entry.id, slot), time);
        }
    }

    fn share(&mut self, key: AcctKey, share: &Share) {
        if self.flows.is_spent(key.id) {
            return;
        }
        let id = self.flows.connection(key.id);
        if !self.open.contains_key(&id) {
            return self.orphans.wait(key, *share);
        }
        let share = Share { tgid: key.tgid, start_ns: key.start_ns, uid: key.uid, ..*share };
        let time = self.now_ns;
        self.count(id, &share, ShareSlot::Acct(key.id, key.uid), time);
    }

    /// Hands on what a share grew by.
    fn count(&mut self, id: u64, share: &Share, place: ShareSlot, time: u64) {
        let Some(open) = self.open.get_mut(&id) else { return };
        let process = ProcessId { pid: share.tgid, start_ns: share.start_ns };
        let now = ShareFigures {
            tx_bytes: share.tx_bytes,
            rx_bytes: share.rx_bytes,
            tx_calls: share.tx_calls,
            rx_calls: share.rx_calls,
        };
        let known = open.counted.iter_mut().find(|(known, _)| *known == (process, place));
        let before = known.as_ref().map(|(_, before)| *before);
        // Counters of the kernel side only grow; those of a capture file may be anything.
        let now = now.combined(before.unwrap_or_default(), u64::max);
        match known {
            Some((_, before)) if *before == now => return,
            Some((_, before)) => *before = now,
            None => open.counted.push(((process, place), now)),
        }
        let grown = now.combined(before.unwrap_or_default(), u64::wrapping_sub);
        if let Some(chain) = &mut open.chain {
            chain.grows();
        }
        let connection = open.row;
        let owner = open.owner;
        // What a sweep finds was moved since the one before; but never before the connection began, nor after it ended.
        let over = open.last.as_ref().map_or(time, |last| time.min(last.closed_ns));
        let time = self.processes.clock.at(over.max(open.entry.opened_ns));
        let id = process;
        let process = self.processes.latest_row(id, share.uid, owner);
        if before.is_none() {
            self.processes.hold(id);
        }
        self.batch.traffic.push(TrafficRow {
            connection,
            process,
            bucket: time.0.div_euclid(STEP_NS) * (STEP_NS / 1_000_000_000),
            tx_bytes: grown.tx_bytes,
            rx_bytes: grown.rx_bytes,
            tx_calls: grown.tx_calls,
            rx_calls: grown.rx_calls,
        });
    }

    fn sweep_end(&mut self, time: u64) {
        self.now_ns = time;
        self.swept(time);
        self.processes.forget(time);
        self.names.forget(time);
        self.asked.retain(|_, (_, sweeps)| {
            *sweeps += 1;
            *sweeps <= PATIENCE
        });
        let (tx, rx) = self.orphans.sweep_end();
        self.completeness.lost_shares(tx, rx);
        let mut over: Vec<(u64, Option<Box<SockEntry>>)> = Vec::new();
        self.flows_swept(time);
        for (id, open) in self.open.iter_mut().filter(|(_, open)| open.chain.is_none()) {
            open.sweeps += 1;
            // The sweep that ends here met it: one. Missed twice after that, it is over.
            if open.sweeps > PATIENCE {
                over.push((*id, open.last.take()));
            }
        }
        // The map has no order of its own; a replay must write the same.
        over.sort_unstable_by_key(|(id, _)| *id);
        for (id, last) in over {
            match last {
                Some(entry) => self.finish(&entry),
                None => self.close_lost(id, time),
            }
        }
    }

    /// Its final record was lost, and the kernel side has counted it with all its bytes.
    fn close_lost(&mut self, id: u64, time: u64) {
        let Some((at, entry)) = self.open.get(&id).map(|open| (open.row, open.entry)) else { return };
        let mut row = self.row(at, &entry);
        if let Some(open) = self.remove(id) {
            self.ends(&mut row, entry.opened_ns, time);
            row.end = None;
            row.inexact = Some("its end was not recorded".into());
            // Those in `ACCT` it has not counted: they are still there to be read.
            let recorded = figures::inline(&open.counted, id);
            self.completeness.recorded_of_lost(recorded.tx_bytes, recorded.rx_bytes);
            self.batch.over.push(row.row);
            self.batch.connections.push(row);
        }
    }

    fn end(&mut self, time: u64) {
        self.now_ns = time;
        let mut ids: Vec<u64> = self.open.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(open) = self.open.get_mut(&id) else { continue };
            match open.last.take() {
                Some(entry) => self.finish(&entry),
                None if self.is_ended(id) => {}
                None => self.break_off(id),
            }
        }
        // Nothing more can come.
        let (tx, rx) = self.orphans.end();
        self.completeness.lost_shares(tx, rx);
        self.names.forget(u64::MAX);
        self.batch.ended = true;
    }

    /// The recording is over, and its socket is not: its row says so by having no end.
    fn break_off(&mut self, id: u64) {
        let Some(open) = self.open.get(&id) else { return };
        let (row, entry) = (open.row, open.entry);
        let moved = sum(&open.counted);
        if completeness::comparable(&entry) == Some((moved.tx_bytes, moved.rx_bytes)) {
            // TCP has closed, and nothing is left to be read.
            return self.finish(&entry);
        }
        self.remove(id);
        self.batch.over.push(row);
    }

    fn ends(&self, row: &mut ConnectionRow, opened_ns: u64, closed_ns: u64) {
        row.closed = Some(self.time(closed_ns));
        row.clock_set_ns = self.processes.clock.set_between(opened_ns, closed_ns);
    }

    fn row(&mut self, row: i64, entry: &SockEntry) -> ConnectionRow {
        let owner = self.owner(entry);
        let has = |bit: u32| entry.flags & bit != 0;
        let preexisting = has(flag::PREEXISTING) || entry.opened_ns < self.began_ns;
        let facts = Facts {
            proto: Proto(entry.proto),
            direction: match (has(flag::OUTBOUND), has(flag::INBOUND)) {
                (true, false) => Direction::Out,
                (false, true) => Direction::In,
                _ => Direction::Unknown,
            },
            local: Endpoint::from(&entry.local),
            remote: Endpoint::from(&entry.remote),
            asked: self.open.get(&entry.id).and_then(|open| open.asked.as_ref().map(Endpoint::from)),
            opened: self.time(entry.opened_ns),
            closed: None,
            end: None,
            preexisting,
            subflow: has(flag::SUBFLOW),
            inexact: inexact::reason(entry, preexisting, self.sees_calls),
            kernel: totals::kernel(entry),
            wire: totals::wire(entry).filter(|_| self.wire),
            netns: entry.netns,
            clock_set_ns: 0,
        };
        ConnectionRow {
            row,
            facts,
            // A socket that was called comes with its handshake over: its entry is made a moment later.
            established: (entry.established_ns != 0)
                .then(|| self.time(entry.established_ns.max(entry.opened_ns))),
            owner,
            country: None,
            place: None,
        }
    }
}
