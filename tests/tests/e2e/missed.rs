//! Ends, or beginnings, that no hook sees: a hidden option makes programs miss those of some sockets, as the kernel does when it
//! skips them. The next socket gets the address of the one whose end was missed, and must not get its entry: each connection is
//! right to the byte or says that it is not exact, and none has more than it moved.

use std::collections::HashMap;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::{export, in_vm};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::storm::edges::{ConnectionKey, Load, Made, NETWORK};
use connmon_tests::sys::socket::disconnect;
use connmon_tests::truth::Endpoint;
use socket2::{Domain, Socket, Type};

/// The step to TCP_CLOSE, the end of the socket, or both.
pub fn ends() -> Result<()> {
    right_or_labelled("1", "its end was not seen")
}

/// The step to SYN_SENT or ESTABLISHED, accept(), or both.
pub fn beginnings() -> Result<()> {
    right_or_labelled("2", "")
}

/// Both.
pub fn both() -> Result<()> {
    right_or_labelled("3", "its beginning was not seen")
}

/// How often one socket is used.
const TIMES: u64 = 6;

/// A socket connects to the same server again and again, and sends so many bytes each time. Returns the server's end.
fn used_again(bytes: usize) -> Result<Endpoint> {
    let server = TcpListener::bind((Ipv4Addr::new(127, 30, 0, 1), 0))?;
    let to = server.local_addr()?;
    // Of sockets whose ports add up like this, the option misses the steps of the state; see `blind::is_blind`.
    let of_client = |port: u16| SocketAddr::from((Ipv4Addr::new(127, 30, 0, 2), port));
    let mut bound =
        (20_000..20_256).filter(|port| to.port().wrapping_add(*port) & 2 != 0).filter_map(|port| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
            socket.set_reuse_address(true).ok()?;
            socket.bind(&of_client(port).into()).is_ok().then_some(socket)
        });
    let client = bound.next().context("a free port")?;
    for _ in 0..TIMES {
        client.connect(&to.into())?;
        let message = vec![1; bytes];
        client.send(&message)?;
        server.accept()?.0.read_exact(&mut message.clone())?;
        disconnect(client.as_fd())?;
    }
    Ok(to.into())
}

fn right_or_labelled(blind: &str, label: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("missed.db");
    let recorder = Recorder::start(&db, &["--blind", blind])?;
    let from = Instant::now();
    let load = Load::start(Duration::from_micros(if in_vm() { 5000 } else { 500 }))?;
    // Of so many, some are missed and some are not.
    load.go_on(Duration::from_millis(if in_vm() { 3000 } else { 1000 }), 200)?;
    let made = load.stop()?;
    let server = used_again(1)?;
    let silent = used_again(0)?;
    let to = Instant::now();
    recorder.stop()?;
    let records = export(&db)?;
    let ours = |record: &&Record| NETWORK.contains(&record.local.ip) || NETWORK.contains(&record.remote.ip);
    let mut problems = Vec::new();
    let (mut exact, mut labelled) = (0, 0);
    for record in records.iter().filter(ours) {
        let Some(truth) = made.get(&ConnectionKey::from_record(record)) else {
            // One whose beginning was missed may have gone before anything told its port.
            if record.exact || record.local.port != 0 {
                problems.push(format!("invented: {record}"));
            }
            continue;
        };
        let is_equal = (record.tx_bytes, record.rx_bytes) == (truth.tx, truth.rx);
        match record.exact {
            _ if truth.again => {}
            true if is_equal => exact += 1,
            true => problems
                .push(format!("exact, and wrong: {}/{} bytes is the truth of {record}", truth.tx, truth.rx)),
            false if record.tx_bytes > truth.tx || record.rx_bytes > truth.rx => {
                problems.push(format!("more than {}/{} bytes, the truth of {record}", truth.tx, truth.rx))
            }
            false => labelled += usize::from(record.inexact_reason.as_deref().unwrap_or("").contains(label)),
        }
    }
    // Each of them went well, whatever was missed of it.
    let to_either = records.iter().filter(|one| [&server, &silent].contains(&&one.remote));
    let (again, quiet): (Vec<&Record>, Vec<&Record>) = to_either.partition(|one| one.remote == server);
    let end = |one: &Record| one.end.clone().unwrap_or_default();
    let is_false = |one: &&&Record| !matches!(end(one).as_str(), "abort" | "fin" | "reset" | "unseen");
    problems.extend(
        again.iter().chain(&quiet).filter(is_false).map(|record| format!("it did not fail: {record}")),
    );
    let bytes: u64 = again.iter().map(|record| record.tx_bytes).sum();
    if !(1..=TIMES).contains(&bytes) {
        problems.push(format!("{bytes} bytes of {TIMES} by one socket"));
    }
    let mut found: HashMap<ConnectionKey, Vec<&Record>> = HashMap::new();
    for record in records.iter().filter(ours) {
        found.entry(ConnectionKey::from_record(record)).or_default().push(record);
    }
    let inside = |truth: &Made| from <= truth.begun && truth.ended <= to && !truth.again;
    for (key, _) in made.iter().filter(|(_, truth)| inside(truth)) {
        match found.get(key).map_or(&[][..], Vec::as_slice) {
            [] => problems.push(format!("missing: {key:?}")),
            [_] => {}
            several if several.iter().all(|record| !record.exact) => {}
            [first, .., last] => problems.push(format!("several, and one of them exact: {first}; {last}")),
        }
    }
    println!("missed: {} ends of connections, {exact} exact, {labelled} labelled", made.len());
    ensure!(
        problems.is_empty(),
        "{} problems, such as\n{}",
        problems.len(),
        problems.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
    ensure!(exact > 0 && labelled > 0, "{exact} are exact, {labelled} are not: this says nothing");
    Ok(())
}
