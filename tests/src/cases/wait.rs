//! Cases that wait in the middle: for a recorder to start, or to stop.

use anyhow::Result;

use crate::stage::{Case, Worker};
use crate::sys::datagram;
use crate::sys::stream::{read, write};
use crate::truth::End;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair(
            "tcp-idle-open",
            "open, used once, and idle when the recorder stops",
            |w| {
                let listener = w.listen()?;
                let mut conn = w.accept(&listener)?;
                conn.serve()?;
                w.checkpoint()?;
                conn.rx_fin()?;
                conn.close(End::Fin);
                Ok(())
            },
            |w| {
                let mut conn = w.connect()?;
                conn.ask(100, 50)?;
                w.checkpoint()?;
                conn.close(End::Fin);
                Ok(())
            },
        )
        .drive(|stage| stage.hold_in_the_middle("open"))
        .hold(),
        Case::pair(
            "preexisting",
            "opened and used before the recorder starts, and after",
            old_server,
            old_client,
        )
        .drive(|stage| stage.hold_in_the_middle("before"))
        .hold(),
        Case::pair(
            "preexisting-udp",
            "a UDP socket used before the recorder starts, and after",
            old_udp_server,
            old_udp_client,
        )
        .drive(|stage| stage.hold_in_the_middle("before"))
        .hold(),
        Case::pair(
            "preexisting-listener",
            "listens before, accepts after",
            |w| {
                let listener = w.listen()?;
                w.checkpoint()?;
                super::tcp_basic::serve(w, &listener, 2)
            },
            |w| {
                w.checkpoint()?;
                for n in 0..2 {
                    let mut conn = w.connect()?;
                    conn.ask(300 + n, 200 + n)?;
                    conn.close(End::Fin);
                }
                Ok(())
            },
        )
        .drive(|stage| stage.hold_in_the_middle("before"))
        .hold(),
    ]
}

fn old_server(w: &mut Worker) -> Result<()> {
    let listener = w.listen()?;
    let mut conn = w.accept(&listener)?;
    conn.rx(read, 1000)?;
    conn.tx(write, 500)?;
    conn.rx(read, 30)?; // 70 more stay unread
    w.checkpoint()?;
    conn.rx(read, 70)?;
    conn.rx(read, 222)?;
    conn.tx(write, 111)?;
    conn.rx_fin()?;
    conn.close(End::Fin);
    Ok(())
}

fn old_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 1000)?;
    conn.rx(read, 500)?;
    conn.tx(write, 100)?;
    w.checkpoint()?;
    conn.tx(write, 222)?;
    conn.rx(read, 111)?;
    conn.close(End::Fin);
    Ok(())
}

fn old_udp_server(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    w.ready(&[socket.local])?;
    let (from, _) = socket.recv_from(datagram::recvfrom, 2000)?;
    socket.send_to(datagram::sendto, 60, from)?;
    w.checkpoint()?;
    let (from, _) = socket.recv_from(datagram::recvfrom, 2000)?;
    socket.send_to(datagram::sendto, 70, from)
}

fn old_udp_client(w: &mut Worker) -> Result<()> {
    let (mut socket, peer) = (w.udp()?, w.peer(0)?);
    socket.send_to(datagram::sendto, 600, peer)?;
    socket.recv_from(datagram::recvfrom, 2000)?;
    w.checkpoint()?;
    socket.send_to(datagram::sendto, 700, peer)?;
    socket.recv_from(datagram::recvfrom, 2000)?;
    Ok(())
}
