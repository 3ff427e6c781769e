//! What hostile code would try from within a part of a recording, for the test of what it cannot do: with `CONNMON_TRY` in the
//! environment, a part says what it could do. Nothing that is tried changes anything, even where it succeeds.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::stderr::Stderr;

/// The variable that has each part try.
const VARIABLE: &str = "CONNMON_TRY";

/// Says what this part could do, if it is to try.
pub(in crate::daemon) fn show(part: &str) {
    let Some(other) = std::env::var_os(VARIABLE) else { return };
    let other: libc::pid_t = other.to_str().and_then(|pid| pid.parse().ok()).unwrap_or(1);
    let could: Vec<&str> =
        attempts(other).into_iter().filter(|(_, done)| *done).map(|(name, _)| name).collect();
    let _ = writeln!(Stderr, "{part} could: {}", could.join(" "));
}

/// Each thing that is tried, and whether it could be done; `other` is a process of somebody else.
fn attempts(other: libc::pid_t) -> Vec<(&'static str, bool)> {
    let (nowhere, null) = (c"/nonexistent/program".as_ptr(), std::ptr::null::<libc::c_char>());
    // Where something is allowed, what it asks for is not there or contradicts itself, so that nothing happens.
    // SAFETY: the paths end with a zero byte, and empty lists of arguments are allowed; no program, process, mount or probe comes of it
    // (execve(2), clone(2), mount(2), bpf(2)), no process is stopped by a request that there is not (ptrace(2)), and signal 0 asks only
    // whether one could be sent.
    let [exec, fork, ptrace, bpf, mount, kill] = unsafe {
        [
            is_allowed(libc::syscall(libc::SYS_execve, nowhere, &raw const null, &raw const null)),
            is_allowed(libc::syscall(libc::SYS_clone, libc::CLONE_FS | libc::CLONE_NEWNS, 0, 0, 0, 0)),
            is_allowed(libc::syscall(libc::SYS_ptrace, 0x7fff_ffff, other, 0, 0)),
            is_allowed(libc::syscall(libc::SYS_bpf, 5, 0, 0)),
            is_allowed(libc::syscall(libc::SYS_mount, nowhere, nowhere, nowhere, 0, 0)),
            libc::syscall(libc::SYS_kill, other, 0) == 0,
        ]
    };
    vec![
        ("exec", exec),
        ("fork", fork),
        ("ptrace", ptrace),
        ("bpf", bpf),
        ("mount", mount),
        ("kill", kill),
        ("memory", File::open(format!("/proc/{other}/mem")).is_ok()),
        ("shadow", File::open("/etc/shadow").is_ok()),
        ("etc", writes(Path::new("/etc/connmon-tried"))),
        ("tmp", writes(&std::env::temp_dir().join("connmon-tried"))),
        ("listen", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).is_ok()),
        ("connect", connects()),
        ("services", UnixStream::pair().is_ok() && is_socket_made(libc::AF_UNIX)),
        ("netlink", is_socket_made(libc::AF_NETLINK)),
        ("packets", is_socket_made(libc::AF_PACKET)),
        ("code", makes_code()),
        ("uid", sets_uid()),
    ]
}

/// Whether the kernel did it, or refused it for another reason than that it may not be done.
fn is_allowed(result: libc::c_long) -> bool {
    let refusal = io::Error::last_os_error().raw_os_error();
    result >= 0 || !matches!(refusal, Some(libc::ENOSYS | libc::EPERM | libc::EACCES))
}

fn writes(path: &Path) -> bool {
    let made = OpenOptions::new().write(true).create_new(true).open(path).is_ok();
    if made {
        let _ = std::fs::remove_file(path);
    }
    made
}

/// Whether it could talk to a server; nobody listens there, which is an answer as well.
fn connects() -> bool {
    match TcpStream::connect((Ipv4Addr::LOCALHOST, 9)) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::ConnectionRefused,
    }
}

fn is_socket_made(family: libc::c_int) -> bool {
    let kind = if family == libc::AF_UNIX { libc::SOCK_STREAM } else { libc::SOCK_RAW };
    // SAFETY: only makes a descriptor, which is closed again.
    unsafe {
        let socket = libc::socket(family, kind | libc::SOCK_CLOEXEC, 0);
        socket >= 0 && libc::close(socket) == 0
    }
}

/// Memory that can be run.
fn makes_code() -> bool {
    let rights = libc::PROT_READ | libc::PROT_EXEC;
    // SAFETY: a new page of its own, which is given back.
    unsafe {
        let page =
            libc::mmap(std::ptr::null_mut(), 4096, rights, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
        page != libc::MAP_FAILED && libc::munmap(page, 4096) == 0
    }
}

/// Another user's rights, in a thread of its own.
fn sets_uid() -> bool {
    // SAFETY: changes the file identity of this thread alone (setfsuid(2)), and tells whether it did.
    std::thread::spawn(|| unsafe {
        libc::syscall(libc::SYS_setfsuid, 65_533);
        libc::syscall(libc::SYS_setfsuid, -1) == 65_533
    })
    .join()
    .unwrap_or(false)
}
