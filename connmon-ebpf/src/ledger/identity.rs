//! Whose an entry is. `SOCKS` is keyed by the address of a socket, and the kernel gives that to the next socket once one has
//! gone: where no hook saw the end, the entry is still there. So each use asks whether the entry is this socket's; one that is
//! not leaves, as a connection whose end was not seen, and nothing of the new socket is added to it.

use connmon_ebpf::{SockEntry, proto};

use super::release::{NONE, id_of, retire};
use crate::maps::SOCKS;
use crate::sock::{self, AF_INET, Common};

/// Whether an entry is the TCP socket's at this address: both have the same two ends. Consecutive sockets with the same two ends
/// are told apart when their state moves, see `lifecycle`.
#[inline(always)]
pub fn is_stream(entry: *mut SockEntry, sk: u64) -> bool {
    is_stream_of(entry, sk) != 0
}

/// As a function of its own: the stack is short.
#[inline(never)]
fn is_stream_of(entry: *mut SockEntry, sk: u64) -> u64 {
    let now = sock::common(sk);
    let is_same = is_at(entry, sk, now);
    // SAFETY: a valid pointer into a map value.
    unsafe {
        if is_same && (*entry).local.port == 0 && now.num != 0 {
            // Chosen after the step to SYN_SENT, and that to ESTABLISHED has been missed, or is to come.
            (*entry).local = sock::local(sk, (*entry).remote.family);
        }
    }
    u64::from(is_same)
}

/// The same with what was read of the socket.
#[inline(always)]
pub fn is_at(entry: *mut SockEntry, sk: u64, now: Common) -> bool {
    // SAFETY: a valid pointer into a map value.
    unsafe {
        if (*entry).proto != proto::TCP {
            return false;
        }
        if now.dport == 0 {
            // It is not connected: a new socket, or one that was disconnected after its end.
            return (*entry).closed_ns != 0;
        }
        let (remote, port) = (&raw const (*entry).remote, (*entry).local.port);
        if u16::from_be(now.dport) != (*remote).port || (port != 0 && now.num != 0 && now.num != port) {
            return false;
        }
        if (*remote).family == AF_INET {
            return now.daddr == (*remote).ip[0];
        }
        sock::is_remote_v6(sk, remote)
    }
}

/// Lets go of the entry at a TCP socket's address, if it is not this socket's.
#[inline(never)]
pub fn evict(sk: u64) -> u64 {
    let Some(entry) = SOCKS.get_ptr_mut(sk) else { return NONE };
    let id = id_of(entry);
    if is_stream(entry, sk) { NONE } else { retire(sk, id, 1) }
}

/// Lets go of whatever entry is at a socket's address, of which this is the beginning.
#[inline(never)]
pub fn displace(sk: u64) -> u64 {
    match SOCKS.get_ptr_mut(sk) {
        Some(entry) => retire(sk, id_of(entry), 1),
        None => NONE,
    }
}
