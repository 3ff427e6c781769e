//! The way out of an entry. It leaves once, under a lock, and only under the id under which it was examined: it is marked RELEASED, output
//! (else put into `OVERFLOW`, else its bytes are added to a counter), and deleted. A sweep that meets a RELEASED entry leaves it alone,
//! since its final form is on its way.
//!
//! Without the lock, the end of a socket and a sweep, or the next socket at the address, could output an entry twice at the same instant;
//! and a program that was interrupted before its output could then output the entry of another socket, which has got the memory.

use aya_ebpf::bindings::BPF_NOEXIST;
use connmon_ebpf::{INLINE_SHARES, SockEntry, flag, quota, stat};

use super::direction::now;
use super::lock::{self, Purpose};
use super::quota::{gave_back, may_have, took};
use crate::maps::{EVENTS, OVERFLOW, SOCKS, count, setting};
use crate::ring::{is_reserved, wakeup};

/// There was no entry that had to leave.
pub const NONE: u64 = 1;
/// The entry has left.
pub const LEFT: u64 = 0;
/// The entry is still there: the CPU that is removing it was interrupted, or it could not be deleted.
pub const STUCK: u64 = 2;

/// The id of an entry, which must be read before the entry is examined. An entry is removed only under the id under which it was examined:
/// in the meantime others may have removed it and made another one, at this address and in the same memory.
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

/// Removes the entry with this id at the address of a socket, once even if two CPUs try it at the same time. `is_unseen` is 1 if a hook
/// should have seen the socket's end.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn retire(sk: u64, id: u64, is_unseen: u64) -> u64 {
    if !lock::take_patiently(id, Purpose::Exit) {
        // SAFETY: a valid pointer into a map value.
        let is_gone = SOCKS.get_ptr(sk).is_none_or(|entry| unsafe { (*entry).id } != id);
        return if is_gone { LEFT } else { STUCK };
    }
    let mut result = LEFT;
    if let Some(entry) = SOCKS.get_ptr_mut(sk) {
        // SAFETY: a valid pointer into a map value; only the holder of the lock removes this entry.
        unsafe {
            if id_of(entry) == id {
                let user = u32::from((*entry).user);
                // An entry that is marked already has been output, but could not be deleted.
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
    lock::give_back(id, Purpose::Exit);
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
