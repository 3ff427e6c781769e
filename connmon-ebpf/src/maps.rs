//! The maps that several files use, the read-only data that user space fills in before loading, and what it changes while programs run.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, RingBuf};
use connmon_ebpf::{
    AcctKey, Control, FlowKey, Offsets, SOCKETS_AT_ONCE, STRADDLE_NS, Settings, Share, SockEntry, phase, stat,
};

use crate::probe_log;

/// Live sockets by the address of their `struct sock`.
#[map]
pub static SOCKS: HashMap<u64, SockEntry> = HashMap::with_max_entries(131_072, 0);

/// A share with all counters at zero, from which entries of `ACCT` are made.
#[map]
pub static EMPTY_SHARE: Array<Share> = Array::with_max_entries(1, 0);

/// Further remotes of datagram sockets that talk to several.
#[map]
pub static FLOWS: HashMap<FlowKey, SockEntry> = HashMap::with_max_entries(131_072, 0);

/// Further processes of sockets that several use.
#[map]
pub static ACCT: HashMap<AcctKey, Share> = HashMap::with_max_entries(32_768, 0);

/// Final entries that found the ring full, by their id.
#[map]
pub static OVERFLOW: HashMap<u64, SockEntry> = HashMap::with_max_entries(65_536, 0);

/// Sockets other than TCP that the snapshot found, until they end.
#[map]
pub static OLDER: HashMap<u64, u32> = HashMap::with_max_entries(16_384, 0);

/// Records for user space.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

/// Sockets that the program `ends` is to examine.
#[map]
pub static LOOKED_AT: Array<[u64; SOCKETS_AT_ONCE]> = Array::with_max_entries(1, 0);

/// Counters, see [`stat`].
#[map]
pub static STATS: PerCpuArray<u64> = PerCpuArray::with_max_entries(stat::COUNT, 0);

/// Offsets of kernel struct fields.
#[unsafe(no_mangle)]
static OFFSETS: Offsets = ZERO_OFFSETS;

/// Everything else that user space decides before loading.
#[unsafe(no_mangle)]
static SETTINGS: Settings = ZERO_SETTINGS;

// SAFETY: both are plain integers, for which all-zero bytes are a value.
const ZERO_OFFSETS: Offsets = unsafe { core::mem::zeroed() };
// SAFETY: as above.
const ZERO_SETTINGS: Settings = unsafe { core::mem::zeroed() };

/// The kernel offset in one field of [`Offsets`].
macro_rules! offset {
    ($field:ident) => {
        $crate::maps::offset_at(core::mem::offset_of!(connmon_ebpf::Offsets, $field))
    };
}
pub(crate) use offset;

/// The `u32` at a byte position of [`OFFSETS`], for [`offset!`]. The verifier sees a constant, because the map behind
/// it is frozen.
#[inline(always)]
pub fn offset_at(position: usize) -> usize {
    // SAFETY: `offset!` passes the position of a field; volatile keeps the compiler from using the initial value.
    unsafe { core::ptr::read_volatile((&raw const OFFSETS).cast::<u32>().byte_add(position)) as usize }
}

/// A copy of the field of [`Settings`] that `field` selects.
#[inline(always)]
pub fn setting<T: Copy>(field: impl FnOnce(*const Settings) -> *const T) -> T {
    // SAFETY: as above.
    unsafe { core::ptr::read_volatile(field(&raw const SETTINGS)) }
}

/// What user space changes while programs run.
#[unsafe(no_mangle)]
static mut CONTROL: Control = Control { phase: phase::OFF, epoch: 0, since_ns: 0, deleted: 0 };

/// Whether a program is to return at once: outside of the recording, or in measurements, where the verifier knows the answer
/// (`Settings::empty`) and removes the rest. Each program asks this first, and only once, so that all start and stop counting at the same
/// instant.
#[inline(always)]
pub fn is_off() -> bool {
    setting(|s| unsafe { &raw const (*s).empty }) != 0 || phase() == phase::OFF
}

#[inline(always)]
fn phase() -> u32 {
    // SAFETY: a static that only user space writes to, word by word.
    unsafe { core::ptr::read_volatile(&raw const CONTROL.phase) }
}

/// Whether the snapshot is still finding out which sockets are older than the recording.
#[inline(always)]
pub fn in_snapshot() -> bool {
    phase() == phase::SNAPSHOT
}

/// Whether a time is before the recording.
#[inline(always)]
pub fn is_before(time: u64) -> bool {
    // SAFETY: as above.
    time < unsafe { core::ptr::read_volatile(&raw const CONTROL.since_ns) }
}

/// Whether the recording began so recently that a TCP connection first seen at `now` may have begun before it.
#[inline(always)]
pub fn may_straddle(now: u64) -> bool {
    is_before(now.saturating_sub(STRADDLE_NS))
}

/// Whether the recording began so recently that a flow of datagrams seen at `now` may have begun before it.
#[inline(always)]
pub fn may_go_on(now: u64) -> bool {
    is_before(now.saturating_sub(setting(|s| unsafe { &raw const (*s).idle_ns })))
}

/// The current epoch, see [`connmon_ebpf::FlowKey`].
#[inline(always)]
pub fn epoch() -> u32 {
    // SAFETY: as above.
    unsafe { core::ptr::read_volatile(&raw const CONTROL.epoch) }
}

/// Entries that user space has deleted from `FLOWS`.
#[inline(always)]
pub fn deleted() -> u64 {
    // SAFETY: as above.
    unsafe { core::ptr::read_volatile(&raw const CONTROL.deleted) }
}

/// Adds to a counter.
#[inline(always)]
pub fn count(stat: u32, n: u64) {
    if stat::is_trouble(stat) {
        count_trouble(stat, n);
    } else {
        count_only(stat, n);
    }
}

/// Adds to a counter of trouble, and logs it. A global function, which the verifier checks once: it is called from many places, but
/// seldom.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn count_trouble(stat: u32, n: u64) -> u64 {
    if let Some(counter) = STATS.get_ptr_mut(stat) {
        add_to(counter, n);
        probe_log::grew(stat, n, counter);
    }
    n
}

/// Adds to a counter inline and without logging: for callers that have little stack left.
#[inline(always)]
pub fn count_only(stat: u32, n: u64) {
    if let Some(counter) = STATS.get_ptr_mut(stat) {
        add_to(counter, n);
    }
}

/// The remainder of `n` by a power of two, computed even where the compiler knows that it is `n`, because verifiers do not know it.
#[inline(always)]
pub fn below<const POWER: usize>(n: usize) -> usize {
    let mut n = n;
    // SAFETY: only computes.
    unsafe { core::arch::asm!("{n} &= {mask}", n = inout(reg) n, mask = const POWER - 1) };
    n
}

/// Adds to a counter that other CPUs may be adding to: the plain atomic add, which Linux 5.10 knows.
#[inline(always)]
pub fn add_to(counter: *mut u64, n: u64) {
    // SAFETY: the callers pass pointers into map values, 8-byte aligned.
    unsafe {
        core::arch::asm!("lock *(u64 *)({p} + 0) += {n}", p = in(reg) counter, n = in(reg) n);
    }
}

/// Like [`add_to`], for a 32-bit counter.
#[inline(always)]
pub fn add_to_half(counter: *mut u32, n: u32) {
    // SAFETY: the callers pass pointers into map values, 4-byte aligned.
    unsafe {
        core::arch::asm!("lock *(u32 *)({p} + 0) += {n}", p = in(reg) counter, n = in(reg) u64::from(n));
    }
}
