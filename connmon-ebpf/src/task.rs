//! What is read from `struct task_struct`.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_get_current_task, bpf_get_current_uid_gid};

use connmon_ebpf::{COMM_LEN, NO_SESSION};

use crate::maps::offset;
use crate::sock::get;

/// The current task and its process.
#[derive(Clone, Copy)]
pub struct Current {
    /// Address of its task_struct.
    pub task: u64,
    /// Thread group id in the init PID namespace.
    pub tgid: u32,
}

impl Current {
    /// The task that runs now. Meaningful only in process context.
    #[inline(always)]
    pub fn get() -> Self {
        // SAFETY: the helper only returns a number.
        Self { task: unsafe { bpf_get_current_task() }, tgid: (bpf_get_current_pid_tgid() >> 32) as u32 }
    }

    /// When the process (its first thread) started.
    #[inline(always)]
    pub fn start_ns(self) -> u64 {
        start_of(self.task)
    }

    /// Its real user id.
    #[inline(always)]
    pub fn uid(self) -> u32 {
        bpf_get_current_uid_gid() as u32
    }
}

/// Start of the process that a task belongs to; 0 if unreadable.
#[inline(always)]
pub fn start_of(task: u64) -> u64 {
    let leader: u64 = get(task, offset!(group_leader));
    get(leader, offset!(start_boottime))
}

/// Name of the process that a task belongs to: that of its program, or one that it gave itself.
#[inline(always)]
pub fn name_of(task: u64) -> [u8; COMM_LEN] {
    get(get(task, offset!(group_leader)), offset!(task_comm))
}

/// Thread group id of a task; 0 if unreadable.
#[inline(always)]
pub fn tgid_of(task: u64) -> u32 {
    get(task, offset!(task_tgid))
}

/// Real user id of a task; 0 if unreadable.
#[inline(always)]
pub fn uid_of(task: u64) -> u32 {
    match get::<u64>(task, offset!(real_cred)) {
        0 => 0,
        cred => get(cred, offset!(cred_uid)),
    }
}

/// Effective user id of a task; 0 if unreadable.
#[inline(always)]
pub fn euid_of(task: u64) -> u32 {
    match get::<u64>(task, offset!(real_cred)) {
        0 => 0,
        cred => get(cred, offset!(cred_euid)),
    }
}

/// Id of a task's cgroup in the cgroup v2 hierarchy, which is the root's id where cgroup v1 is in use; 0 if unreadable.
#[inline(always)]
pub fn cgroup_of(task: u64) -> u64 {
    match get::<u64>(task, offset!(task_cgroups)) {
        0 => 0,
        set => cgroup_id(get(set, offset!(dfl_cgrp))),
    }
}

/// Id of a `struct cgroup` (cgroup_id(), include/linux/cgroup.h).
#[inline(always)]
pub fn cgroup_id(cgroup: u64) -> u64 {
    get(get(cgroup, offset!(cgroup_kn)), offset!(kernfs_id))
}

/// Whether a `struct cgroup` belongs to the cgroup v2 hierarchy, whose id is 0 (cgroup_init(), kernel/cgroup/cgroup.c).
#[inline(always)]
pub fn is_cgroup2(cgroup: u64) -> bool {
    get::<u32>(get(cgroup, offset!(cgroup_root)), offset!(hierarchy_id)) == 0
}

/// Login session of a task, or [`NO_SESSION`].
#[inline(always)]
pub fn session_of(task: u64) -> u32 {
    let at = offset!(task_sessionid);
    if at == u32::MAX as usize { NO_SESSION } else { get(task, at) }
}

/// The current thread, as a number for keys: thread ids are below 2^22 (`PID_MAX_LIMIT`).
#[inline(always)]
pub fn thread() -> u64 {
    bpf_get_current_pid_tgid() & 0xffff_ffff
}

/// The task's parent, or itself if that is unreadable.
#[inline(always)]
pub fn parent_of(task: u64) -> u64 {
    match get(task, offset!(real_parent)) {
        0 => task,
        parent => parent,
    }
}
