//! Whose packet it is.

use aya_ebpf::bindings::{__sk_buff, bpf_sock};
use connmon_ebpf::{Addr, FlowKey, SockEntry, proto};

use super::header::Header;
use crate::ledger::entry::is_current;
use crate::maps::{FLOWS, SOCKS, epoch};
use crate::sock::{self, number};

/// The socket of a packet.
pub struct Owner {
    /// `struct sock`.
    pub sk: u64,
    /// Its entry, if it has one.
    pub entry: Option<*mut SockEntry>,
    /// Whether that is of a TCP connection.
    pub is_stream: bool,
}

impl Owner {
    /// `None`: nobody's packet.
    #[inline(always)]
    pub fn of(skb: *mut __sk_buff) -> Option<Self> {
        // SAFETY: a field of the context; the verifier checks the access.
        let sk = unsafe { (*skb).__bindgen_anon_2.sk };
        if sk.is_null() {
            return None;
        }
        // SAFETY: it is the context's.
        let ends = unsafe { Ends::of(sk) };
        let sk = number(sk as u64);
        let entry = SOCKS.get_ptr_mut(sk).filter(|entry| ends.are_of(*entry));
        // SAFETY: a valid pointer into a map value; `proto` never changes.
        let is_stream = entry.is_some_and(|entry| unsafe { (*entry).proto } == proto::TCP);
        Some(Self { sk, entry, is_stream })
    }
}

/// The entry of a datagram's flow; `entry` is that of its socket, whose first remote it may be.
#[inline(always)]
pub fn of_datagram(entry: *mut SockEntry, header: &Header) -> Option<*mut SockEntry> {
    // SAFETY: a valid pointer into a map value; neither field changes for sockets of datagrams.
    let (same, parent) = unsafe { ((*entry).remote == header.remote, (*entry).id) };
    if same && is_current(entry) {
        return Some(entry);
    }
    let mut key = FlowKey { parent, remote: header.remote, epoch: epoch() };
    let flow = FLOWS.get_ptr_mut(&key);
    if flow.is_some() {
        return flow;
    }
    // If the socket has too many remotes, one entry stands for all further ones.
    key.remote = Addr { ip: [0; 4], port: 0, family: 0 };
    FLOWS.get_ptr_mut(&key)
}

/// The ends of a packet's socket. Each is read with a single load, because the verifier knows the type of the context's socket.
struct Ends {
    /// 0 where it is not connected.
    remote_port: u16,
    local_port: u16,
    /// The remote over IPv4.
    remote: u32,
}

impl Ends {
    /// # Safety
    /// `sk` is the context's.
    #[inline(always)]
    unsafe fn of(sk: *const bpf_sock) -> Self {
        // SAFETY: fields of the socket; the verifier checks the access. Volatile, so that each is one load.
        unsafe {
            Self {
                remote_port: u16::from_be(core::ptr::read_volatile((&raw const (*sk).dst_port).cast())),
                local_port: core::ptr::read_volatile(&raw const (*sk).src_port) as u16,
                remote: core::ptr::read_volatile(&raw const (*sk).dst_ip4),
            }
        }
    }

    /// Whether an entry can be this socket's, and is not one of an earlier socket at its address.
    #[inline(always)]
    fn are_of(&self, entry: *mut SockEntry) -> bool {
        // SAFETY: a valid pointer into a map value.
        unsafe {
            let local = (*entry).local.port;
            if local != 0 && self.local_port != 0 && local != self.local_port {
                return false;
            }
            let remote = &raw const (*entry).remote;
            // For datagrams, the remote is told by the packet itself.
            (*entry).proto != proto::TCP
                || ((*remote).port == self.remote_port
                    && ((*remote).family != sock::AF_INET || (*remote).ip[0] == self.remote))
        }
    }
}
