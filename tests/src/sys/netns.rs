//! A network namespace of our own: only `lo`, and only as long as somebody is in it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};

use super::{checked, netlink::Netlink};

/// The way back to the namespace we came from.
pub struct Netns {
    home: File,
}

impl Netns {
    /// Moves the calling thread, and what it starts from now on, into a new namespace with `lo` up.
    pub fn enter() -> Result<Self> {
        let home = File::open("/proc/thread-self/ns/net")?;
        // SAFETY: changes the namespace of this thread only.
        checked(unsafe { libc::unshare(libc::CLONE_NEWNET) })
            .context("cannot create a network namespace (needs root)")?;
        let netns = Self { home };
        Netlink::open().and_then(|netlink| netlink.loopback_up()).context("cannot bring lo up")?;
        // With more than this in TIME_WAIT the kernel resets connections, and storms leave many (ip-sysctl).
        set_sysctl("net/ipv4/tcp_max_tw_buckets", "4000000")?;
        Ok(netns)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // SAFETY: the descriptor is our former namespace.
        let _ = checked(unsafe { libc::setns(self.home.as_raw_fd(), libc::CLONE_NEWNET) });
    }
}

/// Sets a sysctl of the current namespace; false if this kernel does not have it.
pub fn set_sysctl(path: &str, value: &str) -> io::Result<bool> {
    match std::fs::write(format!("/proc/sys/{path}"), value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map(|()| true),
    }
}
