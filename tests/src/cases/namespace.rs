//! Sockets of another network namespace.

use anyhow::{Result, ensure};

use super::tcp_basic::echo_once;
use super::udp::echo;
use crate::stage::{Case, Conn, Worker};
use crate::sys::datagram;
use crate::sys::in_vm;
use crate::sys::netns::Netns;
use crate::sys::stream::{read, write};
use crate::truth::End;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair("netns-tcp", "both sides in another network namespace", echo_once, |w| {
            let mut conn = w.connect()?;
            conn.tx(write, 1000)?;
            conn.rx(read, 1000)?;
            conn.close(End::Fin);
            Ok(())
        })
        .netns(),
        Case::pair("netns-udp", "both sides in another network namespace", echo, |w| {
            let (mut socket, peer) = (w.udp()?, w.peer(0)?);
            socket.send_to(datagram::sendto, 900, peer)?;
            ensure!(socket.recv_from(datagram::recvfrom, 2000)? == (peer, 901), "not the datagram expected");
            socket.send_to(datagram::sendto, 1, peer)
        })
        .netns(),
        Case::new("netns-many", "connections in many network namespaces at once").role("settler", settler),
        Case::new("netns-left", "a process goes elsewhere, its sockets stay").role("traveller", traveller),
    ]
}

/// Has a connection in each of many namespaces, each with other bytes, and ends them all.
fn settler(w: &mut Worker) -> Result<()> {
    let mut open = Vec::new();
    for nth in 0..if in_vm() { 20 } else { 500 } {
        let _there = Netns::enter()?;
        let (mut caller, mut called) = both_ends(w)?;
        caller.tx(write, 100 + nth)?;
        called.rx(read, 100 + nth)?;
        open.push((caller, called));
    }
    for (mut caller, mut called) in open {
        called.tx(write, 7)?;
        caller.rx(read, 7)?;
        close_both(caller, called)?;
    }
    Ok(())
}

/// A connection of a process with itself.
fn both_ends(w: &Worker) -> Result<(Conn, Conn)> {
    let listener = w.listen_at(std::net::SocketAddr::new(w.family.loopback(), 0))?;
    let caller = w.connect_to(listener.local)?;
    Ok((caller, w.accept(&listener)?))
}

/// The caller closes first.
fn close_both(mut caller: Conn, mut called: Conn) -> Result<()> {
    caller.finish_sending()?;
    called.rx_fin()?;
    called.close(End::Fin);
    caller.rx_fin()?;
    caller.close(End::Fin);
    Ok(())
}

/// Opens both ends at home and uses them from elsewhere.
fn traveller(w: &mut Worker) -> Result<()> {
    let (mut caller, mut called) = both_ends(w)?;
    let (mut left, mut right) = (w.udp()?, w.udp()?);
    let _elsewhere = Netns::enter()?;
    caller.tx(write, 800)?;
    called.rx(read, 800)?;
    called.tx(write, 300)?;
    caller.rx(read, 300)?;
    left.send_to(datagram::sendto, 60, right.local)?;
    ensure!(right.recv_from(datagram::recvfrom, 2000)? == (left.local, 60), "not the datagram expected");
    close_both(caller, called)
}
