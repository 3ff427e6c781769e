//! UDP sockets whose peer changes.

use anyhow::{Result, ensure};

use super::udp::{ROOM, echo};
use crate::stage::{Case, Stage, Udp, Worker};
use crate::sys::{datagram, stream};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair("udp-reconnected", "connected to one remote, then to another", echo, reconnected)
            .drive(two_servers),
        Case::pair("udp-disconnected", "connected, set free by AF_UNSPEC, then sendto", echo, |w| {
            let socket = w.udp_port()?;
            disconnected(w, socket)
        })
        .drive(two_servers),
        Case::pair("udp-disconnected-port", "the same, and the port is another one then", echo, |w| {
            let socket = w.udp_unbound()?;
            disconnected(w, socket)
        })
        .drive(two_servers),
    ]
}

fn two_servers(stage: &mut Stage<'_>) -> Result<()> {
    let mut at = Vec::new();
    for _ in 0..2 {
        let server = stage.start("server", &[])?;
        at.extend(stage.ready(server)?);
    }
    stage.start("client", &at).map(drop)
}

fn reconnected(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    for (n, size) in [(0, 100), (1, 2000), (0, 30), (1, 4)] {
        let peer = w.peer(n)?;
        socket.connect(peer)?;
        socket.send(stream::send, size, peer)?;
        ensure!(socket.recv(stream::recv, ROOM, peer)? == size + 1, "not the datagram expected");
    }
    for n in [0, 1] {
        let peer = w.peer(n)?;
        socket.connect(peer)?;
        socket.send(stream::write, 1, peer)?;
    }
    Ok(())
}

fn disconnected(w: &Worker, mut socket: Udp) -> Result<()> {
    let (first, second) = (w.peer(0)?, w.peer(1)?);
    socket.connect(first)?;
    socket.send(stream::send, 700, first)?;
    ensure!(socket.recv(stream::recv, ROOM, first)? == 701, "not the datagram expected");
    let before = socket.local;
    socket.disconnect()?;
    // A port that was given back is taken, so that the kernel cannot choose the same again.
    let _taken = std::net::UdpSocket::bind(before).ok();
    for (peer, size) in [(second, 900), (first, 50)] {
        socket.send_to(datagram::sendto, size, peer)?;
        ensure!(socket.recv_from(datagram::recvfrom, ROOM)? == (peer, size + 1), "not the datagram expected");
    }
    [first, second].into_iter().try_for_each(|peer| socket.send_to(datagram::sendto, 1, peer))
}
