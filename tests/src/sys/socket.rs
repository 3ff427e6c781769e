//! What `socket2` hides or lacks about sockets.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::null_mut;
use std::time::Duration;

use socket2::{SockFilter, Socket};

use super::checked;

/// `accept4(2)` that does not ask who calls.
pub fn accept_no_addr(listener: BorrowedFd<'_>) -> io::Result<Socket> {
    // SAFETY: no address is asked for.
    let fd =
        checked(unsafe { libc::accept4(listener.as_raw_fd(), null_mut(), null_mut(), libc::SOCK_CLOEXEC) })?;
    // SAFETY: the kernel just gave us this descriptor.
    Ok(Socket::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Limits the SYNs of a connection attempt (`TCP_SYNCNT`).
pub fn set_syn_count(socket: BorrowedFd<'_>, count: libc::c_int) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_SYNCNT, &count)
}

/// `setsockopt(2)` with an integer, or with one of the kernel's plain structures.
pub fn set_option<T>(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let (value, len) = ((&raw const *value).cast(), size_of_val(value) as libc::socklen_t);
    // SAFETY: the value is live and as long as said; the kernel only reads it.
    checked(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value, len) })?;
    Ok(())
}

/// Whether the peer took the data that came with a SYN of ours (`TCPI_OPT_SYN_DATA`).
pub fn syn_data_taken(socket: BorrowedFd<'_>) -> io::Result<bool> {
    const OPTIONS: usize = 5; // tcpi_options, include/uapi/linux/tcp.h
    const SYN_DATA: u8 = 32;
    let (mut info, mut len) = ([0u8; 64], 64 as libc::socklen_t);
    let (value, fd) = (info.as_mut_ptr().cast(), socket.as_raw_fd());
    // SAFETY: the buffer is live, exclusive and as long as said.
    checked(unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, value, &mut len) })?;
    Ok(info[OPTIONS] & SYN_DATA != 0)
}

/// Dissolves the association of a socket: `connect(2)` to `AF_UNSPEC`.
pub fn disconnect(socket: BorrowedFd<'_>) -> io::Result<()> {
    let nowhere = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    // SAFETY: the address is live and as long as said.
    checked(unsafe { libc::connect(socket.as_raw_fd(), &nowhere, size_of_val(&nowhere) as _) })?;
    Ok(())
}

/// Makes a socket drop everything it gets: a listener becomes a black hole.
pub fn drop_everything(socket: &Socket) -> io::Result<()> {
    let accept_nothing = SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0);
    socket.attach_filter(&[accept_nothing])
}

/// Waits until one of `events` is there; false after the time limit.
pub fn poll(fd: BorrowedFd<'_>, events: libc::c_short, limit: Duration) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: one live pollfd, as said.
    let ready = checked(unsafe { libc::poll(&mut poll, 1, limit.as_millis() as libc::c_int) })?;
    Ok(ready > 0)
}

/// Waits until exactly or at least `n` bytes lie unread.
pub fn wait_unread(fd: BorrowedFd<'_>, n: usize) -> io::Result<()> {
    loop {
        let mut unread: libc::c_int = 0;
        // SAFETY: FIONREAD writes one integer.
        checked(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &mut unread) })?;
        if usize::try_from(unread).is_ok_and(|unread| unread >= n) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The socket's own address.
pub fn local(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an IP socket"))
}

/// The peer's address.
pub fn remote(socket: &Socket) -> io::Result<SocketAddr> {
    socket.peer_addr()?.as_socket().ok_or_else(|| io::Error::other("not an IP socket"))
}
