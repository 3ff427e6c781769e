//! When to wake the reader of the ring buffer, and what its last part is reserved for.

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};

use crate::maps::{EVENTS, setting};

/// `BPF_RB_*` flags for an output: wakes the reader only if much is waiting, since otherwise its timer will find the record.
#[inline(always)]
pub fn wakeup() -> u64 {
    // BPF_RB_AVAIL_DATA is 0 (include/uapi/linux/bpf.h).
    if EVENTS.query(0) >= u64::from(setting(|s| unsafe { &raw const (*s).wakeup_bytes })) {
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        u64::from(BPF_RB_NO_WAKEUP)
    }
}

/// Whether the last eighth of the ring is in use, which is reserved for records of processes: those have nowhere else to go.
#[inline(always)]
pub fn is_reserved() -> bool {
    let wakeup = u64::from(setting(|s| unsafe { &raw const (*s).wakeup_bytes }));
    // `wakeup_bytes` is a quarter of the ring.
    EVENTS.query(0) >= 4 * wakeup - wakeup / 2
}

/// Whether half of the ring is in use. Then payload is not copied any more, because it only serves to find names.
#[inline(always)]
pub fn is_half_full() -> bool {
    // `wakeup_bytes` is a quarter of the ring.
    EVENTS.query(0) >= 2 * u64::from(setting(|s| unsafe { &raw const (*s).wakeup_bytes }))
}
