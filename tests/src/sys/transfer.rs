//! Bytes that reach a socket without passing through the process: sendfile and splice.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::null_mut;

use super::{checked, counted};

/// An unnamed file in memory with `len` bytes.
pub fn memory_file(len: u64) -> io::Result<File> {
    // SAFETY: the name is a C string.
    let fd = checked(unsafe { libc::memfd_create(c"traffic".as_ptr(), libc::MFD_CLOEXEC) })?;
    // SAFETY: the kernel just gave us this descriptor.
    let file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.set_len(len)?;
    Ok(file)
}

/// A pipe: its reading and its writing end.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: pipe2 writes two descriptors.
    checked(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: the kernel just gave us both descriptors.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// `sendfile(2)` from the file's own position.
pub fn sendfile(to: BorrowedFd<'_>, from: &File, len: usize) -> io::Result<usize> {
    // SAFETY: no offset pointer is given.
    counted(unsafe { libc::sendfile(to.as_raw_fd(), from.as_raw_fd(), null_mut(), len) })
}

/// `splice(2)`; one of the two must be a pipe.
pub fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    // SAFETY: no offset pointers are given.
    counted(unsafe { libc::splice(from, null_mut(), to, null_mut(), len, libc::SPLICE_F_MOVE) })
}
