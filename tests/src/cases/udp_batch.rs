//! Several datagrams in one call, and one datagram in several.

use std::os::fd::AsFd;

use anyhow::{Result, ensure};

use super::udp::ROOM;
use crate::stage::{Case, Udp, Worker, needs};
use crate::sys::messages::{Outgoing, recvmmsg, sendmmsg};
use crate::sys::socket::set_option;
use crate::sys::{datagram, stream};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair("udp-gso", "UDP_SEGMENT: one call, six datagrams", gso_server, gso_client),
        Case::pair("udp-gro", "UDP_GRO: many datagrams, one call", gro_server, gro_client),
        Case::pair("udp-corked", "MSG_MORE and UDP_CORK: several calls, one datagram", cork_server, corked),
        Case::pair(
            "udp-corked-to",
            "MSG_MORE, and an address in each call",
            |w| {
                let mut socket = w.udp()?;
                w.ready(&[socket.local])?;
                expect(&mut socket, &[111])
            },
            corked_to,
        ),
        Case::pair("udp-mmsg", "sendmmsg and recvmmsg, with addresses", mmsg_server, mmsg_client),
        Case::pair("udp-mmsg-connected", "sendmmsg and recvmmsg, connected", mmsg_server, mmsg_connected),
    ]
}

// include/uapi/linux/udp.h
const UDP_CORK: i32 = 1;
const UDP_SEGMENT: i32 = 103;
const UDP_GRO: i32 = 104;

static BYTES: [u8; 9000] = [b'.'; 9000];

/// One datagram of each size, in this order.
fn expect(socket: &mut Udp, sizes: &[usize]) -> Result<()> {
    for &size in sizes {
        let (_, n) = socket.recv_from(datagram::recvfrom, ROOM)?;
        ensure!(n == size, "{n} bytes came, not {size}");
    }
    Ok(())
}

fn segments(socket: &Udp, size: i32) -> Result<()> {
    let set = set_option(socket.as_fd(), libc::SOL_UDP, UDP_SEGMENT, &size);
    needs("UDP_SEGMENT", &[libc::ENOPROTOOPT], set)
}

fn gso_server(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    w.ready(&[socket.local])?;
    expect(&mut socket, &[1000, 1000, 1000, 1000, 1000, 500, 1000, 1000])
}

fn gso_client(w: &mut Worker) -> Result<()> {
    let (mut socket, peer) = (w.udp()?, w.peer(0)?);
    segments(&socket, 1000)?;
    socket.send_to(datagram::sendto, 5500, peer)?;
    socket.connect(peer)?;
    socket.send(stream::send, 2000, peer)
}

/// However the kernel puts them together, all bytes come.
fn gro_server(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    let set = set_option(socket.as_fd(), libc::SOL_UDP, UDP_GRO, &1i32);
    needs("UDP_GRO", &[libc::ENOPROTOOPT], set)?;
    w.ready(&[socket.local])?;
    let mut left = 5500;
    while left > 0 {
        left -= socket.recv_from(datagram::recvmsg, ROOM)?.1;
    }
    Ok(())
}

fn gro_client(w: &mut Worker) -> Result<()> {
    let (mut socket, peer) = (w.udp()?, w.peer(0)?);
    segments(&socket, 1000)?;
    socket.send_to(datagram::sendmsg, 5500, peer)
}

fn cork_server(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    w.ready(&[socket.local])?;
    expect(&mut socket, &[111, 3300, 12])
}

fn corked(w: &mut Worker) -> Result<()> {
    let (mut socket, peer) = (w.udp()?, w.peer(0)?);
    socket.connect(peer)?;
    [100, 10].into_iter().try_for_each(|n| socket.send(stream::send_more, n, peer))?;
    socket.send(stream::sendmsg, 1, peer)?;
    set_option(socket.as_fd(), libc::SOL_UDP, UDP_CORK, &1i32)?;
    [3000, 200, 100].into_iter().try_for_each(|n| socket.send(stream::send, n, peer))?;
    set_option(socket.as_fd(), libc::SOL_UDP, UDP_CORK, &0i32)?;
    socket.send(stream::send_more, 5, peer)?;
    socket.send(stream::write, 7, peer)
}

fn corked_to(w: &mut Worker) -> Result<()> {
    let (mut socket, peer) = (w.udp()?, w.peer(0)?);
    for (n, flags) in [(100, libc::MSG_MORE), (10, libc::MSG_MORE), (1, 0)] {
        let sent = datagram::sendto_flags(socket.as_fd(), &BYTES[..n], peer, flags)?;
        socket.sent(sent, peer);
    }
    Ok(())
}

const MESSAGES: [usize; 6] = [10, 0, 2000, 1, 9000, 345];

/// Answers each datagram with one of the same size.
fn mmsg_server(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    w.ready(&[socket.local])?;
    let mut left = MESSAGES.len();
    while left > 0 {
        let answers = receive(&mut socket)?;
        left -= answers.len();
        send(&mut socket, &answers)?;
    }
    Ok(())
}

type Sized = (usize, std::net::SocketAddr);

fn receive(socket: &mut Udp) -> Result<Vec<Sized>> {
    let messages = recvmmsg(socket.as_fd(), 4, ROOM)?;
    let from = |(n, from): (usize, Option<std::net::SocketAddr>)| Some((n, from?));
    let messages: Vec<_> = messages.into_iter().filter_map(from).collect();
    ensure!(!messages.is_empty(), "recvmmsg gave no address");
    messages.iter().for_each(|&(n, from)| socket.received(n, from));
    Ok(messages)
}

fn send(socket: &mut Udp, messages: &[Sized]) -> Result<()> {
    let outgoing: Vec<Outgoing<'_>> = messages.iter().map(|&(n, to)| (&BYTES[..n], Some(to))).collect();
    let sent = sendmmsg(socket.as_fd(), &outgoing)?;
    ensure!(sent.len() == messages.len(), "not all were sent");
    sent.into_iter().zip(messages).for_each(|(n, &(_, to))| socket.sent(n, to));
    Ok(())
}

fn mmsg_client(w: &mut Worker) -> Result<()> {
    let (mut socket, peer) = (w.udp()?, w.peer(0)?);
    send(&mut socket, &MESSAGES.map(|n| (n, peer)))?;
    let mut left = MESSAGES.len();
    while left > 0 {
        left -= receive(&mut socket)?.len();
    }
    Ok(())
}

fn mmsg_connected(w: &mut Worker) -> Result<()> {
    let (mut socket, peer) = (w.udp()?, w.peer(0)?);
    socket.connect(peer)?;
    let sent = sendmmsg(socket.as_fd(), &MESSAGES.map(|n| (&BYTES[..n], None)))?;
    ensure!(sent == MESSAGES, "sent in part only: {sent:?}");
    sent.into_iter().for_each(|n| socket.sent(n, peer));
    let mut left = MESSAGES.len();
    while left > 0 {
        left -= receive(&mut socket)?.len();
    }
    Ok(())
}
