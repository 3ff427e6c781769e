//! The log of the probes' cold paths for `record --probe-log`, by aya-log: a counter of trouble is logged each time it reaches another
//! power of two on this CPU. So the first event of each kind is logged, and a flood of them takes few lines.

use aya_log_ebpf::macro_support::{Level, level_enabled};
use aya_log_ebpf::warn;

/// To be called when a counter of [`connmon_ebpf::stat`] has grown by `n`. Without the option, the level is a constant for the verifier,
/// which removes the rest.
#[inline(always)]
pub fn grew(stat: u32, n: u64, counter: *const u64) {
    if !level_enabled(Level::Warn) {
        return;
    }
    // SAFETY: the caller passes a pointer into a map value.
    let total = unsafe { core::ptr::read_volatile(counter) };
    let before = total.wrapping_sub(n);
    // The total has a higher bit than the counter ever had.
    if before ^ total > before {
        warn!((), "{} {}", stat, total);
    }
}
