//! A descriptor sent to another program (`SCM_RIGHTS`).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::counted;

/// Room for the control message of one descriptor, aligned as `cmsghdr` wants it.
type Control = [u64; 4];

fn message(vector: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: all-zero is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = vector;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: CMSG_SPACE only computes.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<libc::c_int>() as u32) } as _;
    message
}

/// Sends `passed` over the UNIX socket `over`.
pub fn send_fd(over: BorrowedFd<'_>, passed: BorrowedFd<'_>) -> io::Result<()> {
    let mut byte = b'F';
    let mut vector = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut control: Control = [0; 4];
    let message = message(&mut vector, &mut control);
    // SAFETY: the control buffer holds one header and one descriptor; all of it lives until sendmsg returns.
    counted(unsafe {
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<libc::c_int>() as u32) as _;
        libc::CMSG_DATA(header).cast::<libc::c_int>().write_unaligned(passed.as_raw_fd());
        libc::sendmsg(over.as_raw_fd(), &message, libc::MSG_NOSIGNAL)
    })?;
    Ok(())
}

/// Receives one descriptor from the UNIX socket `over`.
pub fn recv_fd(over: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut byte = 0u8;
    let mut vector = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut control: Control = [0; 4];
    let mut message = message(&mut vector, &mut control);
    // SAFETY: the message, its vector and its control buffer are live and exclusive.
    counted(unsafe { libc::recvmsg(over.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) })?;
    let mut fd = MaybeUninit::<libc::c_int>::uninit();
    // SAFETY: a header, if there is one, lies in the control buffer with one descriptor behind it, now ours.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return Err(io::Error::other("no descriptor came"));
        }
        fd.write(libc::CMSG_DATA(header).cast::<libc::c_int>().read_unaligned());
        Ok(OwnedFd::from_raw_fd(fd.assume_init()))
    }
}
