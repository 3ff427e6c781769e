//! Finds or creates an entry and adds bytes to it (through `shares`). Sockets that get no entry are in the `pool`.
//!
//! The rule that makes this lossless: an entry changes only while its socket lives, and nothing touches it once it has left (through the
//! ring, else through `OVERFLOW`). To leave, it is marked RELEASED, output, and deleted. A sweep that meets a RELEASED entry leaves it
//! alone, since its final form is on its way. What fits nowhere is added to a counter, so that Σ entries + counters = everything that the
//! hooks saw.

use connmon_ebpf::{Addr, FlowKey, SockEntry, blind, flag, proto, quota, stat};

use super::attempt;
use super::direction::{Direction, now, unattributed};
use super::entry::{NewEntry, create_flow, create_own, is_current};
use super::identity::{evict, is_stream};
use super::pool;
use super::quota::{has_room, may_have, user};
use super::release::{LEFT, STUCK, id_of, release, retire};
use super::shares::add;
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

/// The entry of a TCP socket. One that has none and is not in the pool is older than the probes and was invisible to the snapshot (no file
/// refers to it), or no hook saw it begin; its entry is created now.
#[inline(always)]
pub fn tcp_entry(sk: u64) -> Option<*mut SockEntry> {
    match SOCKS.get_ptr_mut(sk) {
        Some(entry) if is_stream(entry, sk) => Some(entry),
        None if pool::is_noted(sk) => None,
        _ => adopt(sk),
    }
}

/// [`sock::delivered`], not inlined, because BPF programs have little stack.
#[inline(never)]
fn delivered_before(sk: u64) -> u64 {
    sock::delivered(sk)
}

/// The flag of a TCP socket that is found in use: unless it `is_new`, it may be older than the recording.
#[inline(always)]
pub fn unseen(is_new: bool) -> u32 {
    if !is_new && may_straddle(now()) { flag::PREEXISTING } else { flag::BEGIN_UNSEEN }
}

#[inline(never)]
fn adopt(sk: u64) -> Option<*mut SockEntry> {
    if sock::class(sk) != proto::TCP {
        return None;
    }
    let evicted = evict(sk);
    if evicted == STUCK || pool::has(sk) {
        return None;
    }
    // An attempt without an entry means that the step to SYN_SENT was missed.
    let missed = attempt::sent(sk);
    // If there was an entry of an earlier socket at its address, it began after that socket.
    let is_new = missed || evicted == LEFT;
    create(&NewEntry {
        sk,
        parent: 0,
        proto: proto::TCP,
        flags: if missed { flag::OUTBOUND } else { unseen(is_new) },
        remote: sock::remote(sk, sock::family(sk)),
        delivered: if is_new { 0 } else { delivered_before(sk) },
    })
}

/// Adds a datagram to the entry of (socket, remote), creating what is missing.
#[inline(always)]
pub fn datagram(sk: u64, proto: u16, way: Direction, remote: &Addr, flags: u32, bytes: u64) {
    if let Some(entry) = SOCKS.get_ptr_mut(sk) {
        // SAFETY: a valid pointer into a map value; `remote` never changes.
        if unsafe { (*entry).remote == *remote } && is_current(entry) && !moved(entry, sk, proto) {
            return add(entry, way, bytes, 1);
        }
    }
    let flags = flags | direction(proto, way);
    datagram_slow(
        &mut NewEntry { sk, parent: 0, proto, flags, remote: *remote, delivered: 0 },
        way as u64,
        bytes,
    );
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

/// Adds the first datagram of a socket, or one of a further remote.
#[inline(always)]
pub fn datagram_slow(new: &mut NewEntry, way: u64, bytes: u64) {
    // Not called by `datagram_beyond`, because BPF programs have little stack.
    if datagram_beyond(new, way, bytes) != 0 {
        pool::add(new.sk, new.proto, way, bytes, 1);
    }
}

/// Adds the datagram to an entry; 1 if the socket is in the pool, and nothing was added.
#[inline(never)]
fn datagram_beyond(new: &mut NewEntry, way: u64, bytes: u64) -> u64 {
    let is_tx = way == Direction::Tx as u64;
    let way = if is_tx { Direction::Tx } else { Direction::Rx };
    if let Some(entry) = SOCKS.get_ptr_mut(new.sk) {
        let id = id_of(entry);
        if moved(entry, new.sk, new.proto) {
            // SAFETY: a valid pointer into a map value.
            let is_other = unsafe { (*entry).mark } != sock::inode(new.sk);
            retire(new.sk, id, u64::from(is_other));
        }
    }
    let Some(entry) = SOCKS.get_ptr_mut(new.sk).or_else(|| create(new)) else {
        return 1;
    };
    // SAFETY: a valid pointer into a map value; `remote` never changes for these sockets, nor does the id.
    let (parent, same) = unsafe { ((*entry).id, (*entry).remote == new.remote) };
    if same && is_current(entry) {
        add(entry, way, bytes, 1);
        return 0;
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
        Some(flow) => add(flow, way, bytes, 1),
        None => unattributed(way, bytes),
    }
    0
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
