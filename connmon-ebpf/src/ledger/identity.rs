//! Which socket an entry belongs to. `SOCKS` is keyed by the address of a socket, which the kernel gives to another socket once the first
//! has gone; if no hook saw its end, its entry is still there. So each use asks whether the entry is this socket's. If it is not, it
//! leaves as a connection whose end was not seen, and nothing of the new socket is added to it.

use connmon_ebpf::{SockEntry, proto};

use super::release::{NONE, id_of, retire};
use crate::maps::SOCKS;
use crate::sock::{self, AF_INET, Common};

/// Whether an entry belongs to the TCP socket now at this address: both must have the same remote and local port. Consecutive sockets that
/// agree in these are told apart when their state changes, see `lifecycle`.
#[inline(always)]
pub fn is_stream(entry: *mut SockEntry, sk: u64) -> bool {
    is_stream_of(entry, sk) != 0
}

/// Not inlined, because BPF programs have little stack.
#[inline(never)]
fn is_stream_of(entry: *mut SockEntry, sk: u64) -> u64 {
    let now = sock::common(sk);
    let is_same = is_at(entry, sk, now);
    // SAFETY: a valid pointer into a map value.
    unsafe {
        if is_same && (*entry).local.port == 0 && now.num != 0 {
            // The port was chosen after the step to SYN_SENT, and the step to ESTABLISHED was missed or is still to come.
            (*entry).local = sock::local(sk, (*entry).remote.family);
        }
    }
    u64::from(is_same)
}

/// Like [`is_stream`], with what has already been read of the socket (`now`), and without completing the entry.
#[inline(always)]
pub fn is_at(entry: *mut SockEntry, sk: u64, now: Common) -> bool {
    // SAFETY: a valid pointer into a map value.
    unsafe {
        if (*entry).proto != proto::TCP {
            return false;
        }
        if now.dport == 0 {
            // The socket is not connected: it is new, or was disconnected after its end.
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

/// Removes the entry at the address of a TCP socket if it belongs to another socket.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn evict(sk: u64) -> u64 {
    let Some(entry) = SOCKS.get_ptr_mut(sk) else { return NONE };
    let id = id_of(entry);
    if is_stream(entry, sk) { NONE } else { retire(sk, id, 1) }
}

/// Removes whatever entry is at the address of a socket that begins now.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn displace(sk: u64) -> u64 {
    match SOCKS.get_ptr_mut(sk) {
        Some(entry) => retire(sk, id_of(entry), 1),
        None => NONE,
    }
}
