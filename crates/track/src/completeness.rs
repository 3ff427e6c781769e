//! The losses of a recording, and the comparison of application bytes with the kernel's totals.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use connmon_ebpf::{SockEntry, flag, proto, stat};

use super::ShareFigures;
use connmon_record::frame::Counters;
use connmon_record::{Endpoint, LossCounters, Reconciliation, Wire};

/// Bytes of a UDP header.
const UDP_HEADER: u64 = 8;

/// Whether what is sent there may pass the hook for packets twice, because a copy of it comes back: multicast, and what can be
/// the broadcast address of a network (ip_mc_output(), net/ipv4/ip_output.c).
fn is_looped(entry: &SockEntry) -> bool {
    match Endpoint::from(&entry.remote).ip {
        IpAddr::V4(ip) => ip.is_multicast() || ip.octets()[3] & 3 == 3,
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}

/// Whether a flow of datagrams moved bytes without a packet: its packets had other ends than its calls named, as where a BPF
/// program of a cgroup rewrites the address of each send (sendmsg4, recvmsg4).
pub fn lacks_packets(entry: &SockEntry, wire: &Wire, moved: &ShareFigures) -> bool {
    // What was there to be received before the recording had its packets before it.
    let is_older = entry.flags & (flag::PREEXISTING | flag::SOCKET_OLDER) != 0;
    let lacks = |bytes: u64, packets: u64| bytes > 0 && packets == 0;
    entry.proto == proto::UDP
        && !is_looped(entry)
        && (lacks(moved.tx_bytes, wire.tx_packets) || (lacks(moved.rx_bytes, wire.rx_packets) && !is_older))
}

/// The kernel's totals of a connection, bytes sent and received, where they are to equal the application's.
pub fn comparable(entry: &SockEntry) -> Option<(u64, u64)> {
    // What rides on a connection adds bytes of its own to the kernel's totals; a sockmap's programs give and take.
    let apart =
        entry.flags & (flag::PREEXISTING | flag::BEGIN_UNSEEN | flag::LAYERED) != 0 || entry.diverted != 0;
    let whole = entry.flags & flag::TOTALS != 0 && !apart;
    let fin = u64::from(entry.flags & flag::FIN_RECEIVED != 0);
    whole.then(|| (entry.kernel_tx, entry.kernel_rx.saturating_sub(fin)))
}

/// Running totals.
#[derive(Default, Serialize, Deserialize)]
pub struct Tally {
    counters: Counters,
    /// The counters at the time when their store was begun.
    before: Counters,
    reconciliation: Reconciliation,
    /// Bytes of lost connections that had been recorded before they were lost.
    recorded_tx: u64,
    recorded_rx: u64,
    /// Bytes of further processes of connections that were never met.
    shares_tx: u64,
    shares_rx: u64,
}

impl Tally {
    /// Takes the capture's counters.
    pub fn counters(&mut self, counters: &Counters) {
        self.counters = *counters;
    }

    /// From here on counts for another store.
    pub fn begin_again(&mut self) {
        *self = Self { counters: self.counters, before: self.counters, ..Self::default() };
    }

    /// A connection was lost of which so many bytes of its inline shares are in rows: the kernel side counts all of those as lost.
    pub fn recorded_of_lost(&mut self, tx: u64, rx: u64) {
        self.recorded_tx = self.recorded_tx.saturating_add(tx);
        self.recorded_rx = self.recorded_rx.saturating_add(rx);
    }

    /// So many bytes of further processes belong to connections that were lost before they were met.
    pub fn lost_shares(&mut self, tx: u64, rx: u64) {
        self.shares_tx = self.shares_tx.saturating_add(tx);
        self.shares_rx = self.shares_rx.saturating_add(rx);
    }

    /// Compares a finished connection's application bytes with the kernel's totals; true if nothing explains how they differ.
    pub fn reconcile(&mut self, entry: &SockEntry, moved: &ShareFigures) -> bool {
        let (tx, rx) = (moved.tx_bytes, moved.rx_bytes);
        let Some((kernel_tx, kernel_rx)) = comparable(entry) else { return false };
        let r = &mut self.reconciliation;
        r.compared += 1;
        let is_unexplained = tx < kernel_tx || rx > kernel_rx;
        if (tx, rx) == (kernel_tx, kernel_rx) {
            r.equal += 1;
        } else if is_unexplained {
            r.unexplained += 1;
        } else {
            r.tx_undelivered_bytes = r.tx_undelivered_bytes.saturating_add(tx - kernel_tx);
            r.rx_unread_bytes = r.rx_unread_bytes.saturating_add(kernel_rx - rx);
        }
        is_unexplained
    }

    /// Compares what calls moved on a flow of datagrams that is over with the packets that were counted. Packets can be missing
    /// (see `hooks::wire` in the kernel side); bytes on the wire that no call sent cannot be explained.
    pub fn reconcile_datagrams(&mut self, entry: &SockEntry, moved: &ShareFigures) {
        let unclear = flag::PREEXISTING
            | flag::SOCKET_OLDER
            | flag::REMOTE_UNKNOWN
            | flag::AGGREGATE
            | flag::END_UNSEEN;
        // A send that failed may have had a packet.
        let is_unclear = entry.flags & unclear != 0 || entry.wire_unknown != 0 || entry.diverted != 0;
        if entry.proto != proto::UDP || is_unclear || entry.err != 0 || is_looped(entry) {
            return;
        }
        let ip_header = if i32::from(entry.remote.family) == libc::AF_INET { 20 } else { 40 };
        let payload =
            |bytes: u64, packets: u64| bytes.saturating_sub(packets.saturating_mul(ip_header + UDP_HEADER));
        let wire = &entry.wire;
        let sent = payload(wire.tx_bytes, wire.tx_packets);
        let received = payload(wire.rx_bytes, wire.rx_packets);
        // As many calls as packets, and more bytes: the headers had options.
        let has_options = sent > moved.tx_bytes && moved.tx_calls >= wire.tx_packets;
        if has_options || sent < moved.tx_bytes || received < moved.rx_bytes {
            return;
        }
        let r = &mut self.reconciliation;
        r.compared += 1;
        if sent > moved.tx_bytes {
            r.unexplained += 1;
        } else if received == moved.rx_bytes {
            r.equal += 1;
        } else {
            r.rx_unread_bytes = r.rx_unread_bytes.saturating_add(received - moved.rx_bytes);
        }
    }

    /// The statement for the store.
    pub fn total(&self) -> LossCounters {
        let kernel =
            |stat: u32| self.counters.kernel[stat as usize].saturating_sub(self.before.kernel[stat as usize]);
        let malformed = self.counters.malformed.saturating_sub(self.before.malformed);
        let misses = self.counters.misses.saturating_sub(self.before.misses);
        // A capture file can say anything.
        let sum = |counts: &[u64]| counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        let turned_away = kernel(stat::SOCKS_FULL).saturating_sub(kernel(stat::SOCKS_FOUND));
        let lost_connections = sum(&[kernel(stat::LOST_CONNECTIONS), turned_away]);
        let lost_processes = kernel(stat::LOST_PROCESSES);
        LossCounters {
            lost_events: sum(&[lost_connections, lost_processes, malformed]),
            lost_connections,
            lost_processes,
            unattributed_tx_bytes: sum(&[kernel(stat::UNATTRIBUTED_TX), kernel(stat::LOST_TX)])
                .saturating_sub(self.recorded_tx)
                .saturating_add(self.shares_tx),
            unattributed_rx_bytes: sum(&[kernel(stat::UNATTRIBUTED_RX), kernel(stat::LOST_RX)])
                .saturating_sub(self.recorded_rx)
                .saturating_add(self.shares_rx),
            map_full: sum(&[turned_away, kernel(stat::FLOWS_FULL), kernel(stat::ACCT_FULL)]),
            read_errors: kernel(stat::READ_ERRORS),
            malformed,
            probe_misses: sum(&[misses, kernel(stat::CALLS_FULL), kernel(stat::ENDS_UNSEEN)]),
            names_missed: kernel(stat::PAYLOADS_LOST),
            evicted: 0,
            aggregated_sockets: kernel(stat::POOLED).saturating_sub(kernel(stat::POOL_LEFT)),
            reconciliation: self.reconciliation.clone(),
        }
    }
}
