//! The address that a process asked for, where a BPF program of somebody else leads a connect or a datagram to another one
//! (cgroup/connect4, connect6, sendmsg4, sendmsg6): service meshes and load balancers do.
//!
//! The programs that lead elsewhere change the kernel's copy of the address, so it is noted before the first of them runs: of connects at the
//! entry of the protocol's `pre_connect`, of datagrams where the programs are run, both of which the kernel calls only if there are such
//! programs; or, where functions cannot be hooked, in
//! a program of our own that the kernel runs before those of the cgroups below (BPF_F_PREORDER, Linux 6.17, and some before). A tracepoint of the system
//! call would not see what io_uring connects, and one of all system calls costs every one of them. Without either nothing is told.

use aya_ebpf::macros::map;
use aya_ebpf::maps::LruHashMap;
use connmon_ebpf::{Addr, AskedRecord, SockEntry, kind, proto, stat};

use crate::maps::{EVENTS, count};
use crate::ring::wakeup;
use crate::sock;
use crate::task::thread;

/// The last address that was asked for on a socket.
#[repr(C)]
#[derive(Clone, Copy)]
struct RequestedAddress {
    address: Addr,
    /// Of the socket, so that one that comes to its address later is told apart.
    inode: u32,
}

/// By socket, until it has its entry. What has been pushed out is not told.
#[map]
static ASKED: LruHashMap<u64, RequestedAddress> = LruHashMap::with_max_entries(8_192, 0);

/// Where the last datagram went that a thread sent and a program led elsewhere.
#[repr(C)]
#[derive(Clone, Copy)]
struct Led {
    sk: u64,
    /// The address that the call named.
    address: Addr,
    to: Addr,
    /// As above.
    inode: u32,
}

/// By thread, until the flow has its entry.
#[map]
static LED: LruHashMap<u64, Led> = LruHashMap::with_max_entries(4_096, 0);

/// A send of the current thread named `address`, and goes `to` another one.
#[inline(always)]
pub fn led(sk: u64, address: Addr, to: Addr) {
    if address != to {
        let _ = LED.insert(thread(), Led { sk, address, to, inode: sock::inode(sk) }, 0);
    }
}

/// connect() begins, before any program could lead it elsewhere.
#[inline(always)]
pub fn remember(sk: u64, address: Addr) {
    let _ = ASKED.insert(sk, RequestedAddress { address, inode: sock::inode(sk) }, 0);
}

/// A socket that connected has its entry, or the flow of a datagram: if it leads elsewhere, a record says where it was to lead.
#[inline(never)]
pub fn report_if_diverted(sk: u64, entry: *mut SockEntry) -> u64 {
    // SAFETY: a valid pointer into a map value; neither field of it changes.
    let (proto, remote) = unsafe { ((*entry).proto, (*entry).remote) };
    if let Some(asked) = ASKED.get_ptr(sk) {
        if proto == proto::TCP || remote == sock::remote(sk, sock::family(sk)) {
            // SAFETY: a valid pointer into a map value.
            let (address, inode) = unsafe { ((*asked).address, (*asked).inode) };
            if address != remote && inode == sock::inode(sk) {
                record(entry, address);
            }
            let _ = ASKED.remove(sk);
            return 0;
        }
    }
    if proto != proto::UDP {
        return 0;
    }
    if let Some(led) = LED.get_ptr(thread()) {
        // SAFETY: as above.
        let (address, is_it) = unsafe {
            ((*led).address, (*led).sk == sk && (*led).to == remote && (*led).inode == sock::inode(sk))
        };
        if is_it {
            record(entry, address);
            let _ = LED.remove(thread());
        }
    }
    0
}

#[inline(always)]
fn record(entry: *mut SockEntry, address: Addr) {
    // SAFETY: a valid pointer into a map value; an id never changes.
    let id = unsafe { (*entry).id };
    let record = AskedRecord { kind: kind::ASKED, pad: 0, id, address, pad1: 0 };
    if EVENTS.output::<AskedRecord>(&record, wakeup()).is_err() {
        count(stat::PAYLOADS_LOST, 1);
    }
}
