//! How much of the maps each user may fill. In `FLOWS`, a socket may have as many entries as there is room left, and all sockets of a user
//! together twice that. In each map of [`quota`](connmon_ebpf::quota), a user may have four times the room that is left, which is four
//! fifths of the map for a user who is alone. So the shares of greedy users shrink as a map fills, and there is always room for others.
//! What gets no entry of its own goes, with all its bytes, to one entry of its socket (`flag::AGGREGATE`) or of its user (`pool`); what
//! fits nowhere is a loss for that user alone, and counted.
//!
//! Flows are counted per epoch: once the epoch is raised, the entries of earlier ones leave. If there are many entries, it is raised at
//! once.

use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;
use connmon_ebpf::{SockEntry, USERS as SLOTS, quota};

use crate::maps::{add_to, deleted, epoch, offset, setting};
use crate::sock::get;
use crate::task::Current;

/// Flows that a socket may have regardless of its user's other sockets, while an eighth of the map is free.
const FEW: u64 = 64;
/// One user may have this many times the room that is left in a map.
const PORTION: u64 = 4;

/// What a user has in the maps. Users whose ids agree in the lowest bits share a place, and with it their quota.
#[repr(C)]
#[derive(Clone, Copy)]
struct User {
    /// Flows begun in the current epoch, see [`one_more`].
    flows: u64,
    /// Sockets that `pool` could not note.
    unnoted: u64,
    /// Entries in each map of [`quota`].
    entries: [u64; quota::MAPS as usize],
}

/// Users by their place, see [`place`].
#[map]
static USERS: Array<User> = Array::with_max_entries(SLOTS, 0);

/// The sums of all users; `flows` is the number of entries ever made in `FLOWS`.
#[map]
static MADE: Array<User> = Array::with_max_entries(1, 0);

/// Entries that user space has deleted, see [`quota::deleted`].
#[map]
static DELETED: Array<u64> = Array::with_max_entries(quota::MAPS * (SLOTS + 1), 0);

/// The place of a user id.
#[inline(always)]
pub fn place(uid: u32) -> u32 {
    uid & (SLOTS - 1)
}

/// The place of the user who made a socket, or accepted it.
#[inline(always)]
pub fn user(sk: u64) -> u32 {
    place(get(sk, offset!(sk_uid)))
}

/// An entry was made in `FLOWS`.
#[inline(always)]
pub fn made() {
    if let Some(made) = MADE.get_ptr_mut(0) {
        // SAFETY: a valid pointer into a map value.
        add_to(unsafe { &raw mut (*made).flows }, 1);
    }
}

/// Counts one more flow of a socket of the current process; 1 if there is room for it. `entry` is the socket's own entry.
#[inline(never)]
pub fn has_room(entry: *mut SockEntry) -> u64 {
    let (Some(made), Some(user)) = (MADE.get_ptr(0), USERS.get_ptr_mut(place(Current::get().uid()))) else {
        return 0;
    };
    let max = setting(|s| unsafe { &raw const (*s).max_entries });
    // SAFETY: valid pointers into map values; nothing else of a socket of datagrams uses `retransmitted`.
    let (free, of_socket, of_user) = unsafe {
        (
            max.saturating_sub(read(&raw const (*made).flows).wrapping_sub(deleted())),
            one_more(&raw mut (*entry).retransmitted),
            &raw mut (*user).flows,
        )
    };
    if of_socket > free {
        return 0;
    }
    u64::from(one_more(of_user) <= 2 * free || (of_socket <= FEW && free >= max / 8))
}

/// Whether a user may have one more entry in `map`, a value of [`quota`], which has room for `max`.
#[inline(always)]
pub fn may_have(map: u32, user: u32, max: u64) -> bool {
    let all = entries(MADE.get_ptr(0), map, SLOTS);
    entries(USERS.get_ptr(user), map, user) < PORTION * max.saturating_sub(all)
}

#[inline(always)]
fn entries(user: Option<*const User>, map: u32, place: u32) -> u64 {
    let Some(user) = user else { return 0 };
    // SAFETY: valid pointers into map values.
    unsafe {
        let made = read(&raw const (*user).entries[map as usize]);
        if !quota::is_deleted_by_user_space(map) {
            return made;
        }
        DELETED.get_ptr(quota::deleted(map, place)).map_or(made, |deleted| made.wrapping_sub(read(deleted)))
    }
}

/// A user has one entry more in a map.
#[inline(always)]
pub fn took(map: u32, user: u32) {
    count(map, user, 1);
}

/// A user has one entry less in a map.
#[inline(always)]
pub fn gave_back(map: u32, user: u32) {
    count(map, user, u64::MAX);
}

#[inline(always)]
fn count(map: u32, user: u32, n: u64) {
    if let (Some(user), Some(all)) = (USERS.get_ptr_mut(user), MADE.get_ptr_mut(0)) {
        // SAFETY: valid pointers into map values.
        unsafe {
            add_to(&raw mut (*user).entries[map as usize], n);
            add_to(&raw mut (*all).entries[map as usize], n);
        }
    }
}

/// Notes that a user has a socket with neither an entry nor a note in the pool.
#[inline(always)]
pub fn lack_note(user: u32) {
    if let Some(user) = USERS.get_ptr_mut(user) {
        // SAFETY: a valid pointer into a map value.
        add_to(unsafe { &raw mut (*user).unnoted }, 1);
    }
}

/// Whether the user has had a socket with neither an entry nor a note.
#[inline(always)]
pub fn lacks_notes(user: u32) -> bool {
    // SAFETY: a valid pointer into a map value.
    USERS.get_ptr(user).is_some_and(|user| unsafe { read(&raw const (*user).unnoted) } != 0)
}

/// # Safety
/// `word` is valid.
#[inline(always)]
unsafe fn read(word: *const u64) -> u64 {
    // SAFETY: as the caller promises; volatile, because other CPUs write.
    unsafe { core::ptr::read_volatile(word) }
}

/// Adds 1 to a number that starts anew with each epoch, and returns it; the upper half of the word is the epoch. If several CPUs begin an
/// epoch at once, some of their counts may be lost.
#[inline(always)]
fn one_more(word: *mut u64) -> u64 {
    let epoch = u64::from(epoch());
    // SAFETY: the callers pass valid pointers into map values.
    unsafe {
        if read(word) >> 32 != epoch {
            core::ptr::write_volatile(word, epoch << 32);
        }
        add_to(word, 1);
        read(word) & u64::from(u32::MAX)
    }
}
