//! Iterators that make the snapshot. A walk over all tasks lists the processes, and one over all their open files finds each socket from
//! before the probes, in every network namespace, with the process that holds it.

use aya_ebpf::helpers::generated::bpf_seq_write;
use connmon_ebpf::{TaskRecord, flag, kind, proto};

use super::process::describe;

use crate::ledger::account::create;
use crate::ledger::entry::NewEntry;
use crate::maps::{OLDER, SOCKS, offset};
use crate::sock::{self, CLOSE, LISTEN, get};
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

/// The bits of an inode's mode that hold its type, and their value for a socket (include/uapi/linux/stat.h).
const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;

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
        // A byte in the iterator's file tells user space that the map is full.
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
    let new = NewEntry { sk, parent: 0, proto, flags: flag::PREEXISTING, remote, delivered, is_used: false };
    let Some(entry) = create(&new) else { return };
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
