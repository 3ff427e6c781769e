//! io_uring: the kernel sends and receives on the process's behalf.

use std::io;
use std::os::fd::AsFd;

use anyhow::{Result, ensure};

use super::tcp_basic::accept_one;
use crate::stage::{Case, Conn, Unsupported, Worker, needs};
use crate::sys::uring::Ring;
use crate::truth::End;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair("tcp-uring", "io_uring: send and receive", plain_server, plain_client),
        Case::pair("tcp-uring-polled", "io_uring with SQPOLL", polled_server, polled_client),
        Case::pair("tcp-uring-fixed", "io_uring with a registered buffer", fixed_server, fixed_client),
    ]
}

const SIZES: [usize; 4] = [1, 1000, 30_000, 65_536];

/// A ring that this kernel grants and that can do what the case is about.
fn ring(made: io::Result<Ring>) -> Result<Ring> {
    let ring = needs("io_uring", &[libc::ENOSYS, libc::EPERM], made)?;
    ensure!(ring.can_send()?, Unsupported("this kernel's io_uring can neither send nor receive".into()));
    Ok(ring)
}

/// A ring with a thread that belongs to us.
fn polled() -> Result<Ring> {
    let ring = ring(Ring::polled())?;
    let foreign = "before Linux 5.12, the thread that polls an io_uring belongs to no process";
    ensure!(ring.threads_are_ours(), Unsupported(foreign.into()));
    Ok(ring)
}

fn plain_server(w: &mut Worker) -> Result<()> {
    let mut ring = ring(Ring::new())?;
    let conn = accept_one(w)?;
    answer(conn, &mut ring)
}

fn plain_client(w: &mut Worker) -> Result<()> {
    let mut ring = ring(Ring::new())?;
    let conn = w.connect()?;
    ask(conn, &mut ring)
}

fn polled_server(w: &mut Worker) -> Result<()> {
    let mut ring = polled()?;
    let conn = accept_one(w)?;
    answer(conn, &mut ring)
}

fn polled_client(w: &mut Worker) -> Result<()> {
    let mut ring = polled()?;
    let conn = w.connect()?;
    ask(conn, &mut ring)
}

/// Receives each size and sends half of it back, then waits for the FIN.
fn answer(conn: Conn, ring: &mut Ring) -> Result<()> {
    for size in SIZES {
        receive(&conn, size, |bytes| ring.recv(conn.as_fd(), bytes))?;
        send(&conn, size / 2, |bytes| ring.send(conn.as_fd(), bytes))?;
    }
    ensure!(ring.recv(conn.as_fd(), &mut [0; 16])? == 0, "bytes came instead of a FIN");
    conn.close(End::Fin);
    Ok(())
}

fn ask(conn: Conn, ring: &mut Ring) -> Result<()> {
    for size in SIZES {
        send(&conn, size, |bytes| ring.send(conn.as_fd(), bytes))?;
        receive(&conn, size / 2, |bytes| ring.recv(conn.as_fd(), bytes))?;
    }
    conn.close(End::Fin);
    Ok(())
}

fn send(conn: &Conn, n: usize, mut call: impl FnMut(&[u8]) -> io::Result<usize>) -> Result<()> {
    let bytes = vec![b'.'; n];
    let mut left = n;
    while left > 0 {
        let sent = call(&bytes[..left])?;
        conn.tally.sent(sent);
        left -= sent;
    }
    Ok(())
}

fn receive(conn: &Conn, n: usize, mut call: impl FnMut(&mut [u8]) -> io::Result<usize>) -> Result<()> {
    let mut bytes = vec![0; n];
    let mut left = n;
    while left > 0 {
        let got = call(&mut bytes[..left])?;
        ensure!(got > 0, "the peer closed {left} bytes early");
        conn.tally.received(got);
        left -= got;
    }
    Ok(())
}

fn fixed_server(w: &mut Worker) -> Result<()> {
    let mut ring = ring(Ring::fixed())?;
    let conn = accept_one(w)?;
    for size in SIZES {
        receive(&conn, size, |bytes| ring.read_fixed(conn.as_fd(), bytes.len()))?;
        send(&conn, size / 2, |bytes| ring.write_fixed(conn.as_fd(), bytes.len()))?;
    }
    ensure!(ring.read_fixed(conn.as_fd(), 16)? == 0, "bytes came instead of a FIN");
    conn.close(End::Fin);
    Ok(())
}

fn fixed_client(w: &mut Worker) -> Result<()> {
    let mut ring = ring(Ring::fixed())?;
    let conn = w.connect()?;
    for size in SIZES {
        send(&conn, size, |bytes| ring.write_fixed(conn.as_fd(), bytes.len()))?;
        receive(&conn, size / 2, |bytes| ring.read_fixed(conn.as_fd(), bytes.len()))?;
    }
    conn.close(End::Fin);
    Ok(())
}
