//! How an entry is created.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::bpf_get_smp_processor_id;
use aya_ebpf::maps::HashMap;
use connmon_ebpf::{Addr, COMM_LEN, FlowKey, Share, SockEntry, flag, kind, proto, quota, stat};

use super::direction::now;
use super::pending::take_pending;
use super::quota::{lacks_notes, made, took, user};
use super::shares::write_owner;
use super::template::Template;
use crate::maps::{FLOWS, OLDER, SOCKS, STATS, add_to, count, epoch, in_snapshot, may_go_on};
use crate::requested;
use crate::sock;
use crate::task::{Current, name_of};

/// An id that no other entry of this recording has.
#[inline(always)]
fn next_id(time: u64) -> u64 {
    // SAFETY: the helper only returns a number.
    let cpu = u64::from(unsafe { bpf_get_smp_processor_id() });
    let Some(counter) = STATS.get_ptr_mut(stat::IDS) else { return 0 };
    add_to(counter, 1);
    // SAFETY: a valid pointer into a map value.
    let n = unsafe { core::ptr::read_volatile(counter) };
    connmon_ebpf::entry_id(cpu, n, time)
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
    /// TCP: bytes that were delivered before the entry was made.
    pub delivered: u64,
    /// Whether the current process uses the connection, so that it owns a new entry.
    pub is_used: bool,
}

/// Fills a template with the initial values of a connection. It sets every field that is set for any connection, because the template may
/// still hold another one's values; the other fields are zero in all.
#[inline(always)]
fn fill(entry: *mut SockEntry, new: &NewEntry) {
    let (is_pool, time) = (new.flags & flag::POOL != 0, now());
    // SAFETY: a valid pointer into a map value that only the caller uses.
    unsafe {
        (*entry).kind = kind::SOCK;
        (*entry).id = next_id(time);
        (*entry).parent = new.parent;
        (*entry).opened_ns = time;
        (*entry).remote = new.remote;
        // A pool stands for many sockets; where their packets are counted, it is not known yet that they belong to it.
        (*entry).wire_unknown = u8::from(is_pool);
        (*entry).local = Addr { ip: [0; 4], port: 0, family: 0 };
        if !is_pool {
            (*entry).local = sock::local(new.sk, new.remote.family);
        }
        if !matches!(new.proto, proto::TCP | proto::UDP | proto::MPTCP) {
            // With other protocols, the port field of the socket holds the protocol number or an identifier.
            (*entry).local.port = 0;
        }
        (*entry).flags = new.flags | if is_older(new) { flag::SOCKET_OLDER } else { 0 };
        (*entry).user = user(new.sk) as u16;
        if new.parent == 0 && new.proto != proto::TCP && lacks_notes(u32::from((*entry).user)) {
            // The socket may have been in the pool without a note.
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
        fill_owner(entry, new.is_used);
    }
}

/// The part of [`fill`] about the owner: the current process if it uses the connection.
///
/// # Safety
/// `entry` is a valid pointer into a map value that only the caller uses.
#[inline(always)]
unsafe fn fill_owner(entry: *mut SockEntry, is_used: bool) {
    // The idle task is no process.
    let owner = if is_used { Some(Current::get()).filter(|current| current.tgid != 0) } else { None };
    // SAFETY: as the caller promises.
    unsafe {
        let share = &raw mut (*entry).shares[0];
        if let Some(current) = owner {
            (*entry).comm = name_of(current.task);
            write_owner(share, current, current.start_ns());
        } else {
            (*entry).comm = [0; COMM_LEN];
            *share = Share {
                task: 0,
                start_ns: 0,
                tgid: 0,
                uid: 0,
                tx_bytes: 0,
                rx_bytes: 0,
                tx_calls: 0,
                rx_calls: 0,
            };
        }
    }
}

/// Whether a pause ends the flows of a protocol. A TCP or MPTCP socket has one remote and its connection ends with it, and a packet socket
/// has no remote.
#[inline(always)]
fn ages(proto: u16) -> bool {
    !matches!(proto, proto::TCP | proto::MPTCP | proto::PACKET)
}

/// Whether what a socket exchanges with the remote of its own entry is still added to that entry. Once the epoch has been raised, it goes
/// to `FLOWS` like everything else.
#[inline(always)]
pub fn is_current(entry: *mut SockEntry) -> bool {
    // SAFETY: a valid pointer into a map value; both are set once.
    unsafe { (*entry).write_seq == epoch() || !ages((*entry).proto) }
}

/// Whether a datagram socket may have talked to the same remote before the recording.
#[inline(always)]
fn is_older(new: &NewEntry) -> bool {
    new.proto != proto::TCP
        && new.flags & flag::POOL == 0
        && (!ages(new.proto) || may_go_on(now()))
        && (in_snapshot() || OLDER.get_ptr(new.sk).is_some())
}

/// Inserts an entry, which is complete from the moment when others can find it. They may add to it, copy it and remove it at once, from
/// other CPUs and from tasks that run while this one is preempted; nothing that they write is overwritten.
#[inline(always)]
fn insert<K>(map: &HashMap<K, SockEntry>, key: &K, new: &NewEntry) -> Option<*mut SockEntry> {
    let template = Template::take()?;
    fill(template.entry, new);
    // SAFETY: a valid pointer into a map value that only this program uses.
    let result = map.insert(key, unsafe { &*template.entry }, u64::from(BPF_NOEXIST));
    template.give_back();
    let entry = map.get_ptr_mut(key);
    if let (Some(entry), Ok(())) = (entry, result) {
        if new.parent == 0 {
            // SAFETY: a valid pointer into a map value; it is set once.
            took(quota::SOCKS, u32::from(unsafe { (*entry).user }));
        }
        // Nothing precedes the SYN of a connect.
        if !(new.is_used && new.proto == proto::TCP && new.flags & flag::OUTBOUND != 0) {
            take_pending(entry);
        }
    }
    entry
}

/// Inserts an entry for a socket, however many its user already has; if the socket has an entry, that one stays and is returned.
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
