//! Reads the headers of a packet as its socket sees them.

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::programs::SkBuffContext;
use connmon_ebpf::{Addr, proto};

use super::in_place::{byte, in_place};
use crate::ledger::direction::Direction;
use crate::nat;
use crate::sock::{self, number};

/// Two ports, in network byte order.
#[repr(C)]
struct Ports {
    source: u16,
    destination: u16,
}

/// An IPv4 header without options, and ports behind it.
#[repr(C)]
struct PlainV4 {
    first: u8,
    pad0: [u8; 8],
    proto: u8,
    pad1: u16,
    source: u32,
    destination: u32,
    ports: Ports,
}

/// An IPv6 header, and ports behind it.
#[repr(C)]
struct PlainV6 {
    first: u8,
    pad0: [u8; 5],
    proto: u8,
    pad1: u8,
    source: [u32; 4],
    destination: [u32; 4],
    ports: Ports,
}

// IPv6 headers that are followed by another header (RFC 8200, section 4; RFC 4302, section 2).
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
/// Most of these headers that are skipped: the six of RFC 8200, of which one may occur twice, and one more.
const MAX_EXTENSIONS: u32 = 8;

/// What is behind IPv6's own header.
struct UpperLayer {
    /// IPPROTO_* of the transport; [`FRAGMENT`] for a fragment that does not contain the transport header.
    proto: u8,
    /// Offset at which that header begins.
    at: u32,
    /// Bytes of the hop-by-hop header that the kernel puts in front of packets of more than 64 KiB (`hop_jumbo_hdr`,
    /// include/net/ipv6.h).
    jumbo: u32,
}

impl UpperLayer {
    /// Skips the extension headers; `None` if there are too many, or if the packet ends among them.
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

/// The walk of [`UpperLayer::of`], with its result packed: a byte each for protocol and jumbogram, then the offset; 0 for `None`. A global
/// function, which the verifier checks once and not once for each number of headers.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn pass_extensions(skb: *mut __sk_buff, first: u32) -> u64 {
    let ctx = SkBuffContext::new(skb);
    let (mut proto, mut at, mut jumbo) = (first as u8, 40, 0);
    for _ in 0..MAX_EXTENSIONS {
        let Ok([next, len, a, b]) = ctx.load::<[u8; 4]>(at as usize) else { return 0 };
        let len = u32::from(len);
        let bytes = match proto {
            // Not the first fragment of its packet.
            FRAGMENT if u16::from_be_bytes([a, b]) & 0xfff8 != 0 => return packed(proto, jumbo, at),
            FRAGMENT => 8,
            AUTHENTICATION => (len + 2) * 4,
            _ => (len + 1) * 8,
        };
        // A hop-by-hop header with one option, the four bytes of the jumbo payload length (RFC 2675).
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
    /// Bytes of the IP header and its extension headers.
    pub transport: u32,
    /// Bytes of all headers, from the IP header on.
    pub len: u32,
    /// Bytes of these headers that the segments of a large packet do not have.
    pub jumbo: u32,
}

impl Header {
    /// Reads the headers.
    #[inline(always)]
    pub fn read(ctx: &SkBuffContext, way: Direction) -> Option<Self> {
        let mut header = Self::on_wire(ctx, way)?;
        // The addresses of incoming packets have already been translated back.
        if way == Direction::Tx && nat::is_known() && matches!(header.proto, proto::TCP | proto::UDP) {
            nat::undo(number(ctx.skb.skb as u64), &mut header.local, &mut header.remote);
        }
        Some(header)
    }

    #[inline(always)]
    fn on_wire(ctx: &SkBuffContext, way: Direction) -> Option<Self> {
        if let Some(header) = Self::plain(ctx.skb.skb, way) {
            return Some(header);
        }
        let first: u8 = ctx.load(0).ok()?;
        let (from, to, behind) = if first >> 4 == 4 {
            let proto: u8 = ctx.load(9).ok()?;
            let [from, to]: [u32; 2] = ctx.load(12).ok()?;
            let addr = |ip: u32| Addr { ip: [ip, 0, 0, 0], port: 0, family: sock::AF_INET };
            (addr(from), addr(to), UpperLayer { proto, at: u32::from(first & 15) * 4, jumbo: 0 })
        } else {
            let proto: u8 = ctx.load(6).ok()?;
            let [from, to]: [[u32; 4]; 2] = ctx.load(8).ok()?;
            let addr = |ip: [u32; 4]| Addr { ip, port: 0, family: sock::AF_INET6 };
            (addr(from), addr(to), UpperLayer::of(ctx.skb.skb, proto)?)
        };
        let UpperLayer { proto, at, jumbo } = behind;
        let (mut local, mut remote) = if way == Direction::Tx { (from, to) } else { (to, from) };
        let proto = u16::from(proto);
        let mut len = at;
        if matches!(proto, proto::TCP | proto::UDP) {
            let [source, destination]: [u16; 2] = ctx.load(at as usize).ok()?;
            let (own, other) =
                if way == Direction::Tx { (source, destination) } else { (destination, source) };
            local.port = u16::from_be(own);
            remote.port = u16::from_be(other);
            len += match proto {
                proto::TCP => u32::from(ctx.load::<u8>(at as usize + 12).ok()? >> 4) * 4,
                _ => 8,
            };
        }
        Some(Self { remote, local, proto, transport: at, len, jumbo })
    }

    /// The usual case, TCP or UDP right behind the IP header: read in place, without a helper's call.
    #[inline(always)]
    fn plain(skb: *mut __sk_buff, way: Direction) -> Option<Self> {
        let addr = |ip: [u32; 4], port: u16, family| Addr { ip, port: u16::from_be(port), family };
        // SAFETY: within the packet, see `in_place`.
        let v4 = unsafe { &*in_place::<PlainV4>(skb, 0)? };
        let proto = u16::from(v4.proto);
        if v4.first == 0x45 && matches!(proto, proto::TCP | proto::UDP) {
            let v4_addr = |ip, port| addr([ip, 0, 0, 0], port, sock::AF_INET);
            let from = v4_addr(v4.source, v4.ports.source);
            let to = v4_addr(v4.destination, v4.ports.destination);
            return Self::of_ends(skb, way, from, to, proto, 20);
        }
        if v4.first >> 4 != 6 {
            return None;
        }
        // SAFETY: as above.
        let v6 = unsafe { &*in_place::<PlainV6>(skb, 0)? };
        let proto = u16::from(v6.proto);
        if !matches!(proto, proto::TCP | proto::UDP) {
            return None;
        }
        let from = addr(v6.source, v6.ports.source, sock::AF_INET6);
        let to = addr(v6.destination, v6.ports.destination, sock::AF_INET6);
        Self::of_ends(skb, way, from, to, proto, 40)
    }

    /// A packet `from` one end `to` the other, whose transport header begins at `transport`.
    #[inline(always)]
    fn of_ends(
        skb: *mut __sk_buff,
        way: Direction,
        from: Addr,
        to: Addr,
        proto: u16,
        transport: u32,
    ) -> Option<Self> {
        let (local, remote) = if way == Direction::Tx { (from, to) } else { (to, from) };
        let own = match proto {
            proto::TCP => u32::from(byte(skb, transport as usize + 12)? >> 4) * 4,
            _ => 8,
        };
        Some(Self { remote, local, proto, transport, len: transport + own, jumbo: 0 })
    }
}
