//! Addresses and protocols.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use connmon_ebpf::{Addr, proto};

/// One end of a connection. Port 0 means that the protocol has none, or that it was never bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// The address; IPv4-mapped IPv6 addresses are stored as IPv4.
    pub ip: IpAddr,
    /// The port in host byte order.
    pub port: u16,
}

impl Endpoint {
    /// The unspecified IPv4 endpoint, `0.0.0.0:0`.
    pub const UNSPECIFIED: Self = Self { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 };

    /// An endpoint with an IPv4-mapped IPv6 address turned into IPv4.
    pub fn new(ip: IpAddr, port: u16) -> Self {
        Self { ip: ip.to_canonical(), port }
    }

    /// 4 or 6.
    pub fn family(&self) -> u8 {
        if self.ip.is_ipv4() { 4 } else { 6 }
    }
}

/// From the kernel side's form.
impl From<&Addr> for Endpoint {
    fn from(addr: &Addr) -> Self {
        let bytes: [u8; 16] = bytemuck::cast(addr.ip);
        let ip = if addr.family == libc::AF_INET6 as u16 {
            IpAddr::V6(Ipv6Addr::from(bytes))
        } else {
            IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]))
        };
        Self::new(ip, addr.port)
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> Self {
        Self::new(endpoint.ip, endpoint.port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

/// The protocol of a connection, by its IP protocol number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Proto(pub u16);

impl Proto {
    /// IPPROTO_TCP.
    pub const TCP: Self = Self(6);
    /// IPPROTO_UDP.
    pub const UDP: Self = Self(17);
    /// IPPROTO_ICMPV6.
    pub const ICMP6: Self = Self(proto::ICMPV6);
    /// Multipath TCP: TCP on the wire.
    pub const MPTCP: Self = Self(proto::MPTCP);
    /// A packet socket's frames, of any protocol.
    pub const PACKET: Self = Self(proto::PACKET);

    /// Whether it is what a raw socket speaks, apart from ICMP.
    pub fn is_raw(self) -> bool {
        self != Self::PACKET && self.0 & proto::RAW != 0
    }

    /// The number in the IP header, where one is known.
    pub fn ip_number(self) -> Option<u8> {
        match self {
            Self::MPTCP => Some(6),
            Self::PACKET => None,
            // IPPROTO_RAW: each packet says for itself.
            _ if self.is_raw() => u8::try_from(self.0 & 0xff).ok().filter(|number| *number != 255),
            _ => u8::try_from(self.0).ok(),
        }
    }

    /// The customary name in lower case; numbers without one read `ip-N`.
    pub fn name(self) -> String {
        match self.0 {
            1 => "icmp".into(),
            6 => "tcp".into(),
            17 => "udp".into(),
            58 => "icmp6".into(),
            132 => "sctp".into(),
            136 => "udplite".into(),
            262 => "mptcp".into(),
            proto::PACKET => "packet".into(),
            n if n & proto::RAW != 0 => match n & 0xff {
                255 => "raw".into(),
                n => format!("ip-{n}"),
            },
            n => format!("ip-{n}"),
        }
    }
}

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}
