//! Very many small transfers, and few huge ones.

use anyhow::Result;

use super::tcp_basic::accept_one;
use crate::stage::{Case, Worker};
use crate::sys::in_vm;
use crate::sys::stream::{read, recv, send, write};
use crate::truth::End;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair("tcp-many-small", "20000 calls of 1 to 64 bytes each way", small_server, small_client),
        Case::pair("tcp-few-huge", "64 MiB each way", huge_server, huge_client),
    ]
}

/// Calls each way, and how many bytes each of them moves.
fn small() -> impl Iterator<Item = usize> {
    let calls = if in_vm() { 2_000 } else { 20_000 };
    (0..calls).map(|n| n % 64 + 1)
}

fn huge() -> usize {
    if in_vm() { 4 << 20 } else { 64 << 20 }
}

fn small_server(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    small().try_for_each(|n| conn.rx(read, n))?;
    small().try_for_each(|n| conn.tx(write, n))?;
    conn.rx_fin()?;
    conn.close(End::Fin);
    Ok(())
}

fn small_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.socket.set_tcp_nodelay(true)?;
    small().try_for_each(|n| conn.tx(send, n))?;
    small().try_for_each(|n| conn.rx(recv, n))?;
    conn.close(End::Fin);
    Ok(())
}

fn huge_server(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    conn.rx(read, huge())?;
    conn.tx(write, huge())?;
    conn.rx_fin()?;
    conn.close(End::Fin);
    Ok(())
}

fn huge_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, huge())?;
    conn.rx(read, huge())?;
    conn.close(End::Fin);
    Ok(())
}
