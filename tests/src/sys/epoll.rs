//! Waiting for many sockets at once.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::checked;

/// A set of descriptors, each with a token.
pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        // SAFETY: creates a descriptor.
        let fd = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel just gave us this descriptor.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; 64] })
    }

    /// Adds a descriptor; it leaves the set when it is closed.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        let (set, fd) = (self.fd.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: the event is live.
        checked(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, fd, &mut event) })?;
        Ok(())
    }

    /// Waits until something can be read; the tokens of what can.
    pub fn wait(&mut self) -> io::Result<Vec<u64>> {
        let room = self.events.len() as libc::c_int;
        // SAFETY: the events are live, exclusive and as many as said.
        let n =
            checked(unsafe { libc::epoll_wait(self.fd.as_raw_fd(), self.events.as_mut_ptr(), room, -1) })?;
        Ok(self.events[..n as usize].iter().map(|event| event.u64).collect())
    }
}
