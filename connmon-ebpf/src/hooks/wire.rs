//! Counts packets and their bytes from the IP header on, in both directions, with cgroup programs. They never drop anything: all return 1,
//! which lets the packet pass.
//!
//! A packet can come before its connection has an entry: the first datagram of a flow, or the handshake that a listening socket accepts.
//! It waits for the entry in `pending`.

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::bpf_get_current_task;
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use connmon_ebpf::{Addr, SockEntry, proto};

use super::header::Header;
use super::owner::{Owner, of_datagram};
use super::{message, payload};
use crate::calls::{self, Call};
use crate::ledger::direction::Direction;
use crate::ledger::pending;
use crate::ledger::pool;
use crate::maps::{is_off, offset, setting};
use crate::sock::{self, get, number};

/// A packet leaves a socket.
#[cgroup_skb(egress)]
pub fn wire_egress(ctx: SkBuffContext) -> i32 {
    if count_sent(ctx.skb.skb) != 0 {
        payload::look_at(ctx.skb.skb, Direction::Tx);
    }
    1
}

/// A packet reaches a socket.
#[cgroup_skb(ingress)]
pub fn wire_ingress(ctx: SkBuffContext) -> i32 {
    if count_received(ctx.skb.skb) != 0 {
        payload::look_at(ctx.skb.skb, Direction::Rx);
    }
    1
}

/// Counts a packet that leaves; 1 if it may be of interest. Not inlined, because BPF programs have little stack, and what looks at the
/// payload needs much of it.
#[inline(never)]
fn count_sent(skb: *mut __sk_buff) -> u64 {
    u64::from(packet(&SkBuffContext::new(skb), Direction::Tx))
}

/// The same for one that comes.
#[inline(never)]
fn count_received(skb: *mut __sk_buff) -> u64 {
    u64::from(packet(&SkBuffContext::new(skb), Direction::Rx))
}

#[inline(always)]
fn packet(ctx: &SkBuffContext, way: Direction) -> bool {
    if is_off() {
        return false;
    }
    let skb: *mut __sk_buff = ctx.skb.skb;
    // SAFETY: fields of the context; the verifier checks the access.
    let (len, segments) = unsafe { ((*skb).len, Segments { count: (*skb).gso_segs, size: (*skb).gso_size }) };
    let Some(Owner { sk, entry, is_stream }) = Owner::of(skb) else { return false };
    if let (Some(entry), true, true) = (entry, is_stream, segments.is_one()) {
        let may_tell = payload::may_tell(ctx, entry, way, len);
        // SAFETY: a valid pointer into a map value.
        pending::add(unsafe { &raw mut (*entry).wire }, way, 1, u64::from(len));
        return may_tell;
    }
    let Some(header) = Header::read(ctx, way) else {
        if let Some(entry) = entry {
            // SAFETY: a valid pointer into a map value; a byte that only ever becomes 1.
            unsafe { core::ptr::write_volatile(&raw mut (*entry).wire_unknown, 1) };
        }
        return false;
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
    match entry {
        // SAFETY: a valid pointer into a map value.
        Some(entry) => pending::add(unsafe { &raw mut (*entry).wire }, way, packets, bytes),
        // Packets of a socket that gets no entry would wait for ever.
        None if is_counted && !pool::is_noted(sk) => {
            pending::keep(&header.remote, header.local.port, header.proto, way, packets, bytes)
        }
        None => {}
    }
    payload::is_among(is_stream, &header, len)
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
