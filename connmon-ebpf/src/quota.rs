//! Who may have how much of `FLOWS`, so that nobody takes it from everybody: a socket as many flows as there is room left, all
//! sockets of a user together twice that. So the shares of greedy ones shrink as the map fills, and there is always room for
//! others. What has no room of its own goes, with all its bytes, to one entry of its socket (`flag::AGGREGATE`).
//!
//! Flows are counted by the epoch: the entries of earlier ones leave when it is raised, at once where they are many.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, LruHashMap};
use connmon_ebpf::SockEntry;

use crate::maps::{add_to, deleted, epoch, setting};
use crate::task::Current;

/// Flows that a socket may have in any case, while an eighth of the map is free.
const FEW: u64 = 64;

/// Index 0: entries made in `FLOWS`.
#[map]
static MADE: Array<u64> = Array::with_max_entries(1, 0);

/// Flows that users began in an epoch, by their id.
#[map]
static USERS: LruHashMap<u32, u64> = LruHashMap::with_max_entries(1_024, 0);

/// An entry was made in `FLOWS`.
#[inline(always)]
pub fn made() {
    if let Some(made) = MADE.get_ptr_mut(0) {
        add_to(made, 1);
    }
}

/// Whether the current process's socket, of which `entry` is the own entry, may have one more flow: 1 if so.
#[inline(never)]
pub fn has_room(entry: *mut SockEntry) -> u64 {
    let Some(made) = MADE.get_ptr(0) else { return 0 };
    // SAFETY: a valid pointer into a map value.
    let used = unsafe { core::ptr::read_volatile(made) }.wrapping_sub(deleted());
    let max = setting(|s| unsafe { &raw const (*s).max_flows });
    let free = max.saturating_sub(used);
    // SAFETY: a valid pointer into a map value, which nothing else of a socket of datagrams uses.
    let of_socket = one_more(unsafe { &raw mut (*entry).retransmitted });
    if of_socket > free {
        return 0;
    }
    let uid = Current::get().uid();
    if USERS.get_ptr(uid).is_none() {
        let _ = USERS.insert(uid, 0, 0);
    }
    // One that has been evicted in between begins anew.
    let of_user = USERS.get_ptr_mut(uid).map_or(0, one_more);
    u64::from(of_user <= 2 * free || (of_socket <= FEW && free >= max / 8))
}

/// Adds 1 to a number that begins anew with each epoch, which is its upper half; what it is then. Where CPUs meet at the
/// beginning, some may be missing.
#[inline(always)]
fn one_more(word: *mut u64) -> u64 {
    let epoch = u64::from(epoch());
    // SAFETY: the callers pass valid pointers into map values.
    unsafe {
        if core::ptr::read_volatile(word) >> 32 != epoch {
            core::ptr::write_volatile(word, epoch << 32);
        }
        add_to(word, 1);
        core::ptr::read_volatile(word) & u64::from(u32::MAX)
    }
}
