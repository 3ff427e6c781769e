//! The growth of counters that may have wrapped around, or begun again.

use connmon_record::Interface;

/// Counters of some drivers have 32 bits.
const WRAP: u64 = 1 << 32;
/// No packet is larger, however many segments the kernel has put together.
const LARGEST_PACKET: u64 = 1 << 20;

/// What an interface counted from one sample to the next, and whether its counters restarted. After a restart, everything that they show is
/// new.
pub(super) fn grown(before: &Interface, after: &Interface) -> (Interface, bool) {
    let rx = direction((before.rx_bytes, before.rx_packets), (after.rx_bytes, after.rx_packets));
    let tx = direction((before.tx_bytes, before.tx_packets), (after.tx_bytes, after.tx_packets));
    match (rx, tx) {
        (Some((rx_bytes, rx_packets)), Some((tx_bytes, tx_packets))) => {
            (Interface { rx_bytes, rx_packets, tx_bytes, tx_packets, ..after.clone() }, false)
        }
        _ => (after.clone(), true),
    }
}

/// The growth of bytes and packets; `None` if the counters restarted. A counter has wrapped around at 32 bits if it alone went back, and
/// its growth across the wrap is plausible beside that of the other.
fn direction((bytes_0, packets_0): (u64, u64), (bytes_1, packets_1): (u64, u64)) -> Option<(u64, u64)> {
    let wrapped = |before: u64, after: u64| (before < WRAP).then(|| after.wrapping_add(WRAP - before));
    match (bytes_1.checked_sub(bytes_0), packets_1.checked_sub(packets_0)) {
        (Some(bytes), Some(packets)) => Some((bytes, packets)),
        (None, Some(packets)) => {
            let bytes = wrapped(bytes_0, bytes_1)?;
            (bytes <= packets.saturating_mul(LARGEST_PACKET)).then_some((bytes, packets))
        }
        (Some(bytes), None) => {
            let packets = wrapped(packets_0, packets_1)?;
            (packets <= bytes).then_some((bytes, packets))
        }
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(rx_bytes: u64, rx_packets: u64) -> Interface {
        Interface { name: "eth0".into(), index: 2, rx_bytes, rx_packets, ..Interface::default() }
    }

    #[test]
    fn counters_grow_wrap_around_and_begin_again() {
        let max = u64::from(u32::MAX);
        for (before, after, expected) in [
            // Plain growth, also beyond 32 bits.
            ((100, 1), (250, 3), (150, 2, false)),
            ((WRAP - 1, 1), (WRAP + 9, 2), (10, 1, false)),
            // 32 bits of bytes are full, the packets go on; then the other way round.
            ((max - 99, 1_000_000), (900, 1_000_010), (1_000, 10, false)),
            ((WRAP * 90, max), (WRAP * 90 + 5_000, 9), (5_000, 10, false)),
            // Both went back, or what would have wrapped around does not fit: it began again.
            ((9_000, 90), (500, 5), (500, 5, true)),
            ((WRAP * 3, 1_000), (700, 1_010), (700, 1_010, true)),
            ((15_000, 10), (1_400, 20), (1_400, 20, true)),
        ] {
            let (counted, restarted) = grown(&interface(before.0, before.1), &interface(after.0, after.1));
            assert_eq!((counted.rx_bytes, counted.rx_packets, restarted), expected, "{before:?} {after:?}");
        }
    }
}
