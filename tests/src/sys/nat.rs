//! Rules that translate addresses (`nft_nat`) in the calling thread's network namespace, over nfnetlink; no `nft` program
//! required. Numbers from include/uapi/linux/netfilter/nf_tables.h.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::{checked, counted};

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
    send(&batch.concat(), 3)
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

/// Sends a batch, and waits for the answers to so many of its messages.
fn send(batch: &[u8], answers: usize) -> io::Result<()> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    let missing = |error: io::Error| match error.raw_os_error() {
        Some(libc::EPROTONOSUPPORT | libc::EOPNOTSUPP | libc::EINVAL) => {
            io::Error::new(io::ErrorKind::Unsupported, error)
        }
        _ => error,
    };
    // SAFETY: creates a descriptor.
    let fd =
        checked(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_NETFILTER) }).map_err(missing)?;
    // SAFETY: the kernel just gave us this descriptor.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: the pointer and length are one live slice.
    counted(unsafe { libc::send(socket.as_raw_fd(), batch.as_ptr().cast(), batch.len(), 0) })?;
    let mut seen = 0;
    while seen < answers {
        let mut answer = [0u8; 8192];
        // SAFETY: the pointer and length are one live, exclusive slice.
        let n =
            counted(unsafe { libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) })?;
        let mut rest = &answer[..n];
        while let Some(len) = rest.first_chunk().map(|len| u32::from_ne_bytes(*len) as usize) {
            let verdict = rest.get(HEADER..HEADER + 4).and_then(|bytes| bytes.try_into().ok());
            match verdict.map(i32::from_ne_bytes) {
                Some(0) => seen += 1,
                Some(error) => return Err(missing(io::Error::from_raw_os_error(-error))),
                None => return Err(io::Error::other("netlink gave a short answer")),
            }
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
    }
    Ok(())
}
