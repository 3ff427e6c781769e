//! Start, exec and end of processes, and their cgroups.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str, bpf_probe_read_user};
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use connmon_ebpf::{
    ARGS_LEN, CGROUP_PATH_LEN, COMM_LEN, CgroupRecord, ExecRecord, NAME_LEN, PATH_LEN, TaskRecord, kind, stat,
};

use crate::ledger::direction::now;
use crate::maps::{EVENTS, below, count, offset};
use crate::redundant::{claims_event, copies};
use crate::ring::wakeup;
use crate::sock::get;
use crate::task::{
    cgroup_id, cgroup_of, euid_of, is_cgroup2, parent_of, session_of, start_of, tgid_of, uid_of,
};

use super::kprobe::forget_thread;

/// Most path components and mounts that the walk to the root passes.
const MAX_STEPS: u32 = 48;

/// Describes a task in a record.
#[inline(always)]
pub fn describe(kind: u32, task: u64, parent: u64) -> TaskRecord {
    TaskRecord {
        kind,
        tgid: tgid_of(task),
        start_ns: start_of(task),
        time_ns: now(),
        ppid: tgid_of(parent),
        uid: uid_of(task),
        parent_start_ns: start_of(parent),
        comm: get(task, offset!(task_comm)),
        task_flags: get(task, offset!(task_flags)),
        euid: euid_of(task),
        cgroup: cgroup_of(task),
        session: session_of(task),
        pad: 0,
    }
}

#[inline(always)]
fn record_task(kind: u32, task: u64, parent: u64) {
    output(&describe(kind, task, parent));
}

#[inline(always)]
fn output(record: &TaskRecord) {
    if EVENTS.output::<TaskRecord>(record, wakeup()).is_err() {
        count(stat::LOST_PROCESSES, 1);
    }
}

copies! {
    /// `sched_process_fork(parent, child)`; it also fires for threads, which are ignored.
    btf_tracepoint("sched_process_fork") sched_process_fork (ctx: BtfTracePointContext, copy) {
        let child: u64 = ctx.arg(1);
        if claims_event(copy, child) && get::<u32>(child, offset!(task_pid)) == tgid_of(child) {
            record_task(kind::FORK, child, ctx.arg(0));
        }
    }
}

copies! {
    /// `sched_process_exit(task)`: fires once for each thread; only that of the last one is recorded.
    btf_tracepoint("sched_process_exit") sched_process_exit (ctx: BtfTracePointContext, copy) {
        let task: u64 = ctx.arg(0);
        forget_thread();
        let signal: u64 = get(task, offset!(task_signal));
        if claims_event(copy, task) && signal != 0 && get::<u32>(signal, offset!(signal_live)) == 0 {
            record_task(kind::EXIT, task, parent_of(task));
        }
    }
}

copies! {
    /// `sched_process_exec(task, old_pid, bprm)`: the new program is in place and its arguments are in memory.
    btf_tracepoint("sched_process_exec") sched_process_exec (ctx: BtfTracePointContext, copy) {
        let task: u64 = ctx.arg(0);
        if claims_event(copy, task) {
            record_exec(task, ctx.arg(2));
        }
    }
}

copies! {
    /// `cgroup_attach_task(dst_cgrp, path, task, threadgroup)`.
    btf_tracepoint("cgroup_attach_task") cgroup_attach_task (ctx: BtfTracePointContext, copy) {
        let (cgroup, task): (u64, u64) = (ctx.arg(0), ctx.arg(2));
        if claims_event(copy, task) && is_cgroup2(cgroup) && get::<u32>(task, offset!(task_pid)) == tgid_of(task) {
            // The task is not in its new cgroup yet.
            let mut record = describe(kind::MOVED, task, parent_of(task));
            record.cgroup = cgroup_id(cgroup);
            output(&record);
        }
    }
}

copies! {
    /// `cgroup_mkdir(cgrp, path)`.
    btf_tracepoint("cgroup_mkdir") cgroup_mkdir (ctx: BtfTracePointContext, copy) {
        let cgroup: u64 = ctx.arg(0);
        if claims_event(copy, cgroup) && is_cgroup2(cgroup) {
            record_cgroup(cgroup_id(cgroup), ctx.arg(1));
        }
    }
}

#[inline(always)]
fn record_cgroup(id: u64, path: u64) {
    let Some(mut reserved) = EVENTS.reserve::<CgroupRecord>(0) else {
        count(stat::LOST_PROCESSES, 1);
        return;
    };
    // SAFETY: each field is written before the record is submitted, but for the tail of `path`, whose used length the record
    // tells.
    unsafe {
        let record = reserved.as_mut_ptr();
        (*record).kind = kind::CGROUP;
        (*record).id = id;
        let room = CGROUP_PATH_LEN as u32;
        let n = bpf_probe_read_kernel_str((&raw mut (*record).path).cast(), room, path as usize as *const _);
        if n < 0 {
            count(stat::READ_ERRORS, 1);
        }
        (*record).path_len = if n > 0 { n as u32 - 1 } else { 0 };
    }
    reserved.submit(wakeup());
}

#[inline(always)]
fn record_exec(task: u64, bprm: u64) {
    let Some(mut reserved) = EVENTS.reserve::<ExecRecord>(0) else {
        count(stat::LOST_PROCESSES, 1);
        // A small record, which says only that the process runs another program now, may still find room.
        let record = describe(kind::EXEC_LOST, task, parent_of(task));
        let _ = EVENTS.output::<TaskRecord>(&record, wakeup());
        return;
    };
    // SAFETY: each field is written before the record is submitted, but for the tails of `path`, `cwd` and `args`, whose
    // used lengths the record tells.
    unsafe {
        let record = reserved.as_mut_ptr();
        (*record).kind = kind::EXEC;
        (*record).tgid = tgid_of(task);
        (*record).start_ns = start_of(task);
        (*record).time_ns = now();
        (*record).ppid = tgid_of(parent_of(task));
        (*record).uid = uid_of(task);
        (*record).euid = euid_of(task);
        (*record).cgroup = cgroup_of(task);
        (*record).session = session_of(task);
        let file: u64 = get(bprm, offset!(binprm_file));
        let inode: u64 = get(file, offset!(file_inode));
        (*record).inode = get(inode, offset!(inode_ino));
        (*record).links = get(inode, offset!(inode_nlink));
        (*record).device = get(get(inode, offset!(inode_sb)), offset!(sb_dev));
        (*record).pad = 0;
        (*record).changed_s = get(inode, offset!(inode_ctime_s));
        // The topmost bit says that the time has been queried (I_CTIME_QUERIED, include/linux/fs.h).
        (*record).changed_ns = get::<u32>(inode, offset!(inode_ctime_ns)) & (u32::MAX >> 1);
        // Read straight into the record: with a copy on the stack, the verifier of Linux 5.10 sees a use of what a failed read leaves
        // unset.
        let comm = (task as usize).wrapping_add(offset!(task_comm));
        if bpf_probe_read_kernel((&raw mut (*record).comm).cast(), COMM_LEN as u32, comm as *const _) < 0 {
            count(stat::READ_ERRORS, 1);
        }
        let path = file.wrapping_add(offset!(file_path) as u64);
        (*record).path_truncated =
            read_path((&raw mut (*record).path).cast(), &raw mut (*record).path_len, path);
        let pwd = get::<u64>(task, offset!(task_fs)).wrapping_add(offset!(fs_pwd) as u64);
        (*record).cwd_truncated = read_path((&raw mut (*record).cwd).cast(), &raw mut (*record).cwd_len, pwd);
        read_args(record, task);
    }
    reserved.submit(wakeup());
}

/// Walks from a `struct path` to the root of its mount namespace, as prepend_path() does (fs/d_path.c). The components go to `to`, which
/// has room for `PATH_LEN + NAME_LEN` bytes, and the number of bytes used to `len`. Returns 1 if the root was not reached.
///
/// The number is kept in the record and not in a register. The verifier knows nothing of a value that is read back from there, so all
/// steps look the same to it; otherwise it would follow each sum of lengths separately (200 000 instructions instead of 20 000).
#[inline(always)]
unsafe fn read_path(to: *mut u8, len: *mut u32, path: u64) -> u32 {
    let mut done = false;
    // SAFETY: a field of a reserved record, here and below.
    unsafe { core::ptr::write_volatile(len, 0) };
    let mut dentry: u64 = get(path, offset!(path_dentry));
    let mut mnt: u64 = get(path, offset!(path_mnt));
    for _ in 0..MAX_STEPS {
        let root: u64 = get(mnt, offset!(mnt_root));
        let parent: u64 = get(dentry, offset!(dentry_parent));
        if dentry == root || parent == 0 {
            // The root of this mount: go on where it is mounted, unless this is the topmost mount.
            let mount = mnt.wrapping_sub(offset!(mount_mnt) as u64);
            let above: u64 = get(mount, offset!(mount_parent));
            if above == mount || above == 0 {
                done = true;
                break;
            }
            dentry = get(mount, offset!(mount_mountpoint));
            mnt = above.wrapping_add(offset!(mount_mnt) as u64);
            continue;
        }
        let name: u64 = get(dentry, offset!(dentry_name));
        // SAFETY: as above.
        let used = unsafe { core::ptr::read_volatile(len) } as usize;
        if used >= PATH_LEN {
            break;
        }
        // SAFETY: `used` is below PATH_LEN and the buffer has room for one more name behind that.
        let n = unsafe {
            let to = to.add(below::<PATH_LEN>(used));
            bpf_probe_read_kernel_str(to.cast(), NAME_LEN as u32, name as *const _)
        };
        if n <= 0 {
            break;
        }
        let used = used + ((n as usize) & (2 * NAME_LEN - 1));
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(len, used as u32) };
        if dentry == parent {
            // The file is in no directory, as after memfd_create(2).
            done = true;
            break;
        }
        dentry = parent;
    }
    u32::from(!done)
}

/// Copies the argument area of the new program.
#[inline(always)]
unsafe fn read_args(record: *mut ExecRecord, task: u64) {
    let mm: u64 = get(task, offset!(task_mm));
    let start: u64 = get(mm, offset!(arg_start));
    let end: u64 = get(mm, offset!(arg_end));
    let total = end.wrapping_sub(start);
    let most = ARGS_LEN - 1;
    let len = if total > most as u64 { most } else { total as usize };
    let len = below::<ARGS_LEN>(len) as u32;
    // SAFETY: `len` is at most the size of `args`.
    let failed = unsafe { bpf_probe_read_user((&raw mut (*record).args).cast(), len, start as *const _) } < 0;
    // SAFETY: a reserved record.
    unsafe {
        (*record).args_len = if failed { 0 } else { len };
        (*record).args_total = total as u32;
    }
}
