//! Payload that can name the other end: first bytes of connections, and DNS messages. User space parses it and then forgets it.

use crate::Addr;

/// Sizes of the buffer for a copy, of which the smallest that suffices is taken; bytes beyond the largest are left out.
pub const PAYLOAD_SIZES: [usize; 4] = [512, 4096, 16_384, 65_536];

/// The port of DNS (RFC 1035, section 4.2).
pub const DNS_PORT: u16 = 53;
/// Ports of DNS over UDP: also those of multicast DNS (RFC 6762, section 2) and of LLMNR (RFC 4795, section 2).
pub const DNS_PORTS: [u16; 3] = [DNS_PORT, 5353, 5355];

/// What the bytes are: values of [`PayloadHead::class`].
pub mod class {
    /// A DNS message; over TCP, a part of a stream of them.
    pub const DNS: u8 = 1;
    /// The beginning of a TCP stream, or what follows a prelude such as STARTTLS: it may be TLS, HTTP, SSH or SOCKS.
    pub const OPENING: u8 = 2;
    /// A QUIC Initial packet.
    pub const QUIC: u8 = 3;
    /// What follows an opening in its stream.
    pub const MORE: u8 = 4;
    /// The first part of a TCP stream of DNS messages.
    pub const DNS_OPENING: u8 = 5;
}

/// The head of a record of kind [`kind::PAYLOAD`](crate::kind::PAYLOAD); `len` bytes of payload follow it.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PayloadHead {
    /// [`kind::PAYLOAD`](crate::kind::PAYLOAD).
    pub kind: u32,
    /// Bytes that follow.
    pub len: u32,
    /// Bytes of payload in the whole packet.
    pub total: u32,
    /// TCP: the sequence number of the first byte.
    pub seq: u32,
    /// When the packet passed.
    pub time_ns: u64,
    /// Start of the process that sent it; 0 where that is not known.
    pub start_ns: u64,
    /// Id of the connection's entry; 0 for datagrams that pass before there is one.
    pub connection: u64,
    /// Thread group id of that process, or 0.
    pub tgid: u32,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// The other end.
    pub remote: Addr,
    /// This host's end.
    pub local: Addr,
    /// IPPROTO_*.
    pub proto: u16,
    /// If the packet holds several datagrams, the bytes of each but the last; else 0.
    pub segment: u16,
    /// A value of [`class`].
    pub class: u8,
    /// 1 if this host sent it.
    pub outbound: u8,
    /// Explicit padding.
    pub pad: [u8; 2],
}

const _: () = assert!(size_of::<PayloadHead>() == 96);

/// The process asked for another address than the one that the connection leads to.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AskedRecord {
    /// [`kind::ASKED`](crate::kind::ASKED).
    pub kind: u32,
    /// Explicit padding.
    pub pad: u32,
    /// Id of the entry.
    pub id: u64,
    /// The address that was asked for.
    pub address: Addr,
    /// Explicit padding.
    pub pad1: u32,
}

const _: () = assert!(size_of::<AskedRecord>() == 40);
