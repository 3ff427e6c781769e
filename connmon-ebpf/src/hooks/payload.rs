//! Copies of what tells the name of the other end: DNS messages, and the first bytes of a connection if they look like TLS,
//! QUIC, HTTP or SSH. Everything else is only looked at, never copied.

use aya_ebpf::helpers::bpf_get_current_task;
use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use aya_ebpf::programs::SkBuffContext;
use connmon_ebpf::{PAYLOAD_LARGE, PAYLOAD_SMALL, PayloadHead, SockEntry, class, kind, proto, stat};

use super::wire::Header;
use crate::account::{Way, now};
use crate::maps::{EVENTS, count, setting};
use crate::ring::{is_half_full, wakeup};
use crate::sock;
use crate::task::{start_of, tgid_of};

/// Value of [`SockEntry::looked`] when nothing more is of interest in that direction.
const DONE: u8 = 255;
/// Packets that a ClientHello is taken from at most, and packets of a flow that can be QUIC Initials.
const MAX_HELLO: u8 = 4;
/// Packets of a DNS connection over TCP that are copied, each way.
const MAX_STREAM: u8 = 64;
/// The port of DNS (RFC 1035, section 4.2).
const DNS_PORT: u16 = 53;
/// Bytes of the headers of a TCP segment with usual options: what is not longer carries nothing of interest.
const HEADERS: u32 = 60;
/// A client's first QUIC datagram has at least so many bytes (RFC 9000, section 14.1).
const INITIAL_LEN: u32 = 1200;

/// A record in the making. `bpf_ringbuf_reserve()` wants its size to be constant.
#[repr(C)]
struct Record<const N: usize> {
    head: PayloadHead,
    data: [u8; N],
}

/// Whether names are wanted at all.
#[inline(always)]
pub fn is_wanted() -> bool {
    setting(|s| unsafe { &raw const (*s).names }) != 0
}

/// Whether a packet of a TCP connection may be of interest.
#[inline(always)]
pub fn may_tell(entry: *mut SockEntry, way: Way, len: u32) -> bool {
    // SAFETY: a valid pointer into a map value.
    len > HEADERS && is_wanted() && unsafe { core::ptr::read_volatile(looked(entry, way)) } != DONE
}

#[inline(always)]
fn looked(entry: *mut SockEntry, way: Way) -> *mut u8 {
    // SAFETY: a valid pointer into a map value.
    unsafe {
        match way {
            Way::Tx => &raw mut (*entry).looked[0],
            Way::Rx => &raw mut (*entry).looked[1],
        }
    }
}

/// Looks at a packet of a TCP connection.
#[inline(always)]
pub fn segment(ctx: &SkBuffContext, sk: u64, entry: *mut SockEntry, header: &Header, way: Way, len: u32) {
    if len <= header.len {
        return;
    }
    let state = looked(entry, way);
    // SAFETY: a valid pointer into a map value; a race costs at most a copy more.
    let seen = unsafe { core::ptr::read_volatile(state) };
    let payload = len - header.len;
    let (class, next) = if header.remote.port == DNS_PORT {
        (class::DNS, if seen + 1 >= MAX_STREAM { DONE } else { seen + 1 })
    } else if seen > 0 {
        (class::TLS, if seen + 1 >= MAX_HELLO { DONE } else { seen + 1 })
    } else {
        classify(ctx, header.len, payload)
    };
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(state, next) };
    if class != 0 {
        let (tgid, start_ns) = owner(entry, class, way);
        copy(ctx, sk, header, way, payload, class, tgid, start_ns);
    }
}

/// What the first bytes look like, and the state after them.
#[inline(always)]
fn classify(ctx: &SkBuffContext, at: u32, payload: u32) -> (u8, u8) {
    // The shortest that is of interest: `SSH-2.0-`.
    let head: [u8; 8] = match ctx.load(at as usize) {
        Ok(head) if payload >= 8 => head,
        _ => return (0, DONE),
    };
    // A handshake record of TLS whose first message is a ClientHello (RFC 8446, sections 4 and 5.1).
    if head[0] == 22 && head[1] == 3 && head[5] == 1 {
        let record = 5 + (u32::from(head[3]) << 8 | u32::from(head[4]));
        return (class::TLS, if payload < record { 1 } else { DONE });
    }
    match &[head[0], head[1], head[2], head[3]] {
        b"GET " | b"POST" | b"HEAD" | b"PUT " | b"DELE" | b"OPTI" | b"PATC" | b"CONN" | b"TRAC" | b"PRI " => {
            (class::HTTP, DONE)
        }
        b"SSH-" => (class::SSH, DONE),
        _ => (0, DONE),
    }
}

/// Who asks a question of DNS over TCP: the sender, if the connection is its own. What the kernel sends later on, it sends in
/// anybody's context.
#[inline(always)]
fn owner(entry: *mut SockEntry, class: u8, way: Way) -> (u32, u64) {
    if class != class::DNS || way != Way::Tx {
        return (0, 0);
    }
    let (tgid, start_ns) = sender();
    // SAFETY: a valid pointer into a map value.
    let is_own = unsafe { (*entry).shares[0].tgid == tgid && (*entry).shares[0].start_ns == start_ns };
    if is_own { (tgid, start_ns) } else { (0, 0) }
}

/// The current process. bpf_get_current_pid_tgid() is not there for these programs before Linux 6.10.
#[inline(always)]
fn sender() -> (u32, u64) {
    // SAFETY: the helper only returns a number.
    let task = unsafe { bpf_get_current_task() };
    (tgid_of(task), start_of(task))
}

/// Looks at a datagram, whose entry may not be there yet.
#[inline(always)]
pub fn datagram(
    ctx: &SkBuffContext,
    sk: u64,
    entry: Option<*mut SockEntry>,
    header: &Header,
    way: Way,
    len: u32,
) {
    if header.proto != proto::UDP || len <= header.len || !is_wanted() {
        return;
    }
    let payload = len - header.len;
    if header.remote.port == DNS_PORT {
        // A datagram leaves in the context of the call that sends it.
        let (tgid, start_ns) = if way == Way::Tx { sender() } else { (0, 0) };
        copy(ctx, sk, header, way, payload, class::DNS, tgid, start_ns);
        return;
    }
    if payload < INITIAL_LEN {
        return;
    }
    if let Some(entry) = entry {
        let state = looked(entry, way);
        // SAFETY: a valid pointer into a map value; a race costs at most a copy more.
        unsafe {
            let seen = core::ptr::read_volatile(state);
            if seen == DONE {
                return;
            }
            core::ptr::write_volatile(state, if seen + 1 >= MAX_HELLO { DONE } else { seen + 1 });
        }
    }
    if is_initial(ctx, header.len) {
        copy(ctx, sk, header, way, payload, class::QUIC, 0, 0);
    }
}

/// Whether a datagram begins with a QUIC Initial packet (RFC 9000, section 17.2.2; RFC 9369, section 3.2).
#[inline(always)]
fn is_initial(ctx: &SkBuffContext, at: u32) -> bool {
    let Ok([first, a, b, c, d]) = ctx.load::<[u8; 5]>(at as usize) else { return false };
    match u32::from_be_bytes([a, b, c, d]) {
        1 => first & 0xf0 == 0xc0,
        0x6b33_43cf => first & 0xf0 == 0xd0,
        _ => false,
    }
}

/// Sends a copy of the payload on its way, unless the ring is needed for more important things.
#[inline(always)]
fn copy(
    ctx: &SkBuffContext,
    sk: u64,
    header: &Header,
    way: Way,
    payload: u32,
    class: u8,
    tgid: u32,
    start_ns: u64,
) {
    if is_half_full() {
        count(stat::PAYLOADS_LOST, 1);
        return;
    }
    let mut head = PayloadHead {
        kind: kind::PAYLOAD,
        len: 0,
        total: payload,
        seq: 0,
        time_ns: now(),
        start_ns,
        tgid,
        netns: sock::netns(sk),
        remote: header.remote,
        proto: header.proto,
        local_port: header.local_port,
        class,
        outbound: (way == Way::Tx) as u8,
        pad: [0; 6],
    };
    if header.proto == proto::TCP {
        head.seq = ctx.load::<u32>(header.transport as usize + 4).map_or(0, u32::from_be);
    }
    if payload <= PAYLOAD_SMALL as u32 {
        put::<PAYLOAD_SMALL>(ctx, &mut head, header.len);
    } else {
        put::<PAYLOAD_LARGE>(ctx, &mut head, header.len);
    }
}

#[inline(always)]
fn put<const N: usize>(ctx: &SkBuffContext, head: &mut PayloadHead, at: u32) {
    let Some(mut reserved) = EVENTS.reserve::<Record<N>>(0) else {
        count(stat::PAYLOADS_LOST, 1);
        return;
    };
    let wanted = if head.total > N as u32 { N as u32 } else { head.total };
    // In this form the verifier sees that it is 1 to N, which is a power of two.
    let len = ((wanted - 1) & (N as u32 - 1)) + 1;
    head.len = len;
    let record = reserved.as_mut_ptr();
    // SAFETY: the record is valid for writing; user space reads only the bytes of `data` that were written.
    let result = unsafe {
        (*record).head = *head;
        bpf_skb_load_bytes(ctx.skb.skb.cast(), at, (&raw mut (*record).data).cast(), len)
    };
    if result == 0 {
        reserved.submit(wakeup());
    } else {
        count(stat::PAYLOADS_LOST, 1);
        reserved.discard(0);
    }
}
