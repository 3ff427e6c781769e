//! The totals in an entry, in the words of the model.

use connmon_ebpf::{SockEntry, flag};

use connmon_record::{KernelTotals, Proto, Wire};

/// The kernel's totals in an entry.
pub(super) fn kernel(entry: &SockEntry) -> Option<KernelTotals> {
    let fin = u64::from(entry.flags & flag::FIN_RECEIVED != 0);
    (entry.flags & flag::TOTALS != 0).then_some(KernelTotals {
        tx_bytes: entry.kernel_tx,
        rx_bytes: entry.kernel_rx.saturating_sub(fin),
        retransmits: entry.retransmits,
        retransmitted_bytes: entry.retransmitted,
        rtt_us: entry.srtt / 8,
    })
}

/// The packets of an entry on the wire, if packets of its protocol are counted and all were understood.
pub(super) fn wire(entry: &SockEntry) -> Option<Wire> {
    let is_counted = matches!(Proto(entry.proto), Proto::TCP | Proto::UDP) && entry.wire_unknown == 0;
    is_counted.then_some(Wire {
        tx_bytes: entry.wire.tx_bytes,
        rx_bytes: entry.wire.rx_bytes,
        tx_packets: entry.wire.tx_packets,
        rx_packets: entry.wire.rx_packets,
    })
}
