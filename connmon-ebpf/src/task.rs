//! What is read from `struct task_struct`.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_get_current_task, bpf_get_current_uid_gid};

use crate::maps::offset;
use crate::sock::get;

/// The process that runs.
#[derive(Clone, Copy)]
pub struct Current {
    /// Address of its task_struct.
    pub task: u64,
    /// Thread group id in the init PID namespace.
    pub tgid: u32,
}

impl Current {
    /// Who runs now. Right only in process context.
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
