//! Converts the kernel side's layout (`connmon-ebpf`) to types of the model, which does not depend on that layout.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use connmon_ebpf::{Addr, proto};

use crate::{Endpoint, Proto};

// The store's numbers are the kernel side's.
const _: () = assert!(
    Proto::TCP.0 == proto::TCP
        && Proto::UDP.0 == proto::UDP
        && Proto::ICMP6.0 == proto::ICMPV6
        && Proto::MPTCP.0 == proto::MPTCP
        && Proto::PACKET.0 == proto::PACKET
        && Proto::RAW == proto::RAW
);

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
