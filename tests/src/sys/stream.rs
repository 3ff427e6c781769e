//! One function for each way to send to or receive from a stream socket.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{null, null_mut};

use super::counted;

/// A way to send.
pub type Tx = fn(BorrowedFd<'_>, &[u8]) -> io::Result<usize>;
/// A way to receive.
pub type Rx = fn(BorrowedFd<'_>, &mut [u8]) -> io::Result<usize>;

/// `write(2)`.
pub fn write(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and length are one live slice.
    counted(unsafe { libc::write(fd.as_raw_fd(), buf.as_ptr().cast(), buf.len()) })
}

/// `send(2)`.
pub fn send(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    transmit(fd, buf, 0)
}

/// `sendto(2)` without an address.
pub fn sendto(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    let (data, len) = (buf.as_ptr().cast(), buf.len());
    // SAFETY: the pointer and length are one live slice; no address is given.
    counted(unsafe { libc::sendto(fd.as_raw_fd(), data, len, libc::MSG_NOSIGNAL, null(), 0) })
}

/// `sendmsg(2)` with three vectors.
pub fn sendmsg(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    let mut vectors = gather(buf);
    let message = message(&mut vectors);
    // SAFETY: the message and its vectors, all within `buf`, live until the call returns.
    counted(unsafe { libc::sendmsg(fd.as_raw_fd(), &message, libc::MSG_NOSIGNAL) })
}

/// `writev(2)` with three vectors.
pub fn writev(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    let vectors = gather(buf);
    // SAFETY: the vectors, all within `buf`, live until the call returns.
    counted(unsafe { libc::writev(fd.as_raw_fd(), vectors.as_ptr(), vectors.len() as libc::c_int) })
}

/// `read(2)`.
pub fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and length are one live, exclusive slice.
    counted(unsafe { libc::read(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) })
}

/// `recv(2)`.
pub fn recv(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    receive(fd, buf, 0)
}

/// `recv(2)` with `MSG_PEEK`: delivers nothing.
pub fn peek(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    receive(fd, buf, libc::MSG_PEEK)
}

/// `recv(2)` with `MSG_WAITALL`.
pub fn recv_waitall(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    receive(fd, buf, libc::MSG_WAITALL)
}

/// `recv(2)` with `MSG_TRUNC`: on TCP, what is received is thrown away.
pub fn discard(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    receive(fd, buf, libc::MSG_TRUNC)
}

/// `send(2)` with `MSG_ZEROCOPY`; the buffer must not change any more.
pub fn send_zerocopy(fd: BorrowedFd<'_>, buf: &'static [u8]) -> io::Result<usize> {
    transmit(fd, buf, libc::MSG_ZEROCOPY)
}

/// `send(2)` with `MSG_MORE`: more will follow.
pub fn send_more(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    transmit(fd, buf, libc::MSG_MORE)
}

fn transmit(fd: BorrowedFd<'_>, buf: &[u8], flags: libc::c_int) -> io::Result<usize> {
    let flags = libc::MSG_NOSIGNAL | flags;
    // SAFETY: the pointer and length are one live slice.
    counted(unsafe { libc::send(fd.as_raw_fd(), buf.as_ptr().cast(), buf.len(), flags) })
}

fn receive(fd: BorrowedFd<'_>, buf: &mut [u8], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: the pointer and length are one live, exclusive slice.
    counted(unsafe { libc::recv(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), flags) })
}

/// `recvfrom(2)` without room for an address.
pub fn recvfrom(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    let (data, len) = (buf.as_mut_ptr().cast(), buf.len());
    // SAFETY: the pointer and length are one live, exclusive slice; no address is asked for.
    counted(unsafe { libc::recvfrom(fd.as_raw_fd(), data, len, 0, null_mut(), null_mut()) })
}

/// `recvmsg(2)` with three vectors.
pub fn recvmsg(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    let mut vectors = scatter(buf);
    let mut message = message(&mut vectors);
    // SAFETY: the message and its vectors, all within the exclusive `buf`, live until the call returns.
    counted(unsafe { libc::recvmsg(fd.as_raw_fd(), &mut message, 0) })
}

/// `readv(2)` with three vectors.
pub fn readv(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    let vectors = scatter(buf);
    // SAFETY: the vectors, all within the exclusive `buf`, live until the call returns.
    counted(unsafe { libc::readv(fd.as_raw_fd(), vectors.as_ptr(), vectors.len() as libc::c_int) })
}

/// Three uneven parts of a buffer to send from.
fn gather(buf: &[u8]) -> [libc::iovec; 3] {
    let (first, rest) = buf.split_at(buf.len() / 5);
    let (second, third) = rest.split_at(rest.len() / 2);
    [first, second, third]
        .map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() })
}

/// Three uneven parts of a buffer to receive into.
fn scatter(buf: &mut [u8]) -> [libc::iovec; 3] {
    let (first, rest) = buf.split_at_mut(buf.len() / 5);
    let (second, third) = rest.split_at_mut(rest.len() / 2);
    [first, second, third].map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() })
}

fn message(vectors: &mut [libc::iovec]) -> libc::msghdr {
    // SAFETY: all-zero is a valid msghdr: no name, no vectors, no control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = vectors.as_mut_ptr();
    message.msg_iovlen = vectors.len() as _;
    message
}
