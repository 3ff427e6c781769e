//! Datagrams to many: multicast and broadcast, in a network namespace of their own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Result, ensure};

use super::udp::ROOM;
use crate::stage::{Case, Family, Stage, Udp, Worker, needs};
use crate::sys::datagram;
use crate::sys::netlink::Netlink;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair("udp-multicast", "to a group, and each member answers", member, caller)
            .drive(on_a_network)
            .netns(),
        Case::pair("udp-broadcast", "to everybody, and one answers", listener, shouter).netns().v4(),
    ]
}

/// The first interface after `lo`.
const INTERFACE: i32 = 2;

/// Our address on the network that is made for the case.
fn own(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(192, 0, 2, 1).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    }
}

fn group(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(239, 1, 2, 3).into(),
        Family::V6 => Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 0x123).into(),
    }
}

fn on_a_network(stage: &mut Stage<'_>) -> Result<()> {
    let netlink = Netlink::open()?;
    needs("veth", &[libc::EOPNOTSUPP], netlink.add_veth())?;
    netlink.up(INTERFACE + 1)?;
    netlink.up(INTERFACE)?; // the other one is up: it works from now on
    netlink.add_address(INTERFACE, own(stage.family), if stage.family == Family::V4 { 24 } else { 64 })?;
    stage.in_order()
}

/// Two calls come, and two answers go.
fn answer(w: &mut Worker, mut socket: Udp) -> Result<()> {
    w.ready(&[socket.local])?;
    for size in [1000, 20] {
        let (from, n) = socket.recv_from(datagram::recvfrom, ROOM)?;
        ensure!(n == size, "not the datagram expected");
        // an answer comes from an address of one host
        let mut answers = w.udp_at(SocketAddr::new(host(w.family, socket.local), 0))?;
        answers.send_to(datagram::sendto, 2 * n, from)?;
    }
    Ok(())
}

fn host(family: Family, called: SocketAddr) -> IpAddr {
    if called.ip() == group(family) { own(family) } else { family.loopback() }
}

fn call(mut socket: Udp, at: SocketAddr) -> Result<()> {
    for size in [1000, 20] {
        socket.send_to(datagram::sendto, size, at)?;
        ensure!(socket.recv_from(datagram::recvfrom, ROOM)?.1 == 2 * size, "not the datagram expected");
    }
    Ok(())
}

fn member(w: &mut Worker) -> Result<()> {
    let socket = w.udp_at(SocketAddr::new(group(w.family), 0))?;
    match group(w.family) {
        IpAddr::V4(group) => socket
            .socket
            .join_multicast_v4_n(&group, &socket2::InterfaceIndexOrAddress::Index(INTERFACE as u32))?,
        IpAddr::V6(group) => socket.socket.join_multicast_v6(&group, INTERFACE as u32)?,
    }
    answer(w, socket)
}

fn caller(w: &mut Worker) -> Result<()> {
    let socket = w.udp_at(SocketAddr::new(own(w.family), 0))?;
    match own(w.family) {
        IpAddr::V4(own) => socket.socket.set_multicast_if_v4(&own)?,
        IpAddr::V6(_) => socket.socket.set_multicast_if_v6(INTERFACE as u32)?,
    }
    call(socket, w.peer(0)?)
}

fn listener(w: &mut Worker) -> Result<()> {
    let socket = w.udp_at(SocketAddr::new(Ipv4Addr::new(127, 255, 255, 255).into(), 0))?;
    answer(w, socket)
}

fn shouter(w: &mut Worker) -> Result<()> {
    let socket = w.udp()?;
    socket.socket.set_broadcast(true)?;
    call(socket, w.peer(0)?)
}
