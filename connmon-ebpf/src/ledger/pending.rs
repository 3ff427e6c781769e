//! Packets whose connection has no entry yet: they wait for it under its remote, local port and protocol.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::macros::map;
use aya_ebpf::maps::LruHashMap;
use connmon_ebpf::{Addr, SockEntry, Wire};

use super::direction::Direction;
use crate::maps::{add_to, setting};

/// What identifies the connection of a packet before it has an entry.
#[repr(C)]
#[derive(Clone, Copy)]
struct PendingKey {
    remote: Addr,
    local_port: u16,
    proto: u16,
}

/// Packets that are waiting for an entry. Those that no entry ever takes are evicted (LRU).
#[map]
static PENDING: LruHashMap<PendingKey, Wire> = LruHashMap::with_max_entries(16_384, 0);

/// Adds the packets that waited for a connection to its new entry.
#[inline(never)]
pub fn take_pending(entry: *mut SockEntry) -> u64 {
    if !is_counting() {
        return 0;
    }
    // SAFETY: a valid pointer into a map value.
    let key = unsafe {
        PendingKey { remote: (*entry).remote, local_port: (*entry).local.port, proto: (*entry).proto }
    };
    if let Some(pending) = PENDING.get_ptr(key) {
        // SAFETY: valid pointers into map values; packets may be counted at the same time.
        unsafe {
            add(&raw mut (*entry).wire, Direction::Tx, (*pending).tx_packets, (*pending).tx_bytes);
            add(&raw mut (*entry).wire, Direction::Rx, (*pending).rx_packets, (*pending).rx_bytes);
        }
        let _ = PENDING.remove(key);
    }
    0
}

/// Keeps a packet until its connection has an entry.
#[inline(always)]
pub fn keep(remote: &Addr, local_port: u16, proto: u16, way: Direction, packets: u64, bytes: u64) {
    if !is_counting() {
        return;
    }
    let key = PendingKey { remote: *remote, local_port, proto };
    if let Some(pending) = PENDING.get_ptr_mut(key) {
        return add(pending, way, packets, bytes);
    }
    let mut first = Wire { tx_bytes: 0, rx_bytes: 0, tx_packets: 0, rx_packets: 0 };
    match way {
        Direction::Tx => (first.tx_packets, first.tx_bytes) = (packets, bytes),
        Direction::Rx => (first.rx_packets, first.rx_bytes) = (packets, bytes),
    }
    if PENDING.insert(key, first, u64::from(BPF_NOEXIST)).is_err() {
        // Another CPU has put the connection's first packet there.
        if let Some(pending) = PENDING.get_ptr_mut(key) {
            add(pending, way, packets, bytes);
        }
    }
}

/// Whether packets are counted; if not, they are only examined for names.
#[inline(always)]
pub fn is_counting() -> bool {
    setting(|s| unsafe { &raw const (*s).wire }) != 0
}

/// Adds packets to the figures of a connection, if packets are counted.
#[inline(always)]
pub fn add(wire: *mut Wire, way: Direction, packets: u64, bytes: u64) {
    if !is_counting() {
        return;
    }
    // SAFETY: a valid pointer into a map value; the adds are atomic.
    unsafe {
        match way {
            Direction::Tx => {
                add_to(&raw mut (*wire).tx_packets, packets);
                add_to(&raw mut (*wire).tx_bytes, bytes);
            }
            Direction::Rx => {
                add_to(&raw mut (*wire).rx_packets, packets);
                add_to(&raw mut (*wire).rx_bytes, bytes);
            }
        }
    }
}
