//! Copies payload that can name the other end: DNS messages, and the first bytes of a connection if they look like TLS, QUIC, HTTP or SSH,
//! or like what comes before those. Everything else is only examined, never copied, and later packets of a connection are not even
//! examined.

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::bpf_get_current_task;
use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use aya_ebpf::programs::SkBuffContext;
use connmon_ebpf::{
    DNS_PORT, DNS_PORTS, PAYLOAD_SIZES, PayloadHead, SockEntry, class, flag, kind, proto, stat,
};

use super::header::Header;
use super::in_place::byte;
use super::opening::{self, Opening};
use super::owner::{Owner, of_datagram};
use crate::ledger::direction::{Direction, now};
use crate::maps::{EVENTS, below, count, setting};
use crate::ring::{is_half_full, wakeup};
use crate::sock::{self, AF_INET};
use crate::task::{start_of, tgid_of};

// Values of `SockEntry::looked`. Below `TEXT`: the number of packets that were examined without anything being recognised.
/// From here on: the excess over this is the number of packets copied since.
const TEXT: u8 = 16;
/// The same for HTTP requests, each of which may be for another host.
const REQUESTS: u8 = 160;
/// Everything up to a sequence number is copied, see [`until`].
const TAKING: u8 = 254;
/// Nothing more is of interest in that direction.
const DONE: u8 = 255;

/// Most packets of an unknown protocol that are examined: TLS may begin behind them.
const MAX_UNKNOWN: u8 = 8;
/// Bytes of a stream that are copied while its protocol is not known.
const MAX_TEXT: u32 = 16 * 1024;
/// Most bytes of DNS over TCP that are copied, each way.
const MAX_DNS: u32 = 64 << 20;
/// Most QUIC Initial packets of a flow that are copied, each way.
const MAX_INITIALS: u8 = 250;
/// A client's first QUIC datagram has at least so many bytes (RFC 9000, section 14.1).
const INITIAL_LEN: u32 = 1200;
/// Most bytes of a packet that are copied.
const MAX_COPY: u32 = PAYLOAD_SIZES[3] as u32;

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
pub fn may_tell(ctx: &SkBuffContext, entry: *mut SockEntry, way: Direction, len: u32) -> bool {
    // SAFETY: a valid pointer into a map value.
    if !is_wanted() || unsafe { core::ptr::read_volatile(looked(entry, way)) } == DONE {
        return false;
    }
    // In a direction that carries little data, most packets are acknowledgements without payload. With IP options the length differs.
    // SAFETY: as above.
    let (transport, offset) = if unsafe { (*entry).remote.family } == AF_INET {
        (20, data_offset::<32>(ctx))
    } else {
        (40, data_offset::<52>(ctx))
    };
    offset.is_some_and(|offset| len != transport + u32::from(offset >> 4) * 4)
}

/// The byte of a TCP header that tells its length, which is `AT` bytes into the packet.
#[inline(always)]
fn data_offset<const AT: usize>(ctx: &SkBuffContext) -> Option<u8> {
    byte(ctx.skb.skb, AT).or_else(|| ctx.load(AT).ok())
}

#[inline(always)]
fn looked(entry: *mut SockEntry, way: Direction) -> *mut u8 {
    // SAFETY: a valid pointer into a map value.
    unsafe {
        match way {
            Direction::Tx => &raw mut (*entry).looked[0],
            Direction::Rx => &raw mut (*entry).looked[1],
        }
    }
}

/// The sequence number of a stream at which copying ends, where more than one packet is copied; see [`SockEntry::parent`].
#[inline(always)]
fn until(entry: *mut SockEntry, way: Direction) -> *mut u32 {
    // SAFETY: a valid pointer into a map value, whose field has two halves.
    unsafe { (&raw mut (*entry).parent).cast::<u32>().add((way == Direction::Rx) as usize) }
}

#[inline(always)]
fn set(until: *mut u32, seq: u32) {
    // SAFETY: a valid pointer into a map value; a race costs at most a copy more, or less.
    unsafe { core::ptr::write_volatile(until, seq) };
}

/// The payload of a TCP segment, or of a datagram.
#[derive(Clone, Copy)]
struct Payload {
    /// Where it begins.
    at: u32,
    /// Its bytes.
    len: u32,
    /// How many of them are to be copied.
    wanted: u32,
    /// A value of [`class`], 0 if nothing is to be copied.
    class: u8,
}

/// Whether a packet of `len` bytes whose headers have been read may be of interest.
#[inline(always)]
pub fn is_among(is_stream: bool, header: &Header, len: u32) -> bool {
    if len <= header.len || !is_wanted() {
        return false;
    }
    let is_large = len - header.len >= INITIAL_LEN;
    is_stream || (header.proto == proto::UDP && (is_large || DNS_PORTS.contains(&header.remote.port)))
}

/// Examines a packet, and sends a copy of what can give a name. Each half finds out again whose packet it is and what its headers are,
/// which only the few packets pay that may be of interest: the verifier checks a global function once, and not with each way that leads to
/// it.
#[inline(always)]
pub fn look_at(skb: *mut __sk_buff, way: Direction) {
    let found = find_name(skb, way as u64);
    if found != 0 {
        copy_payload(skb, way as u64, found);
    }
}

/// Where a packet's payload is, and whose it is.
struct Place {
    owner: Owner,
    /// The entry of the connection or flow, if it has one yet.
    entry: Option<*mut SockEntry>,
    header: Header,
    way: Direction,
    /// Bytes behind the headers.
    len: u32,
}

impl Place {
    #[inline(always)]
    fn of(ctx: &SkBuffContext, way: u64) -> Option<Self> {
        let way = Direction::of_number(way);
        let owner = Owner::of(ctx.skb.skb)?;
        let header = Header::read(ctx, way)?;
        // SAFETY: a field of the context; the verifier checks the access.
        let len = unsafe { (*ctx.skb.skb).len };
        if !is_among(owner.is_stream, &header, len) {
            return None;
        }
        let entry = match owner.entry {
            Some(entry) if !owner.is_stream => of_datagram(entry, &header),
            entry => entry,
        };
        let len = len - header.len;
        Some(Self { owner, entry, header, way, len })
    }
}

/// What of a packet is to be copied: the class of its payload, and above it how many bytes; 0 if nothing is.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn find_name(skb: *mut __sk_buff, way: u64) -> u64 {
    let ctx = SkBuffContext::new(skb);
    let Some(place) = Place::of(&ctx, way) else { return 0 };
    let mut payload = Payload { at: place.header.len, len: place.len, wanted: place.len, class: 0 };
    match place.entry {
        Some(entry) if place.owner.is_stream => segment(&ctx, entry, &place.header, place.way, &mut payload),
        entry => datagram(&ctx, entry, &place.header, place.way, &mut payload),
    }
    if payload.class == 0 {
        return 0;
    }
    let wanted = if payload.wanted > MAX_COPY { MAX_COPY } else { payload.wanted };
    u64::from(payload.class) | u64::from(wanted) << 8
}

/// The sequence number of a segment's first byte.
#[inline(always)]
fn sequence(ctx: &SkBuffContext, transport: u32) -> Option<u32> {
    let at = transport as usize;
    let (seq, flags) = (ctx.load::<u32>(at + 4).ok()?, ctx.load::<u8>(at + 13).ok()?);
    // A SYN takes up a sequence number; data can come with it (RFC 7413).
    Some(u32::from_be(seq).wrapping_add(u32::from(flags & 2 != 0)))
}

/// Examines a packet of a TCP connection.
#[inline(always)]
fn segment(
    ctx: &SkBuffContext,
    entry: *mut SockEntry,
    header: &Header,
    way: Direction,
    payload: &mut Payload,
) {
    let state = looked(entry, way);
    // SAFETY: a valid pointer into a map value; a race costs at most a copy more.
    let seen = unsafe { core::ptr::read_volatile(state) };
    if seen == DONE {
        return;
    }
    let Some(seq) = sequence(ctx, header.transport) else { return };
    payload.class = class::MORE;
    let until = until(entry, way);
    let mut next = TAKING;
    if header.remote.port == DNS_PORT {
        payload.class = class::DNS;
        if seen == 0 {
            payload.class = class::DNS_OPENING;
            set(until, seq.wrapping_add(MAX_DNS));
        }
    } else if seen != TAKING {
        // SAFETY: as above.
        let flags = unsafe { (*entry).flags };
        let is_server = match way {
            Direction::Tx => flags & flag::INBOUND != 0,
            Direction::Rx => flags & flag::OUTBOUND != 0,
        };
        next = look(ctx, payload, seq, seen, is_server, way, until);
    }
    if payload.class == class::MORE || payload.class == class::DNS {
        // SAFETY: a valid pointer into a map value; volatile, because others write.
        let left = unsafe { core::ptr::read_volatile(until) }.wrapping_sub(seq);
        if left == 0 || left > MAX_DNS {
            if payload.class == class::DNS {
                count(stat::PAYLOADS_LOST, 1);
            } else if seen == TAKING {
                next = DONE;
            }
            payload.class = 0;
        } else if payload.wanted > left {
            payload.wanted = left;
        }
    }
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(state, next) };
}

/// Examines a packet of a stream whose protocol is not known yet. Returns the state after it.
#[inline(always)]
fn look(
    ctx: &SkBuffContext,
    payload: &mut Payload,
    seq: u32,
    seen: u8,
    is_server: bool,
    way: Direction,
    until: *mut u32,
) -> u8 {
    let opening = opening::classify(ctx, payload.at, payload.len);
    if is_server {
        // Of what a server begins with, only the SSH banner is of interest.
        payload.class = if matches!(opening, Opening::Ssh) { class::OPENING } else { 0 };
        return DONE;
    }
    let (want, next) = match opening {
        Opening::Hello(want) => (want, if payload.len >= want { DONE } else { TAKING }),
        // What follows the body of the previous request is of interest too. What others request from this host is not.
        Opening::Request(_) if seen >= TEXT && way == Direction::Tx => {
            set(until, seq.wrapping_add(MAX_TEXT));
            return requested(seen);
        }
        Opening::Request(_) if way == Direction::Tx => (MAX_TEXT, REQUESTS),
        _ if seen >= REQUESTS => return if is_left(until, seq) { requested(seen) } else { seen },
        _ if seen >= TEXT => return step(seen, REQUESTS),
        Opening::Ssh | Opening::Request(true) if seen == 0 => (MAX_TEXT, DONE),
        Opening::Ssh | Opening::Request(_) | Opening::Prelude => (MAX_TEXT, TEXT),
        Opening::Unknown => {
            payload.class = 0;
            return step(seen, MAX_UNKNOWN);
        }
    };
    payload.class = class::OPENING;
    if payload.wanted > want {
        payload.wanted = want;
    }
    if next != DONE {
        set(until, seq.wrapping_add(want));
    }
    next
}

/// The state after one more packet of a series, whose states end before `end`.
#[inline(always)]
fn step(seen: u8, end: u8) -> u8 {
    if seen + 1 < end { seen + 1 } else { DONE }
}

/// The state after another packet with requests was copied.
#[inline(always)]
fn requested(seen: u8) -> u8 {
    if seen < REQUESTS {
        return REQUESTS;
    }
    let next = step(seen, TAKING);
    if next == DONE {
        count(stat::PAYLOADS_LOST, 1);
    }
    next
}

/// Whether the bytes from `seq` on are to be copied.
#[inline(always)]
fn is_left(until: *const u32, seq: u32) -> bool {
    // SAFETY: a valid pointer into a map value; volatile, because others write.
    let left = unsafe { core::ptr::read_volatile(until) }.wrapping_sub(seq);
    left != 0 && left <= MAX_TEXT
}

/// The process that asks a DNS question; zeros if it is not known. A datagram leaves in the context of the call that sends it. On a
/// stream, the current process is the one that asks only if it owns the connection, because the kernel sends delayed data in the context
/// of any process.
#[inline(always)]
fn asker(entry: Option<*mut SockEntry>, is_stream: bool, class: u8, way: Direction) -> (u32, u64) {
    if class != class::DNS && class != class::DNS_OPENING || way != Direction::Tx {
        return (0, 0);
    }
    let (tgid, start_ns) = sender();
    let is_own = match entry {
        // SAFETY: a valid pointer into a map value.
        Some(entry) if is_stream => unsafe {
            (*entry).shares[0].tgid == tgid && (*entry).shares[0].start_ns == start_ns
        },
        _ => true,
    };
    if is_own { (tgid, start_ns) } else { (0, 0) }
}

/// The current process. bpf_get_current_pid_tgid() is not available to these programs before Linux 6.10.
#[inline(always)]
fn sender() -> (u32, u64) {
    // SAFETY: the helper only returns a number.
    let task = unsafe { bpf_get_current_task() };
    (tgid_of(task), start_of(task))
}

/// Examines a datagram, whose entry may not exist yet.
#[inline(always)]
fn datagram(
    ctx: &SkBuffContext,
    entry: Option<*mut SockEntry>,
    header: &Header,
    way: Direction,
    payload: &mut Payload,
) {
    if header.proto != proto::UDP {
        return;
    }
    if DNS_PORTS.contains(&header.remote.port) {
        payload.class = class::DNS;
        return;
    }
    // A socket can begin another QUIC connection at any time.
    if payload.len < INITIAL_LEN || !is_initial(ctx, header.len) {
        return;
    }
    if let Some(entry) = entry {
        let state = looked(entry, way);
        // SAFETY: a valid pointer into a map value; a race costs at most a copy more.
        unsafe {
            let seen = core::ptr::read_volatile(state);
            if seen >= MAX_INITIALS {
                count(stat::PAYLOADS_LOST, 1);
                return;
            }
            core::ptr::write_volatile(state, seen + 1);
        }
    }
    payload.class = class::QUIC;
}

/// Whether a datagram begins with a QUIC Initial packet (RFC 9000, section 17.2.2, and its drafts from 29 on; RFC 9369, section 3.2). The
/// second bit may be anything (RFC 9287).
#[inline(always)]
fn is_initial(ctx: &SkBuffContext, at: u32) -> bool {
    let Ok([first, a, b, c, d]) = ctx.load::<[u8; 5]>(at as usize) else { return false };
    match u32::from_be_bytes([a, b, c, d]) {
        1 | 0xff00_001d..=0xff00_0020 => first & 0xb0 == 0x80,
        0x6b33_43cf => first & 0xb0 == 0x90,
        _ => false,
    }
}

/// Sends a copy of what [`find_name`] has found on its way, unless the ring is needed for more important things.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn copy_payload(skb: *mut __sk_buff, way: u64, found: u64) -> u64 {
    let ctx = SkBuffContext::new(skb);
    let place = if is_half_full() { None } else { Place::of(&ctx, way) };
    // Without a place, the connection has left since something was found.
    let Some(place) = place else {
        count(stat::PAYLOADS_LOST, 1);
        return 0;
    };
    let Place { owner: Owner { sk, is_stream, .. }, entry, header, way, len: total } = place;
    let (class, len) = (found as u8, (found >> 8) as u32);
    let seq = if is_stream { sequence(&ctx, header.transport).unwrap_or(0) } else { 0 };
    let (tgid, start_ns) = asker(entry, is_stream, class, way);
    // SAFETY: a field of the context; the verifier checks the access.
    let segment = unsafe { (*skb).gso_size } as u16;
    // SAFETY: a valid pointer into a map value; an id never changes.
    let connection = entry.map_or(0, |entry| unsafe { (*entry).id });
    let (time_ns, netns) = (now(), sock::netns(sk));
    // Put together in the record, because BPF programs have little stack.
    let head = || PayloadHead {
        kind: kind::PAYLOAD,
        len,
        total,
        seq,
        time_ns,
        start_ns,
        connection,
        tgid,
        netns,
        remote: header.remote,
        local: header.local,
        proto: header.proto,
        segment,
        class,
        outbound: (way == Direction::Tx) as u8,
        pad: [0; 2],
    };
    const SIZES: [usize; 4] = PAYLOAD_SIZES;
    match len {
        ..=512 => put::<{ SIZES[0] }>(&ctx, head, len, header.len),
        ..=4096 => put::<{ SIZES[1] }>(&ctx, head, len, header.len),
        ..=16_384 => put::<{ SIZES[2] }>(&ctx, head, len, header.len),
        _ => put::<{ SIZES[3] }>(&ctx, head, len, header.len),
    }
    0
}

#[inline(always)]
fn put<const N: usize>(ctx: &SkBuffContext, head: impl FnOnce() -> PayloadHead, len: u32, at: u32) {
    let Some(mut reserved) = EVENTS.reserve::<Record<N>>(0) else {
        count(stat::PAYLOADS_LOST, 1);
        return;
    };
    // In this form the verifier sees that `len` is 1 to N, which is a power of two.
    let len = below::<N>(len as usize - 1) as u32 + 1;
    let record = reserved.as_mut_ptr();
    // SAFETY: the record is valid for writing; user space reads only the bytes of `data` that were written.
    let result = unsafe {
        (*record).head = head();
        bpf_skb_load_bytes(ctx.skb.skb.cast(), at, (&raw mut (*record).data).cast(), len)
    };
    if result == 0 {
        reserved.submit(wakeup());
    } else {
        count(stat::PAYLOADS_LOST, 1);
        reserved.discard(0);
    }
}
