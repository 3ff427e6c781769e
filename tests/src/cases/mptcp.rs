//! Multipath TCP: the socket that the process has is one, its paths are TCP connections of the kernel's.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Protocol, Socket, Type};

use crate::stage::{Case, Conn, Worker, needs};
use crate::sys::socket::local;
use crate::sys::stream::{read, recvmsg, sendmsg, write};
use crate::truth::{Connection, Direction, Proto};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::pair("mptcp", "MPTCP on both sides, one path", server, client)]
}

fn socket(addr: SocketAddr) -> Result<Socket> {
    let made = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::MPTCP));
    needs("MPTCP", &[libc::EPROTONOSUPPORT, libc::ENOPROTOOPT], made)
}

/// The bytes are those of the MPTCP socket.
fn conn(w: &Worker, socket: Socket, direction: Direction, remote: SocketAddr) -> Result<Conn> {
    let here = local(&socket)?;
    Ok(w.borrow(socket, Connection::new(Proto::Mptcp, direction, Some(here), remote)))
}

fn server(w: &mut Worker) -> Result<()> {
    let here = SocketAddr::new(w.family.loopback(), 0);
    let listener = socket(here)?;
    listener.bind(&here.into())?;
    listener.listen(16)?;
    w.ready(&[local(&listener)?])?;
    let (socket, remote) = listener.accept()?;
    let mut conn = conn(w, socket, Direction::In, remote.as_socket().context("not an IP socket")?)?;
    conn.rx(read, 1000)?;
    conn.rx(recvmsg, 70_000)?;
    conn.tx(write, 30_000)?;
    conn.rx_fin()
}

fn client(w: &mut Worker) -> Result<()> {
    let remote = w.peer(0)?;
    let socket = socket(remote)?;
    socket.connect(&remote.into())?;
    let mut conn = conn(w, socket, Direction::Out, remote)?;
    conn.tx(write, 1000)?;
    conn.tx(sendmsg, 70_000)?;
    conn.rx(read, 30_000)?;
    ensure!(conn.tally.get().rx_bytes == 30_000, "not all came");
    Ok(())
}
