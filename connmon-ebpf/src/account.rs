//! Find or create an entry, add bytes to it (through `shares`), let it go. Sockets that get none are in the `pool`.
//!
//! The rule that makes this lossless: an entry is changed only while its socket lives, and once it leaves
//! (through the ring, else through `OVERFLOW`) nothing touches it again. The way out is: mark RELEASED, output,
//! delete. A sweep that meets a RELEASED entry leaves it alone, since its final form is on its way. What fits
//! nowhere is added to a counter, so that Σ entries + counters = everything that the hooks saw.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns};
use aya_ebpf::maps::HashMap;
use connmon_ebpf::{Addr, FlowKey, INLINE_SHARES, SockEntry, blind, flag, kind, proto, quota, stat};

use crate::attempt;
use crate::hooks::wire::take_pending;
use crate::identity::{self, evict, is_stream, retire};
use crate::maps::{
    EVENTS, FLOWS, OLDER, OVERFLOW, SOCKS, STATS, add_to, add_to_half, count, epoch, in_snapshot, is_blind,
    may_go_on, may_straddle, setting,
};
use crate::pool;
use crate::quota::{gave_back, has_room, lacks_notes, made, may_have, took, user};
use crate::requested;
use crate::ring::{is_reserved, wakeup};
use crate::shares::add;
use crate::sock;
use crate::template::Template;

/// Which way bytes went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the process to the kernel.
    Tx,
    /// From the kernel to the process.
    Rx,
}

/// Nanoseconds of CLOCK_BOOTTIME.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper only returns a number.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// An id that no other entry of this recording has: CPU (Linux has 8192 at most), a count on that CPU, and bits of the clock,
/// because an interrupt between the add and the read can make two entries see the same count.
#[inline(always)]
fn next_id(time: u64) -> u64 {
    // SAFETY: the helper only returns a number.
    let cpu = u64::from(unsafe { bpf_get_smp_processor_id() });
    let Some(counter) = STATS.get_ptr_mut(stat::IDS) else { return 0 };
    add_to(counter, 1);
    // SAFETY: a valid pointer into a map value.
    let n = unsafe { core::ptr::read_volatile(counter) };
    (cpu << 51) | ((n & ((1 << 35) - 1)) << 16) | (time & ((1 << 16) - 1))
}

/// What a new entry starts with.
pub struct NewEntry {
    /// `struct sock`.
    pub sk: u64,
    /// The socket's entry for a flow, else 0.
    pub parent: u64,
    /// IPPROTO_*.
    pub proto: u16,
    /// [`flag`] bits.
    pub flags: u32,
    /// The other end.
    pub remote: Addr,
    /// Bytes delivered before (TCP).
    pub delivered: u64,
}

/// Describes a connection as it begins, in a template. Every field that any of them sets is set; the rest is zero for all.
#[inline(always)]
fn fill(entry: *mut SockEntry, id: u64, new: &NewEntry) {
    let is_pool = new.flags & flag::POOL != 0;
    // SAFETY: a valid pointer into a map value that only the caller uses.
    unsafe {
        (*entry).kind = kind::SOCK;
        (*entry).id = id;
        (*entry).parent = new.parent;
        (*entry).opened_ns = now();
        (*entry).remote = new.remote;
        // Of many sockets. Where their packets would be counted, it is not known yet whose they are.
        (*entry).wire_unknown = u8::from(is_pool);
        (*entry).local = Addr { ip: [0; 4], port: 0, family: 0 };
        if !is_pool {
            (*entry).local = sock::local(new.sk, new.remote.family);
        }
        if !matches!(new.proto, proto::TCP | proto::UDP | proto::MPTCP) {
            // What stands there is the protocol's number, or an identifier.
            (*entry).local.port = 0;
        }
        (*entry).flags = new.flags | if is_older(new) { flag::SOCKET_OLDER } else { 0 };
        (*entry).user = user(new.sk) as u16;
        if new.parent == 0 && new.proto != proto::TCP && lacks_notes(u32::from((*entry).user)) {
            // It may have been in the pool, without a note.
            (*entry).flags |= flag::BEGIN_UNSEEN;
        }
        (*entry).mark = 0;
        if new.proto != proto::TCP && new.parent == 0 {
            (*entry).mark = sock::inode(new.sk);
        }
        (*entry).proto = new.proto;
        (*entry).netns = sock::netns(new.sk);
        (*entry).delivered = new.delivered;
        let is_adopted = new.flags & flag::PREEXISTING != 0 && new.proto == proto::TCP;
        (*entry).write_seq = if ages(new.proto) { epoch() } else { 0 };
        if is_adopted {
            (*entry).write_seq = sock::write_seq(new.sk);
        }
        (*entry).has_write_seq = u8::from(is_adopted);
    }
}

/// Whether flows of a protocol end by a pause: a TCP or MPTCP socket has one remote and ends with it, and a packet socket has none.
#[inline(always)]
fn ages(proto: u16) -> bool {
    !matches!(proto, proto::TCP | proto::MPTCP | proto::PACKET)
}

/// Whether what a socket exchanges with the remote of its own entry belongs into that: once the epoch has been raised, it goes
/// to `FLOWS` like everything else.
#[inline(always)]
pub fn is_current(entry: *mut SockEntry) -> bool {
    // SAFETY: a valid pointer into a map value; both are set once.
    unsafe { (*entry).write_seq == epoch() || !ages((*entry).proto) }
}

/// Whether a socket of datagrams may have talked to the same remote before the recording.
#[inline(always)]
fn is_older(new: &NewEntry) -> bool {
    new.proto != proto::TCP
        && new.flags & flag::POOL == 0
        && (!ages(new.proto) || may_go_on(now()))
        && (in_snapshot() || OLDER.get_ptr(new.sk).is_some())
}

/// A socket of datagrams is gone. As [`release`].
#[inline(always)]
pub fn datagrams_end(sk: u64) {
    if is_blind(blind::ENDS, sk, 2) {
        return;
    }
    forget(sk);
    if release(sk) != 0 {
        pool::leave_datagrams(sk);
    }
}

/// What is known of an earlier socket at a new one's address is of no use any more.
#[inline(always)]
pub fn forget(sk: u64) {
    if OLDER.get_ptr(sk).is_some() {
        let _ = OLDER.remove(sk);
    }
}

/// Inserts an entry. It is whole from the moment when others can find it: they add to it, let it go and copy it at once, from other
/// CPUs and from tasks that run while this one is preempted, and nothing that they write is written over.
#[inline(always)]
fn insert<K>(map: &HashMap<K, SockEntry>, key: &K, new: &NewEntry) -> Option<*mut SockEntry> {
    let template = Template::take()?;
    fill(template.entry, next_id(now()), new);
    // SAFETY: a valid pointer into a map value that only this program uses.
    let result = map.insert(key, unsafe { &*template.entry }, u64::from(BPF_NOEXIST));
    template.give_back();
    let entry = map.get_ptr_mut(key);
    if let (Some(entry), Ok(())) = (entry, result) {
        if new.parent == 0 {
            // SAFETY: a valid pointer into a map value; it is set once.
            took(quota::SOCKS, u32::from(unsafe { (*entry).user }));
        }
        take_pending(entry);
    }
    entry
}

/// The entry of a socket that has none yet, unless another CPU makes it at the same time. None: the socket is in the `pool`.
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

/// Inserts an entry for a socket, whatever its user has already; one that is there stays and is returned.
#[inline(never)]
pub fn create_own(new: &NewEntry) -> Option<*mut SockEntry> {
    let entry = insert(&SOCKS, &new.sk, new);
    if let (Some(entry), true) = (entry, new.flags & flag::OUTBOUND != 0) {
        requested::report_if_diverted(new.sk, entry);
    }
    entry
}

/// Inserts an entry for a further remote of a datagram socket.
#[inline(never)]
pub fn create_flow(key: &FlowKey, new: &NewEntry) -> Option<*mut SockEntry> {
    let entry = insert(&FLOWS, key, new);
    if entry.is_some() {
        made();
    }
    count(if entry.is_none() { stat::FLOWS_FULL } else { stat::FLOWS_MADE }, 1);
    entry
}

/// The entry of a TCP socket. One that has none, although it was not turned away, is from before the
/// probes and out of the snapshot's sight (no file refers to it), or no hook saw it begin; it is taken in now.
#[inline(always)]
pub fn tcp_entry(sk: u64) -> Option<*mut SockEntry> {
    match SOCKS.get_ptr_mut(sk) {
        Some(entry) if is_stream(entry, sk) => Some(entry),
        None if pool::is_noted(sk) => None,
        _ => adopt(sk),
    }
}

/// [`sock::delivered`] as a function of its own: the stack is short.
#[inline(never)]
fn delivered_before(sk: u64) -> u64 {
    sock::delivered(sk)
}

/// The flag of a TCP socket that is met in use: unless it `is_new`, it may be older than the recording.
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
    if evicted == identity::STUCK || pool::has(sk) {
        return None;
    }
    // An attempt without an entry means that the step to SYN_SENT was missed.
    let missed = attempt::sent(sk);
    // Where another socket was before it, it began after that one.
    let is_new = missed || evicted == identity::LEFT;
    create(&NewEntry {
        sk,
        parent: 0,
        proto: proto::TCP,
        flags: if missed { flag::OUTBOUND } else { unseen(is_new) },
        remote: sock::remote(sk, sock::family(sk)),
        delivered: if is_new { 0 } else { delivered_before(sk) },
    })
}

/// Adds bytes that belong to no entry.
#[inline(always)]
pub fn unattributed(way: Direction, bytes: u64) {
    count(if way == Direction::Tx { stat::UNATTRIBUTED_TX } else { stat::UNATTRIBUTED_RX }, bytes);
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

/// Whether an entry is not the one of a socket of this class: another socket was at its address before, or the socket has another
/// local port than when its entry was made: it was disconnected by connect() to AF_UNSPEC, which gives a port back that was not
/// bound (udp_disconnect(), net/ipv4/udp.c), and got a new one. A socket with the port of the one before it is told when it is
/// made (see `hooks::cgroup`), and by the sweep.
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

/// The flag of who opened an entry whose first bytes go this way.
#[inline(always)]
pub fn direction(proto: u16, way: Direction) -> u32 {
    match way {
        // A stream does not tell by its first bytes.
        _ if matches!(proto, proto::MPTCP | proto::PACKET) => 0,
        Direction::Tx => flag::OUTBOUND,
        Direction::Rx => flag::INBOUND,
    }
}

/// The first datagram of a socket, and those to further remotes.
#[inline(always)]
pub fn datagram_slow(new: &mut NewEntry, way: u64, bytes: u64) {
    // Not from within: the stack is short.
    if datagram_beyond(new, way, bytes) != 0 {
        pool::add(new.sk, new.proto, way, bytes, 1);
    }
}

/// 1 if the socket is in the pool, and nothing was added.
#[inline(never)]
fn datagram_beyond(new: &mut NewEntry, way: u64, bytes: u64) -> u64 {
    let is_tx = way == Direction::Tx as u64;
    let way = if is_tx { Direction::Tx } else { Direction::Rx };
    if let Some(entry) = SOCKS.get_ptr_mut(new.sk) {
        let id = identity::of(entry);
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

/// A send of a datagram failed: a packet of it may have been counted all the same, and the flow says so by its errno.
#[inline(never)]
pub fn send_failed(sk: u64, remote: &Addr, ret: i64) -> u64 {
    // include/uapi/asm-generic/errno-base.h: there was no room to begin with.
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

/// The socket is gone: its entry leaves. 1 if it had none.
#[inline(never)]
pub fn release(sk: u64) -> u64 {
    let Some(entry) = SOCKS.get_ptr_mut(sk) else { return 1 };
    // SAFETY: a valid pointer into a map value, which from here on only this hook uses.
    unsafe {
        if core::ptr::read_volatile(&raw const (*entry).flags) & flag::RELEASED != 0 {
            // Another CPU is at it.
            return 0;
        }
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
    // SAFETY: as above.
    let user = u32::from(unsafe { (*entry).user });
    if SOCKS.remove(sk).is_ok() {
        gave_back(quota::SOCKS, user);
    }
    0
}
