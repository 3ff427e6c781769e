//! Counts packets and their bytes from the IP header on, in both directions, with cgroup programs. They never drop anything: all return 1,
//! which lets the packet pass.
//!
//! A packet can come before its connection has an entry: the first datagram of a flow, or the handshake that a listening socket accepts.
//! It waits for the entry in `pending`.

use aya_ebpf::bindings::{__sk_buff, bpf_sock};
use aya_ebpf::helpers::bpf_get_current_task;
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use connmon_ebpf::{Addr, FlowKey, SockEntry, Wire, proto};

use super::header::Header;
use super::{message, payload};
use crate::calls::{self, Call};
use crate::ledger::direction::Direction;
use crate::ledger::entry::is_current;
use crate::ledger::pending;
use crate::ledger::pool;
use crate::maps::{FLOWS, SOCKS, add_to, epoch, is_off, offset, setting};
use crate::sock::{self, get, number};

/// A packet leaves a socket.
#[cgroup_skb(egress)]
pub fn wire_egress(ctx: SkBuffContext) -> i32 {
    packet(&ctx, Direction::Tx);
    1
}

/// A packet reaches a socket.
#[cgroup_skb(ingress)]
pub fn wire_ingress(ctx: SkBuffContext) -> i32 {
    packet(&ctx, Direction::Rx);
    1
}

#[inline(always)]
fn packet(ctx: &SkBuffContext, way: Direction) {
    if is_off() {
        return;
    }
    let skb: *mut __sk_buff = ctx.skb.skb;
    // SAFETY: fields of the context; the verifier checks the access.
    let (sk, len, segments) = unsafe {
        let segments = Segments { count: (*skb).gso_segs, size: (*skb).gso_size };
        ((*skb).__bindgen_anon_2.sk as u64, (*skb).len, segments)
    };
    if sk == 0 {
        return;
    }
    // SAFETY: as above.
    let ends = unsafe { Ends::of((*skb).__bindgen_anon_2.sk) };
    let sk = number(sk);
    let entry = SOCKS.get_ptr_mut(sk).filter(|entry| ends.are_of(*entry));
    // SAFETY: a valid pointer into a map value; `proto` never changes.
    let is_stream = entry.is_some_and(|entry| unsafe { (*entry).proto } == proto::TCP);
    if let (Some(entry), true, true) = (entry, is_stream, segments.is_one()) {
        if !payload::may_tell(ctx, entry, way, len) {
            // SAFETY: a valid pointer into a map value.
            return pending::add(unsafe { &raw mut (*entry).wire }, way, 1, u64::from(len));
        }
    }
    let Some(header) = Header::read(ctx, way) else {
        if let Some(entry) = entry {
            // SAFETY: a valid pointer into a map value; a byte that only ever becomes 1.
            unsafe { core::ptr::write_volatile(&raw mut (*entry).wire_unknown, 1) };
        }
        return;
    };
    let (packets, bytes) = segments.on_wire(len, &header);
    let is_counted = matches!(header.proto, proto::TCP | proto::UDP);
    if way == Direction::Tx && setting(|s| unsafe { &raw const (*s).notes_egress }) != 0 {
        let is_message = entry.map_or_else(|| message::is_message(sock::class(sk)), has_messages);
        if is_message {
            note_remote(skb);
        }
    }
    let entry = match entry {
        Some(entry) if !is_stream => of_datagram(entry, &header),
        other => other,
    };
    payload::look_at(ctx, sk, entry, is_stream, &header, way, len);
    match entry {
        // SAFETY: a valid pointer into a map value.
        Some(entry) => pending::add(unsafe { &raw mut (*entry).wire }, way, packets, bytes),
        // Packets of a socket that gets no entry would wait for ever.
        None if is_counted && !pool::is_noted(sk) => {
            pending::keep(&header.remote, header.local.port, header.proto, way, packets, bytes)
        }
        None => {}
    }
}

/// The entry of a datagram's flow; `entry` is that of its socket, whose first remote it may be.
#[inline(always)]
fn of_datagram(entry: *mut SockEntry, header: &Header) -> Option<*mut SockEntry> {
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

/// Whether an entry is of a raw or ping socket.
#[inline(always)]
fn has_messages(entry: *mut SockEntry) -> bool {
    // SAFETY: a valid pointer into a map value; `proto` never changes.
    message::is_message(unsafe { (*entry).proto })
}

/// Notes where a packet of a raw or ping socket goes, for the end of the call in whose context it is sent: in the tracepoint backend
/// nothing else tells the remote. A global function, which the verifier checks once and not once for each way to it.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn note_remote(skb: *mut __sk_buff) -> u64 {
    let ctx = SkBuffContext::new(skb);
    let Some(remote) = destination(&ctx) else { return 0 };
    // SAFETY: a field of the context; the verifier checks the access.
    let sk = number(unsafe { (*skb).__bindgen_anon_2.sk as u64 });
    // bpf_get_current_pid_tgid() is not available to these programs before Linux 6.10.
    // SAFETY: the helper only returns a number.
    let task = unsafe { bpf_get_current_task() };
    let thread = u64::from(get::<u32>(task, offset!(task_pid)));
    // The first packet of a call is its own; packets with which the kernel answers may follow in the same context.
    match calls::get(thread) {
        // SAFETY: a valid pointer into a map value that only this thread uses.
        Some(note) => unsafe {
            if (*note).remote.family == 0 {
                (*note).sk = sk;
                (*note).arg = 0;
                (*note).remote = remote;
            }
        },
        // Without the note, the entry is marked as one whose remote is unknown.
        None => drop(calls::put(thread, &Call { sk, arg: 0, remote, extra: 0 })),
    }
    0
}

/// Where a packet goes, without a port.
#[inline(always)]
fn destination(ctx: &SkBuffContext) -> Option<Addr> {
    if ctx.load::<u8>(0).ok()? >> 4 == 4 {
        let ip: u32 = ctx.load(16).ok()?;
        return Some(Addr { ip: [ip, 0, 0, 0], port: 0, family: sock::AF_INET });
    }
    Some(Addr { ip: ctx.load(24).ok()?, port: 0, family: sock::AF_INET6 })
}

/// How a large packet is split into segments after these hooks, or how it was merged before them: "GSO" and "GRO" of
/// Documentation/networking/segmentation-offloads.rst.
struct Segments {
    /// How many segments; 0 if the device that handed the packet in did not count them, as with virtual network cards.
    count: u32,
    /// Payload bytes of each segment but the last; 0 if the packet is not segmented.
    size: u32,
}

impl Segments {
    #[inline(always)]
    fn is_one(&self) -> bool {
        self.count <= 1 && self.size == 0
    }

    /// Packets and bytes on the wire of a packet of `len` bytes, where each segment has headers of its own.
    #[inline(always)]
    fn on_wire(&self, len: u32, header: &Header) -> (u64, u64) {
        if self.is_one() {
            return (1, u64::from(len));
        }
        let count = match self.size {
            size if self.count <= 1 && size != 0 => len.saturating_sub(header.len).div_ceil(size).max(1),
            _ => self.count,
        };
        // Only the large packet has the header of a jumbogram, its segments do not.
        let (len, each) = match count {
            ..=1 => (len, header.len),
            _ => (len.wrapping_sub(header.jumbo), header.len.wrapping_sub(header.jumbo)),
        };
        (u64::from(count), u64::from(len) + u64::from(count - 1) * u64::from(each))
    }
}
