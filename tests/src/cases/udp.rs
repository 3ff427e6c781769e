//! UDP, connected and not.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use crate::stage::{Case, Stage, Worker};
use crate::sys::datagram::{self, RxFrom, TxTo};
use crate::sys::stream::{Rx, Tx, read, readv, recv, recvfrom, recvmsg, send, sendmsg, write, writev};

/// Room for every datagram.
pub(super) const ROOM: usize = 65_535;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair("udp-connected", "a connected client; every call without an address", echo, connected),
        Case::pair("udp-unconnected", "sendto/recvfrom and sendmsg/recvmsg, never bound", echo, unconnected),
        Case::pair("udp-bound", "sendto/recvfrom from a bound port", echo, bound),
        Case::pair("udp-recv-no-addr", "an unconnected server that never asks who sends", nosy_not, mute)
            .drive(told),
        Case::pair("udp-many-remotes", "one socket to 100 remote addresses", remotes, sprayer),
        Case::pair("udp-zero", "datagrams of no bytes among others", zero_server, zero_client),
        Case::pair("udp-trunc", "a datagram cut by a short buffer", trunc_server, trunc_client).lossy(),
        Case::pair("udp-one-way", "nobody answers", |w| listen_for(w, 20), one_way),
    ]
}

/// Each datagram comes back with one byte more; one of a single byte ends it.
pub(super) fn echo(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    w.ready(&[socket.local])?;
    let calls: [(RxFrom, TxTo); 2] =
        [(datagram::recvfrom, datagram::sendto), (datagram::recvmsg, datagram::sendmsg)];
    for (rx, tx) in calls.into_iter().cycle() {
        let (from, n) = socket.recv_from(rx, ROOM)?;
        if n == 1 {
            break;
        }
        socket.send_to(tx, n + 1, from)?;
    }
    Ok(())
}

fn connected(w: &mut Worker) -> Result<()> {
    let peer = w.peer(0)?;
    let mut socket = w.udp_unbound()?;
    socket.connect(peer)?;
    let calls: [(Tx, Rx); 5] =
        [(send, recv), (write, read), (sendmsg, recvmsg), (writev, readv), (send, recvfrom)];
    for (n, (tx, rx)) in calls.into_iter().enumerate() {
        for size in [10, 1472, 9001] {
            socket.send(tx, size + n, peer)?;
            ensure!(socket.recv(rx, ROOM, peer)? == size + n + 1, "not the datagram expected");
        }
    }
    socket.send(send, 1, peer)
}

fn unconnected(w: &mut Worker) -> Result<()> {
    let socket = w.udp_unbound()?;
    ask_by_address(socket, w.peer(0)?)
}

fn bound(w: &mut Worker) -> Result<()> {
    let socket = w.udp()?;
    ask_by_address(socket, w.peer(0)?)
}

fn ask_by_address(mut socket: crate::stage::Udp, peer: SocketAddr) -> Result<()> {
    let calls: [(TxTo, RxFrom); 2] =
        [(datagram::sendto, datagram::recvfrom), (datagram::sendmsg, datagram::recvmsg)];
    for (tx, rx) in calls {
        for size in [20, 1400, 30_000] {
            socket.send_to(tx, size, peer)?;
            ensure!(socket.recv_from(rx, ROOM)? == (peer, size + 1), "not the datagram expected");
        }
    }
    socket.send_to(datagram::sendto, 1, peer)
}

/// The client says where it sends from, so that the server need not ask the kernel.
fn told(stage: &mut Stage<'_>) -> Result<()> {
    let server = stage.start("server", &[])?;
    let at = stage.ready(server)?;
    let client = stage.start("client", &at)?;
    let sender = stage.note(client)?;
    stage.tell(server, &sender)
}

fn nosy_not(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    w.ready(&[socket.local])?;
    let sender = w.hear()?.parse()?;
    for (call, size) in [(recv as Rx, 100), (read, 200), (recvfrom, 300), (recvmsg, 400), (readv, 500)] {
        ensure!(socket.recv(call, ROOM, sender)? == size, "not the datagram expected");
    }
    Ok(())
}

fn mute(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    w.note(socket.local)?;
    let peer = w.peer(0)?;
    [100, 200, 300, 400, 500].into_iter().try_for_each(|n| socket.send_to(datagram::sendto, n, peer))
}

const REMOTES: usize = 100;

fn remotes(w: &mut Worker) -> Result<()> {
    let mut sockets = (0..REMOTES).map(|_| w.udp()).collect::<Result<Vec<_>>>()?;
    w.ready(&sockets.iter().map(|socket| socket.local).collect::<Vec<_>>())?;
    for socket in &mut sockets {
        let (from, n) = socket.recv_from(datagram::recvfrom, ROOM)?;
        if n % 2 == 0 {
            socket.send_to(datagram::sendto, 3 * n, from)?;
        }
    }
    Ok(())
}

fn sprayer(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    for n in 0..REMOTES {
        socket.send_to(datagram::sendto, n + 1, w.peer(n)?)?;
    }
    for _ in 0..REMOTES / 2 {
        socket.recv_from(datagram::recvfrom, ROOM)?;
    }
    Ok(())
}

fn zero_server(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    w.ready(&[socket.local])?;
    for size in [0, 25, 0, 0, 5] {
        let (from, n) = socket.recv_from(datagram::recvfrom, ROOM)?;
        ensure!(n == size, "not the datagram expected");
        socket.send_to(datagram::sendto, n, from)?;
    }
    Ok(())
}

fn zero_client(w: &mut Worker) -> Result<()> {
    let (mut socket, peer) = (w.udp()?, w.peer(0)?);
    for size in [0, 25, 0, 0, 5] {
        socket.send_to(datagram::sendto, size, peer)?;
        ensure!(socket.recv_from(datagram::recvfrom, ROOM)? == (peer, size), "not the datagram expected");
    }
    Ok(())
}

fn trunc_server(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    w.ready(&[socket.local])?;
    for (room, call) in [(100, datagram::recvfrom as RxFrom), (1, datagram::recvmsg)] {
        ensure!(socket.recv_from(call, room)?.1 == room, "the buffer was not filled");
    }
    Ok(())
}

fn trunc_client(w: &mut Worker) -> Result<()> {
    let (mut socket, peer) = (w.udp()?, w.peer(0)?);
    [1000, 500].into_iter().try_for_each(|n| socket.send_to(datagram::sendto, n, peer))
}

/// Receives `n` datagrams.
fn listen_for(w: &mut Worker, n: usize) -> Result<()> {
    let mut socket = w.udp()?;
    w.ready(&[socket.local])?;
    (0..n).try_for_each(|_| socket.recv_from(datagram::recvfrom, ROOM).map(drop))
}

fn one_way(w: &mut Worker) -> Result<()> {
    let (mut socket, peer) = (w.udp()?, w.peer(0)?);
    (0..20).try_for_each(|n| socket.send_to(datagram::sendto, 10 * n + 1, peer))
}
