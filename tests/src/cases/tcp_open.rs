//! Uncommon ways to open a connection, or to leave it before it is of use.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::tcp_basic::serve;
use crate::stage::{Case, Conn, Stage, Worker, needs};
use crate::sys::datagram::sendto_flags;
use crate::sys::netns::set_sysctl;
use crate::sys::process::interrupt_me;
use crate::sys::socket::{drop_everything, local, poll, set_option, syn_data_taken};
use crate::sys::stream::{read, write};
use crate::truth::{Direction, End};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair("tcp-fastopen", "MSG_FASTOPEN: the request goes with the SYN", fast_server, fast_client)
            .drive(fast)
            .netns(),
        Case::pair(
            "tcp-fastopen-connect",
            "TCP_FASTOPEN_CONNECT: the first write opens the connection",
            fast_server,
            lazy_client,
        )
        .drive(fast)
        .netns(),
        Case::new("tcp-simultaneous", "both connect to each other, nobody listens")
            .role("left", left)
            .role("right", right)
            .drive(cross),
        Case::pair("tcp-interrupted", "a signal ends connect, then close", silent, interrupted)
            .drive(give_up)
            .netns(),
        Case::pair(
            "tcp-connect-exit",
            "five forked processes connect and exit at once",
            |w| {
                let listener = w.listen()?;
                for _ in 0..5 {
                    let mut conn = w.accept(&listener)?;
                    conn.rx_fin()?;
                    conn.close(End::Fin);
                }
                Ok(())
            },
            connect_exit,
        ),
    ]
}

// include/uapi/linux/tcp.h
const TCP_FASTOPEN: i32 = 23;
const TCP_FASTOPEN_CONNECT: i32 = 30;

/// Client and server side in this namespace; the first connection asks for the cookie.
fn fast(stage: &mut Stage<'_>) -> Result<()> {
    set_sysctl("net/ipv4/tcp_fastopen", "3")?;
    stage.in_order()
}

/// Connections of a case: without a cookie, and with one.
const FAST: usize = 3;

fn fast_server(w: &mut Worker) -> Result<()> {
    let listener = w.listen_at(SocketAddr::new(w.family.loopback(), 0))?;
    let queue = set_option(listener.socket.as_fd(), libc::IPPROTO_TCP, TCP_FASTOPEN, &16i32);
    needs("TCP_FASTOPEN", &[libc::ENOPROTOOPT, libc::EOPNOTSUPP], queue)?;
    w.ready(&[listener.local])?;
    serve(w, &listener, FAST)
}

fn fast_client(w: &mut Worker) -> Result<()> {
    for n in 0..FAST {
        let remote = w.peer(0)?;
        let socket = w.tcp(remote)?;
        let request = Conn::request(100 + n, 50)?;
        let sent = sendto_flags(socket.as_fd(), &request, remote, libc::MSG_FASTOPEN);
        let sent = needs("MSG_FASTOPEN", &[libc::EOPNOTSUPP], sent)?;
        ensure!(sent == request.len(), "sent in part only");
        let mut conn = w.conn(socket.try_clone()?, Direction::Out, local(&socket)?, remote);
        drop(socket);
        conn.tally.sent(sent);
        conn.rx(read, 50)?;
        ensure!(n == 0 || syn_data_taken(conn.as_fd())?, "the data did not go with the SYN");
        conn.close(End::Fin);
    }
    Ok(())
}

fn lazy_client(w: &mut Worker) -> Result<()> {
    for n in 0..FAST {
        let remote = w.peer(0)?;
        let socket = w.tcp(remote)?;
        let lazy = set_option(socket.as_fd(), libc::IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &1i32);
        needs("TCP_FASTOPEN_CONNECT", &[libc::ENOPROTOOPT, libc::EOPNOTSUPP], lazy)?;
        socket.connect(&remote.into())?;
        let request = Conn::request(100 + n, 50)?;
        let sent = write(socket.as_fd(), &request)?;
        ensure!(sent == request.len(), "sent in part only");
        let local = local(&socket)?;
        let mut conn = w.conn(socket, Direction::Out, local, remote);
        conn.tally.sent(sent);
        conn.rx(read, 50)?;
        ensure!(n == 0 || syn_data_taken(conn.as_fd())?, "the data did not go with the SYN");
        conn.close(End::Fin);
    }
    Ok(())
}

/// Left's SYN is out, and its refusal unheard, before right's goes.
fn cross(stage: &mut Stage<'_>) -> Result<()> {
    let left = stage.start("left", &[])?;
    let at = stage.ready(left)?;
    let right = stage.start("right", &at)?;
    let there = stage.ready(right)?;
    stage.tell(left, &there[0])?;
    stage.note(left)?;
    stage.tell(right, "your turn")
}

fn left(w: &mut Worker) -> Result<()> {
    let socket = w.tcp(SocketAddr::new(w.family.loopback(), 0))?;
    socket.bind(&SocketAddr::new(w.family.loopback(), 0).into())?;
    let here = local(&socket)?;
    w.ready(&[here])?;
    let remote: SocketAddr = w.hear()?.parse()?;
    drop_everything(&socket)?; // nobody listens there: the refusal must not reach us
    socket.set_nonblocking(true)?;
    let started = socket.connect(&remote.into()).err().and_then(|error| error.raw_os_error());
    ensure!(started == Some(libc::EINPROGRESS), "the attempt ended at once");
    socket.detach_filter()?;
    let mut conn = w.conn(socket, Direction::Out, here, remote);
    w.note("the SYN is out")?;
    ensure!(poll(conn.as_fd(), libc::POLLOUT, Duration::from_secs(60))?, "the attempt never ends");
    ensure!(conn.socket.take_error()?.is_none(), "the attempt failed");
    conn.socket.set_nonblocking(false)?;
    conn.tx(write, 1500)?;
    conn.rx(read, 2500)?;
    conn.close(End::Fin);
    Ok(())
}

fn right(w: &mut Worker) -> Result<()> {
    let remote = w.peer(0)?;
    let socket = w.tcp(remote)?;
    socket.bind(&SocketAddr::new(w.family.loopback(), 0).into())?;
    let here = local(&socket)?;
    w.ready(&[here])?;
    w.hear()?;
    socket.connect(&remote.into())?;
    let mut conn = w.conn(socket, Direction::Out, here, remote);
    conn.rx(read, 1500)?;
    conn.tx(write, 2500)?;
    conn.rx_fin()?;
    conn.close(End::Fin);
    Ok(())
}

fn give_up(stage: &mut Stage<'_>) -> Result<()> {
    stage.in_order()?;
    stage.note(1)?;
    stage.tell(0, "the client has given up")
}

fn silent(w: &mut Worker) -> Result<()> {
    let listener = w.listen_at(SocketAddr::new(w.family.loopback(), 0))?;
    drop_everything(&listener.socket)?;
    w.ready(&[listener.local])?;
    w.hear().map(drop)
}

fn interrupted(w: &mut Worker) -> Result<()> {
    let remote = w.peer(0)?;
    let socket = w.tcp(remote)?;
    socket.bind(&SocketAddr::new(w.family.loopback(), 0).into())?;
    let conn = w.conn(socket.try_clone()?, Direction::Out, local(&socket)?, remote);
    let error = interrupt_me(|| socket.connect(&remote.into()))?.err().context("it was answered")?;
    if error.kind() != std::io::ErrorKind::Interrupted {
        bail!("not interrupted: {error}");
    }
    drop(socket);
    conn.close(End::Abort);
    w.note("given up")
}

fn connect_exit(w: &mut Worker) -> Result<()> {
    for _ in 0..5 {
        let child = w.fork("child", |child| {
            let conn = child.connect()?;
            conn.tally.ended(End::Fin);
            std::mem::forget(conn); // left to the kernel
            Ok(())
        })?;
        w.join(child)?;
    }
    Ok(())
}
