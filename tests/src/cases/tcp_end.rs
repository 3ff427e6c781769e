//! Ways in which an established connection ends.

use std::os::fd::AsFd;

use anyhow::{Result, ensure};

use super::tcp_basic::one;
use crate::stage::{Case, Worker};
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
        Case::pair("tcp-exit", "the client's exit closes the socket", exit_server, exit_client),
    ]
}

fn half_close_server(w: &mut Worker) -> Result<()> {
    let mut conn = one(w)?;
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
    let mut conn = one(w)?;
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
    let mut conn = one(w)?;
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
    let mut conn = one(w)?;
    wait_unread(conn.as_fd(), 5000)?;
    conn.rx(read, 100)?;
    conn.close(End::Abort);
    Ok(())
}

fn unread_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 5000)?;
    ensure!(poll(conn.as_fd(), libc::POLLIN, std::time::Duration::from_secs(30))?, "no reset came");
    conn.rx_reset()
}

fn exit_server(w: &mut Worker) -> Result<()> {
    let mut conn = one(w)?;
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
