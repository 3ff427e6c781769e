//! Every call that can send or receive.

use std::os::fd::AsFd;

use anyhow::{Result, ensure};

use super::tcp_basic::{accept_one, drain};
use crate::stage::{Case, Worker};
use crate::sys::stream::{Rx, Tx, peek, read, readv, recv, recv_waitall, recvfrom, recvmsg};
use crate::sys::stream::{send, sendmsg, sendto, write, writev};
use crate::sys::transfer::{memory_file, pipe, sendfile, splice};
use crate::truth::End;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair(
            "tcp-send-variants",
            "write, send, sendto, sendmsg, writev; read, recv, recvfrom, recvmsg, readv, MSG_WAITALL",
            variants_server,
            variants_client,
        ),
        Case::pair(
            "tcp-sendfile",
            "a file sent by sendfile",
            |w| drain(&mut accept_one(w)?),
            sendfile_client,
        ),
        Case::pair("tcp-splice", "a pipe spliced out, and in", splice_server, splice_client),
        Case::pair("tcp-peek", "MSG_PEEK delivers nothing", peek_server, |w| {
            let mut conn = w.connect()?;
            conn.tx(write, 3000)?;
            conn.close(End::Fin);
            Ok(())
        }),
    ]
}

/// A way to send, a way to receive and a size, one connection each.
const VARIANTS: [(Tx, Rx, usize); 6] = [
    (write, read, 1001),
    (send, recv, 2003),
    (sendto, recvfrom, 30_005),
    (sendmsg, recvmsg, 400_007),
    (writev, readv, 50_009),
    (write, recv_waitall, 6011),
];

fn variants_server(w: &mut Worker) -> Result<()> {
    let listener = w.listen()?;
    for (tx, rx, size) in VARIANTS {
        let mut conn = w.accept(&listener)?;
        conn.rx(rx, size)?;
        conn.tx(tx, size / 2)?;
        conn.rx_fin()?;
        conn.close(End::Fin);
    }
    Ok(())
}

fn variants_client(w: &mut Worker) -> Result<()> {
    for (tx, rx, size) in VARIANTS {
        let mut conn = w.connect()?;
        conn.tx(tx, size)?;
        conn.rx(rx, size / 2)?;
        conn.close(End::Fin);
    }
    Ok(())
}

const FILE: usize = 300_001;

fn sendfile_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    let file = memory_file(FILE as u64)?;
    let mut left = FILE;
    while left > 0 {
        let sent = sendfile(conn.as_fd(), &file, left)?;
        ensure!(sent > 0, "sendfile sent nothing");
        conn.tally.sent(sent);
        left -= sent;
    }
    conn.tx(write, 7)?; // and by hand, on the same connection
    conn.close(End::Fin);
    Ok(())
}

fn splice_client(w: &mut Worker) -> Result<()> {
    let conn = w.connect()?;
    let (file, (from, into)) = (memory_file(FILE as u64)?, pipe()?);
    let mut left = FILE;
    while left > 0 {
        let mut piped = splice(file.as_fd(), into.as_fd(), left.min(32_768))?;
        ensure!(piped > 0, "the file is at its end");
        left -= piped;
        while piped > 0 {
            let sent = splice(from.as_fd(), conn.as_fd(), piped)?;
            conn.tally.sent(sent);
            piped -= sent;
        }
    }
    conn.close(End::Fin);
    Ok(())
}

fn splice_server(w: &mut Worker) -> Result<()> {
    let conn = accept_one(w)?;
    let (from, into) = pipe()?;
    let sink = std::fs::File::options().write(true).open("/dev/null")?;
    loop {
        let mut piped = splice(conn.as_fd(), into.as_fd(), 32_768)?;
        if piped == 0 {
            break;
        }
        conn.tally.received(piped);
        while piped > 0 {
            piped -= splice(from.as_fd(), sink.as_fd(), piped)?;
        }
    }
    conn.close(End::Fin);
    Ok(())
}

fn peek_server(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    for size in [1, 1000, 3000] {
        ensure!(peek(conn.as_fd(), &mut vec![0; size])? > 0, "nothing to peek at");
    }
    conn.rx(read, 1500)?;
    ensure!(peek(conn.as_fd(), &mut [0; 100])? > 0, "nothing to peek at");
    conn.rx(recv, 1500)?;
    conn.rx_fin()?;
    conn.close(End::Fin);
    Ok(())
}
