//! One function for each way to send to or receive from a named peer on a datagram socket.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::{SockAddr, SockAddrStorage};

use super::counted;

/// A way to send to an address.
pub type TxTo = fn(BorrowedFd<'_>, &[u8], SocketAddr) -> io::Result<usize>;
/// A way to receive together with the sender's address.
pub type RxFrom = fn(BorrowedFd<'_>, &mut [u8]) -> io::Result<(usize, SocketAddr)>;

/// `sendto(2)`.
pub fn sendto(fd: BorrowedFd<'_>, buf: &[u8], to: SocketAddr) -> io::Result<usize> {
    sendto_flags(fd, buf, to, 0)
}

/// `sendto(2)` with a flag such as `MSG_FASTOPEN`.
pub fn sendto_flags(fd: BorrowedFd<'_>, buf: &[u8], to: SocketAddr, flags: libc::c_int) -> io::Result<usize> {
    let to = SockAddr::from(to);
    let (data, len, flags) = (buf.as_ptr().cast(), buf.len(), flags | libc::MSG_NOSIGNAL);
    // SAFETY: buffer and address live until the call returns, each with its own length.
    counted(unsafe { libc::sendto(fd.as_raw_fd(), data, len, flags, to.as_ptr().cast(), to.len()) })
}

/// `sendmsg(2)` with a name.
pub fn sendmsg(fd: BorrowedFd<'_>, buf: &[u8], to: SocketAddr) -> io::Result<usize> {
    let to = SockAddr::from(to);
    let mut vector = libc::iovec { iov_base: buf.as_ptr().cast_mut().cast(), iov_len: buf.len() };
    // SAFETY: all-zero is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = to.as_ptr().cast_mut().cast();
    message.msg_namelen = to.len();
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    // SAFETY: message, name and vector live until the call returns; sendmsg does not write to them.
    counted(unsafe { libc::sendmsg(fd.as_raw_fd(), &message, 0) })
}

/// `recvfrom(2)` that asks for the address.
pub fn recvfrom(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    let mut storage = SockAddrStorage::zeroed();
    let mut name_len = storage.size_of();
    let (data, len) = (buf.as_mut_ptr().cast(), buf.len());
    let name = (&raw mut storage).cast::<libc::sockaddr>();
    // SAFETY: buffer and address are live, exclusive and as long as said.
    let n = counted(unsafe { libc::recvfrom(fd.as_raw_fd(), data, len, 0, name, &mut name_len) })?;
    Ok((n, address(storage, name_len)?))
}

/// `recvmsg(2)` that asks for the address.
pub fn recvmsg(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    let mut storage = SockAddrStorage::zeroed();
    let mut vector = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    // SAFETY: all-zero is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = (&raw mut storage).cast();
    message.msg_namelen = storage.size_of();
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    // SAFETY: message, name and vector are live, exclusive and as long as said.
    let n = counted(unsafe { libc::recvmsg(fd.as_raw_fd(), &mut message, 0) })?;
    Ok((n, address(storage, message.msg_namelen)?))
}

pub(super) fn address(storage: SockAddrStorage, len: libc::socklen_t) -> io::Result<SocketAddr> {
    // SAFETY: the kernel filled the first `len` bytes, which are within the storage.
    let address = unsafe { SockAddr::new(storage, len) };
    address.as_socket().ok_or_else(|| io::Error::other("the sender has no IP address"))
}
