//! Who may have how much of the maps that users fill: of `FLOWS` a socket as many entries as there is room left, all sockets of a
//! user together twice that; of `SOCKS` and of `ACCT` a user four times what is left, which is four fifths for one who is alone.
//! So the shares of greedy ones shrink as a map fills, and there is always room for others. What has no room of its own goes,
//! with all its bytes, to one entry of its socket (`flag::AGGREGATE`), or of its user (`pool`).
//!
//! Flows are counted by the epoch: the entries of earlier ones leave when it is raised, at once where they are many.

use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;
use connmon_ebpf::{MAX_SHARES, SockEntry, USERS as SLOTS};

use crate::maps::{add_to, deleted, epoch, offset, setting};
use crate::sock::get;
use crate::task::Current;

/// Flows that a socket may have in any case, while an eighth of the map is free.
const FEW: u64 = 64;
/// How many times what is left of `SOCKS`, or of `ACCT`, one user may have.
const PORTION: u64 = 4;

/// What users have. Those whose ids are the same in the lowest bits share a place, and so what they may have.
#[repr(C)]
#[derive(Clone, Copy)]
struct User {
    /// Flows begun in an epoch, see [`one_more`].
    flows: u64,
    /// Entries in `SOCKS`.
    sockets: u64,
    /// Entries made in `ACCT`.
    shares: u64,
    /// Sockets that `pool` could not note.
    unnoted: u64,
}

/// By the lowest bits of the user's id.
#[map]
static USERS: Array<User> = Array::with_max_entries(SLOTS, 0);

/// Of all users together: entries made in `FLOWS`, entries in `SOCKS`, entries made in `ACCT`.
#[map]
static MADE: Array<u64> = Array::with_max_entries(3, 0);
const FLOWS: u32 = 0;
const SOCKETS: u32 = 1;
const SHARES: u32 = 2;

/// Entries that user space has deleted from `ACCT`, by the place of their user; the last is the sum.
#[map]
static DELETED_SHARES: Array<u64> = Array::with_max_entries(SLOTS + 1, 0);

/// The place in [`USERS`] of the user who made a socket, or accepted it.
#[inline(always)]
pub fn user(sk: u64) -> u32 {
    get::<u32>(sk, offset!(sk_uid)) & (SLOTS - 1)
}

/// An entry was made in `FLOWS`.
#[inline(always)]
pub fn made() {
    if let Some(made) = MADE.get_ptr_mut(FLOWS) {
        add_to(made, 1);
    }
}

/// Whether the current process's socket, of which `entry` is the own entry, may have one more flow: 1 if so.
#[inline(never)]
pub fn has_room(entry: *mut SockEntry) -> u64 {
    let max = max_entries();
    let free = max.saturating_sub(total(FLOWS).wrapping_sub(deleted()));
    // SAFETY: a valid pointer into a map value, which nothing else of a socket of datagrams uses.
    let of_socket = one_more(unsafe { &raw mut (*entry).retransmitted });
    if of_socket > free {
        return 0;
    }
    let Some(user) = USERS.get_ptr_mut(Current::get().uid() & (SLOTS - 1)) else { return 0 };
    // SAFETY: a valid pointer into a map value.
    let of_user = one_more(unsafe { &raw mut (*user).flows });
    u64::from(of_user <= 2 * free || (of_socket <= FEW && free >= max / 8))
}

/// Whether a user may have one more entry in `SOCKS`.
#[inline(always)]
pub fn has_room_for_socket(user: u32) -> bool {
    let free = max_entries().saturating_sub(total(SOCKETS));
    // SAFETY: a valid pointer into a map value.
    USERS.get_ptr(user).is_some_and(|user| unsafe { read(&raw const (*user).sockets) } < PORTION * free)
}

/// A user has one entry in `SOCKS` more, or (`n` is `u64::MAX`) less.
#[inline(always)]
pub fn count_socket(user: u32, n: u64) {
    if let (Some(user), Some(all)) = (USERS.get_ptr_mut(user), MADE.get_ptr_mut(SOCKETS)) {
        // SAFETY: a valid pointer into a map value.
        add_to(unsafe { &raw mut (*user).sockets }, n);
        add_to(all, n);
    }
}

/// Whether the current process's user, `uid`, may have one more share in `ACCT`.
#[inline(always)]
pub fn has_room_for_share(uid: u32) -> bool {
    let slot = uid & (SLOTS - 1);
    let (Some(user), Some(deleted), Some(all)) =
        (USERS.get_ptr(slot), DELETED_SHARES.get_ptr(slot), DELETED_SHARES.get_ptr(SLOTS))
    else {
        return false;
    };
    // SAFETY: valid pointers into map values.
    let (of_user, all) = unsafe {
        (read(&raw const (*user).shares).wrapping_sub(read(deleted)), total(SHARES).wrapping_sub(read(all)))
    };
    of_user < PORTION * u64::from(MAX_SHARES).saturating_sub(all)
}

/// A share was made in `ACCT`.
#[inline(always)]
pub fn share_made(uid: u32) {
    if let (Some(user), Some(all)) = (USERS.get_ptr_mut(uid & (SLOTS - 1)), MADE.get_ptr_mut(SHARES)) {
        // SAFETY: a valid pointer into a map value.
        add_to(unsafe { &raw mut (*user).shares }, 1);
        add_to(all, 1);
    }
}

/// A socket of a user has neither an entry nor a note.
#[inline(always)]
pub fn lack_note(user: u32) {
    if let Some(user) = USERS.get_ptr_mut(user) {
        // SAFETY: a valid pointer into a map value.
        add_to(unsafe { &raw mut (*user).unnoted }, 1);
    }
}

/// Whether there was such a socket.
#[inline(always)]
pub fn lacks_notes(user: u32) -> bool {
    // SAFETY: a valid pointer into a map value.
    USERS.get_ptr(user).is_some_and(|user| unsafe { read(&raw const (*user).unnoted) } != 0)
}

/// Entries that `SOCKS` has room for, and `FLOWS`.
#[inline(always)]
fn max_entries() -> u64 {
    setting(|s| unsafe { &raw const (*s).max_entries })
}

#[inline(always)]
fn total(of: u32) -> u64 {
    // SAFETY: a valid pointer into a map value.
    MADE.get_ptr(of).map_or(0, |made| unsafe { read(made) })
}

/// # Safety
/// `word` is valid.
#[inline(always)]
unsafe fn read(word: *const u64) -> u64 {
    // SAFETY: as the caller promises; volatile, because other CPUs write.
    unsafe { core::ptr::read_volatile(word) }
}

/// Adds 1 to a number that begins anew with each epoch, which is its upper half; what it is then. Where CPUs meet at the
/// beginning, some may be missing.
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
