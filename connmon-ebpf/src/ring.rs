//! When to wake the reader of the ring, and whom its last part belongs to.

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};

use crate::maps::{EVENTS, setting};

/// `BPF_RB_*` flags for an output: wake the reader only when much is waiting; else its timer finds it.
#[inline(always)]
pub fn wakeup() -> u64 {
    // BPF_RB_AVAIL_DATA is 0 (include/uapi/linux/bpf.h).
    if EVENTS.query(0) >= u64::from(setting(|s| unsafe { &raw const (*s).wakeup_bytes })) {
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        u64::from(BPF_RB_NO_WAKEUP)
    }
}

/// Whether the last eighth of the ring is in use: that is for records of processes, which have nowhere else to go.
#[inline(always)]
pub fn is_reserved() -> bool {
    let wakeup = u64::from(setting(|s| unsafe { &raw const (*s).wakeup_bytes }));
    // `wakeup_bytes` is a quarter of it.
    EVENTS.query(0) >= 4 * wakeup - wakeup / 2
}

/// Whether half of the ring is in use: then copies of payload, which are only good for names, have to stand back.
#[inline(always)]
pub fn is_half_full() -> bool {
    // `wakeup_bytes` is a quarter of it.
    EVENTS.query(0) >= 2 * u64::from(setting(|s| unsafe { &raw const (*s).wakeup_bytes }))
}
