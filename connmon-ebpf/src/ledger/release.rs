//! The way out of an entry. It leaves once, under a lock and under the id by which it was judged: it is marked RELEASED, output (else
//! put into `OVERFLOW`, else its bytes are added to a counter), and deleted. A sweep that meets a RELEASED entry leaves it alone, since
//! its final form is on its way.
//!
//! The lock is a unique insert, since Linux 5.10 has no exchange for BPF. Without it the end of a socket and a sweep, or the next socket at
//! the address, could both output an entry at the same instant; and one that was interrupted before it did would by then output another
//! socket's, which had got the memory.

use aya_ebpf::bindings::BPF_NOEXIST;
use connmon_ebpf::{INLINE_SHARES, SockEntry, flag, quota, stat};

use super::direction::now;
use super::quota::{gave_back, may_have, took};
use crate::maps::{EVENTS, LOCKS, OVERFLOW, SOCKS, count, setting};
use crate::ring::{is_reserved, wakeup};

/// There was no entry that had to leave.
pub const NONE: u64 = 1;
/// The entry has left.
pub const LEFT: u64 = 0;
/// Another CPU is letting it go, and was interrupted.
pub const STUCK: u64 = 2;

/// The id of an entry that is about to be judged, to be read first. An entry is only let go under the id by which it was judged:
/// meanwhile others may have let it go and made another one, at this address, and in the same memory.
#[inline(always)]
pub fn id_of(entry: *mut SockEntry) -> u64 {
    // SAFETY: a valid pointer into a map value; volatile, so that it is read here.
    unsafe { core::ptr::read_volatile(&raw const (*entry).id) }
}

/// The socket is gone: its entry leaves. True if it had one.
#[inline(always)]
pub fn release(sk: u64) -> bool {
    let Some(entry) = SOCKS.get_ptr_mut(sk) else { return false };
    retire(sk, id_of(entry), 0);
    true
}

/// How often to look again whether another CPU has let an entry go.
const PATIENCE: u32 = 32;

/// Lets go of the entry with this id at a socket's address, once: two CPUs may come upon it at the same time.
/// `is_unseen`: a hook should have seen its end.
#[inline(never)]
pub fn retire(sk: u64, id: u64, is_unseen: u64) -> u64 {
    // Another lock than that of an inline share, which somebody may be taking at this moment: an end must not fail for that.
    let lock = !id;
    if LOCKS.insert(lock, 0, u64::from(BPF_NOEXIST)).is_err() {
        for _ in 0..PATIENCE {
            // SAFETY: a valid pointer into a map value.
            if SOCKS.get_ptr(sk).is_none_or(|entry| unsafe { (*entry).id } != id) {
                return LEFT;
            }
        }
        return STUCK;
    }
    let mut result = LEFT;
    if let Some(entry) = SOCKS.get_ptr_mut(sk) {
        // SAFETY: a valid pointer into a map value; whoever has the lock is the only one to let this entry go.
        unsafe {
            if id_of(entry) == id {
                let user = u32::from((*entry).user);
                // One that is marked has been output, and could not be deleted.
                if core::ptr::read_volatile(&raw const (*entry).flags) & flag::RELEASED == 0 {
                    if (*entry).closed_ns == 0 && is_unseen != 0 {
                        (*entry).flags |= flag::END_UNSEEN;
                        count(stat::ENDS_UNSEEN, 1);
                    }
                    output(entry);
                }
                if SOCKS.remove(sk).is_ok() {
                    gave_back(quota::SOCKS, user);
                } else {
                    result = STUCK;
                }
            }
        }
    }
    let _ = LOCKS.remove(lock);
    result
}

/// # Safety
/// `entry` is a valid pointer into a map value that no other CPU lets go.
#[inline(always)]
unsafe fn output(entry: *mut SockEntry) {
    // SAFETY: as the caller promises.
    unsafe {
        if (*entry).closed_ns == 0 {
            (*entry).closed_ns = now();
        }
        core::ptr::write_volatile(&raw mut (*entry).flags, (*entry).flags | flag::RELEASED);
        if is_reserved() || EVENTS.output::<SockEntry>(&*entry, wakeup()).is_err() {
            let (id, user) = ((*entry).id, u32::from((*entry).user));
            let max = setting(|s| &raw const (*s).max_overflow);
            if may_have(quota::OVERFLOW, user, max)
                && OVERFLOW.insert(id, &*entry, u64::from(BPF_NOEXIST)).is_ok()
            {
                count(stat::OVERFLOWED, 1);
                took(quota::OVERFLOW, user);
            } else if EVENTS.output::<SockEntry>(&*entry, wakeup()).is_err() {
                count(stat::LOST_CONNECTIONS, 1);
                // Shares in `ACCT` stay there until a sweep has read them.
                for slot in 0..INLINE_SHARES {
                    count(stat::LOST_TX, (*entry).shares[slot].tx_bytes);
                    count(stat::LOST_RX, (*entry).shares[slot].rx_bytes);
                }
            }
        }
    }
}
