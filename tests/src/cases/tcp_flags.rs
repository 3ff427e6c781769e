//! Calls whose flags or number change what happens to the bytes.

use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::tcp_basic::{accept_one, drain};
use crate::stage::{Case, Worker, needs};
use crate::sys::messages::{recv_error, recvmmsg, sendmmsg};
use crate::sys::socket::{poll, set_option};
use crate::sys::stream::{discard, read, send_more, send_zerocopy, write};
use crate::truth::End;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair(
            "tcp-zerocopy",
            "MSG_ZEROCOPY, and its notes read",
            |w| drain(&mut accept_one(w)?),
            zerocopy,
        ),
        Case::pair("tcp-discard", "MSG_TRUNC throws away what it receives", discard_server, |w| {
            let mut conn = w.connect()?;
            conn.tx(write, 70_000)?;
            conn.close(End::Fin);
            Ok(())
        }),
        Case::pair("tcp-more", "MSG_MORE holds back what was sent", |w| drain(&mut accept_one(w)?), more),
        Case::pair("tcp-mmsg", "sendmmsg and recvmmsg", mmsg_server, mmsg_client),
    ]
}

static PAGES: [u8; 100_000] = [b'.'; 100_000];

fn zerocopy(w: &mut Worker) -> Result<()> {
    let conn = w.connect()?;
    needs(
        "MSG_ZEROCOPY",
        &[libc::ENOPROTOOPT, libc::EOPNOTSUPP],
        set_option(conn.as_fd(), libc::SOL_SOCKET, libc::SO_ZEROCOPY, &1i32),
    )?;
    for size in [100_000, 10, 54_321] {
        let mut left = size;
        while left > 0 {
            let sent = send_zerocopy(conn.as_fd(), &PAGES[..left])?;
            conn.tally.sent(sent);
            left -= sent;
        }
    }
    ensure!(poll(conn.as_fd(), libc::POLLERR, Duration::from_secs(30))?, "no note came");
    ensure!(recv_error(conn.as_fd())? == 0, "a note has bytes");
    conn.close(End::Fin);
    Ok(())
}

fn discard_server(w: &mut Worker) -> Result<()> {
    let mut conn = accept_one(w)?;
    conn.rx(read, 1000)?;
    conn.rx(discard, 60_000)?;
    conn.rx(read, 9000)?;
    conn.rx_fin()?;
    conn.close(End::Fin);
    Ok(())
}

fn more(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(send_more, 300)?;
    conn.tx(send_more, 5000)?;
    conn.tx(write, 21)?;
    conn.tx(send_more, 17)?; // the FIN takes it along
    conn.close(End::Fin);
    Ok(())
}

const MESSAGES: [usize; 5] = [1, 200, 3000, 40_000, 77];

fn mmsg_client(w: &mut Worker) -> Result<()> {
    let conn = w.connect()?;
    let messages = MESSAGES.map(|n| (&PAGES[..n], None));
    let sent = sendmmsg(conn.as_fd(), &messages)?;
    ensure!(sent == MESSAGES, "sent in part only: {sent:?}");
    sent.into_iter().for_each(|n| conn.tally.sent(n));
    conn.close(End::Fin);
    Ok(())
}

fn mmsg_server(w: &mut Worker) -> Result<()> {
    let conn = accept_one(w)?;
    loop {
        let received = recvmmsg(conn.as_fd(), 4, 1000)?;
        received.iter().filter(|(n, _)| *n > 0).for_each(|&(n, _)| conn.tally.received(n));
        if received.iter().any(|&(n, _)| n == 0) {
            break;
        }
    }
    conn.close(End::Fin);
    Ok(())
}
