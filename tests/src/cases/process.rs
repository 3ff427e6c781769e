//! What matters is the process or the address family, not the call.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};

use super::tcp_basic::serve;
use crate::stage::{Case, Cast, Stage, Worker};
use crate::sys::datagram;
use crate::sys::stream::{read, write};
use crate::truth::End;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair(
            "short-lived",
            "five processes: exec, connect, send 10 bytes, exit",
            brief_server,
            brief_client,
        )
        .drive(brief),
        Case::pair("v4-mapped", "IPv6 sockets talk IPv4, TCP and UDP", mapped_server, mapped_client).v4(),
        Case::pair("hostile", "names with markup, escape sequences and formulas", hostile_server, |w| {
            let mut conn = w.connect()?;
            conn.ask(666, 13)?;
            conn.close(End::Fin);
            Ok(())
        })
        .drive(hostile),
    ]
}

fn brief(stage: &mut Stage<'_>) -> Result<()> {
    let server = stage.start("server", &[])?;
    let at = stage.ready(server)?;
    (0..5).try_for_each(|_| stage.start("client", &at).map(drop))
}

fn brief_server(w: &mut Worker) -> Result<()> {
    let listener = w.listen()?;
    for _ in 0..5 {
        let mut conn = w.accept(&listener)?;
        conn.rx(read, 10)?;
        conn.rx_fin()?;
        conn.close(End::Fin);
    }
    Ok(())
}

fn brief_client(w: &mut Worker) -> Result<()> {
    let mut conn = w.connect()?;
    conn.tx(write, 10)?;
    conn.close(End::Fin);
    Ok(())
}

fn mapped_server(w: &mut Worker) -> Result<()> {
    let here = SocketAddr::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), 0);
    let listener = w.listen_at(here)?;
    let mut udp = w.udp_at(here)?;
    w.ready(&[listener.local, udp.local])?;
    let mut conn = w.accept(&listener)?;
    conn.serve()?;
    conn.rx_fin()?;
    conn.close(End::Fin);
    let (from, n) = udp.recv_from(datagram::recvfrom, 2000)?;
    udp.send_to(datagram::sendto, n * 2, from)
}

fn mapped_client(w: &mut Worker) -> Result<()> {
    let (tcp, udp): (SocketAddr, SocketAddr) = (w.peer(0)?, w.peer(1)?);
    ensure!(tcp.is_ipv6() && udp.is_ipv6(), "the server must be asked through IPv6 sockets");
    let mut conn = w.connect_to(tcp)?;
    conn.ask(1234, 4321)?;
    conn.close(End::Fin);
    let mut socket = w.udp_at(SocketAddr::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), 0))?;
    socket.send_to(datagram::sendto, 700, udp)?;
    ensure!(socket.recv_from(datagram::recvfrom, 2000)?.1 == 1400, "not the datagram expected");
    Ok(())
}

/// A file name that is markup (its `/` is the folder's end), and worse.
pub const HOSTILE_EXE: &str = "<script>alert(1)</script>\u{1b}[2J\u{202e}gpj.exe";
/// A formula, for those who open the export in a spreadsheet.
pub const HOSTILE_ARG0: &str = "=cmd|' /C calc'!A0\u{1b}]0;pwned\u{7}<img src=x onerror=alert(2)>\u{2028}";

fn hostile(stage: &mut Stage<'_>) -> Result<()> {
    let exe = stage.disguise(HOSTILE_EXE)?;
    let server = stage.start("server", &[])?;
    let args = stage.ready(server)?;
    let role = "client".to_owned();
    let (exe, arg0) = (Some(exe), Some(HOSTILE_ARG0.into()));
    stage.start_as(Cast { role, args, exe, arg0, uid: None }).context("hostile client").map(drop)
}

fn hostile_server(w: &mut Worker) -> Result<()> {
    let listener = w.listen()?;
    serve(w, &listener, 1)
}
