//! Who this process is, and its fork.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{checked, transfer};
use crate::truth::Process;

/// This process, without connections.
pub fn identity(role: &str) -> Process {
    let cmdline = std::fs::read("/proc/self/cmdline").unwrap_or_default();
    let cmdline = cmdline.strip_suffix(b"\0").unwrap_or(&cmdline);
    let exe = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    Process {
        pid: std::process::id(),
        start_ticks: start_ticks().unwrap_or_default(),
        ppid: std::os::unix::process::parent_id(),
        exe: exe.to_string_lossy().into_owned(),
        cmdline: cmdline.split(|&byte| byte == 0).map(|arg| String::from_utf8_lossy(arg).into()).collect(),
        // SAFETY: getuid cannot fail.
        uid: unsafe { libc::getuid() },
        role: role.to_owned(),
        ..Process::default()
    }
}

/// When this process started, in clock ticks since boot.
fn start_ticks() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // the second field, in parentheses, may contain anything; the start is the 22nd
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Dies with its parent, and after `limit` in any case: nothing of a case outlives it.
pub fn leash(limit: Duration) {
    // SAFETY: both calls only set kernel state of this process.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::alarm(limit.as_secs() as libc::c_uint);
    }
}

/// A forked child that reports through a pipe.
pub struct Fork {
    pid: libc::pid_t,
    report: OwnedFd,
}

impl Fork {
    /// Forks; the child writes what `body` returns to the pipe and ends without running destructors.
    ///
    /// Call it from single-threaded processes only.
    pub fn new(body: impl FnOnce() -> Vec<u8>) -> io::Result<Self> {
        let (report, into) = transfer::pipe()?;
        // SAFETY: the caller has one thread, so the child may go on as usual.
        let pid = checked(unsafe { libc::fork() })?;
        if pid > 0 {
            return Ok(Self { pid, report });
        }
        let sent = std::fs::File::from(into).write_all(&body());
        // SAFETY: ends the child at once; its sockets are closed by the kernel.
        unsafe { libc::_exit(i32::from(sent.is_err())) }
    }

    /// The child's report, after it has ended.
    pub fn join(self) -> io::Result<Vec<u8>> {
        let mut report = Vec::new();
        std::fs::File::from(self.report).read_to_end(&mut report)?;
        let mut status = 0;
        // SAFETY: waits for our own child and writes one integer.
        checked(unsafe { libc::waitpid(self.pid, &mut status, 0) })?;
        if status == 0 { Ok(report) } else { Err(io::Error::other("a forked process failed")) }
    }
}

/// Runs a blocking `call` on this thread and sends signals to it until the call is back.
pub fn interrupt_me<T>(call: impl FnOnce() -> T) -> io::Result<T> {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: all-zero is a valid sigaction: no flags, so that calls are not restarted.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the handler does nothing, and the structure is live.
    checked(unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) })?;
    // SAFETY: cannot fail.
    let me = unsafe { libc::pthread_self() };
    let back = AtomicBool::new(false);
    Ok(std::thread::scope(|scope| {
        scope.spawn(|| {
            while !back.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(20));
                // SAFETY: the thread waits for us, so it is there.
                unsafe { libc::pthread_kill(me, libc::SIGUSR1) };
            }
        });
        let returned = call();
        back.store(true, Ordering::SeqCst);
        returned
    }))
}

/// Changes the real and the effective user, and keeps the way back.
pub fn set_user(uid: libc::uid_t) -> io::Result<()> {
    // SAFETY: changes the credentials of this process only.
    checked(unsafe { libc::setresuid(uid, uid, 0) }).map(drop)
}

/// Makes `pid` the next PID that the kernel gives to a process, if nobody else is faster.
pub fn set_next_pid(pid: u32) -> io::Result<()> {
    std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string())
}

/// Now, RFC 3339 in UTC with microseconds.
pub fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = now.as_secs() as libc::time_t;
    let mut tm = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: gmtime_r fills the zeroed structure, which is valid either way.
    let tm = unsafe {
        libc::gmtime_r(&seconds, tm.as_mut_ptr());
        tm.assume_init()
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        tm.tm_year + 1900,
        tm.tm_mon + 1,
        tm.tm_mday,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec,
        now.subsec_micros()
    )
}
