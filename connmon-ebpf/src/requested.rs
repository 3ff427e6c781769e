//! The address that a process asked for, if somebody else's BPF program redirects its connect or datagram (cgroup/connect4, connect6,
//! sendmsg4, sendmsg6), as service meshes and load balancers do.
//!
//! Such programs change the kernel's copy of the address, so it is noted before the first of them runs. For a connect that is at the entry
//! of the protocol's `pre_connect`, for a datagram at the function that runs the programs; the kernel calls both only if there are such
//! programs. Where functions cannot be hooked, a program of our own notes it, which the kernel runs before those of the cgroups below
//! (BPF_F_PREORDER, Linux 6.17, and some before). A tracepoint of the one system call would not see connects by io_uring, and one of all
//! system calls would slow down each of them. Where neither is possible, redirections are not reported.

use aya_ebpf::macros::map;
use aya_ebpf::maps::LruHashMap;
use connmon_ebpf::{Addr, AskedRecord, SockEntry, kind, proto, stat};

use crate::maps::{EVENTS, count};
use crate::ring::wakeup;
use crate::sock;
use crate::task::thread;

/// The last address that was requested on a socket.
#[repr(C)]
#[derive(Clone, Copy)]
struct RequestedAddress {
    address: Addr,
    /// Inode of the socket, to recognise another socket that gets its address later.
    inode: u32,
}

/// By socket, until the socket has its entry. What the LRU map evicts is not reported.
#[map]
static ASKED: LruHashMap<u64, RequestedAddress> = LruHashMap::with_max_entries(8_192, 0);

/// The last datagram of a thread that a program redirected.
#[repr(C)]
#[derive(Clone, Copy)]
struct Led {
    sk: u64,
    /// The address that the call named.
    address: Addr,
    to: Addr,
    /// As in [`RequestedAddress`].
    inode: u32,
}

/// By thread, until the flow has its entry.
#[map]
static LED: LruHashMap<u64, Led> = LruHashMap::with_max_entries(4_096, 0);

/// Notes that a send of the current thread named `address`, but goes `to` another one.
#[inline(always)]
pub fn led(sk: u64, address: Addr, to: Addr) {
    if address != to {
        let _ = LED.insert(thread(), Led { sk, address, to, inode: sock::inode(sk) }, 0);
    }
}

/// Notes the `address` of a connect() that begins, before any program could redirect it.
#[inline(always)]
pub fn remember(sk: u64, address: Addr) {
    let _ = ASKED.insert(sk, RequestedAddress { address, inode: sock::inode(sk) }, 0);
}

/// To be called when a connected socket, or the flow of a datagram, has got its entry: if it was redirected, a record says which address
/// was requested.
#[inline(never)]
pub fn report_if_diverted(sk: u64, entry: *mut SockEntry) -> u64 {
    // Not copied, because BPF programs have little stack.
    // SAFETY: a valid pointer into a map value; neither field of it changes.
    let (proto, remote) = unsafe { ((*entry).proto, &(*entry).remote) };
    if let Some(asked) = ASKED.get_ptr(sk) {
        if proto == proto::TCP || *remote == sock::remote(sk, sock::family(sk)) {
            // SAFETY: a valid pointer into a map value, which only the connect of this socket writes.
            let asked = unsafe { &*asked };
            if asked.address != *remote && asked.inode == sock::inode(sk) {
                record(entry, &asked.address);
            }
            let _ = ASKED.remove(sk);
            return 0;
        }
    }
    if proto != proto::UDP {
        return 0;
    }
    if let Some(led) = LED.get_ptr(thread()) {
        // SAFETY: a valid pointer into a map value, which only this thread writes.
        let led = unsafe { &*led };
        if led.sk == sk && led.to == *remote && led.inode == sock::inode(sk) {
            record(entry, &led.address);
            let _ = LED.remove(thread());
        }
    }
    0
}

#[inline(always)]
fn record(entry: *mut SockEntry, address: &Addr) {
    match EVENTS.reserve::<AskedRecord>(0) {
        Some(mut record) => {
            // SAFETY: a valid pointer into a map value; an id never changes.
            let id = unsafe { (*entry).id };
            record.write(AskedRecord { kind: kind::ASKED, pad: 0, id, address: *address, pad1: 0 });
            record.submit(wakeup());
        }
        None => count(stat::PAYLOADS_LOST, 1),
    }
}
