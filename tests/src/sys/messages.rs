//! Several messages in one call, and messages of the error queue.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null_mut;

use socket2::{SockAddr, SockAddrStorage};

use super::{checked, datagram};

/// A message to send: its bytes, and where to unless the socket is connected.
pub type Outgoing<'a> = (&'a [u8], Option<SocketAddr>);
/// How many bytes a message brought, and from where unless the socket is connected.
pub type Incoming = (usize, Option<SocketAddr>);

/// `sendmmsg(2)`: how many bytes each message took.
pub fn sendmmsg(fd: BorrowedFd<'_>, messages: &[Outgoing<'_>]) -> io::Result<Vec<usize>> {
    let names: Vec<Option<SockAddr>> = messages.iter().map(|(_, to)| to.map(SockAddr::from)).collect();
    let mut vectors: Vec<libc::iovec> = messages
        .iter()
        .map(|(bytes, _)| libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() })
        .collect();
    let mut headers: Vec<libc::mmsghdr> = vectors.iter_mut().map(header).collect();
    for (header, name) in headers.iter_mut().zip(&names) {
        if let Some(name) = name {
            header.msg_hdr.msg_name = name.as_ptr().cast_mut().cast();
            header.msg_hdr.msg_namelen = name.len();
        }
    }
    let (first, count) = (headers.as_mut_ptr(), headers.len() as libc::c_uint);
    // SAFETY: headers, vectors, names and bytes live until the call returns; only the headers are written to.
    let done = checked(unsafe { libc::sendmmsg(fd.as_raw_fd(), first, count, libc::MSG_NOSIGNAL) })?;
    Ok(headers.iter().take(done as usize).map(|header| header.msg_len as usize).collect())
}

/// `recvmmsg(2)` into `n` buffers of `room` bytes: waits for the first message only.
pub fn recvmmsg(fd: BorrowedFd<'_>, n: usize, room: usize) -> io::Result<Vec<Incoming>> {
    let mut buffers = vec![vec![0u8; room]; n];
    let mut names = (0..n).map(|_| SockAddrStorage::zeroed()).collect::<Vec<_>>();
    let mut vectors: Vec<libc::iovec> = buffers
        .iter_mut()
        .map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: room })
        .collect();
    let mut headers: Vec<libc::mmsghdr> = vectors.iter_mut().map(header).collect();
    for (header, name) in headers.iter_mut().zip(&mut names) {
        header.msg_hdr.msg_namelen = name.size_of();
        header.msg_hdr.msg_name = (&raw mut *name).cast();
    }
    let (first, count) = (headers.as_mut_ptr(), headers.len() as libc::c_uint);
    let flags = libc::MSG_WAITFORONE as _;
    // SAFETY: headers, vectors, names and buffers are live, exclusive and as long as said.
    let done = checked(unsafe { libc::recvmmsg(fd.as_raw_fd(), first, count, flags, null_mut()) })?;
    let arrived = headers.iter().zip(names).take(done as usize);
    arrived
        .map(|(header, name)| {
            let len = header.msg_hdr.msg_namelen;
            let from = if len == 0 { None } else { Some(datagram::address(name, len)?) };
            Ok((header.msg_len as usize, from))
        })
        .collect()
}

/// `recvmsg(2)` with `MSG_ERRQUEUE`: takes one note of the error queue, which is no traffic. Its bytes.
pub fn recv_error(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let (mut bytes, mut control) = ([0u8; 2048], [0u64; 64]);
    let mut vector = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut header = header(&mut vector).msg_hdr;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    // SAFETY: header, vector, bytes and control are live, exclusive and as long as said.
    super::counted(unsafe { libc::recvmsg(fd.as_raw_fd(), &mut header, libc::MSG_ERRQUEUE) })
}

fn header(vector: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: all-zero is a valid mmsghdr: no name, no vectors, no control data.
    let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
    header.msg_hdr.msg_iov = vector;
    header.msg_hdr.msg_iovlen = 1;
    header
}
