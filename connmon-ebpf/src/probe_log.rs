//! What the probes say of their cold paths with `record --probe-log`, by aya-log: a counter of troubles is at least twice what it
//! was when it was last told, on this CPU. So the first of each kind is told, and a flood of them in a few lines.

use aya_log_ebpf::macro_support::{Level, level_enabled};
use aya_log_ebpf::warn;

/// A counter of [`connmon_ebpf::stat`] has grown by `n`. Without the option the level is a constant for the verifier, which leaves out the rest.
#[inline(always)]
pub fn grew(stat: u32, n: u64, counter: *const u64) {
    if !level_enabled(Level::Warn) {
        return;
    }
    // SAFETY: the caller passes a pointer into a map value.
    let total = unsafe { core::ptr::read_volatile(counter) };
    let before = total.wrapping_sub(n);
    // A higher bit than any before.
    if before ^ total > before {
        warn!((), "{} {}", stat, total);
    }
}
