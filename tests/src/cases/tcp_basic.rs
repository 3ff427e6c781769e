//! TCP as most programs use it: connect, write, read, close.

use anyhow::Result;

use crate::stage::{Case, Conn, Stage, Worker};
use crate::sys::stream::{read, write};
use crate::truth::End;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair("tcp-simple", "client writes 1000 bytes, server echoes them", echo_once, |w| {
            let mut conn = w.connect()?;
            conn.tx(write, 1000)?;
            conn.rx(read, 1000)?;
            conn.close(End::Fin);
            Ok(())
        }),
        Case::pair("tcp-no-data", "connect, accept, close: not a byte", no_data, |w| {
            w.connect()?.close(End::Fin);
            Ok(())
        }),
        Case::pair("tcp-one-way", "client only sends", |w| drain(&mut accept_one(w)?), only_send),
        Case::pair("tcp-sizes", "1 byte to 16 MiB, odd sizes", sizes_server, sizes_client),
        Case::pair("tcp-many", "200 connections from 20 processes", many_server, many_client).drive(many),
        Case::pair(
            "tcp-threads",
            "four threads write to one socket",
            |w| drain(&mut accept_one(w)?),
            threads,
        ),
        Case::pair("tcp-uids", "clients of three users", uids_server, uids_client).drive(uids),
    ]
}

/// Listens, says so, and accepts one connection.
pub(super) fn accept_one(w: &mut Worker) -> Result<Conn> {
    let listener = w.listen()?;
    w.accept(&listener)
}

/// A server for one connection that sends 1000 bytes back.
pub(super) fn echo_once(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    conn.rx(read, 1000)?;
    conn.tx(write, 1000)?;
    conn.rx_fin()?;
    conn.close(End::Fin);
    Ok(())
}

/// Receives until the peer's FIN.
pub(super) fn drain(conn: &mut Conn) -> Result<()> {
    conn.rx_to_end(read)?;
    conn.tally.ended(End::Fin);
    Ok(())
}

fn no_data(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    conn.rx_fin()?;
    conn.close(End::Fin);
    Ok(())
}

fn only_send(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 54_321)?;
    conn.close(End::Fin);
    Ok(())
}

const SIZES: [usize; 18] = [
    1, 2, 3, 7, 100, 1447, 1448, 1449, 4095, 4096, 4097, 65_483, 65_535, 65_536, 65_537, 524_287, 1_048_577,
    16_777_216,
];

fn sizes_server(w: &mut Worker) -> Result<()> {
    let listener = w.listen()?;
    for size in SIZES {
        let mut conn = w.accept(&listener)?;
        conn.rx(read, size)?;
        conn.tx(write, size / 3 + 1)?;
        conn.rx_fin()?;
        conn.close(End::Fin);
    }
    Ok(())
}

fn sizes_client(w: &mut Worker) -> Result<()> {
    for size in SIZES {
        let mut conn = w.connect()?;
        conn.tx(write, size)?;
        conn.rx(read, size / 3 + 1)?;
        conn.close(End::Fin);
    }
    Ok(())
}

fn many(stage: &mut Stage<'_>) -> Result<()> {
    let server = stage.start("server", &[])?;
    let at = stage.ready(server)?;
    for client in 0..20 {
        stage.start("client", &[at[0].clone(), client.to_string()])?;
    }
    Ok(())
}

fn many_server(w: &mut Worker) -> Result<()> {
    let listener = w.listen()?;
    serve(w, &listener, 200)
}

fn many_client(w: &mut Worker) -> Result<()> {
    let number: usize = w.arg(1)?;
    for n in 0..10 {
        let mut conn = w.connect()?;
        conn.ask(100 + number * 10 + n, 50 + number)?;
        conn.close(End::Fin);
    }
    Ok(())
}

/// Answers one request on each of `n` connections, one after the other.
pub(super) fn serve(w: &Worker, listener: &crate::stage::Listener, n: usize) -> Result<()> {
    for _ in 0..n {
        let mut conn = w.accept(listener)?;
        conn.serve()?;
        conn.rx_fin()?;
        conn.close(End::Fin);
    }
    Ok(())
}

fn threads(w: &mut Worker) -> Result<()> {
    let conn = w.connect()?;
    std::thread::scope(|scope| {
        let threads = [1111, 2222, 3333, 4444].map(|n| {
            let conn = conn.socket.try_clone().map(|socket| (socket, conn.tally.clone()));
            scope.spawn(move || -> Result<()> {
                let (socket, tally) = conn?;
                let sent = write(std::os::fd::AsFd::as_fd(&socket), &vec![0; n])?;
                tally.sent(sent);
                Ok(())
            })
        });
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => anyhow::bail!("a thread panicked"),
        })
    })?;
    conn.close(End::Fin);
    Ok(())
}

fn uids(stage: &mut Stage<'_>) -> Result<()> {
    let server = stage.start("server", &[])?;
    let args = stage.ready(server)?;
    // SAFETY: getuid cannot fail.
    let root = unsafe { libc::getuid() } == 0;
    for uid in [None, Some(1), Some(65_534)] {
        let uid = if root { uid } else { None };
        let role = "client".to_owned();
        stage.start_as(crate::stage::Cast { role, args: args.clone(), uid, ..Default::default() })?;
    }
    Ok(())
}

fn uids_server(w: &mut Worker) -> Result<()> {
    let listener = w.listen()?;
    serve(w, &listener, 3)
}

fn uids_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    // SAFETY: getuid cannot fail.
    conn.ask(100 + unsafe { libc::getuid() } as usize % 1000, 10)?;
    conn.close(End::Fin);
    Ok(())
}
