//! One UDP socket and many others: flows end by a pause, and their entries leave the kernel; and one socket takes no room from others.

use std::collections::HashMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::{audit, export, in_vm};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;

use super::scenes::Played;

/// The pause after which the recorder ends a flow.
const IDLE: Duration = Duration::from_secs(2);
/// Clients that go on.
const REGULARS: usize = 10;
const WAVES: usize = 12;
/// Bytes that an answer has more than its question.
const MORE: usize = 1;

/// A server, and what each of its clients sent, by port.
struct Server {
    socket: UdpSocket,
    asked: HashMap<u16, (u64, u64)>,
    room: Vec<u8>,
}

impl Server {
    fn new() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { socket, asked: HashMap::new(), room: vec![0; 2048] })
    }

    /// A socket that asks this server.
    fn client(&self) -> Result<UdpSocket> {
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        client.connect(self.socket.local_addr()?)?;
        client.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(client)
    }

    /// A question and its answer.
    fn ask(&mut self, client: &UdpSocket, bytes: usize) -> Result<()> {
        client.send(&vec![b'?'; bytes])?;
        let (got, from) = self.socket.recv_from(&mut self.room)?;
        ensure!((got, from) == (bytes, client.local_addr()?), "{got} bytes from {from} came between");
        self.socket.send_to(&vec![b'!'; bytes + MORE], from)?;
        ensure!(client.recv(&mut self.room)? == bytes + MORE, "not the answer");
        let (count, sum) = self.asked.entry(from.port()).or_default();
        (*count, *sum) = (*count + 1, *sum + bytes as u64);
        Ok(())
    }
}

/// A server has more clients than there is room for at once. Some go on all the time, pause, and go on; the others ask once.
/// Every byte is recorded, none of them finds the maps full, and what goes on is told from what paused.
pub fn idle() -> Result<()> {
    let (room, wave) = if in_vm() { ("512", 50) } else { ("1024", 100) };
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("idle.db");
    let recorder = Recorder::start(&db, &["--max-connections", room, "--udp-idle", "2s"])?;
    let mut server = Server::new()?;
    let port = server.socket.local_addr()?.port();
    let regulars = (0..REGULARS).map(|_| server.client()).collect::<Result<Vec<_>>>()?;
    let mut longest = Duration::ZERO;
    let mut asked = Instant::now();
    for n in 0..WAVES {
        for _ in 0..wave {
            server.ask(&server.client()?, 100 + n)?;
        }
        // Half of it, in which what asked once is left behind, and they do not pause.
        for _ in 0..4 {
            sleep(IDLE / 8);
            longest = longest.max(asked.elapsed());
            asked = Instant::now();
            regulars.iter().try_for_each(|client| server.ask(client, 200))?;
        }
    }
    sleep(IDLE * 2);
    regulars.iter().try_for_each(|client| server.ask(client, 300))?;
    let known = regulars.iter().map(|client| Ok(client.local_addr()?.port())).collect::<Result<Vec<_>>>()?;
    recorder.stop()?;

    let audit = audit(&db)?;
    if audit.completeness["map_full"] != 0 && audit.completeness["reconciliation"]["compared"] != 0 {
        // This test has no TCP connection.
        println!("others filled the small maps with theirs");
        return Ok(());
    }
    ensure!(audit.completeness["map_full"] == 0, "the maps were full: {}", audit.completeness);
    let all = export(&db)?;
    let mut served: HashMap<u16, Vec<&Record>> = HashMap::new();
    for record in all.iter().filter(|record| record.local.port == port) {
        served.entry(record.remote.port).or_default().push(record);
    }
    let is_together =
        |record: &&&Record| record.inexact_reason.as_ref().is_some_and(|why| why.contains("not told apart"));
    if served.values().flatten().any(|record| is_together(&record)) {
        // The host gave the recorder too little time to take entries out, which it says; no byte is missing all the same.
        let sum = |of: fn(&Record) -> u64| served.values().flatten().map(|record| of(record)).sum::<u64>();
        let (asked, more) = server
            .asked
            .values()
            .fold((0, 0), |(asked, more), (count, bytes)| (asked + bytes, more + count * MORE as u64));
        let moved = (sum(|record| record.rx_bytes), sum(|record| record.tx_bytes));
        ensure!(moved == (asked, asked + more), "of {asked} bytes {moved:?}");
        println!("the recorder got too little time: clients are not told apart");
        return Ok(());
    }
    ensure!(served.len() == server.asked.len(), "{} clients of {}", served.len(), server.asked.len());
    for (client, (count, bytes)) in &server.asked {
        let mut records = served.remove(client).context("no record of a client")?;
        records.sort_by(|a, b| a.opened.cmp(&b.opened));
        let sum = |of: fn(&Record) -> u64| records.iter().map(|record| of(record)).sum::<u64>();
        let moved = (sum(|record| record.rx_bytes), sum(|record| record.tx_bytes));
        ensure!(
            moved == (*bytes, bytes + count * MORE as u64),
            "of {bytes} bytes {moved:?}: {}",
            listed(&records)
        );
        let wire = |record: &Record| record.wire.map_or(0, |wire| wire.rx_packets);
        ensure!(sum(wire) == *count, "of {count} packets {}: {}", sum(wire), listed(&records));
        if !known.contains(client) {
            // The kernel can give a port out again.
            ensure!(records.len() as u64 <= *count, "asked {count} times: {}", listed(&records));
            continue;
        }
        ensure!(records.len() == 2 || longest >= IDLE, "paused once: {}", listed(&records));
        let (last, before) = records.split_last().context("no record")?;
        ensure!(before.iter().all(|record| record.end.as_deref() == Some("idle")), "{}", listed(&records));
        ensure!(before.iter().all(|record| record.exact && record.closed <= Some(last.opened.clone())));
        ensure!(last.rx_bytes == 300, "after the pause: {}", listed(&records));
        // To the client the server is the first remote, which the kernel side keeps elsewhere.
        let own = |record: &&Record| (record.local.port, record.remote.port) == (*client, port);
        let (paused, open): (Vec<&Record>, Vec<&Record>) =
            all.iter().filter(own).partition(|record| record.end.as_deref() == Some("idle"));
        let sum = |records: &[&Record]| records.iter().map(|record| record.tx_bytes).sum::<u64>();
        ensure!((sum(&paused), sum(&open)) == (bytes - 300, 300), "{}", listed(&[paused, open].concat()));
    }
    Ok(())
}

/// One socket talks to many more remotes than there is room for, and then another one to some: those are told apart, and what
/// is not is one connection that says so; every byte is recorded.
pub fn greedy() -> Result<()> {
    const REMOTES: u32 = 5_000;
    const OTHERS: u16 = 100;
    const DISCARD: u16 = 9;
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("greedy.db");
    let recorder = Recorder::start(&db, &["--max-connections", "1024"])?;
    let socket = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
    let (greedy, modest) = (socket()?, socket()?);
    let ports = (greedy.local_addr()?.port(), modest.local_addr()?.port());
    let payload = [0; 64];
    let mut sent = 0;
    for n in 0..REMOTES {
        let remote = Ipv4Addr::from_bits(Ipv4Addr::new(127, 33, 0, 1).to_bits() + n);
        sent += greedy.send_to(&payload[..n as usize % payload.len()], (remote, DISCARD))? as u64;
    }
    for n in 0..OTHERS {
        modest.send_to(&payload, (Ipv4Addr::LOCALHOST, DISCARD + n))?;
    }
    drop((greedy, modest));
    recorder.stop()?;

    let audit = audit(&db)?;
    ensure!(audit.completeness["map_full"] == 0, "the maps were full: {}", audit.completeness);
    let all = export(&db)?;
    let of = |port| all.iter().filter(move |record| record.local.port == port);
    let (together, apart): (Vec<&Record>, Vec<&Record>) = of(ports.0).partition(|record| !record.exact);
    let sum = |records: &[&Record]| records.iter().map(|record| record.tx_bytes).sum::<u64>();
    ensure!(sum(&together) + sum(&apart) == sent, "{} + {} of {sent}", sum(&together), sum(&apart));
    let says =
        |record: &&Record| record.inexact_reason.as_ref().is_some_and(|why| why.contains("not told apart"));
    ensure!(!together.is_empty() && together.iter().all(says), "not said: {}", listed(&together));
    ensure!(apart.len() > usize::from(OTHERS), "only {} are told apart", apart.len());
    let others: Vec<&Record> = of(ports.1).collect();
    let right = |record: &&Record| record.exact && record.tx_bytes == payload.len() as u64;
    ensure!(others.len() == usize::from(OTHERS) && others.iter().all(right), "{}", listed(&others));
    Ok(())
}

/// A socket asks several servers, and reads what they answer without asking who sends. No byte is missing in the sum; and where it is
/// not known which server an answer is of, no connection of the socket says that it is exact.
pub fn unasked() -> Result<Played> {
    let mut servers = (0..3).map(|_| Server::new()).collect::<Result<Vec<_>>>()?;
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    client.set_read_timeout(Some(Duration::from_secs(60)))?;
    let port = client.local_addr()?.port();
    let mut expected: HashMap<u16, (u64, u64)> = HashMap::new();
    for (n, server) in servers.iter_mut().enumerate() {
        let (asked, answered) = (100 + n, 1000 + n);
        client.send_to(&vec![b'?'; asked], server.socket.local_addr()?)?;
        let (_, from) = server.socket.recv_from(&mut server.room)?;
        server.socket.send_to(&vec![b'!'; answered], from)?;
        ensure!(client.recv(&mut [0; 2048])? == answered, "not the answer");
        expected.insert(server.socket.local_addr()?.port(), (asked as u64, answered as u64));
    }
    drop(client);
    Ok(Played::by_us(move |recording| {
        // Another scene of this recording may have had the port before.
        let is_mine = |record: &&Record| {
            record.local.port == port
                && record.process.as_ref().is_some_and(|process| process.pid == std::process::id())
        };
        let mine: Vec<&Record> = recording.records()?.iter().filter(is_mine).collect();
        let sum = |of: fn(&Record) -> u64| mine.iter().map(|record| of(record)).sum::<u64>();
        let moved = (sum(|record| record.tx_bytes), sum(|record| record.rx_bytes));
        let all = expected.values().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        ensure!(moved == all, "of {all:?} bytes {moved:?}: {}", listed(&mine));
        for record in &mine {
            let right = expected.get(&record.remote.port) == Some(&(record.tx_bytes, record.rx_bytes));
            ensure!(right || !record.exact, "not exact, and says it is: {record}");
        }
        Ok(())
    }))
}

fn listed(records: &[&Record]) -> String {
    records.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
