//! Decides who may watch: root, the user who records, and members of the group `connmon`.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// The group whose members may look.
const GROUP: &str = "connmon";

/// The id of the group `connmon`, if this host has one. It is read from /etc/group, because a statically linked program has no name service
/// to ask (getgrnam(3) crashes there).
pub(super) fn group() -> Option<u32> {
    number_of(GROUP, &std::fs::read_to_string("/etc/group").ok()?)
}

/// The number of a group in a list as group(5) has it.
fn number_of(name: &str, list: &str) -> Option<u32> {
    let mut groups = list.lines().map(|line| line.split(':'));
    groups.find_map(|mut fields| (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten())
}

/// Whether a peer with this user and group may look, by what the kernel says of it.
pub(super) fn may_look(socket: BorrowedFd<'_>, uid: u32, gid: u32, group: Option<u32>) -> bool {
    // SAFETY: only returns a number.
    let own = unsafe { libc::geteuid() };
    uid == 0 || uid == own || group.is_some_and(|group| gid == group || groups(socket).contains(&group))
}

/// The supplementary groups of a peer: socket(7), SO_PEERGROUPS, Linux 4.13.
fn groups(socket: BorrowedFd<'_>) -> Vec<u32> {
    // As many as Linux lets a process have (NGROUPS_MAX).
    let mut groups = vec![0_u32; 65_536];
    let mut length = libc::socklen_t::try_from(size_of_val(groups.as_slice())).unwrap_or(0);
    // SAFETY: the buffer outlives the call, and the length is that of the buffer.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &mut length,
        )
    };
    groups.truncate(if result == 0 { length as usize / size_of::<u32>() } else { 0 });
    groups
}

/// The process at the other end of a socket that was connected to: socket(7), SO_PEERCRED.
pub(super) fn listening_process(stream: &UnixStream) -> Option<i32> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = libc::socklen_t::try_from(size_of_val(&peer)).unwrap_or(0);
    // SAFETY: the buffer outlives the call, and the length is that of the buffer.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    (result == 0).then_some(peer.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_name() {
        let list = "root:x:0:\n# connmon:x:1:\nxconnmon:x:2:\nconnmon:x:998:alice,bob\nbroken\n";
        assert_eq!(number_of("connmon", list), Some(998));
        assert_eq!(number_of("broken", list), None);
        assert_eq!(number_of("nobody", list), None);
    }
}
