//! Datagrams that nobody wants: the answer is an ICMP error, which is no traffic of ours.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::stage::{Case, Worker};
use crate::sys::messages::recv_error;
use crate::sys::socket::{poll, set_option};
use crate::sys::stream;

/// `discard`: nobody listens there in a namespace of our own.
const NOBODY: u16 = 9;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("udp-refused", "nobody listens: the next call says so").role("client", refused),
        Case::new("udp-refused-queue", "nobody listens: read from the error queue").role("client", queued),
    ]
    .into_iter()
    .map(|case| case.netns().lossy())
    .collect()
}

fn refused(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    let nobody = SocketAddr::new(w.family.loopback(), NOBODY);
    socket.connect(nobody)?;
    for n in [100, 200] {
        socket.send(stream::send, n, nobody)?;
        ensure!(poll(socket.as_fd(), libc::POLLERR, Duration::from_secs(30))?, "no answer came");
        let error = stream::send(socket.as_fd(), b"not sent").err().context("it was sent")?;
        ensure!(error.raw_os_error() == Some(libc::ECONNREFUSED), "{error}");
    }
    socket.send(stream::send, 33, nobody)?;
    let error = stream::recv(socket.as_fd(), &mut [0; 100]).err().context("something came")?;
    ensure!(error.raw_os_error() == Some(libc::ECONNREFUSED), "{error}");
    Ok(())
}

fn queued(w: &mut Worker) -> Result<()> {
    let mut socket = w.udp()?;
    let nobody = SocketAddr::new(w.family.loopback(), NOBODY);
    let (level, option) = match nobody {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    set_option(socket.as_fd(), level, option, &1i32)?;
    socket.connect(nobody)?;
    socket.send(stream::send, 500, nobody)?;
    ensure!(poll(socket.as_fd(), libc::POLLERR, Duration::from_secs(30))?, "no answer came");
    ensure!(recv_error(socket.as_fd())? == 500, "the note does not hold the datagram");
    Ok(())
}
