//! Finds or creates an entry and adds bytes to it (through `shares`). Sockets that get no entry are in the `pool`.
//!
//! The rule that makes this lossless: an entry changes only while its socket lives, and nothing touches it once it has left (through the
//! ring, else through `OVERFLOW`). To leave, it is marked RELEASED, output, and deleted. A sweep that meets a RELEASED entry leaves it
//! alone, since its final form is on its way. What fits nowhere is added to a counter, so that Σ entries + counters = everything that the
//! hooks saw.

use connmon_ebpf::{Addr, FlowKey, SockEntry, blind, flag, proto, quota};

use super::attempt;
use super::direction::{Direction, now, unattributed};
use super::entry::{NewEntry, create_flow, create_own, is_current};
use super::identity::{evict, is_stream};
use super::pool;
use super::quota::{has_room, may_have, user};
use super::release::{LEFT, STUCK, id_of, release, retire};
use super::shares::{add, add_to_flow};
use crate::blind::is_blind;
use crate::maps::{FLOWS, OLDER, SOCKS, add_to_half, epoch, may_straddle, setting};
use crate::requested;
use crate::sock;

/// A socket other than TCP is gone: its entry leaves, see [`release`], or it leaves the pool.
#[inline(always)]
pub fn datagrams_end(sk: u64) {
    if is_blind(blind::ENDS, sk, 2) {
        return;
    }
    forget(sk);
    if !release(sk) {
        pool::leave_datagrams(sk);
    }
}

/// Forgets that the socket at this address was older than the recording: it has ended, or a new one is there.
#[inline(always)]
pub fn forget(sk: u64) {
    if OLDER.get_ptr(sk).is_some() {
        let _ = OLDER.remove(sk);
    }
}

/// Creates the entry of a socket that has none, unless another CPU does so at the same time, and returns it. `None`: the socket is in the
/// `pool`.
#[inline(always)]
pub fn create(new: &NewEntry) -> Option<*mut SockEntry> {
    if pool::is_noted(new.sk) {
        return None;
    }
    let max = setting(|s| unsafe { &raw const (*s).max_entries });
    if !may_have(quota::SOCKS, user(new.sk), max) || create_own(new).is_none() {
        pool::enter(new);
    }
    // Another CPU may have tried at the same time with the other outcome.
    pool::found(new.sk);
    SOCKS.get_ptr_mut(new.sk)
}

/// Like [`create`], for a TCP socket: the entry, once there is one, or `None` if the socket is in the `pool`. `is_used` says whether the
/// current process opened or accepted it.
#[inline(always)]
pub fn created(sk: u64, flags: u32, is_used: bool) -> Option<*mut SockEntry> {
    if create_stream(sk, flags, 0, u64::from(is_used)) == 0 { None } else { SOCKS.get_ptr_mut(sk) }
}

/// Creates the entry of a TCP socket, which has [`flag`] bits and so many `delivered` bytes; 0 if it gets none. A global function, which
/// the verifier checks once.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn create_stream(sk: u64, flags: u32, delivered: u64, is_used: u64) -> u64 {
    let remote = sock::remote(sk, sock::family(sk));
    let is_used = is_used != 0;
    let entry = create(&NewEntry { sk, parent: 0, proto: proto::TCP, flags, remote, delivered, is_used });
    u64::from(entry.is_some())
}

/// The entry of a TCP socket. One that has none and is not in the pool is older than the probes and was invisible to the snapshot (no file
/// refers to it), or no hook saw it begin; its entry is created now.
#[inline(always)]
pub fn tcp_entry(sk: u64) -> Option<*mut SockEntry> {
    match SOCKS.get_ptr_mut(sk) {
        Some(entry) if is_stream(entry, sk) => Some(entry),
        None if pool::is_noted(sk) => None,
        _ if adopt(sk) != 0 => SOCKS.get_ptr_mut(sk),
        _ => None,
    }
}

/// The flag of a TCP socket that is found in use: unless it `is_new`, it may be older than the recording.
#[inline(always)]
pub fn unseen(is_new: bool) -> u32 {
    if !is_new && may_straddle(now()) { flag::PREEXISTING } else { flag::BEGIN_UNSEEN }
}

/// Makes the entry of a TCP socket that is found in use; 0 if it gets none.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn adopt(sk: u64) -> u64 {
    if sock::class(sk) != proto::TCP {
        return 0;
    }
    let evicted = evict(sk);
    if evicted == STUCK || pool::has(sk) {
        return 0;
    }
    // An attempt without an entry means that the step to SYN_SENT was missed.
    let missed = attempt::sent(sk);
    // If there was an entry of an earlier socket at its address, it began after that socket.
    let is_new = missed || evicted == LEFT;
    let flags = if missed { flag::OUTBOUND } else { unseen(is_new) };
    create_stream(sk, flags, if is_new { 0 } else { sock::delivered(sk) }, 0)
}

/// Adds a datagram to the entry of (socket, remote), creating what is missing.
#[inline(always)]
pub fn datagram(sk: u64, proto: u16, way: Direction, remote: &Addr, flags: u32, bytes: u64) {
    if let Some(entry) = SOCKS.get_ptr_mut(sk) {
        // SAFETY: a valid pointer into a map value; `remote` never changes.
        if unsafe { (*entry).remote == *remote } && is_current(entry) && !moved(entry, sk, proto) {
            return add(sk, entry, way, bytes, 1);
        }
    }
    datagram_slow(sk, proto, remote, flags & flag::REMOTE_UNKNOWN != 0, way, bytes);
}

/// Whether an entry does not belong to this socket, whose class is `class`: it may be of an earlier socket at the same address, or the
/// socket may have got another local port since its entry was made. The latter happens after connect() to AF_UNSPEC, which gives up a port
/// that was not bound (udp_disconnect(), net/ipv4/udp.c). A new socket with the port of the one before it is recognised when it is made
/// (see `hooks::cgroup`), or by the sweep.
#[inline(always)]
pub fn moved(entry: *mut SockEntry, sk: u64, class: u16) -> bool {
    // SAFETY: a valid pointer into a map value; both are set once.
    let (proto, known) = unsafe { ((*entry).proto, (*entry).local.port) };
    if proto != class {
        return true;
    }
    if proto != proto::UDP || known == 0 {
        return false;
    }
    let now = sock::local_port(sk);
    now != 0 && now != known
}

/// The flag that says who opened a connection whose first bytes go this way.
#[inline(always)]
pub fn direction(proto: u16, way: Direction) -> u32 {
    match way {
        // For these, the first bytes do not tell who opened.
        _ if matches!(proto, proto::MPTCP | proto::PACKET) => 0,
        Direction::Tx => flag::OUTBOUND,
        Direction::Rx => flag::INBOUND,
    }
}

// What [`add_datagram`] is told in one word, behind the remote's port and family: the socket's class, and these.
const CLASS: u32 = 32;
const IS_RECEIVED: u64 = 1 << 48;
const IS_UNKNOWN: u64 = 1 << 49;

/// Adds the first datagram of a socket, or one of a further remote.
#[inline(always)]
pub fn datagram_slow(sk: u64, class: u16, remote: &Addr, is_unknown: bool, way: Direction, bytes: u64) {
    let [a, b, c, d] = remote.ip.map(u64::from);
    let mut about = u64::from(remote.port) | u64::from(remote.family) << 16 | u64::from(class) << CLASS;
    if way == Direction::Rx {
        about |= IS_RECEIVED;
    }
    if is_unknown {
        about |= IS_UNKNOWN;
    }
    // Not called by `add_datagram`, because BPF programs have little stack.
    if add_datagram(sk, a | b << 32, c | d << 32, about, bytes) != 0 {
        pool::add_to_pool(sk, class, way as u64, bytes, 1);
    }
}

/// Adds it to an entry, with the remote's address in two words; 1 if the socket is in the pool, and nothing was added. A global function,
/// which the verifier checks once.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn add_datagram(sk: u64, first: u64, second: u64, about: u64, bytes: u64) -> u64 {
    let ip = [first as u32, (first >> 32) as u32, second as u32, (second >> 32) as u32];
    let proto = (about >> CLASS) as u16;
    let way = if about & IS_RECEIVED != 0 { Direction::Rx } else { Direction::Tx };
    let unknown = if about & IS_UNKNOWN != 0 { flag::REMOTE_UNKNOWN } else { 0 };
    let mut new = NewEntry {
        sk,
        parent: 0,
        proto,
        flags: direction(proto, way) | unknown,
        remote: Addr { ip, port: about as u16, family: (about >> 16) as u16 },
        delivered: 0,
        is_used: true,
    };
    u64::from(!datagram_beyond(&mut new, way, bytes))
}

/// Adds the datagram to an entry; false if the socket is in the pool, and nothing was added.
#[inline(always)]
fn datagram_beyond(new: &mut NewEntry, way: Direction, bytes: u64) -> bool {
    if let Some(entry) = SOCKS.get_ptr_mut(new.sk) {
        let id = id_of(entry);
        if moved(entry, new.sk, new.proto) {
            // SAFETY: a valid pointer into a map value.
            let is_other = unsafe { (*entry).mark } != sock::inode(new.sk);
            retire(new.sk, id, u64::from(is_other));
        }
    }
    let Some(entry) = SOCKS.get_ptr_mut(new.sk).or_else(|| create(new)) else {
        return false;
    };
    // SAFETY: a valid pointer into a map value; `remote` never changes for these sockets, nor does the id.
    let (parent, same) = unsafe { ((*entry).id, (*entry).remote == new.remote) };
    if same && is_current(entry) {
        add(new.sk, entry, way, bytes, 1);
        return true;
    }
    let mut key = FlowKey { parent, remote: new.remote, epoch: epoch() };
    let mut flow = FLOWS.get_ptr_mut(&key);
    if flow.is_none() {
        new.parent = parent;
        new.flags |= flag::FLOW;
        if has_room(entry) == 0 {
            key.remote = Addr { ip: [0; 4], port: 0, family: 0 };
            new.remote.ip = [0; 4];
            new.remote.port = 0;
            new.flags |= flag::AGGREGATE;
            flow = FLOWS.get_ptr_mut(&key);
        }
    }
    if flow.is_none() {
        // SAFETY: a valid pointer into a map value.
        add_to_half(unsafe { &raw mut (*entry).extra_flows }, 1);
        flow = create_flow(&key, new);
        if let (Some(flow), flag::OUTBOUND) = (flow, new.flags & (flag::OUTBOUND | flag::AGGREGATE)) {
            requested::report_if_diverted(new.sk, flow);
        }
    }
    match flow {
        Some(flow) => add_to_flow(flow, way, bytes, 1),
        None => unattributed(way, bytes),
    }
    true
}

/// A send of a datagram failed. A packet of it may have been counted all the same, so the entry of the flow keeps the errno.
#[inline(never)]
pub fn send_failed(sk: u64, remote: &Addr, ret: i64) -> u64 {
    // include/uapi/asm-generic/errno-base.h: there was no room to begin with, so there was no packet.
    const EAGAIN: i64 = 11;
    let Some(entry) = SOCKS.get_ptr_mut(sk) else { return 0 };
    // SAFETY: valid pointers into map values; neither field changes for sockets of datagrams.
    unsafe {
        let failed = if (*entry).remote == *remote && is_current(entry) {
            Some(entry)
        } else {
            FLOWS.get_ptr_mut(FlowKey { parent: (*entry).id, remote: *remote, epoch: epoch() })
        };
        if let (Some(failed), true) = (failed, -ret != EAGAIN) {
            (*failed).err = (-ret) as u32;
        }
    }
    0
}
