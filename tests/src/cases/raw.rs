//! Sockets below UDP and TCP: ping, ICMP by hand, IP by hand, and frames by hand. A connection has no ports, and received
//! bytes are those after the IP header, or the whole frame.

use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Result, ensure};
use socket2::{Domain, Protocol, Socket, Type};

use crate::stage::{Case, Family, Stage, Tally, Worker};
use crate::sys::counted;
use crate::sys::datagram::{recvfrom, sendto};
use crate::sys::netns::set_sysctl;
use crate::truth::Proto;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("icmp-ping", "a ping socket, which needs no privilege").role("pinger", ping).drive(allow),
        Case::new("icmp-raw", "echo requests by hand: they come by, and so do the replies")
            .role("pinger", icmp),
        Case::pair(
            "raw-header",
            "IP_HDRINCL: the program writes the IP header",
            header_server,
            header_client,
        )
        .v4(),
        Case::pair(
            "packet",
            "AF_PACKET: whole frames, which have no addresses",
            packet_receiver,
            packet_sender,
        )
        .v4(),
    ]
    .into_iter()
    .map(Case::netns)
    .collect()
}

/// Lets every group use ping sockets in this namespace.
fn allow(stage: &mut Stage<'_>) -> Result<()> {
    set_sysctl("net/ipv4/ping_group_range", "0 2147483647")?;
    stage.in_order()
}

/// `IPPROTO_...` for experiments, RFC 3692.
const EXPERIMENT: i32 = 253;
/// Without options.
const IPV4_HEADER: usize = 20;

struct Raw {
    socket: Socket,
    tally: Tally,
    here: SocketAddr,
}

impl Raw {
    fn new(w: &Worker, kind: Type, protocol: i32, proto: Proto) -> Result<Self> {
        let here = SocketAddr::new(w.family.loopback(), 0);
        let socket = Socket::new(Domain::for_address(here), kind, Some(Protocol::from(protocol)))?;
        socket.bind(&here.into())?;
        Ok(Self { socket, tally: w.flow(proto, here), here })
    }

    fn icmp(w: &Worker, kind: Type) -> Result<Self> {
        match w.family {
            Family::V4 => Self::new(w, kind, libc::IPPROTO_ICMP, Proto::Icmp),
            Family::V6 => Self::new(w, kind, libc::IPPROTO_ICMPV6, Proto::Icmp6),
        }
    }

    fn send(&self, packet: &[u8]) -> Result<()> {
        self.tally.sent(sendto(self.socket.as_fd(), packet, self.here)?);
        Ok(())
    }

    /// The kernel gives the header along with what a raw IPv4 socket receives: `header` bytes of it.
    fn receive(&self, header: usize) -> Result<Vec<u8>> {
        let mut buf = vec![0; 65_535];
        let (n, _) = recvfrom(self.socket.as_fd(), &mut buf)?;
        self.tally.received(n - header);
        Ok(buf[header..n].to_vec())
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.tally.closed();
    }
}

/// An echo request with `n` bytes; its checksum, which only IPv4 leaves to a raw socket.
fn echo_request(family: Family, n: usize) -> Vec<u8> {
    let kind = if family == Family::V4 { 8 } else { 128 };
    let mut packet = vec![kind, 0, 0, 0, 0, 1, 0, 1];
    packet.resize(8 + n, b'.');
    if family == Family::V4 {
        let words =
            packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| u32::from(*b)));
        let sum: u32 = words.sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        let checksum = !((folded & 0xffff) + (folded >> 16)) as u16;
        packet[2..4].copy_from_slice(&checksum.to_be_bytes());
    }
    packet
}

const SIZES: [usize; 3] = [56, 1, 1400];

fn ping(w: &mut Worker) -> Result<()> {
    let raw = Raw::icmp(w, Type::DGRAM)?;
    for size in SIZES {
        raw.send(&echo_request(w.family, size))?;
        ensure!(raw.receive(0)?.len() == 8 + size, "not the reply expected");
    }
    Ok(())
}

fn icmp(w: &mut Worker) -> Result<()> {
    let raw = Raw::icmp(w, Type::RAW)?;
    let header = if w.family == Family::V4 { IPV4_HEADER } else { 0 };
    for size in SIZES {
        raw.send(&echo_request(w.family, size))?;
        for _ in 0..2 {
            ensure!(raw.receive(header)?.len() == 8 + size, "neither request nor reply");
        }
    }
    Ok(())
}

fn header_server(w: &mut Worker) -> Result<()> {
    let raw = Raw::new(w, Type::RAW, EXPERIMENT, Proto::Experiment)?;
    w.ready(&[raw.here])?;
    for size in SIZES {
        ensure!(raw.receive(IPV4_HEADER)?.len() == size, "not the packet expected");
    }
    Ok(())
}

/// What is sent includes the header, since the call says so.
fn header_client(w: &mut Worker) -> Result<()> {
    let raw = Raw::new(w, Type::RAW, libc::IPPROTO_RAW, Proto::Raw)?;
    for size in SIZES {
        let mut packet =
            vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, EXPERIMENT as u8, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
        packet.resize(IPV4_HEADER + size, b'.');
        raw.send(&packet)?;
    }
    Ok(())
}

/// An EtherType for experiments, IEEE 802.
const ETHER_TYPE: u16 = 0x88b5;
/// Two addresses and the type.
const ETHER_HEADER: usize = 14;
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// A packet socket on `lo`, which receives frames of a type, or none for 0.
fn packet_socket(ether_type: u16) -> Result<(Socket, libc::sockaddr_ll)> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(ether_type.to_be()))))?;
    // SAFETY: all zero is a value of this plain struct.
    let mut at: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    at.sll_family = libc::AF_PACKET as u16;
    at.sll_protocol = ether_type.to_be();
    // SAFETY: a constant string with its NUL.
    at.sll_ifindex = unsafe { libc::if_nametoindex(c"lo".as_ptr()) } as i32;
    Ok((socket, at))
}

fn packet_receiver(w: &mut Worker) -> Result<()> {
    let (socket, _) = packet_socket(ETHER_TYPE)?;
    let tally = w.flow(Proto::Packet, NOWHERE);
    w.ready(&[NOWHERE])?;
    let mut buffer = [0; 2048];
    for size in SIZES {
        let n = (&socket).read(&mut buffer)?;
        ensure!(n == ETHER_HEADER + size, "not the frame expected");
        tally.received(n);
    }
    tally.closed();
    Ok(())
}

fn packet_sender(w: &mut Worker) -> Result<()> {
    let (socket, at) = packet_socket(0)?;
    let tally = w.flow(Proto::Packet, NOWHERE);
    for size in SIZES {
        let mut frame = vec![0; ETHER_HEADER + size];
        frame[12..ETHER_HEADER].copy_from_slice(&ETHER_TYPE.to_be_bytes());
        let (data, len) = (frame.as_ptr().cast(), frame.len());
        let (to, to_len) = ((&raw const at).cast(), size_of_val(&at) as u32);
        // SAFETY: frame and address live until the call returns, each with its own length.
        let sent = counted(unsafe { libc::sendto(socket.as_raw_fd(), data, len, 0, to, to_len) })?;
        tally.sent(sent);
    }
    tally.closed();
    Ok(())
}
