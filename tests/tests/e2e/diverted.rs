//! What BPF programs of others do to connections: bytes that pass TCP by.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::export;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::sys::bpf::Sockmap;

/// Bytes of a message.
const SIZE: usize = 1000;

/// A pair of connected sockets.
fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    Ok((client, listener.accept()?.0))
}

/// Two of three messages go from queue to queue by a sockmap's program. All are counted, and both ends are labelled.
pub fn sockmap() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("diverted.db");
    let recorder = Recorder::start(&db, &[])?;
    let (mut client, mut server) = pair()?;
    let ports = (client.local_addr()?.port(), server.local_addr()?.port());
    let mut message = [7; SIZE];
    let mut say = |from: &mut TcpStream, to: &mut TcpStream| -> Result<()> {
        from.write_all(&message)?;
        Ok(to.read_exact(&mut message)?)
    };
    say(&mut client, &mut server)?;
    let map = Sockmap::new().context("a sockmap")?;
    map.put(0, client.as_fd())?;
    map.put(1, server.as_fd())?;
    say(&mut client, &mut server)?;
    say(&mut client, &mut server)?;
    drop(client);
    ensure!(server.read(&mut [0])? == 0, "bytes behind the end");
    drop(server);
    drop(map);
    recorder.stop()?;
    let records = export(&db)?;
    let of = |ports| {
        let found = records.iter().find(|record| (record.local.port, record.remote.port) == ports);
        found.context("an end was not recorded")
    };
    let (sender, receiver) = (of(ports)?, of((ports.1, ports.0))?);
    let all = 3 * SIZE as u64;
    ensure!((sender.tx_bytes, sender.rx_bytes) == (all, 0), "sent {all}: {sender}");
    ensure!((receiver.tx_bytes, receiver.rx_bytes) == (0, all), "received {all}: {receiver}");
    for record in [sender, receiver] {
        let reason = record.inexact_reason.as_deref().unwrap_or_default();
        ensure!(!record.exact && reason.contains("sockmap"), "not labelled: {record}");
    }
    Ok(())
}
