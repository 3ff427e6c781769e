//! The system calls that the recorder may make (seccomp(2)). Any other is one that the kernel does not have, so that libraries do
//! without it. There is none that starts a program or a process, opens a connection, traces or kills another process, loads a probe,
//! or makes memory executable.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use seccompiler::{
    BackendError, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};

use super::ConfineError;

/// Whatever their arguments.
const ALLOWED: &[i64] = &[
    // Files: Landlock says which.
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fstatfs,
    libc::SYS_statfs,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_umask,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_msync,
    libc::SYS_membarrier,
    // Threads, signals and time.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_getparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_capget,
    libc::SYS_wait4,
    libc::SYS_waitid,
    // What is open already: the link to the keeper, viewers, the service manager.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_socketpair,
];

/// The same as others among [`ALLOWED`], as older architectures have them.
#[cfg(target_arch = "x86_64")]
const OLDER: &[i64] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[i64] = &[];

/// For servers of names: sockets of the internet, and no others, so that no service of this host can be talked to.
const ASKING: &[i64] =
    &[libc::SYS_connect, libc::SYS_bind, libc::SYS_sendmsg, libc::SYS_sendmmsg, libc::SYS_recvmmsg];

/// Terminal and descriptors: size, state, bytes that wait, and whether a call waits.
const IOCTLS: [libc::Ioctl; 5] =
    [libc::TCGETS, libc::TIOCGWINSZ, libc::FIONREAD, libc::FIONBIO, libc::FIOCLEX];

/// What the keeper never does.
const NOT_KEEPING: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_pidfd_send_signal,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_personality,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_truncate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_fsetxattr,
    // Its flags are behind a pointer.
    libc::SYS_openat2,
];

/// The same as others among [`NOT_KEEPING`], as older architectures have them.
#[cfg(target_arch = "x86_64")]
const OLDER_NOT_KEEPING: &[i64] = &[
    libc::SYS_creat,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_mknod,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_fork,
    libc::SYS_vfork,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER_NOT_KEEPING: &[i64] = &[];
/// How a file is opened, and where the argument is that says it.
#[cfg(target_arch = "x86_64")]
const OPENING: &[(i64, u8)] = &[(libc::SYS_openat, 2), (libc::SYS_open, 1)];
#[cfg(not(target_arch = "x86_64"))]
const OPENING: &[(i64, u8)] = &[(libc::SYS_openat, 2)];

/// No thread of the keeper makes such a call from here on; it still loads and reads what is the kernel's.
pub(super) fn confine_keeper() -> Result<(), ConfineError> {
    let Some(arch) = arch() else { return Ok(()) };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        NOT_KEEPING.iter().chain(OLDER_NOT_KEEPING).map(|call| (*call, Vec::new())).collect();
    for (call, flags) in OPENING {
        let ways = [libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT].map(|way| way as u64);
        let ways = ways.map(|way| only(*flags, SeccompCmpOp::MaskedEq(way), way));
        rules.insert(*call, ways.into_iter().collect::<Result<_, _>>()?);
    }
    let threads = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![only(0, SeccompCmpOp::MaskedEq(threads), 0)?]);
    // Its arguments are behind a pointer; the C library does without it.
    rules.insert(libc::SYS_clone3, Vec::new());
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    apply(SeccompFilter::new(rules, SeccompAction::Allow, absent, arch)?)
}

fn arch() -> Option<TargetArch> {
    let arch = TargetArch::try_from(ARCH).ok();
    if arch.is_none() {
        tracing::warn!("system calls are not confined on {ARCH}");
    }
    arch
}

fn apply(filter: SeccompFilter) -> Result<(), ConfineError> {
    let program: seccompiler::BpfProgram = filter.try_into()?;
    apply_filter_all_threads(&program)?;
    Ok(())
}

/// From here on no thread of this process makes any other call; a kernel without seccomp refuses.
pub(super) fn confine(asks: bool) -> Result<(), ConfineError> {
    let Some(arch) = arch() else { return Ok(()) };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.iter().chain(OLDER).map(|call| (*call, Vec::new())).collect();
    if asks {
        rules.extend(ASKING.iter().map(|call| (*call, Vec::new())));
        let internet = [libc::AF_INET, libc::AF_INET6].map(|family| only(0, equals(), family as u64));
        rules.insert(libc::SYS_socket, internet.into_iter().collect::<Result<_, _>>()?);
        rules.insert(libc::SYS_sendto, Vec::new());
    } else {
        // Without an address: to whoever is at the other end already.
        let condition = SeccompCondition::new(4, SeccompCmpArgLen::Qword, equals(), 0)?;
        rules.insert(libc::SYS_sendto, vec![SeccompRule::new(vec![condition])?]);
    }
    let threads = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![only(0, SeccompCmpOp::MaskedEq(threads), threads)?]);
    let executable = SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64);
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![only(2, executable.clone(), 0)?]);
    }
    let ioctls = IOCTLS.map(|request| only(1, equals(), u64::from(request as u32)));
    rules.insert(libc::SYS_ioctl, ioctls.into_iter().collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_prctl, vec![only(0, equals(), libc::PR_SET_NAME as u64)?]);
    // Who it is, without becoming another.
    rules.insert(libc::SYS_setfsuid, vec![only(0, equals(), u64::from(libc::uid_t::MAX))?]);
    // Its own limits, and its own threads.
    rules.insert(libc::SYS_prlimit64, vec![only(0, equals(), 0)?]);
    rules.insert(libc::SYS_tgkill, vec![only(0, equals(), u64::from(std::process::id()))?]);
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    apply(SeccompFilter::new(rules, absent, SeccompAction::Allow, arch)?)
}

fn equals() -> SeccompCmpOp {
    SeccompCmpOp::Eq
}

/// A call is allowed if this holds for an argument, of which the kernel looks at 32 bits.
fn only(argument: u8, compare: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, value)?;
    SeccompRule::new(vec![condition])
}
