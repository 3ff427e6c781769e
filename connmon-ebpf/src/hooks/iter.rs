//! Iterators. Two make the snapshot: a walk over all tasks lists the processes, one over all their open files finds each
//! socket from before the probes, in every network namespace, with the process that holds it. The third walks over our
//! own sockets, and lets go those that ended without any hook seeing it.

use aya_ebpf::helpers::generated::bpf_seq_write;
use connmon_ebpf::{SockEntry, TaskRecord, flag, kind, proto};

use super::process::describe;

use crate::ledger::account::create;
use crate::ledger::entry::NewEntry;
use crate::ledger::identity::is_at;
use crate::ledger::release::{id_of, retire};
use crate::maps::{OLDER, SOCKS, offset};
use crate::sock::{self, get, peek};
use crate::task::{name_of, parent_of, start_of, tgid_of, uid_of};

/// `struct bpf_iter_meta`, kernel/bpf/bpf_iter.c.
#[repr(C)]
pub struct Meta {
    seq: *mut aya_ebpf::cty::c_void,
}

/// `struct bpf_iter__task`, kernel/bpf/task_iter.c.
#[repr(C)]
pub struct Task {
    meta: *const Meta,
    task: u64,
}

/// Called for each task; writes a record for each process into the iterator's file.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
pub fn processes(ctx: *mut Task) -> i32 {
    // SAFETY: fields of the context; the verifier checks the access.
    let (task, seq) = unsafe { ((*ctx).task, (*(*ctx).meta).seq) };
    if task == 0 || get::<u32>(task, offset!(task_pid)) != tgid_of(task) {
        return 0;
    }
    let record = describe(kind::EXISTS, task, parent_of(task));
    // SAFETY: the record is initialised and of that size.
    unsafe { bpf_seq_write(seq.cast(), (&raw const record).cast(), size_of::<TaskRecord>() as u32) };
    0
}

/// `struct bpf_iter__task_file`, kernel/bpf/task_iter.c; pointers are padded to 8 bytes.
#[repr(C)]
pub struct TaskFile {
    meta: *const Meta,
    task: u64,
    fd: u32,
    pad: u32,
    file: u64,
}

/// The part of an inode's mode that tells its type, and sockets' value (include/uapi/linux/stat.h).
const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;
/// TCP_LISTEN, include/net/tcp_states.h.
const LISTEN: u8 = 10;
/// TCP_CLOSE.
const CLOSE: u8 = 7;

/// Called for each open file.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub fn snapshot(ctx: *mut TaskFile) -> i32 {
    // SAFETY: fields of the context; the verifier checks the access.
    let (task, file) = unsafe { ((*ctx).task, (*ctx).file) };
    if task == 0 || file == 0 {
        return 0;
    }
    let inode: u64 = get(file, offset!(file_inode));
    if get::<u16>(inode, offset!(inode_mode)) & S_IFMT != S_IFSOCK {
        return 0;
    }
    let socket: u64 = get(file, offset!(file_private_data));
    let sk: u64 = get(socket, offset!(socket_sk));
    if sk == 0 {
        return 0;
    }
    let class = sock::class(sk);
    if !matches!(class, 0 | proto::TCP) && OLDER.insert(sk, 1, 0).is_err() {
        // A byte in the iterator's file says so.
        let full = 1_u8;
        // SAFETY: a field of the context; one byte is read.
        unsafe { bpf_seq_write((*(*ctx).meta).seq.cast(), (&raw const full).cast(), 1) };
    }
    take(sk, class, task);
    0
}

#[inline(always)]
fn take(sk: u64, proto: u16, task: u64) {
    let family = sock::family(sk);
    if family != sock::AF_INET && family != sock::AF_INET6 {
        return;
    }
    let state: u8 = get(sk, offset!(skc_state));
    let remote = sock::remote(sk, family);
    let mut delivered = 0;
    match proto {
        proto::TCP if state != LISTEN && state != CLOSE && state != 0 => delivered = sock::delivered(sk),
        proto::UDP if remote.port != 0 => {}
        _ => return,
    }
    if SOCKS.get_ptr(sk).is_some() {
        return;
    }
    let Some(entry) = create(&NewEntry { sk, parent: 0, proto, flags: flag::PREEXISTING, remote, delivered })
    else {
        return;
    };
    // SAFETY: a valid pointer into a map value. A process that uses the socket at this very moment may have taken
    // the slot; then it stays the owner.
    unsafe {
        let share = &raw mut (*entry).shares[0];
        if core::ptr::read_volatile(&raw const (*share).tgid) == 0 {
            (*entry).comm = name_of(task);
            (*share).start_ns = start_of(task);
            (*share).uid = uid_of(task);
            core::ptr::write_volatile(&raw mut (*share).tgid, tgid_of(task));
        }
    }
}

/// `struct bpf_iter__bpf_map_elem`, kernel/bpf/map_iter.c.
#[repr(C)]
pub struct MapElem {
    meta: u64,
    map: u64,
    key: *const u64,
    value: *mut SockEntry,
}

/// Called for each entry of `SOCKS`. Some kernels, seen on a 6.18 with heavy softirq load, now and then run no program for
/// the tracepoints of a whole burst and count no miss: what ended in it would stay open for ever.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_map_elem")]
pub fn ends(ctx: *mut MapElem) -> i32 {
    // SAFETY: a field of the context; the verifier checks the access.
    let key = unsafe { (*ctx).key };
    if key.is_null() {
        return 0;
    }
    // SAFETY: the kernel gives a key of the map.
    let sk = unsafe { *key };
    let Some(entry) = SOCKS.get_ptr_mut(sk) else { return 0 };
    let id = id_of(entry);
    // SAFETY: a valid pointer into a map value; only this program writes `stale`.
    unsafe {
        if core::ptr::read_volatile(&raw const (*entry).flags) & flag::RELEASED != 0 {
            return 0;
        }
        let stale = match (*entry).proto {
            proto::TCP => is_stale(sk, entry),
            // Made anew at the same address, it would have another inode.
            _ => (*entry).mark != 0 && sock::inode(sk) != (*entry).mark,
        };
        // Once may be the moment before a new socket's first step.
        if stale && core::ptr::read_volatile(&raw const (*entry).stale) != 0 {
            // Of packet sockets no hook may see the end: then this does.
            retire(sk, id, u64::from((*entry).proto != proto::PACKET));
        } else if id_of(entry) == id {
            core::ptr::write_volatile(&raw mut (*entry).stale, u8::from(stale));
        }
    }
    0
}

/// Whether the memory of a TCP socket is a closed one's that was not seen to close, or another one's. The states are set
/// after the tracepoint (inet_sk_state_store(), net/ipv4/af_inet.c), and the memory of sockets is only ever used for sockets
/// while it is not given back (SLAB_TYPESAFE_BY_RCU, net/ipv4/tcp_ipv4.c).
#[inline(always)]
unsafe fn is_stale(sk: u64, entry: *mut SockEntry) -> bool {
    if sock::is_free(sk) || !is_at(entry, sk, sock::peek_common(sk)) {
        return true;
    }
    // SAFETY: as the caller promises, a valid pointer into a map value.
    let is_over = unsafe { (*entry).closed_ns } != 0;
    let state: u8 = peek(sk, offset!(skc_state));
    // One that is over stays closed until it is gone.
    if is_over { state != CLOSE } else { matches!(state, CLOSE | LISTEN) }
}
