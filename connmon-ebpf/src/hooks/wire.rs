//! The wire plane: packets and their bytes from the IP header on, both ways, by cgroup programs. They never drop anything: 1
//! lets pass.
//!
//! A packet can come before its connection has an entry: the first datagram of a flow, the handshake that a listening
//! socket takes in. It waits in `PENDING` for the entry.

use aya_ebpf::bindings::{__sk_buff, BPF_NOEXIST, bpf_sock};
use aya_ebpf::helpers::bpf_get_current_task;
use aya_ebpf::macros::{cgroup_skb, map};
use aya_ebpf::maps::LruHashMap;
use aya_ebpf::programs::SkBuffContext;
use connmon_ebpf::{Addr, FlowKey, SockEntry, Wire, proto};

use super::payload;
use crate::account::{Way, is_current};
use crate::maps::{CALLS, Call, FLOWS, SOCKS, add_to, epoch, is_off, offset, setting};
use crate::sock::{self, get, number};

/// What a packet is known by before its connection is.
#[repr(C)]
#[derive(Clone, Copy)]
struct PendingKey {
    remote: Addr,
    local_port: u16,
    proto: u16,
}

/// Packets that are waiting for an entry. What nobody ever asks for makes room by itself.
#[map]
static PENDING: LruHashMap<PendingKey, Wire> = LruHashMap::with_max_entries(16_384, 0);

/// Takes what waited for a connection.
#[inline(never)]
pub fn take_pending(entry: *mut SockEntry) -> u64 {
    if !is_counting() {
        return 0;
    }
    // SAFETY: a valid pointer into a map value.
    let key = unsafe {
        PendingKey { remote: (*entry).remote, local_port: (*entry).local.port, proto: (*entry).proto }
    };
    if let Some(pending) = PENDING.get_ptr(key) {
        // SAFETY: valid pointers into map values; packets may be counted at the same time.
        unsafe {
            add(&raw mut (*entry).wire, Way::Tx, (*pending).tx_packets, (*pending).tx_bytes);
            add(&raw mut (*entry).wire, Way::Rx, (*pending).rx_packets, (*pending).rx_bytes);
        }
        let _ = PENDING.remove(key);
    }
    0
}

/// A packet leaves a socket.
#[cgroup_skb(egress)]
pub fn wire_egress(ctx: SkBuffContext) -> i32 {
    packet(&ctx, Way::Tx);
    1
}

/// A packet reaches a socket.
#[cgroup_skb(ingress)]
pub fn wire_ingress(ctx: SkBuffContext) -> i32 {
    packet(&ctx, Way::Rx);
    1
}

#[inline(always)]
fn packet(ctx: &SkBuffContext, way: Way) {
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
            return add(unsafe { &raw mut (*entry).wire }, way, 1, u64::from(len));
        }
    }
    let Some(header) = Header::read(ctx, way) else {
        if let Some(entry) = entry {
            // SAFETY: a valid pointer into a map value; a byte that only ever becomes 1.
            unsafe { core::ptr::write_volatile(&raw mut (*entry).wire_unknown, 1) };
        }
        return;
    };
    if let (Some(entry), true) = (entry, is_stream) {
        payload::segment(ctx, sk, entry, &header, way, len);
    }
    let (packets, bytes) = segments.on_wire(len, &header);
    let is_counted = matches!(header.proto, proto::TCP | proto::UDP);
    if !is_counted && way == Way::Tx && setting(|s| unsafe { &raw const (*s).notes_egress }) != 0 {
        name(sk, header.remote);
    }
    let Some(entry) = entry else {
        payload::datagram(ctx, sk, None, &header, way, len);
        if is_counted {
            pend(&header, way, packets, bytes);
        }
        return;
    };
    // SAFETY: a valid pointer into a map value; neither field changes for sockets of datagrams.
    let (same, parent) = unsafe { ((*entry).remote == header.remote, (*entry).id) };
    if is_stream || (same && is_current(entry)) {
        payload::datagram(ctx, sk, Some(entry), &header, way, len);
        // SAFETY: a valid pointer into a map value.
        return add(unsafe { &raw mut (*entry).wire }, way, packets, bytes);
    }
    let mut key = FlowKey { parent, remote: header.remote, epoch: epoch() };
    let mut flow = FLOWS.get_ptr_mut(&key);
    if flow.is_none() {
        // Of a socket with more remotes than are told apart.
        key.remote = Addr { ip: [0; 4], port: 0, family: 0 };
        flow = FLOWS.get_ptr_mut(&key);
    }
    payload::datagram(ctx, sk, flow, &header, way, len);
    match flow {
        // SAFETY: a valid pointer into a map value.
        Some(flow) => add(unsafe { &raw mut (*flow).wire }, way, packets, bytes),
        None if is_counted => pend(&header, way, packets, bytes),
        None => {}
    }
}

/// What a packet's socket says of its ends, at the cost of a load each: the verifier knows what these are.
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
            // Those of datagrams are told by the packet's own ends.
            (*entry).proto != proto::TCP
                || ((*remote).port == self.remote_port
                    && ((*remote).family != sock::AF_INET || (*remote).ip[0] == self.remote))
        }
    }
}

/// Raw and ping sockets name their remote nowhere else in the tracepoint backend; they send in the context of the call.
#[inline(always)]
fn name(sk: u64, remote: Addr) {
    if !matches!(sock::class(sk), 0 | proto::TCP | proto::UDP) {
        // bpf_get_current_pid_tgid() is not there for these programs before Linux 6.10.
        // SAFETY: the helper only returns a number.
        let task = unsafe { bpf_get_current_task() };
        let thread = u64::from(get::<u32>(task, offset!(task_pid)));
        // The first packet of a call is its own; the kernel's answers may follow in the same context.
        match CALLS.get_ptr_mut(thread) {
            // SAFETY: a valid pointer into a map value that only this thread uses.
            Some(note) => unsafe {
                if (*note).remote.family == 0 {
                    (*note).sk = sk;
                    (*note).arg = 0;
                    (*note).remote = remote;
                }
            },
            None => {
                let _ = CALLS.insert(thread, Call { sk, arg: 0, remote, extra: 0 }, 0);
            }
        }
    }
}

#[inline(always)]
fn pend(header: &Header, way: Way, packets: u64, bytes: u64) {
    if !is_counting() {
        return;
    }
    let key = PendingKey { remote: header.remote, local_port: header.local.port, proto: header.proto };
    if PENDING.get_ptr(key).is_none() {
        let empty = Wire { tx_bytes: 0, rx_bytes: 0, tx_packets: 0, rx_packets: 0 };
        let _ = PENDING.insert(key, empty, u64::from(BPF_NOEXIST));
    }
    if let Some(pending) = PENDING.get_ptr_mut(key) {
        add(pending, way, packets, bytes);
    }
}

/// Whether packets are counted; else they are only looked at for names.
#[inline(always)]
fn is_counting() -> bool {
    setting(|s| unsafe { &raw const (*s).wire }) != 0
}

#[inline(always)]
fn add(wire: *mut Wire, way: Way, packets: u64, bytes: u64) {
    if !is_counting() {
        return;
    }
    // SAFETY: a valid pointer into a map value; the adds are atomic.
    unsafe {
        match way {
            Way::Tx => {
                add_to(&raw mut (*wire).tx_packets, packets);
                add_to(&raw mut (*wire).tx_bytes, bytes);
            }
            Way::Rx => {
                add_to(&raw mut (*wire).rx_packets, packets);
                add_to(&raw mut (*wire).rx_bytes, bytes);
            }
        }
    }
}

/// An IPv4 header without options, and ports behind it; ports in network byte order.
#[repr(C)]
struct Usual {
    first: u8,
    pad0: [u8; 8],
    proto: u8,
    pad1: u16,
    source: u32,
    destination: u32,
    source_port: u16,
    destination_port: u16,
}

/// How a large packet is cut into segments behind these hooks, or how it was put together before them: "GSO" and "GRO" of
/// Documentation/networking/segmentation-offloads.rst.
struct Segments {
    /// How many; 0 where what handed the packet in did not count them, as virtual network cards do.
    count: u32,
    /// Payload of each but the last; 0 for a packet that is one.
    size: u32,
}

impl Segments {
    #[inline(always)]
    fn is_one(&self) -> bool {
        self.count <= 1 && self.size == 0
    }

    /// Packets and bytes of a packet of `len` bytes on the wire, where each segment has headers of its own.
    #[inline(always)]
    fn on_wire(&self, len: u32, header: &Header) -> (u64, u64) {
        if self.is_one() {
            return (1, u64::from(len));
        }
        let count = match self.size {
            size if self.count <= 1 && size != 0 => len.saturating_sub(header.len).div_ceil(size).max(1),
            _ => self.count,
        };
        // The header of a jumbogram is in front of a large packet only.
        let (len, each) = match count {
            ..=1 => (len, header.len),
            _ => (len.wrapping_sub(header.jumbo), header.len.wrapping_sub(header.jumbo)),
        };
        (u64::from(count), u64::from(len) + u64::from(count - 1) * u64::from(each))
    }
}

// Headers of IPv6 behind which comes another one (RFC 8200, section 4; RFC 4302, section 2).
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
/// So many of them are passed: the six that RFC 8200 has, of which one may come twice, and one more.
const MAX_EXTENSIONS: u32 = 8;

/// What is behind IPv6's own header.
struct Behind {
    /// IPPROTO_* of the transport; [`FRAGMENT`] in a fragment without its header.
    proto: u8,
    /// Where that begins.
    at: u32,
    /// Bytes of the hop-by-hop header that the kernel puts in front of packets of more than 64 KiB (`hop_jumbo_hdr`,
    /// include/net/ipv6.h).
    jumbo: u32,
}

impl Behind {
    /// Passes the extension headers; nothing if there are too many, or if the packet ends among them.
    #[inline(always)]
    fn of(skb: *mut __sk_buff, first: u8) -> Option<Self> {
        let mut behind = Self { proto: first, at: 40, jumbo: 0 };
        if is_extension(first) {
            let packed = pass_extensions(skb, u32::from(first));
            if packed == 0 {
                return None;
            }
            behind.proto = packed as u8;
            behind.jumbo = (packed >> 8) as u32 & 8;
            behind.at = (packed >> 16) as u32;
        }
        Some(behind)
    }
}

#[inline(always)]
fn is_extension(proto: u8) -> bool {
    matches!(proto, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION)
}

/// The walk of [`Behind::of`], packed: a byte each for protocol and jumbogram, then where it ended; 0 for nothing. A global function,
/// which the verifier follows once, and not once for each number of headers.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn pass_extensions(skb: *mut __sk_buff, first: u32) -> u64 {
    let ctx = SkBuffContext::new(skb);
    let (mut proto, mut at, mut jumbo) = (first as u8, 40, 0);
    for _ in 0..MAX_EXTENSIONS {
        let Ok([next, len, a, b]) = ctx.load::<[u8; 4]>(at as usize) else { return 0 };
        let len = u32::from(len);
        let bytes = match proto {
            // Not the first of its packet.
            FRAGMENT if u16::from_be_bytes([a, b]) & 0xfff8 != 0 => return packed(proto, jumbo, at),
            FRAGMENT => 8,
            AUTHENTICATION => (len + 2) * 4,
            _ => (len + 1) * 8,
        };
        // One option of four bytes, the length (RFC 2675).
        if (proto, len, a, b) == (HOP_BY_HOP, 0, 0xc2, 4) {
            jumbo = 8;
        }
        (proto, at) = (next, at + bytes);
        if !is_extension(proto) {
            return packed(proto, jumbo, at);
        }
    }
    0
}

#[inline(always)]
fn packed(proto: u8, jumbo: u64, at: u32) -> u64 {
    u64::from(proto) | jumbo << 8 | u64::from(at) << 16
}

/// What a packet's headers tell.
pub struct Header {
    /// The other end.
    pub remote: Addr,
    /// This host's end.
    pub local: Addr,
    /// IPPROTO_*.
    pub proto: u16,
    /// Bytes of the IP header.
    pub transport: u32,
    /// Bytes of all headers, from the IP header on.
    pub len: u32,
    /// Bytes of them that no segment of a large packet has.
    jumbo: u32,
}

impl Header {
    /// Reads the headers.
    #[inline(always)]
    fn read(ctx: &SkBuffContext, way: Way) -> Option<Self> {
        // The usual: IPv4 without options, and UDP. One call instead of four.
        if let Ok(head) = ctx.load::<Usual>(0) {
            if head.first == 0x45 && head.proto == proto::UDP as u8 {
                let (ip, own, local, other) = match way {
                    Way::Tx => (head.destination, head.source, head.source_port, head.destination_port),
                    Way::Rx => (head.source, head.destination, head.destination_port, head.source_port),
                };
                let addr = |ip: u32, port: u16| Addr {
                    ip: [ip, 0, 0, 0],
                    port: u16::from_be(port),
                    family: sock::AF_INET,
                };
                return Some(Self {
                    remote: addr(ip, other),
                    local: addr(own, local),
                    proto: proto::UDP,
                    transport: 20,
                    len: 28,
                    jumbo: 0,
                });
            }
        }
        let first: u8 = ctx.load(0).ok()?;
        let (from, to, behind) = if first >> 4 == 4 {
            let proto: u8 = ctx.load(9).ok()?;
            let [from, to]: [u32; 2] = ctx.load(12).ok()?;
            let addr = |ip: u32| Addr { ip: [ip, 0, 0, 0], port: 0, family: sock::AF_INET };
            (addr(from), addr(to), Behind { proto, at: u32::from(first & 15) * 4, jumbo: 0 })
        } else {
            let proto: u8 = ctx.load(6).ok()?;
            let [from, to]: [[u32; 4]; 2] = ctx.load(8).ok()?;
            let addr = |ip: [u32; 4]| Addr { ip, port: 0, family: sock::AF_INET6 };
            (addr(from), addr(to), Behind::of(ctx.skb.skb, proto)?)
        };
        let Behind { proto, at, jumbo } = behind;
        let (mut local, mut remote) = if way == Way::Tx { (from, to) } else { (to, from) };
        let proto = u16::from(proto);
        let mut len = at;
        if matches!(proto, proto::TCP | proto::UDP) {
            let [source, destination]: [u16; 2] = ctx.load(at as usize).ok()?;
            let (own, other) = if way == Way::Tx { (source, destination) } else { (destination, source) };
            local.port = u16::from_be(own);
            remote.port = u16::from_be(other);
            len += match proto {
                proto::TCP => u32::from(ctx.load::<u8>(at as usize + 12).ok()? >> 4) * 4,
                _ => 8,
            };
        }
        Some(Self { remote, local, proto, transport: at, len, jumbo })
    }
}
