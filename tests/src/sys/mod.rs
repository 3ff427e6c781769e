//! Thin wrappers over system calls: the exact call a case is about, and nothing around it.
//!
//! What `std` and `socket2` already offer without hiding which call is made is not repeated here.

use std::io;

pub mod bpf;
pub mod datagram;
pub mod epoll;
pub mod fdpass;
pub mod messages;
pub mod nat;
pub mod netlink;
pub mod netns;
pub mod process;
pub mod socket;
pub mod stream;
pub mod transfer;
pub mod uring;

/// Inside a virtual machine without hardware help: everything is slow.
pub fn in_vm() -> bool {
    std::env::var_os("VM").is_some()
}

/// The count that a system call returned, or its error.
pub fn counted(returned: isize) -> io::Result<usize> {
    usize::try_from(returned).map_err(|_| io::Error::last_os_error())
}

/// The value that a system call returned, or its error.
fn checked(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}
