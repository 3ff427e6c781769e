//! One connection in the hands of several processes, or of one that becomes another program.

use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use anyhow::{Context, Result};
use socket2::Socket;

use super::tcp_basic::{accept_one, drain};
use crate::stage::{Case, Worker};
use crate::sys::fdpass::{recv_fd, send_fd};
use crate::sys::stream::write;
use crate::truth::{Connection, End};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair(
            "tcp-fork-shared",
            "parent and child write to one socket",
            |w| drain(&mut accept_one(w)?),
            fork_shared,
        ),
        Case::pair("tcp-fork-served", "the parent accepts, the child serves", fork_served, |w| {
            let mut conn = w.connect()?;
            conn.ask(4321, 1234)?;
            conn.close(End::Fin);
            Ok(())
        }),
        Case::new("tcp-fd-pass", "a socket passed by SCM_RIGHTS, used by both")
            .role("server", |w| drain(&mut accept_one(w)?))
            .role("taker", taker)
            .role("giver", giver)
            .drive(|stage| {
                let server = stage.start("server", &[])?;
                let mut args = stage.ready(server)?;
                args.push(format!("traffic-fd-{}-{:?}", std::process::id(), stage.family));
                let taker = stage.start("taker", &args)?;
                stage.ready(taker)?;
                stage.start("giver", &args)?;
                Ok(())
            }),
        Case::pair(
            "exec-while-open",
            "the program changes, PID and connection stay",
            |w| drain(&mut accept_one(w)?),
            |w| {
                let mut conn = w.connect()?;
                conn.tx(write, 700)?;
                w.exec_into("second", conn)
            },
        )
        .role("second", |w| {
            let mut conn = w.inherited()?;
            conn.tx(write, 900)?;
            conn.close(End::Fin);
            Ok(())
        })
        .drive(|stage| {
            let server = stage.start("server", &[])?;
            let at = stage.ready(server)?;
            stage.start("client", &at)?;
            Ok(())
        }),
    ]
}

fn fork_shared(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 1000)?;
    let child = w.fork("child", |child| {
        let mut shared = child.borrow(conn.socket.try_clone()?, conn.tally.borrowed());
        shared.tx(write, 333)?;
        shared.close(End::Fin);
        Ok(())
    })?;
    w.join(child)?;
    conn.tx(write, 77)?;
    conn.close(End::Fin);
    Ok(())
}

fn fork_served(w: &mut Worker) -> Result<()> {
    let conn = accept_one(w)?;
    let child = w.fork("child", |child| {
        let mut shared = child.borrow(conn.socket.try_clone()?, conn.tally.borrowed());
        shared.serve()?;
        shared.rx_fin()?;
        shared.close(End::Fin);
        Ok(())
    })?;
    conn.close(End::Fin); // the child keeps it open
    w.join(child)
}

/// Where giver and taker meet: an abstract UNIX address.
fn meeting_point(w: &Worker) -> Result<SocketAddr> {
    Ok(SocketAddr::from_abstract_name(w.arg::<String>(1)?)?)
}

fn giver(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 500)?;
    let mut taker = UnixStream::connect_addr(&meeting_point(w)?)?;
    send_fd(taker.as_fd(), conn.as_fd())?;
    serde_json::to_writer(&mut taker, &conn.tally.borrowed())?;
    taker.shutdown(std::net::Shutdown::Write)?;
    std::io::Read::read_to_end(&mut taker, &mut Vec::new())?; // until the taker is done
    conn.tx(write, 41)?;
    conn.close(End::Fin);
    Ok(())
}

fn taker(w: &mut Worker) -> Result<()> {
    let listener = UnixListener::bind_addr(&meeting_point(w)?)?;
    w.ready(&[])?;
    let (giver, _) = listener.accept()?;
    let socket = Socket::from(recv_fd(giver.as_fd())?);
    let seen: Connection = serde_json::from_reader(&giver).context("the giver's view")?;
    let mut shared = w.borrow(socket, seen);
    shared.tx(write, 300)?;
    shared.close(End::Fin);
    Ok(())
}
