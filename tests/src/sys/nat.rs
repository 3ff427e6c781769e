//! Rules that translate addresses (`nft_nat`) in the calling thread's network namespace, over nfnetlink; no `nft` program
//! required. Numbers from include/uapi/linux/netfilter/nf_tables.h.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::netlink::Netlink;

const HEADER: usize = size_of::<libc::nlmsghdr>();
const TABLE: &[u8] = b"connmon-test\0";

/// Which end of a packet changes, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// Its destination, before it is routed.
    Destination,
    /// Its source, as it leaves.
    Source,
}

impl Nat {
    fn chain(self) -> &'static [u8] {
        match self {
            Self::Destination => b"output\0",
            Self::Source => b"postrouting\0",
        }
    }

    /// NF_INET_LOCAL_OUT with NF_IP_PRI_NAT_DST, NF_INET_POST_ROUTING with NF_IP_PRI_NAT_SRC.
    fn hook(self) -> (u32, i32) {
        match self {
            Self::Destination => (3, -100),
            Self::Source => (4, 100),
        }
    }
}

/// What goes to the first address gets the second one, of the same family: as its destination or as its source.
///
/// # Errors
/// `Unsupported` where the kernel has no nf_tables.
pub fn translate(nat: Nat, to: SocketAddr, instead: SocketAddr) -> io::Result<()> {
    let family = if to.is_ipv4() { libc::NFPROTO_IPV4 } else { libc::NFPROTO_IPV6 } as u8;
    let (hook, priority) = nat.hook();
    let hook = [number(1, hook), number(2, priority as u32)].concat();
    let chain = [attribute(1, TABLE), attribute(3, nat.chain()), nested(4, &hook), attribute(7, b"nat\0")];
    let expressions =
        [matches(1, &octets(to.ip())), matches(2, &to.port().to_be_bytes()), lead(nat, instead)];
    let rule =
        [attribute(1, TABLE), attribute(2, nat.chain()), nested(4, &expressions.concat().concat())].concat();
    let create = libc::NLM_F_CREATE;
    let batch = [
        message(0x10, 0, 0, 10, &[]),
        // NFT_MSG_NEWTABLE, NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE
        message(0xa00, create, family, 0, &attribute(1, TABLE)),
        message(0xa03, create, family, 0, &chain.concat()),
        message(0xa06, create | libc::NLM_F_APPEND, family, 0, &rule),
        message(0x11, 0, 0, 10, &[]),
    ];
    let answered =
        Netlink::to(libc::NETLINK_NETFILTER).and_then(|netlink| netlink.exchange(&batch.concat(), 3));
    answered.map_err(|error| match error.raw_os_error() {
        Some(libc::EPROTONOSUPPORT | libc::EOPNOTSUPP | libc::EINVAL) => {
            io::Error::new(io::ErrorKind::Unsupported, error)
        }
        _ => error,
    })
}

/// Two expressions: an address or a port of the destination, and whether it is this one.
fn matches(base: u32, value: &[u8]) -> Vec<Vec<u8>> {
    let offset = match (base, value.len()) {
        (1, 4) => 16,
        (1, _) => 24,
        _ => 2,
    };
    let load = [number(1, 1), number(2, base), number(3, offset), number(4, value.len() as u32)].concat();
    let compare = [number(1, 1), number(2, 0), nested(3, &attribute(1, value))].concat();
    vec![expression(b"payload\0", &load), expression(b"cmp\0", &compare)]
}

/// Three expressions: address, port, and the translation.
fn lead(nat: Nat, to: SocketAddr) -> Vec<Vec<u8>> {
    let put = |register: u32, value: &[u8]| {
        expression(b"immediate\0", &[number(1, register), nested(2, &attribute(1, value))].concat())
    };
    let family = if to.is_ipv4() { libc::NFPROTO_IPV4 } else { libc::NFPROTO_IPV6 } as u32;
    let kind = u32::from(nat == Nat::Destination);
    let translation = [number(1, kind), number(2, family), number(3, 1), number(5, 2)].concat();
    vec![put(1, &octets(to.ip())), put(2, &to.port().to_be_bytes()), expression(b"nat\0", &translation)]
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn expression(name: &[u8], data: &[u8]) -> Vec<u8> {
    nested(1, &[attribute(1, name), nested(2, data)].concat())
}

fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

fn nested(kind: u16, data: &[u8]) -> Vec<u8> {
    attribute(kind | libc::NLA_F_NESTED as u16, data)
}

fn attribute(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut all = ((4 + data.len()) as u16).to_ne_bytes().to_vec();
    all.extend(kind.to_ne_bytes());
    all.extend(data);
    all.resize(all.len().next_multiple_of(4), 0);
    all
}

fn message(kind: u16, flags: i32, family: u8, subsystem: u16, body: &[u8]) -> Vec<u8> {
    let acknowledged = if flags == 0 { 0 } else { libc::NLM_F_ACK };
    let mut all = ((HEADER + 4 + body.len()) as u32).to_ne_bytes().to_vec();
    all.extend(kind.to_ne_bytes());
    all.extend(((libc::NLM_F_REQUEST | acknowledged | flags) as u16).to_ne_bytes());
    all.extend([0; 8]); // sequence, port
    all.extend([family, 0]);
    all.extend(subsystem.to_be_bytes());
    all.extend(body);
    all
}
