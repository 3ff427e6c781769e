//! First bytes of a connection, and DNS messages: what names the other end. Parsed in user space and then forgotten.

use crate::Addr;

/// Room for the bytes of most packets.
pub const PAYLOAD_SMALL: usize = 512;
/// Room for the bytes of the largest ones; what is beyond is left out.
pub const PAYLOAD_LARGE: usize = 4096;

/// What the bytes look like: values of [`PayloadHead::class`].
pub mod class {
    /// A DNS message, or over TCP a part of some.
    pub const DNS: u8 = 1;
    /// A TLS ClientHello, or a later part of it.
    pub const TLS: u8 = 2;
    /// A QUIC Initial packet.
    pub const QUIC: u8 = 3;
    /// The beginning of an HTTP/1 request, or of HTTP/2 without TLS.
    pub const HTTP: u8 = 4;
    /// The banner of SSH.
    pub const SSH: u8 = 5;
}

/// A record of kind [`kind::PAYLOAD`](crate::kind::PAYLOAD) begins so; `len` bytes of payload follow.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PayloadHead {
    /// [`kind::PAYLOAD`](crate::kind::PAYLOAD).
    pub kind: u32,
    /// Bytes that follow.
    pub len: u32,
    /// Bytes of payload that the packet has.
    pub total: u32,
    /// TCP: the sequence number of the first byte.
    pub seq: u32,
    /// When it passed.
    pub time_ns: u64,
    /// Start of the process that sent it; 0 where that is not known.
    pub start_ns: u64,
    /// Its thread group id, or 0.
    pub tgid: u32,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// The other end.
    pub remote: Addr,
    /// IPPROTO_*.
    pub proto: u16,
    /// This host's port.
    pub local_port: u16,
    /// A value of [`class`].
    pub class: u8,
    /// 1 if this host sent it.
    pub outbound: u8,
    /// Explicit padding.
    pub pad: [u8; 6],
}

const _: () = assert!(size_of::<PayloadHead>() == 72);
