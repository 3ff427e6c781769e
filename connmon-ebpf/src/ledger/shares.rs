//! Which process moved how many bytes on an entry. Each process has a share, the first two in the entry itself and further ones in `ACCT`;
//! one process may even have shares in several places, since only their sum counts.

use aya_ebpf::bindings::BPF_NOEXIST;
use connmon_ebpf::{AcctKey, INLINE_SHARES, Share, SockEntry, quota, stat};

use super::direction::{Direction, unattributed};
use super::lock::{self, Purpose};
use super::quota::{may_have, place, took};
use super::release::id_of;
use crate::maps::{ACCT, EMPTY_SHARE, SOCKS, add_to, add_to_half, count, setting};
use crate::task::{Current, name_of};

/// Adds one call's bytes to a share.
#[inline(always)]
fn add_to_share(share: *mut Share, way: Direction, bytes: u64, calls: u64) {
    // SAFETY: a valid pointer into a map value; the adds are atomic.
    unsafe {
        match way {
            Direction::Tx => {
                add_to(&raw mut (*share).tx_bytes, bytes);
                add_to(&raw mut (*share).tx_calls, calls);
            }
            Direction::Rx => {
                add_to(&raw mut (*share).rx_bytes, bytes);
                add_to(&raw mut (*share).rx_calls, calls);
            }
        }
    }
}

/// Adds the current process's bytes to the entry of a socket.
#[inline(always)]
pub fn add(sk: u64, entry: *mut SockEntry, way: Direction, bytes: u64, calls: u64) {
    if !add_to_last(entry, way, bytes, calls) {
        add_to_socket(sk, id_of(entry), way as u64, bytes, calls);
    }
}

/// Adds the current process's bytes to an entry of `FLOWS`.
#[inline(always)]
pub fn add_to_flow(entry: *mut SockEntry, way: Direction, bytes: u64, calls: u64) {
    if !add_to_last(entry, way, bytes, calls) {
        add_slow(entry, way as u64, bytes, calls);
    }
}

/// Adds to the inline share that the current thread was the last to use; false if there is none.
#[inline(always)]
fn add_to_last(entry: *mut SockEntry, way: Direction, bytes: u64, calls: u64) -> bool {
    let current = Current::get();
    for slot in 0..INLINE_SHARES {
        // SAFETY: a valid pointer into a map value.
        let share = unsafe { &raw mut (*entry).shares[slot] };
        // SAFETY: as above; volatile because other CPUs write.
        let hit = unsafe {
            core::ptr::read_volatile(&raw const (*share).task) == current.task
                && core::ptr::read_volatile(&raw const (*share).tgid) == current.tgid
        };
        if hit {
            add_to_share(share, way, bytes, calls);
            return true;
        }
    }
    false
}

/// [`add_slow`] for the entry with this id at the address of a socket. A global function, which the verifier checks once and not at each
/// call.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn add_to_socket(sk: u64, id: u64, way: u64, bytes: u64, calls: u64) -> u64 {
    match SOCKS.get_ptr_mut(sk) {
        Some(entry) if id_of(entry) == id => add_slow(entry, way, bytes, calls),
        // It has left in this moment.
        _ => {
            unattributed(Direction::of_number(way), bytes);
            0
        }
    }
}

/// Adds bytes for a thread for which [`add_to_last`] found no share.
#[inline(never)]
fn add_slow(entry: *mut SockEntry, way: u64, bytes: u64, calls: u64) -> u64 {
    let way = Direction::of_number(way);
    let current = Current::get();
    if current.tgid == 0 {
        // The idle task: a softirq delivered something on behalf of no process. A share with thread group id 0 would count as free.
        unattributed(way, bytes);
        return 0;
    }
    let start_ns = current.start_ns();
    // SAFETY: a valid pointer into a map value; the id never changes.
    let id = unsafe { (*entry).id };
    for slot in 0..INLINE_SHARES {
        // SAFETY: a valid pointer into a map value; aligned words, written by whoever holds the slot.
        unsafe {
            let share = &raw mut (*entry).shares[slot];
            if !is_taken(share) {
                claim(entry, id, share, current, start_ns);
            }
            if !is_taken(share) {
                // Another thread is claiming this slot. It may be one of this process, which must not claim the next slot as well.
                break;
            }
            if core::ptr::read_volatile(&raw const (*share).tgid) == current.tgid
                && core::ptr::read_volatile(&raw const (*share).start_ns) == start_ns
            {
                core::ptr::write_volatile(&raw mut (*share).task, current.task);
                add_to_share(share, way, bytes, calls);
                return 0;
            }
        }
    }
    let key = AcctKey { id, start_ns, tgid: current.tgid, uid: current.uid() };
    if let (None, Some(empty)) = (ACCT.get_ptr_mut(key), EMPTY_SHARE.get_ptr(0)) {
        // The key tells the process; the value begins with all counters at zero.
        // SAFETY: a valid pointer into a map value that nothing ever writes to.
        if may_have(quota::ACCT, place(key.uid), setting(|s| unsafe { &raw const (*s).max_shares }))
            && ACCT.insert(key, unsafe { &*empty }, u64::from(BPF_NOEXIST)).is_ok()
        {
            count(stat::SHARES_MADE, 1);
            took(quota::ACCT, place(key.uid));
            // SAFETY: a valid pointer into a map value.
            add_to_half(unsafe { &raw mut (*entry).extra_shares }, 1);
        }
    }
    match ACCT.get_ptr_mut(key) {
        Some(share) => add_to_share(share, way, bytes, calls),
        None => {
            count(stat::ACCT_FULL, 1);
            // SAFETY: as above.
            add_to_half(unsafe { &raw mut (*entry).lost_calls }, 1);
            unattributed(way, bytes);
        }
    }
    0
}

/// Whether an inline share belongs to a process.
///
/// # Safety
/// `share` is valid.
#[inline(always)]
unsafe fn is_taken(share: *const Share) -> bool {
    // SAFETY: as the caller promises; volatile, because other CPUs write.
    unsafe { core::ptr::read_volatile(&raw const (*share).tgid) != 0 }
}

/// Claims a free inline slot for the current process. Two processes may want it at once, hence the lock. `tgid` is written last, and read
/// again under the lock. A thread that does not get the lock waits for a moment; if the slot is still free then (the thread with the lock
/// was interrupted), its bytes go to `ACCT`, and the sums are the same.
#[inline(always)]
unsafe fn claim(entry: *mut SockEntry, id: u64, share: *mut Share, current: Current, start_ns: u64) {
    // SAFETY: as the caller promises.
    if unsafe { is_taken(share) } || !lock::take_patiently(id, Purpose::Share) {
        return;
    }
    // SAFETY: as the caller promises, valid pointers into one map value.
    unsafe {
        if !is_taken(share) {
            if share == &raw mut (*entry).shares[0] {
                // The name of the process, which is that of its first thread: what `ps` shows.
                (*entry).comm = name_of(current.task);
            }
            write_owner(share, current, start_ns);
        }
    }
    lock::give_back(id, Purpose::Share);
}

/// Makes a process the owner of an inline share that nobody else can claim at this moment. `tgid` is written last.
///
/// # Safety
/// `share` is valid.
#[inline(always)]
pub unsafe fn write_owner(share: *mut Share, current: Current, start_ns: u64) {
    // SAFETY: as the caller promises; volatile, because others read at the same time.
    unsafe {
        core::ptr::write_volatile(&raw mut (*share).start_ns, start_ns);
        core::ptr::write_volatile(&raw mut (*share).uid, current.uid());
        core::ptr::write_volatile(&raw mut (*share).task, current.task);
        core::ptr::write_volatile(&raw mut (*share).tgid, current.tgid);
    }
}

/// Makes the current process the owner, unless there is one.
#[inline(always)]
pub fn own(sk: u64, entry: *mut SockEntry) {
    // SAFETY: a valid pointer into a map value.
    if unsafe { core::ptr::read_volatile(&raw const (*entry).shares[0].tgid) } == 0 {
        add_to_socket(sk, id_of(entry), Direction::Tx as u64, 0, 0);
    }
}
