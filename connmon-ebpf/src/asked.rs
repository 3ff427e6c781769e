//! The address that a process asked to be connected to, where a BPF program of somebody else leads the call to another one
//! (cgroup/connect4, connect6): service meshes and load balancers do.
//!
//! The programs that lead elsewhere change the kernel's copy of the address, so it is noted before the first of them runs: at the entry
//! of the protocol's `pre_connect`, which the kernel calls only if there are such programs; or, where functions cannot be hooked, in
//! a program of our own that the kernel runs before those of the cgroups below (BPF_F_PREORDER, Linux 6.17, and some before). A tracepoint of the system
//! call would not see what io_uring connects, and one of all system calls costs every one of them. Without either nothing is told.

use aya_ebpf::macros::map;
use aya_ebpf::maps::LruHashMap;
use connmon_ebpf::{Addr, AskedRecord, SockEntry, kind, proto, stat};

use crate::maps::{EVENTS, count};
use crate::ring::wakeup;
use crate::sock;

/// The last address that was asked for on a socket.
#[repr(C)]
#[derive(Clone, Copy)]
struct Asked {
    address: Addr,
    /// Of the socket, so that one that comes to its address later is told apart.
    inode: u32,
}

/// By socket, until it has its entry. What has been pushed out is not told.
#[map]
static ASKED: LruHashMap<u64, Asked> = LruHashMap::with_max_entries(8_192, 0);

/// connect() begins, before any program could lead it elsewhere.
#[inline(always)]
pub fn note(sk: u64, address: Addr) {
    let _ = ASKED.insert(sk, Asked { address, inode: sock::inode(sk) }, 0);
}

/// A socket that connected has its entry: if it leads elsewhere, a record says where it was to lead.
#[inline(never)]
pub fn tell(sk: u64, entry: *mut SockEntry) -> u64 {
    let Some(asked) = ASKED.get_ptr(sk) else { return 0 };
    // SAFETY: valid pointers into map values; neither field of the entry changes.
    unsafe {
        let is_connected =
            (*entry).proto == proto::TCP || (*entry).remote == sock::remote(sk, sock::family(sk));
        if !is_connected {
            return 0;
        }
        if (*asked).address != (*entry).remote && (*asked).inode == sock::inode(sk) {
            let record = AskedRecord {
                kind: kind::ASKED,
                pad: 0,
                id: (*entry).id,
                address: (*asked).address,
                pad1: 0,
            };
            if EVENTS.output::<AskedRecord>(&record, wakeup()).is_err() {
                count(stat::PAYLOADS_LOST, 1);
            }
        }
    }
    let _ = ASKED.remove(sk);
    0
}
