//! Connections of datagrams. The kernel side keeps each in one entry after the other (`connmon_ebpf::FlowKey::epoch`): the first
//! of a socket in its own entry, which stays as long as the socket, all others in entries that leave when the epoch is raised.
//! Here they are put together, and end when their socket does or by a pause.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use connmon_ebpf::{Addr, SockEntry, Wire, flag, proto};

use super::figures::{Counted, ShareFigures, ShareSlot, inline};
use super::{PATIENCE, Tracker};

/// Connections that are remembered while none of their entries is in the kernel. With more, those that paused longest are over.
const MOST_PAUSED: usize = 65_536;

/// An entry of a connection that may grow, or whose shares may follow.
#[derive(Serialize, Deserialize)]
struct FlowEntry {
    id: u64,
    wire: Wire,
    /// Sockets that came to it, if it stands for many.
    sockets: u32,
    /// Nothing is added to it any more.
    over: bool,
    /// And so it has left the kernel, or stays there as the entry of its socket.
    retired: bool,
    /// Shares of it are in `ACCT`.
    shared: bool,
    /// Sweeps since it was last met.
    sweeps: u8,
}

impl FlowEntry {
    fn new(id: u64) -> Self {
        Self { id, wire: Wire::default(), sockets: 0, over: false, retired: false, shared: false, sweeps: 0 }
    }

    /// Whether nothing more is to come of it; `swept`: a sweep is complete, and has shown the shares of what it retired.
    fn is_complete(&self, swept: bool) -> bool {
        self.over && (!self.shared || (swept && (self.retired || self.sweeps > PATIENCE)))
    }
}

/// The entries of which a connection of datagrams consists.
#[derive(Serialize, Deserialize)]
pub struct FlowChain {
    /// Id of the socket's entry.
    socket: u64,
    parts: Vec<FlowEntry>,
    /// Packets, and sockets, of parts that are complete.
    wire: Wire,
    sockets: u32,
    /// Something was added since the last sweep.
    grew: bool,
    /// The first sweep after it was last used, CLOCK_BOOTTIME.
    used_ns: u64,
    /// When its socket ended.
    closed_ns: Option<u64>,
}

impl FlowChain {
    fn new(entry: &SockEntry, closed_ns: Option<u64>) -> Self {
        Self {
            socket: socket_of(entry),
            parts: vec![FlowEntry::new(entry.id)],
            wire: Wire::default(),
            sockets: 0,
            grew: true,
            used_ns: entry.opened_ns,
            closed_ns,
        }
    }

    /// A process moved something.
    pub fn grows(&mut self) {
        self.grew = true;
    }

    /// Sockets of all parts.
    fn sockets(&self) -> u32 {
        self.parts.iter().fold(self.sockets, |sum, part| sum.saturating_add(part.sockets))
    }

    /// Packets of all parts.
    fn packets(&self) -> Wire {
        self.parts.iter().fold(self.wire, |sum, part| added(sum, &part.wire))
    }
}

/// The entry of a socket that lives while its own connection is over, or goes on in other entries.
#[derive(Serialize, Deserialize)]
struct EndedSocket {
    /// The shares that the entry itself contains.
    inline: ShareFigures,
    /// Its final record was met.
    closed: bool,
    sweeps: u8,
}

/// Assigns entries to connections.
#[derive(Default, Serialize, Deserialize)]
pub struct Flows {
    /// The pause after which a connection is over; 0 where none ends by that.
    idle_ns: u64,
    /// By socket and remote: the connection's id, which is that of its first entry.
    sockets: HashMap<u64, HashMap<Addr, u64>>,
    /// Entries after the first.
    later: HashMap<u64, u64>,
    spent: HashMap<u64, EndedSocket>,
    /// Sockets that are gone and whose further entries may only be met now: when they went, and sweeps since.
    gone: HashMap<u64, (u64, u8)>,
    /// Sockets that have read datagrams of which the remote is unknown.
    unknown: HashSet<u64>,
    /// [`MOST_PAUSED`].
    pub most_paused: usize,
}

impl Flows {
    /// The recording begins: a flow is over after a pause of this length.
    pub fn begin(&mut self, idle_ns: u64) {
        (self.idle_ns, self.most_paused) = (idle_ns, MOST_PAUSED);
    }

    /// Whether connections of this protocol are kept here.
    pub fn keep(&self, entry: &SockEntry) -> bool {
        self.idle_ns != 0
            && (entry.flags & flag::POOL != 0
                || !matches!(entry.proto, proto::TCP | proto::MPTCP | proto::PACKET))
    }

    /// The entries of which a new connection consists.
    pub fn chain(&self, entry: &SockEntry) -> Option<Box<FlowChain>> {
        let closed_ns = self.gone.get(&socket_of(entry)).map(|(closed_ns, _)| *closed_ns);
        self.keep(entry).then(|| Box::new(FlowChain::new(entry, closed_ns)))
    }

    /// The connection that an entry belongs to.
    pub fn connection(&self, entry: u64) -> u64 {
        self.later.get(&entry).copied().unwrap_or(entry)
    }

    /// Whether all of an entry is known, whatever is met of it.
    pub fn is_spent(&mut self, entry: u64) -> bool {
        self.spent.get_mut(&entry).map(|spent| spent.sweeps = 0).is_some()
    }

    /// Forgets a connection that is over.
    pub fn remove(&mut self, chain: &FlowChain, entry: &SockEntry) {
        for part in &chain.parts {
            self.later.remove(&part.id);
        }
        let Some(remotes) = self.sockets.get_mut(&chain.socket) else { return };
        if remotes.get(&remote_of(entry)) == Some(&entry.id) {
            remotes.remove(&remote_of(entry));
        }
        if remotes.is_empty() {
            self.sockets.remove(&chain.socket);
            self.unknown.remove(&chain.socket);
        }
    }

    /// Whether nothing is remembered but what is forgotten by itself.
    #[cfg(test)]
    pub fn is_empty_after_the_next_sweeps(&self) -> bool {
        self.sockets.is_empty()
            && self.later.is_empty()
            && self.gone.len() <= 1
            && self.spent.values().all(|spent| spent.closed)
    }

    /// A sweep is complete. Returns what was inside entries that were lost.
    fn sweep_end(&mut self) -> ShareFigures {
        let mut lost = ShareFigures::default();
        self.spent.retain(|_, spent| {
            spent.sweeps += 1;
            if spent.sweeps > PATIENCE && !spent.closed {
                lost = lost.combined(spent.inline, u64::saturating_add);
            }
            spent.sweeps <= PATIENCE
        });
        self.gone.retain(|_, (_, sweeps)| {
            *sweeps += 1;
            *sweeps <= PATIENCE
        });
        lost
    }
}

fn socket_of(entry: &SockEntry) -> u64 {
    if entry.parent == 0 { entry.id } else { entry.parent }
}

/// What tells a flow from the others of its socket: the remote, and nothing for those that were not told apart.
fn remote_of(entry: &SockEntry) -> Addr {
    match entry.flags & (flag::AGGREGATE | flag::POOL) {
        0 => entry.remote,
        flag::AGGREGATE => Addr::default(),
        // Its socket's place is the user's, who may have one for each protocol.
        _ => Addr { port: entry.proto, ..Addr::default() },
    }
}

fn added(a: Wire, b: &Wire) -> Wire {
    Wire {
        tx_bytes: a.tx_bytes.saturating_add(b.tx_bytes),
        rx_bytes: a.rx_bytes.saturating_add(b.rx_bytes),
        tx_packets: a.tx_packets.saturating_add(b.tx_packets),
        rx_packets: a.rx_packets.saturating_add(b.rx_packets),
    }
}

impl Tracker {
    /// Takes in an entry, in passing or in its final state.
    pub(super) fn part(&mut self, entry: &SockEntry, last: bool) {
        let retired = entry.flags & flag::RETIRED != 0;
        let is_end = last && !retired;
        if self.flows.is_spent(entry.id) {
            if is_end {
                self.flows.spent.entry(entry.id).and_modify(|spent| spent.closed = true);
                self.socket_over(entry);
            }
            return;
        }
        let (id, is_new) = self.join(entry);
        let socket = socket_of(entry);
        if entry.flags & flag::REMOTE_UNKNOWN != 0 && self.flows.unknown.insert(socket) {
            self.blur(socket);
        }
        let is_blurred = self.flows.unknown.contains(&socket);
        let Some(open) = self.open.get_mut(&id) else { return };
        let Some(chain) = &mut open.chain else { return };
        let Some(part) = chain.parts.iter_mut().find(|part| part.id == entry.id) else { return };
        part.sweeps = 0;
        part.over |= last || retired;
        part.retired |= retired;
        part.shared = entry.extra_shares != 0;
        chain.grew |= part.wire != entry.wire;
        part.wire = entry.wire;
        part.sockets = entry.extra_flows;
        if is_end {
            chain.closed_ns =
                Some(chain.closed_ns.map_or(entry.closed_ns, |known| known.min(entry.closed_ns)));
        }
        let known = &open.entry;
        let mut whole = if entry.id == id { *entry } else { *known };
        whole.wire = chain.packets();
        whole.extra_flows = chain.sockets();
        whole.lost_calls = known.lost_calls.max(entry.lost_calls);
        whole.err = if entry.err == 0 { known.err } else { entry.err };
        whole.flags &= !flag::RETIRED;
        whole.flags |= known.flags & (flag::END_UNSEEN | flag::UNKNOWN_BESIDE);
        if is_blurred {
            whole.flags |= flag::UNKNOWN_BESIDE;
        }
        whole.closed_ns = 0;
        if whole.shares[0].tgid == 0 {
            (whole.shares[0], whole.comm) = (entry.shares[0], entry.comm);
        }
        let changed = is_new
            || whole.wire != known.wire
            || (whole.extra_flows, whole.lost_calls) != (known.extra_flows, known.lost_calls)
            || whole.local != known.local
            || (whole.flags ^ known.flags) & flag::UNKNOWN_BESIDE != 0
            || whole.shares[0].tgid != known.shares[0].tgid;
        open.entry = whole;
        let row = open.row;
        if last || !is_new {
            self.named(&whole);
        }
        self.name_from_observations(row, &whole);
        let time = if is_end { entry.closed_ns } else { self.now_ns };
        // What it moves is told of the row by which the connection has it.
        self.owner(&whole);
        for (slot, share) in entry.shares.iter().enumerate().filter(|(_, share)| share.tgid != 0) {
            self.count(id, share, ShareSlot::Inline(entry.id, slot), time);
        }
        if is_end {
            if entry.parent == 0 {
                self.socket_over(entry);
            } else {
                self.settle(id, None);
            }
        }
        if changed && self.open.contains_key(&id) {
            let row = self.row(row, &whole);
            self.batch.connections.push(row);
        }
    }

    /// A socket has read datagrams of which the remote is unknown: those of its other connections may be missing there.
    fn blur(&mut self, socket: u64) {
        let Some(remotes) = self.flows.sockets.get(&socket) else { return };
        let mut ids: Vec<u64> = remotes.values().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(open) = self.open.get_mut(&id) else { continue };
            if open.entry.flags & flag::REMOTE_UNKNOWN != 0 {
                continue;
            }
            open.entry.flags |= flag::UNKNOWN_BESIDE;
            let (row, entry) = (open.row, open.entry);
            let row = self.row(row, &entry);
            self.batch.connections.push(row);
        }
    }

    /// The connection that an entry belongs to, and whether it begins with it.
    fn join(&mut self, entry: &SockEntry) -> (u64, bool) {
        let id = self.flows.connection(entry.id);
        if self.open.contains_key(&id) {
            return (id, false);
        }
        let remotes = self.flows.sockets.entry(socket_of(entry)).or_default();
        let before = remotes.get(&remote_of(entry)).copied();
        let chain = before.and_then(|id| self.open.get_mut(&id)).and_then(|open| open.chain.as_mut());
        if let (Some(id), Some(chain)) = (before, chain) {
            let pause = entry.opened_ns.saturating_sub(chain.used_ns);
            if !chain.parts.is_empty() || chain.closed_ns.is_some() || pause < self.flows.idle_ns {
                chain.parts.push(FlowEntry::new(entry.id));
                chain.grew = true;
                self.flows.later.insert(entry.id, id);
                self.adopt(entry.id);
                return (id, false);
            }
            self.end_idle(id);
        }
        self.flows.sockets.entry(socket_of(entry)).or_default().insert(remote_of(entry), entry.id);
        self.begin(entry);
        (entry.id, true)
    }

    /// A socket is gone, and so are its connections.
    fn socket_over(&mut self, socket: &SockEntry) {
        if socket.extra_flows != 0 {
            self.flows.gone.insert(socket.id, (socket.closed_ns, 0));
        }
        let Some(remotes) = self.flows.sockets.get(&socket.id) else { return };
        let mut ids: Vec<u64> = remotes.values().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(open) = self.open.get_mut(&id) else { continue };
            // What the socket's end leaves unclear, it does for each of its remotes.
            open.entry.flags |= socket.flags & (flag::END_UNSEEN | flag::RELEASED);
            if let Some(chain) = &mut open.chain {
                chain.closed_ns.get_or_insert(socket.closed_ns);
            }
            // The next sweep may meet further entries.
            if socket.extra_flows == 0 {
                self.settle(id, None);
            }
        }
    }

    /// Puts aside what is complete of a connection, and ends it if nothing more can come. `swept_ns`: a sweep is complete that
    /// began at this time.
    fn settle(&mut self, id: u64, swept_ns: Option<u64>) {
        let Some(open) = self.open.get_mut(&id) else { return };
        let Some(chain) = &mut open.chain else { return };
        for part in chain.parts.extract_if(.., |part| part.is_complete(swept_ns.is_some())) {
            chain.wire = added(chain.wire, &part.wire);
            chain.sockets = chain.sockets.saturating_add(part.sockets);
            self.flows.later.remove(&part.id);
            if part.retired && part.id == chain.socket {
                let spent = EndedSocket { inline: inline(&open.counted, part.id), closed: false, sweeps: 0 };
                self.flows.spent.insert(part.id, spent);
            }
            for process in put_aside(&mut open.counted, part.id) {
                self.processes.release(process);
            }
        }
        if let (true, Some(closed_ns)) = (chain.parts.is_empty(), chain.closed_ns) {
            // A sweep tells of the socket's end too, which may have come after it had read what else the socket had.
            if swept_ns.is_some_and(|began_ns| closed_ns >= began_ns) {
                return;
            }
            let entry = SockEntry { closed_ns, ..open.entry };
            self.finish(&entry);
        }
    }

    /// Ends a connection that has paused for too long.
    fn end_idle(&mut self, id: u64) {
        let Some(open) = self.open.get(&id) else { return };
        let Some(chain) = &open.chain else { return };
        let flags = open.entry.flags | flag::RETIRED;
        let entry = SockEntry { flags, closed_ns: chain.used_ns, ..open.entry };
        self.finish(&entry);
    }

    /// A sweep is complete.
    pub(super) fn flows_swept(&mut self, time: u64) {
        let lost = self.flows.sweep_end();
        self.completeness.recorded_of_lost(lost.tx_bytes, lost.rx_bytes);
        let idle_ns = self.flows.idle_ns;
        let mut ids: Vec<u64> = Vec::new();
        for (id, open) in &mut self.open {
            let Some(chain) = &mut open.chain else { continue };
            if std::mem::take(&mut chain.grew) {
                chain.used_ns = time;
            }
            chain.parts.iter_mut().for_each(|part| part.sweeps += 1);
            if chain.parts.is_empty() || chain.parts.iter().any(|part| part.over || part.sweeps > PATIENCE) {
                ids.push(*id);
            }
        }
        // The map has no order of its own; a replay must write the same.
        ids.sort_unstable();
        let mut paused: Vec<(u64, u64)> = Vec::new();
        for id in ids {
            self.settle(id, Some(time));
            let Some(chain) = self.open.get(&id).and_then(|open| open.chain.as_ref()) else { continue };
            if chain.parts.iter().any(|part| !part.over && part.sweeps > PATIENCE) {
                self.close_lost(id, time);
            } else if chain.parts.is_empty() && chain.closed_ns.is_none() {
                paused.push((chain.used_ns, id));
            }
        }
        let too_many = paused.len().saturating_sub(self.flows.most_paused);
        paused.sort_unstable();
        for (n, (used_ns, id)) in paused.into_iter().enumerate() {
            if n < too_many || time.saturating_sub(used_ns) >= idle_ns {
                self.end_idle(id);
            }
        }
    }

    /// The recording is over: ends a connection whose socket is gone. False if it is not.
    pub(super) fn is_ended(&mut self, id: u64) -> bool {
        let Some(open) = self.open.get(&id) else { return true };
        let Some(closed_ns) = open.chain.as_ref().and_then(|chain| chain.closed_ns) else { return false };
        let entry = SockEntry { closed_ns, ..open.entry };
        self.finish(&entry);
        true
    }
}

/// Adds what an entry that is complete has counted to what was before. Returns processes that are then held once less.
fn put_aside(counted: &mut Counted, entry: u64) -> Vec<connmon_record::ProcessId> {
    let mut less = Vec::new();
    let (of_entry, mut others): (Counted, Counted) =
        std::mem::take(counted).into_iter().partition(|((_, place), _)| place.is_of(entry));
    for ((process, _), figures) in of_entry {
        let key = (process, ShareSlot::Before);
        match others.iter_mut().find(|(known, _)| *known == key) {
            Some((_, before)) => {
                *before = before.combined(figures, u64::saturating_add);
                less.push(process);
            }
            None => others.push((key, figures)),
        }
    }
    *counted = others;
    less
}
