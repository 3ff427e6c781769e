//! Addresses and protocols.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

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
    pub const ICMP6: Self = Self(58);
    /// Multipath TCP: TCP on the wire.
    pub const MPTCP: Self = Self(262);
    /// A packet socket's frames, of any protocol.
    pub const PACKET: Self = Self(0x300);
    /// Set beside the number of a protocol that a raw socket speaks.
    pub const RAW: u16 = 0x200;

    /// Whether it is what a raw socket speaks, apart from ICMP.
    pub fn is_raw(self) -> bool {
        self != Self::PACKET && self.0 & Self::RAW != 0
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
        match self {
            Self(1) => "icmp".into(),
            Self::TCP => "tcp".into(),
            Self::UDP => "udp".into(),
            Self::ICMP6 => "icmp6".into(),
            Self(132) => "sctp".into(),
            Self(136) => "udplite".into(),
            Self::MPTCP => "mptcp".into(),
            Self::PACKET => "packet".into(),
            Self(n) if n & Self::RAW != 0 => match n & 0xff {
                255 => "raw".into(),
                n => format!("ip-{n}"),
            },
            Self(n) => format!("ip-{n}"),
        }
    }
}

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}
