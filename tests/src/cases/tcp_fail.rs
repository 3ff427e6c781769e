//! Connections that never come about, and attempts that do not wait.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::tcp_basic::echo_once;
use crate::stage::{Case, Conn, Stage, Worker};
use crate::sys::netns::set_sysctl;
use crate::sys::socket::{drop_everything, local, poll, set_syn_count};
use crate::sys::stream::{read, write};
use crate::truth::{Direction, End};

/// `discard`: nobody listens there in a namespace of our own.
const NOBODY: u16 = 9;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("tcp-refused", "nobody listens; not bound, does not wait").role("client", refused).netns(),
        Case::new("tcp-refused-bound", "nobody listens; bound to a port, waits")
            .role("client", refused_bound)
            .netns(),
        Case::pair("tcp-timeout", "no answer at all", black_hole, timeout).drive(impatient).netns(),
        Case::new("tcp-unreachable", "no route to there").role("client", unreachable).netns(),
        Case::pair("tcp-nonblocking", "connect returns before it is done", echo_once, |w| {
            let mut conn = w.begin_connect(w.peer(0)?)?;
            ensure!(outcome(&conn)?.is_none(), "it failed");
            conn.socket.set_nonblocking(false)?;
            conn.tx(write, 1000)?;
            conn.rx(read, 1000)?;
            conn.close(End::Fin);
            Ok(())
        }),
    ]
}

/// Waits for the end of a connection attempt: its error, if it failed.
fn outcome(conn: &Conn) -> Result<Option<i32>> {
    ensure!(poll(conn.as_fd(), libc::POLLOUT, Duration::from_secs(60))?, "the attempt never ends");
    Ok(conn.socket.take_error()?.and_then(|error| error.raw_os_error()))
}

fn refused(w: &mut Worker) -> Result<()> {
    let conn = w.begin_connect(SocketAddr::new(w.family.loopback(), NOBODY))?;
    ensure!(outcome(&conn)? == Some(libc::ECONNREFUSED), "it was not refused");
    conn.close(End::Refused);
    Ok(())
}

fn refused_bound(w: &mut Worker) -> Result<()> {
    let remote = SocketAddr::new(w.family.loopback(), NOBODY);
    let socket = w.tcp(remote)?;
    socket.bind(&SocketAddr::new(w.family.loopback(), 0).into())?;
    let conn = w.conn(socket.try_clone()?, Direction::Out, local(&socket)?, remote);
    let error = socket.connect(&remote.into()).err().context("it was not refused")?;
    ensure!(error.raw_os_error() == Some(libc::ECONNREFUSED), "it was not refused but {error}");
    conn.close(End::Refused);
    Ok(())
}

/// Lets attempts in this namespace give up early.
fn impatient(stage: &mut Stage<'_>) -> Result<()> {
    set_sysctl("net/ipv4/tcp_syn_linear_timeouts", "0")?; // since 6.5
    stage.in_order()?;
    stage.note(1)?;
    stage.tell(0, "the client has given up")
}

fn black_hole(w: &mut Worker) -> Result<()> {
    let listener = w.listen_at(SocketAddr::new(w.family.loopback(), 0))?;
    drop_everything(&listener.socket)?;
    w.ready(&[listener.local])?;
    w.hear()?;
    Ok(())
}

fn timeout(w: &mut Worker) -> Result<()> {
    let remote = w.peer(0)?;
    let socket = w.tcp(remote)?;
    set_syn_count(socket.as_fd(), 1)?;
    socket.set_tcp_user_timeout(Some(Duration::from_millis(1100)))?;
    socket.set_nonblocking(true)?;
    let started = socket.connect(&remote.into()).err().and_then(|error| error.raw_os_error());
    ensure!(started == Some(libc::EINPROGRESS), "the attempt ended at once");
    let conn = w.conn(socket.try_clone()?, Direction::Out, local(&socket)?, remote);
    ensure!(outcome(&conn)? == Some(libc::ETIMEDOUT), "it did not time out");
    conn.close(End::Timeout);
    w.note("given up")
}

fn unreachable(w: &mut Worker) -> Result<()> {
    let remote = SocketAddr::new(w.family.elsewhere(), NOBODY);
    let error = w.tcp(remote)?.connect(&remote.into()).err().context("there is a route")?;
    ensure!(error.raw_os_error() == Some(libc::ENETUNREACH), "{error}");
    w.attempt(remote).ended(End::Unreachable);
    Ok(())
}
