//! Notes that an earlier hook of a call leaves for a later one, by thread. A user can have any number of threads, and each may keep a note
//! as long as it lives. So half of the room is for all comers, at no cost but the insert; once that is full, the other half is given out
//! by the rules of `quota`. A call that then finds no room is a loss of its own user, which is counted, and told on the connection.

use aya_ebpf::helpers::bpf_get_current_task;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap};
use connmon_ebpf::{Addr, MAX_CALLS, quota, stat};

use crate::ledger::quota::{gave_back, may_have, place, took};
use crate::maps::{SOCKS, add_to_half, count, setting};
use crate::task::uid_of;

/// A note of a call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Call {
    /// `struct sock`.
    pub sk: u64,
    /// A further argument, or 0.
    pub arg: u64,
    /// The remote address that the call named or met.
    pub remote: Addr,
    /// The local port or the call's flags, where they matter, or 0.
    pub extra: u32,
}

/// Notes by thread and, where a thread can have several, by kind of call.
#[map]
static CALLS: HashMap<u64, Call> = HashMap::with_max_entries(MAX_CALLS, 0);

/// A note that found no room in `CALLS`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Late {
    call: Call,
    /// The place of the thread's user, see `quota`.
    user: u32,
    pad: u32,
}

/// These late notes. A key is in only one of the two maps.
#[map]
static LATE_CALLS: HashMap<u64, Late> = HashMap::with_max_entries(MAX_CALLS, 0);

/// Index 0: not 0 once there has been a late note.
#[map]
static ARE_LATE: Array<u32> = Array::with_max_entries(1, 0);

#[inline(always)]
fn are_late() -> bool {
    // SAFETY: a valid pointer into a map value.
    ARE_LATE.get_ptr(0).is_some_and(|are| unsafe { core::ptr::read_volatile(are) } != 0)
}

/// The note under a key, which only one thread uses.
#[inline(always)]
pub fn get(key: u64) -> Option<*mut Call> {
    match CALLS.get_ptr_mut(key) {
        None if are_late() => late(key),
        found => found,
    }
}

#[inline(always)]
fn late(key: u64) -> Option<*mut Call> {
    // SAFETY: a valid pointer into a map value.
    LATE_CALLS.get_ptr_mut(key).map(|late| unsafe { &raw mut (*late).call })
}

/// Leaves a note, or overwrites it; false if there is no room.
#[inline(always)]
pub fn put(key: u64, call: &Call) -> bool {
    if are_late() {
        if let Some(known) = late(key) {
            // SAFETY: a valid pointer into a map value that only this thread uses.
            unsafe { *known = *call };
            return true;
        }
    }
    CALLS.insert(key, call, 0).is_ok() || put_late(key, call) != 0
}

/// Leaves a late note; 0 if there is no room. Not inlined, because this is rare.
#[inline(never)]
fn put_late(key: u64, call: &Call) -> u64 {
    if let Some(are) = ARE_LATE.get_ptr_mut(0) {
        // SAFETY: a valid pointer into a map value; it only ever becomes 1.
        unsafe { core::ptr::write_volatile(are, 1) };
    }
    // SAFETY: the helper only returns a number. The user id is not taken from its own helper, which cgroup_skb programs do not have.
    let user = place(uid_of(unsafe { bpf_get_current_task() }));
    if may_have(quota::CALLS, user, setting(|s| unsafe { &raw const (*s).max_calls }))
        && LATE_CALLS.insert(key, Late { call: *call, user, pad: 0 }, 0).is_ok()
    {
        took(quota::CALLS, user);
        return 1;
    }
    count(stat::CALLS_FULL, 1);
    0
}

/// Counts, in the socket's entry, a call whose note found no room: nothing will see the bytes that it moves.
#[inline(always)]
pub fn missed(sk: u64) {
    if let Some(entry) = SOCKS.get_ptr_mut(sk) {
        // SAFETY: a valid pointer into a map value.
        add_to_half(unsafe { &raw mut (*entry).lost_calls }, 1);
    }
}

/// Removes a note that is no longer needed.
#[inline(always)]
pub fn forget(key: u64) {
    if CALLS.remove(key).is_ok() || !are_late() {
        return;
    }
    if let Some(late) = LATE_CALLS.get_ptr(key) {
        // SAFETY: a valid pointer into a map value.
        let user = unsafe { (*late).user };
        if LATE_CALLS.remove(key).is_ok() {
            gave_back(quota::CALLS, user);
        }
    }
}
