//! The state machine: frames in, rows for the store out. Pure, so that a replay gives what the recording gave.

mod completeness;
mod end;
mod processes;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use connmon_ebpf::{AcctKey, Addr, Share, SockEntry, flag};

use crate::capture::witness::Subject;
use crate::capture::{Backend, Frame, Start};
use crate::model::{
    Completeness, Direction, End, Endpoint, GeoDatabase, HostLocation, InterfaceSample, KernelTotals,
    Location, ProcessId, Proto, Timestamp, Wire,
};
use processes::Processes;

/// Traffic is kept per interval of this many seconds.
pub const BUCKET_SECONDS: i64 = 10;
/// A connection whose final record may still be followed by shares waits for this many sweeps; and one that neither
/// a sweep nor the ring has shown for as many has been lost.
const PATIENCE: u8 = 2;

/// Rows to be written in one transaction.
#[derive(Debug, Default, PartialEq)]
pub struct Batch {
    /// The recording began.
    pub start: Option<Start>,
    /// With `start`: the geo databases; filled in by `enrich`.
    pub geo: Vec<GeoDatabase>,
    /// Where this host stands, once that is known; filled in by `enrich`.
    pub location: Option<HostLocation>,
    /// New processes, each before its first use.
    pub processes: Vec<ProcessRow>,
    /// New or changed connections.
    pub connections: Vec<ConnectionRow>,
    /// Traffic since the last batch.
    pub traffic: Vec<TrafficRow>,
    /// Rows of connections that nothing more will be told of, in this recording.
    pub over: Vec<i64>,
    /// Counters of the interfaces.
    pub interfaces: Vec<InterfaceSample>,
    /// State of the counters, if it was told.
    pub completeness: Option<Completeness>,
    /// The latest time that a frame told.
    pub time: Timestamp,
    /// The recording ended in order.
    pub ended: bool,
}

/// A process (one program that it ran) as a row.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessRow {
    /// Counted from 1 within the recording.
    pub row: i64,
    /// Row of the process that started it; `None` also where the row is written again.
    pub parent: Option<i64>,
    /// What is known.
    pub process: crate::model::Process,
}

/// A connection as a row.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionRow {
    /// Counted from 1 within the recording.
    pub row: i64,
    /// The protocol.
    pub proto: Proto,
    /// Who opened it.
    pub direction: Direction,
    /// This host's end.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
    /// First seen.
    pub opened: Timestamp,
    /// When it ended.
    pub closed: Option<Timestamp>,
    /// Why it ended.
    pub end: Option<End>,
    /// From before the recording.
    pub preexisting: bool,
    /// Of an MPTCP connection.
    pub subflow: bool,
    /// Figures may be incomplete; the reason.
    pub inexact: Option<&'static str>,
    /// Inode of the network namespace.
    pub netns: u32,
    /// Row of the process that opened it.
    pub owner: Option<i64>,
    /// The kernel's totals.
    pub kernel: Option<KernelTotals>,
    /// Packets, where they are counted.
    pub wire: Option<Wire>,
    /// Country of the remote; filled in by `enrich`.
    pub country: Option<String>,
    /// What else the databases know of the remote; filled in by `enrich`.
    pub place: Option<Arc<Location>>,
}

/// What one process moved on one connection in one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficRow {
    /// Row of the connection.
    pub connection: i64,
    /// Row of the process.
    pub process: i64,
    /// Start of the interval, seconds since 1970.
    pub bucket: i64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Calls that sent.
    pub tx_calls: u64,
    /// Calls that received.
    pub rx_calls: u64,
}

/// A connection that is not over.
struct Open {
    row: i64,
    /// The entry as last written to a row.
    entry: SockEntry,
    /// Figures already handed on, by process and place. Two processes that race for an inline share can leave one of
    /// them with shares in both places, each of which only grows.
    counted: Vec<((ProcessId, Place), Figures)>,
    /// The final entry, while shares may follow.
    last: Option<Box<SockEntry>>,
    /// Sweeps since it was last met, or since its final record.
    sweeps: u8,
}

/// Where the kernel side keeps a share.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Inline,
    Acct,
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Figures {
    tx_bytes: u64,
    rx_bytes: u64,
    tx_calls: u64,
    rx_calls: u64,
}

/// Connections and processes of one recording.
#[derive(Default)]
pub struct Tracker {
    clock_offset_ns: i64,
    /// Whether the backend sees each call's result on a socket, whatever protocol rides on it.
    sees_calls: bool,
    /// Whether packets are counted.
    wire: bool,
    /// The latest time that a frame told.
    now: Timestamp,
    processes: Processes,
    open: HashMap<u64, Open>,
    connections: i64,
    completeness: completeness::Tally,
    batch: Batch,
}

impl Tracker {
    /// Takes in a frame.
    pub fn feed(&mut self, frame: Frame) {
        match frame {
            Frame::Start(start) => {
                self.clock_offset_ns = start.clock_offset_ns;
                self.processes.begin(&start);
                self.now = start.started();
                self.wire = start.wire;
                self.sees_calls = start.backend == Backend::Tracepoint.name();
                self.batch.start = Some(*start);
            }
            Frame::Task(task) => self.processes.task(&task),
            Frame::Exec(exec) => self.processes.exec(&exec),
            Frame::Process(facts) => self.processes.facts(facts),
            Frame::Program(facts) => self.processes.program(facts),
            Frame::Cgroup(cgroup) => self.processes.cgroup(&cgroup),
            Frame::Live(entry) => self.live(&entry),
            Frame::Closed(entry) => self.closed(entry),
            Frame::Share(key, share) => self.share(key, &share),
            Frame::Counters(counters) => self.completeness.counters(&counters),
            Frame::Interfaces(time, interfaces) => {
                let time = self.time(time);
                self.batch.interfaces.push(InterfaceSample { time, interfaces });
            }
            Frame::SweepEnd(time) => self.sweep_end(time),
            Frame::End(time) => self.end(time),
        }
    }

    /// Takes out the rows that have come together.
    pub fn take(&mut self) -> Batch {
        let mut batch = std::mem::take(&mut self.batch);
        batch.processes = self.processes.take_rows();
        // A replay has nothing to look at.
        self.processes.take_subjects();
        batch.time = self.now;
        batch.completeness = Some(self.completeness.total());
        batch
    }

    /// The programs to be looked at since the last call.
    pub fn take_subjects(&mut self) -> Vec<Subject> {
        self.processes.take_subjects()
    }

    /// Rows that wait to be taken, roughly.
    pub fn waiting(&self) -> usize {
        self.batch.connections.len()
    }

    /// Connections met so far.
    pub fn connections(&self) -> i64 {
        self.connections
    }

    fn time(&self, boot_ns: u64) -> Timestamp {
        wall_clock(boot_ns, self.clock_offset_ns)
    }

    fn live(&mut self, entry: &SockEntry) {
        let time = self.now;
        let known = self.open.get_mut(&entry.id);
        let changed = match &known {
            Some(open) => {
                open.entry.established_ns != entry.established_ns
                    || open.entry.closed_ns != entry.closed_ns
                    || open.entry.shares[0].tgid != entry.shares[0].tgid
                    || open.entry.local != entry.local
                    || open.entry.wire != entry.wire
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
        self.inline_shares(entry, time);
    }

    fn closed(&mut self, entry: Box<SockEntry>) {
        if !self.open.contains_key(&entry.id) {
            self.begin(&entry);
        }
        let time = self.time(entry.closed_ns);
        self.inline_shares(&entry, time);
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
        let open = Open { row, entry: *entry, counted: Vec::new(), last: None, sweeps: 0 };
        self.open.insert(entry.id, open);
        row
    }

    /// Writes the connection's last row.
    fn finish(&mut self, entry: &SockEntry) {
        if let Some(open) = self.open.remove(&entry.id) {
            let mut row = self.row(open.row, entry);
            row.closed = Some(self.time(entry.closed_ns));
            row.end = Some(end::reason(entry));
            let (tx, rx) = sum(&open.counted);
            self.completeness.reconcile(entry, tx, rx);
            self.batch.over.push(row.row);
            self.batch.connections.push(row);
        }
    }

    fn inline_shares(&mut self, entry: &SockEntry, time: Timestamp) {
        for share in entry.shares.iter().filter(|share| share.tgid != 0) {
            self.count(entry.id, share, Place::Inline, time);
        }
    }

    fn share(&mut self, key: AcctKey, share: &Share) {
        let share = Share { tgid: key.tgid, start_ns: key.start_ns, uid: key.uid, ..*share };
        let time = self.now;
        self.count(key.id, &share, Place::Acct, time);
    }

    /// Hands on what a share grew by.
    fn count(&mut self, id: u64, share: &Share, place: Place, time: Timestamp) {
        let Some(open) = self.open.get_mut(&id) else { return };
        let process = ProcessId { pid: share.tgid, start_ns: share.start_ns };
        let now = Figures {
            tx_bytes: share.tx_bytes,
            rx_bytes: share.rx_bytes,
            tx_calls: share.tx_calls,
            rx_calls: share.rx_calls,
        };
        let position = open.counted.iter().position(|(known, _)| *known == (process, place));
        let before = match position {
            Some(position) => std::mem::replace(&mut open.counted[position].1, now),
            None => {
                open.counted.push(((process, place), now));
                Figures::default()
            }
        };
        if now == before && position.is_some() {
            return;
        }
        let connection = open.row;
        let comm = &open.entry.comm;
        let process = self.processes.row(process, share.uid, comm, u64::MAX);
        self.batch.traffic.push(TrafficRow {
            connection,
            process,
            bucket: time.0.div_euclid(1_000_000_000 * BUCKET_SECONDS) * BUCKET_SECONDS,
            tx_bytes: now.tx_bytes - before.tx_bytes,
            rx_bytes: now.rx_bytes - before.rx_bytes,
            tx_calls: now.tx_calls - before.tx_calls,
            rx_calls: now.rx_calls - before.rx_calls,
        });
    }

    fn sweep_end(&mut self, time: u64) {
        self.now = self.time(time);
        self.processes.forget(time);
        let mut over: Vec<(u64, Option<Box<SockEntry>>)> = Vec::new();
        for (id, open) in &mut self.open {
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
                None => self.lose(id, time),
            }
        }
    }

    /// Its final record was lost, and the kernel side has counted it with all its bytes.
    fn lose(&mut self, id: u64, time: u64) {
        if let Some(open) = self.open.remove(&id) {
            let mut row = self.row(open.row, &open.entry);
            row.closed = Some(self.time(time));
            row.end = None;
            row.inexact = Some("its end was lost");
            let (tx, rx) = sum(&open.counted);
            self.completeness.recorded_of_lost(tx, rx);
            self.batch.over.push(row.row);
            self.batch.connections.push(row);
        }
    }

    fn end(&mut self, time: u64) {
        self.now = self.time(time);
        let mut ids: Vec<u64> = self.open.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(open) = self.open.get_mut(&id) else { continue };
            match open.last.take() {
                Some(entry) => self.finish(&entry),
                // Still open: its row says so by having no end.
                None => self.batch.over.extend(self.open.remove(&id).map(|open| open.row)),
            }
        }
        self.batch.ended = true;
    }

    fn row(&mut self, row: i64, entry: &SockEntry) -> ConnectionRow {
        let owner = &entry.shares[0];
        let owner = (owner.tgid != 0).then(|| {
            let id = ProcessId { pid: owner.tgid, start_ns: owner.start_ns };
            self.processes.row(id, owner.uid, &entry.comm, entry.opened_ns)
        });
        let has = |bit: u32| entry.flags & bit != 0;
        let fin = u64::from(has(flag::FIN_RECEIVED));
        ConnectionRow {
            row,
            proto: Proto(entry.proto),
            direction: match (has(flag::OUTBOUND), has(flag::INBOUND)) {
                (true, false) => Direction::Out,
                (false, true) => Direction::In,
                _ => Direction::Unknown,
            },
            local: endpoint(&entry.local),
            remote: endpoint(&entry.remote),
            opened: self.time(entry.opened_ns),
            closed: None,
            end: None,
            preexisting: has(flag::PREEXISTING),
            subflow: has(flag::SUBFLOW),
            inexact: match () {
                () if has(flag::PREEXISTING) => Some("from before the recording"),
                () if has(flag::NEVER_SENT) && entry.err == 0 => {
                    Some("connect failed before a packet was sent, and this backend does not see the errno")
                }
                () if has(flag::REMOTE_UNKNOWN) => Some("the other end's address is not known"),
                () if has(flag::LAYERED) && !has(flag::SUBFLOW) && !self.sees_calls => {
                    Some("kernel TLS rides on it, and this backend does not see those calls")
                }
                () => None,
            },
            netns: entry.netns,
            owner,
            kernel: has(flag::TOTALS).then_some(KernelTotals {
                tx_bytes: entry.kernel_tx,
                rx_bytes: entry.kernel_rx.saturating_sub(fin),
                retransmits: entry.retransmits,
                retransmitted_bytes: entry.retransmitted,
                rtt_us: entry.srtt / 8,
            }),
            wire: (self.wire && matches!(Proto(entry.proto), Proto::TCP | Proto::UDP)).then_some(Wire {
                tx_bytes: entry.wire.tx_bytes,
                rx_bytes: entry.wire.rx_bytes,
                tx_packets: entry.wire.tx_packets,
                rx_packets: entry.wire.rx_packets,
            }),
            country: None,
            place: None,
        }
    }
}

fn sum(counted: &[((ProcessId, Place), Figures)]) -> (u64, u64) {
    counted.iter().fold((0, 0), |(tx, rx), (_, f)| (tx + f.tx_bytes, rx + f.rx_bytes))
}

/// CLOCK_BOOTTIME to the wall clock, by the offset that was measured when the recording began.
fn wall_clock(boot_ns: u64, offset_ns: i64) -> Timestamp {
    Timestamp((boot_ns as i64).wrapping_add(offset_ns))
}

/// The kernel side's form of an address as the model's.
fn endpoint(addr: &Addr) -> Endpoint {
    let bytes: [u8; 16] = bytemuck::cast(addr.ip);
    let ip = if addr.family == libc::AF_INET6 as u16 {
        IpAddr::V6(Ipv6Addr::from(bytes))
    } else {
        IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]))
    };
    Endpoint::new(ip, addr.port)
}
