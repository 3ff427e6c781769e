//! Which way bytes went, and when.

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use connmon_ebpf::stat;

use crate::maps::count;

/// Which way bytes went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the process to the kernel.
    Tx,
    /// From the kernel to the process.
    Rx,
}

impl Direction {
    /// The direction as a global function is told it: a number.
    #[inline(always)]
    pub fn of_number(way: u64) -> Self {
        if way == Self::Tx as u64 { Self::Tx } else { Self::Rx }
    }
}

/// Nanoseconds of CLOCK_BOOTTIME.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper only returns a number.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Adds bytes that belong to no entry.
#[inline(always)]
pub fn unattributed(way: Direction, bytes: u64) {
    count(if way == Direction::Tx { stat::UNATTRIBUTED_TX } else { stat::UNATTRIBUTED_RX }, bytes);
}
