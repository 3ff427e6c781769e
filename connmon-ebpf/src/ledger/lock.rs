//! Locks of an entry, by its id. Linux 5.10 has no atomic exchange for BPF, so a lock is a number that those who want it raise: who finds it
//! to be 1 has the lock, and anybody else lowers it again. If several raise it at the same instant, none of them may get it, so callers try
//! again. Entries far apart share a lock; a holder keeps it for about a microsecond.

use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;

use crate::maps::add_to;

/// Locks of each kind, a power of two.
const SLOTS: u32 = 1 << 15;

/// How many hold each lock, or are trying to: those of [`Purpose::Share`], then those of [`Purpose::Exit`].
#[map]
static LOCKS: Array<u64> = Array::with_max_entries(2 * SLOTS, 0);

/// What a lock is for. Somebody may hold the one at the moment when another needs the other, and must not keep him from it.
#[derive(Clone, Copy)]
pub enum Purpose {
    /// To claim an inline share.
    Share = 0,
    /// To let the entry leave.
    Exit = 1,
}

/// Takes the lock of the entry with this id; false if somebody holds it.
#[inline(always)]
pub fn take(id: u64, purpose: Purpose) -> bool {
    let Some(users) = LOCKS.get_ptr_mut(slot(id, purpose)) else { return false };
    try_once(users)
}

#[inline(always)]
fn try_once(users: *mut u64) -> bool {
    add_to(users, 1);
    // SAFETY: a valid pointer into a map value; volatile, because other CPUs write.
    let is_ours = unsafe { core::ptr::read_volatile(users) } == 1;
    if !is_ours {
        add_to(users, u64::MAX);
    }
    is_ours
}

/// The same as [`take`], for somebody who is willing to wait while another CPU has it.
#[inline(always)]
pub fn take_patiently(id: u64, purpose: Purpose) -> bool {
    take(id, purpose) || wait_for_lock(u64::from(slot(id, purpose))) != 0
}

/// How often to try: a holder that was interrupted may take longer.
const PATIENCE: u32 = 128;

/// Tries to take a lock, until it has it (1) or is out of patience (0). A global function, which the verifier checks once and not once for
/// each place that wants a lock: it follows each turn of the loop.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn wait_for_lock(slot: u64) -> u64 {
    let Some(users) = LOCKS.get_ptr_mut(slot as u32) else { return 0 };
    for _ in 0..PATIENCE {
        if try_once(users) {
            return 1;
        }
    }
    0
}

/// Lets others have a lock that was taken.
#[inline(always)]
pub fn give_back(id: u64, purpose: Purpose) {
    if let Some(users) = LOCKS.get_ptr_mut(slot(id, purpose)) {
        add_to(users, u64::MAX);
    }
}

/// Entries that were made one after the other have different locks, and so have those that two CPUs made at the same time, see `entry_id`.
#[inline(always)]
fn slot(id: u64, purpose: Purpose) -> u32 {
    let (cpu, count) = (id >> 51, id >> 16);
    (count.wrapping_add(cpu * 0x2b5d) as u32 & (SLOTS - 1)) | (purpose as u32 * SLOTS)
}
