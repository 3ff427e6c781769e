//! Ways in which an established connection ends.

use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::tcp_basic::accept_one;
use crate::stage::{Case, Stage, Worker};
use crate::sys::socket::{poll, wait_unread};
use crate::sys::stream::{read, write};
use crate::truth::End;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair(
            "tcp-half-close",
            "1 MiB flows after the client's FIN",
            half_close_server,
            half_close_client,
        ),
        Case::pair("tcp-server-closes-first", "the server sends its FIN first", first_server, first_client),
        Case::pair("tcp-linger0", "the client resets by SO_LINGER 0", linger_server, linger_client),
        Case::pair("tcp-reset-by-peer", "the server closes with unread data", unread_server, unread_client)
            .lossy(),
        Case::pair("tcp-reset-queued", "reset with data in both queues", stuffed_server, stuffed_client)
            .drive(stuff)
            .lossy(),
        Case::pair("tcp-unaccepted", "the listener closes with two callers unheard", deaf, unheard)
            .drive(hang_up)
            .lossy(),
        Case::pair("tcp-exit", "the client's exit closes the socket", exit_server, exit_client),
    ]
}

fn half_close_server(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    ensure!(conn.rx_to_end(read)? == 1000, "the request is incomplete");
    conn.tx(write, 1_048_576)?;
    conn.close(End::Fin);
    Ok(())
}

fn half_close_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 1000)?;
    conn.finish_sending()?;
    ensure!(conn.rx_to_end(read)? == 1_048_576, "the answer is incomplete");
    conn.close(End::Fin);
    Ok(())
}

fn first_server(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    conn.rx(read, 100)?;
    conn.tx(write, 2000)?;
    conn.close(End::Fin);
    Ok(())
}

fn first_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 100)?;
    conn.rx(read, 2000)?;
    conn.rx_fin()?;
    conn.close(End::Fin);
    Ok(())
}

fn linger_server(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    conn.rx(read, 1000)?;
    conn.tx(write, 1)?; // the client may reset now
    conn.rx_reset()
}

fn linger_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 1000)?;
    conn.rx(read, 1)?;
    conn.abort()
}

fn unread_server(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    wait_unread(conn.as_fd(), 5000)?;
    conn.rx(read, 100)?;
    conn.close(End::Abort);
    Ok(())
}

fn unread_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 5000)?;
    ensure!(poll(conn.as_fd(), libc::POLLIN, Duration::from_secs(30))?, "no reset came");
    conn.rx_reset()
}

/// Reads a little of what fills the queues, then resets.
fn stuffed_server(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    conn.rx(read, 100)?;
    w.hear()?;
    conn.abort()
}

fn stuffed_client(w: &mut Worker) -> Result<()> {
    let conn = w.connect()?;
    conn.socket.set_nonblocking(true)?;
    loop {
        match write(conn.as_fd(), &[b'.'; 50_000]) {
            Ok(sent) => conn.tally.sent(sent),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
    }
    w.note("the queues are full")?;
    ensure!(poll(conn.as_fd(), libc::POLLIN, Duration::from_secs(30))?, "no reset came");
    conn.rx_reset()
}

fn stuff(stage: &mut Stage<'_>) -> Result<()> {
    stage.in_order()?;
    stage.note(1)?;
    stage.tell(0, "reset now")
}

/// The clients are connected and have sent before the listener closes.
fn hang_up(stage: &mut Stage<'_>) -> Result<()> {
    let server = stage.start("server", &[])?;
    let at = stage.ready(server)?;
    for _ in 0..2 {
        let client = stage.start("client", &at)?;
        let caller = stage.note(client)?;
        stage.tell(server, &caller)?;
    }
    Ok(())
}

fn deaf(w: &mut Worker) -> Result<()> {
    let listener = w.listen()?;
    for _ in 0..2 {
        let caller = w.hear()?.parse()?;
        w.unaccepted(&listener, caller, End::Abort);
    }
    Ok(())
}

fn unheard(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 400)?;
    w.note(conn.tally.get().local.context("not connected")?)?;
    ensure!(poll(conn.as_fd(), libc::POLLIN, Duration::from_secs(30))?, "no reset came");
    conn.rx_reset()
}

fn exit_server(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    conn.rx(read, 77)?;
    conn.rx_fin()?;
    conn.close(End::Fin);
    Ok(())
}

fn exit_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 77)?;
    conn.tally.ended(End::Fin);
    std::mem::forget(conn); // left to the kernel
    Ok(())
}
