//! Sockets without an entry of their own: those of a user who has used up his share of `SOCKS` (see `quota`), and those that find the map
//! full. What their processes move is added, call by call, to one entry per user and protocol in `FLOWS` (`flag::POOL`), whose bytes are
//! exact and which tells how many sockets it stands for. A note remembers each socket of the pool, so that no socket is in two places.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap};
use connmon_ebpf::{Addr, FlowKey, SockEntry, flag, proto, stat};

use super::direction::{Direction, unattributed};
use super::entry::{NewEntry, create_flow};
use super::quota;
use super::shares;
use crate::maps::{FLOWS, SOCKS, add_to_half, count, epoch};
use crate::sock;

/// What is remembered of a socket.
#[repr(C)]
#[derive(Clone, Copy)]
struct PooledSocket {
    /// TCP: delivered bytes that have been counted.
    delivered: u64,
    /// The place of its user, see [`quota::user`].
    user: u32,
    /// A value of [`proto`].
    proto: u16,
    /// 1 once the bytes sent with its SYN have been counted.
    sent_early: u8,
    /// 1 once it has been counted among the sockets that the entry stands for.
    told: u8,
}

/// Notes by socket, until the socket ends.
#[map]
static NOTES: HashMap<u64, PooledSocket> = HashMap::with_max_entries(131_072, 0);

/// Index 0: not 0 once a socket got no entry. Until then, a TCP socket without an entry is older than the probes, or its beginning was
/// missed.
#[map]
static IN_USE: Array<u32> = Array::with_max_entries(1, 0);

/// Whether any socket has ever been put into the pool.
#[inline(always)]
pub fn is_in_use() -> bool {
    // SAFETY: a valid pointer into a map value.
    IN_USE.get_ptr(0).is_some_and(|in_use| unsafe { core::ptr::read_volatile(in_use) } != 0)
}

/// Whether a socket has a note in the pool.
#[inline(always)]
pub fn is_noted(sk: u64) -> bool {
    is_in_use() && NOTES.get_ptr(sk).is_some()
}

/// Whether a socket without an entry is in the pool, or may be because a socket of its user got no note.
#[inline(always)]
pub fn has(sk: u64) -> bool {
    is_in_use() && (NOTES.get_ptr(sk).is_some() || quota::lacks_notes(quota::user(sk)))
}

/// Puts a socket that gets no entry into the pool.
#[inline(never)]
pub fn enter(new: &NewEntry) -> u64 {
    if let Some(in_use) = IN_USE.get_ptr_mut(0) {
        // SAFETY: a valid pointer into a map value; it only ever becomes 1.
        unsafe { core::ptr::write_volatile(in_use, 1) };
    }
    let user = quota::user(new.sk);
    let note = PooledSocket { delivered: new.delivered, user, proto: new.proto, sent_early: 0, told: 0 };
    if NOTES.insert(new.sk, note, u64::from(BPF_NOEXIST)).is_ok() {
        count(stat::POOLED, 1);
    } else if NOTES.get_ptr(new.sk).is_none() {
        quota::lack_note(user);
        if new.proto == proto::TCP {
            // A datagram socket without a note comes here with each datagram, so such sockets cannot be counted.
            count(stat::SOCKS_FULL, 1);
        }
        count(stat::CALLS_FULL, 1);
    }
    0
}

/// Takes a socket out of the pool again if another CPU made an entry for it at the same time.
#[inline(always)]
pub fn found(sk: u64) {
    if is_in_use() && SOCKS.get_ptr(sk).is_some() && NOTES.remove(sk).is_ok() {
        count(stat::POOL_LEFT, 1);
    }
}

/// The pool's entry for a user and protocol, which is made if it does not exist.
#[inline(always)]
fn entry(sk: u64, user: u32, proto: u16) -> Option<*mut SockEntry> {
    // Cannot be the id of an entry: no id is so small.
    let parent = u64::from(user) + 1;
    let key = FlowKey {
        parent,
        remote: Addr { ip: [u32::from(proto), 0, 0, 0], port: 0, family: 0 },
        epoch: epoch(),
    };
    if let Some(entry) = FLOWS.get_ptr_mut(&key) {
        return Some(entry);
    }
    let remote = Addr { ip: [0; 4], port: 0, family: sock::AF_INET };
    let flags = flag::FLOW | flag::AGGREGATE | flag::POOL;
    create_flow(&key, &NewEntry { sk, parent, proto, flags, remote, delivered: 0, is_used: false })
}

/// Adds what the current process moved on a socket in the pool; nothing (0 bytes, 0 calls) if it only begins to use it.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn add_to_pool(sk: u64, class: u16, way: u64, bytes: u64, calls: u64) -> u64 {
    let (user, is_first) = match NOTES.get_ptr_mut(sk) {
        // SAFETY: a valid pointer into a map value. Two CPUs at once may both take themselves for the first: the entry's number of sockets
        // is then one too high, but `POOLED` counts each socket once.
        Some(note) => unsafe {
            let is_first = (*note).told == 0;
            (*note).told = 1;
            ((*note).user, is_first)
        },
        None => (quota::user(sk), false),
    };
    let way = Direction::of_number(way);
    match entry(sk, user, class) {
        Some(entry) => {
            if is_first {
                // SAFETY: a valid pointer into a map value.
                add_to_half(unsafe { &raw mut (*entry).extra_flows }, 1);
            }
            shares::add_to_flow(entry, way, bytes, calls)
        }
        // That there was no room has been counted.
        None => unattributed(way, bytes),
    }
    0
}

/// The current process opened, or accepted, a TCP socket that is in the pool.
#[inline(always)]
pub fn used(sk: u64) {
    add_to_pool(sk, proto::TCP, Direction::Tx as u64, 0, 0);
}

/// A call of the current process moved bytes on a TCP socket that is in the pool.
#[inline(always)]
pub fn moved(sk: u64, way: Direction, bytes: u64) {
    add_to_pool(sk, proto::TCP, way as u64, bytes, 1);
}

/// A TCP socket without an entry has `delivered` this many bytes so far. If `by_call` is not 0, they are counted at the calls instead.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn received_in_pool(sk: u64, delivered: u64, by_call: u64) -> u64 {
    // Without a note, `closed` counts it.
    let Some(note) = NOTES.get_ptr_mut(sk) else { return 0 };
    // SAFETY: a valid pointer into a map value; the socket is locked here, so it has one writer.
    let before = unsafe {
        let before = (*note).delivered;
        (*note).delivered = delivered;
        before
    };
    if delivered > before && by_call == 0 {
        add_to_pool(sk, proto::TCP, Direction::Rx as u64, delivered - before, 1);
    }
    0
}

/// Whether the bytes that a TCP socket without an entry sent with its SYN are to be counted: true only the first time.
#[inline(always)]
pub fn is_first_sent_with_syn(sk: u64) -> bool {
    let Some(note) = NOTES.get_ptr_mut(sk) else { return false };
    // SAFETY: a valid pointer into a map value; the socket is held, so it has one writer.
    unsafe {
        let is_first = (*note).sent_early == 0;
        (*note).sent_early = 1;
        is_first
    }
}

/// A TCP socket without an entry reached TCP_CLOSE: bytes that it delivered and that have not been counted belong to no process.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn closed_in_pool(sk: u64) -> u64 {
    let delivered = sock::delivered(sk);
    let Some(note) = NOTES.get_ptr_mut(sk) else {
        if has(sk) {
            unattributed(Direction::Rx, delivered);
        }
        return 0;
    };
    // SAFETY: a valid pointer into a map value; the socket is locked here.
    unsafe {
        let before = (*note).delivered;
        // With a ULP, or in a sockmap, bytes are counted call by call.
        if delivered > before && !sock::layered(sk) && !sock::is_diverted(sk) {
            (*note).delivered = delivered;
            unattributed(Direction::Rx, delivered - before);
        }
    }
    0
}

/// Removes the note of a socket that is gone, or whose address another socket has now.
#[inline(always)]
pub fn leave(sk: u64) {
    if is_noted(sk) {
        let _ = NOTES.remove(sk);
    }
}

/// Removes the note of a socket other than TCP when the last file that refers to it is closed. A TCP socket may live on.
#[inline(always)]
pub fn leave_datagrams(sk: u64) {
    if !is_in_use() {
        return;
    }
    // SAFETY: a valid pointer into a map value.
    if NOTES.get_ptr(sk).is_some_and(|note| unsafe { (*note).proto } != proto::TCP) {
        let _ = NOTES.remove(sk);
    }
}
