//! The kernel puts other addresses into packets than the socket has: NAT on this host.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::{connmon_prints, in_vm, path};
use connmon_tests::harness::record::Record;
use connmon_tests::sys::nat::{Nat, translate};
use connmon_tests::sys::netlink::Netlink;
use connmon_tests::visit::{odd, words};
use serde_json::Value;

use super::scenes::Played;

/// Where a resolver seems to be, and where it is.
const SEEMS: Ipv4Addr = Ipv4Addr::new(10, 5, 5, 5);
const HOME: Ipv4Addr = Ipv4Addr::new(10, 5, 5, 1);
const SEEMS_6: Ipv6Addr = Ipv6Addr::new(0xfd05, 0, 0, 0, 0, 0, 0, 5);
const HOME_6: Ipv6Addr = Ipv6Addr::new(0xfd05, 0, 0, 0, 0, 0, 0, 1);
/// A resolver that is where it seems to be, and what it takes for its clients.
const PLAIN: Ipv4Addr = Ipv4Addr::new(10, 5, 5, 7);
const MASKED: Ipv4Addr = Ipv4Addr::new(10, 5, 5, 9);
const ANSWER: &[u8] = b"0123456789";

/// A question and an answer, as both sockets see them.
struct Talk {
    /// The name that is asked for.
    name: String,
    /// The client's socket, and whom it speaks to.
    client: (SocketAddr, SocketAddr),
    /// The server's, likewise.
    server: (SocketAddr, SocketAddr),
    sent: u64,
}

/// Asks on a socket and answers on another one.
fn talk(name: &str, client: &UdpSocket, to: SocketAddr, server: &UdpSocket) -> Result<Talk> {
    for socket in [client, server] {
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    }
    let question = odd::question(7, name);
    match client.peer_addr() {
        Ok(_) => client.send(&question)?,
        Err(_) => client.send_to(&question, to)?,
    };
    let (_, from) = server.recv_from(&mut [0; 512]).with_context(|| format!("{name}: no question"))?;
    server.send_to(&[&[0, 7, 0x81, 0x80], &question[4..], ANSWER].concat(), from)?;
    client.recv(&mut [0; 512]).with_context(|| format!("{name}: no answer"))?;
    Ok(Talk {
        name: name.to_owned(),
        client: (client.local_addr()?, to),
        server: (server.local_addr()?, from),
        sent: question.len() as u64,
    })
}

/// What was said in the namespace.
struct Said {
    talks: Vec<Talk>,
    /// The client's port of a TCP connection that said a name.
    tls: u16,
}

/// Rules, and traffic that they translate, in a namespace of this thread's own.
fn traffic() -> Result<Said> {
    // SAFETY: changes this thread alone.
    ensure!(unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0, "{}", io::Error::last_os_error());
    let netlink = Netlink::open()?;
    netlink.loopback_up()?;
    for ip in [HOME, PLAIN, MASKED] {
        netlink.add_to_loopback(ip.into())?;
    }
    netlink.add_to_loopback(HOME_6.into())?;
    let seems = SocketAddr::from((SEEMS, 53));
    let resolver = UdpSocket::bind((HOME, 5353))?;
    let web = TcpListener::bind((HOME, 8443))?;
    let seems_6 = SocketAddr::from((SEEMS_6, 53));
    let resolver_6 = UdpSocket::bind((HOME_6, 5353))?;
    let plain = UdpSocket::bind((PLAIN, 53))?;
    translate(Nat::Destination, seems, resolver.local_addr()?)?;
    translate(Nat::Destination, (SEEMS, 443).into(), web.local_addr()?)?;
    translate(Nat::Destination, seems_6, resolver_6.local_addr()?)?;
    translate(Nat::Source, plain.local_addr()?, (MASKED, 40_009).into())?;
    // What no interface has, lo takes, so that the packets have a way.
    netlink.add_to_loopback(SEEMS.into())?;
    netlink.add_to_loopback(SEEMS_6.into())?;

    let mut talks = Vec::new();
    let connected = UdpSocket::bind((HOME, 0))?;
    connected.connect(seems)?;
    talks.push(talk("connected.connmon.test", &connected, seems, &resolver)?);
    talks.push(talk("again.connmon.test", &connected, seems, &resolver)?);
    let free = UdpSocket::bind((HOME, 0))?;
    talks.push(talk("free.connmon.test", &free, seems, &resolver)?);
    talks.push(talk("straight.connmon.test", &free, resolver.local_addr()?, &resolver)?);
    let six = UdpSocket::bind((HOME_6, 0))?;
    six.connect(seems_6)?;
    talks.push(talk("six.connmon.test", &six, seems_6, &resolver_6)?);
    let masked = UdpSocket::bind((HOME, 0))?;
    talks.push(talk("masked.connmon.test", &masked, plain.local_addr()?, &plain)?);

    let mut client = TcpStream::connect((SEEMS, 443))?;
    let tls = client.local_addr()?.port();
    client.write_all(&words::hello("nat.connmon.test", 0)?)?;
    let (server, _) = web.accept()?;
    drop((client, server));
    Ok(Said { talks, tls })
}

/// Each flow has the ends that its socket has, its packets, and the names that were asked for, by whom.
pub fn ends_are_the_sockets() -> Result<Played> {
    let said = std::thread::spawn(traffic).join().ok().context("the thread panicked")?;
    match said {
        Err(error) if is_unsupported(&error) && !in_vm() => {
            println!("skipped: this kernel translates no addresses ({error:#})");
            Ok(Played::by_us(|_| Ok(())))
        }
        Err(error) => Err(error),
        Ok(said) => {
            Ok(Played::by_us(move |recording| said.is_recorded(recording.records()?, recording.db())))
        }
    }
}

impl Said {
    fn is_recorded(&self, records: &[Record], db: &Path) -> Result<()> {
        let of = |(local, remote): (SocketAddr, SocketAddr)| -> Result<&Record> {
            let is_it = |record: &&Record| {
                record.local.port == local.port()
                    && (record.remote.ip, record.remote.port) == (remote.ip(), remote.port())
            };
            records.iter().find(is_it).with_context(|| format!("{local} to {remote} is missing"))
        };
        let lookups = connmon_prints(&["dns", "--db", path(db)?, "--format", "jsonl"])?;
        let lookups: Vec<Value> = String::from_utf8(lookups)?
            .lines()
            .map(serde_json::from_str)
            .collect::<std::result::Result<_, _>>()?;

        // Several talks may be of one flow.
        let mut sent = BTreeMap::new();
        let mut answered = BTreeMap::new();
        for talk in &self.talks {
            *sent.entry(talk.client).or_insert((0, 0)) =
                add(sent.get(&talk.client), talk.sent, talk.client.1);
            let back = talk.sent + ANSWER.len() as u64;
            *answered.entry(talk.client).or_insert((0, 0)) =
                add(answered.get(&talk.client), back, talk.client.1);
        }
        for talk in &self.talks {
            let name = &talk.name;
            let (tx, rx) = (sent[&talk.client], answered[&talk.client]);
            let client = of(talk.client).with_context(|| name.clone())?;
            let server = of(talk.server).with_context(|| name.clone())?;
            for (what, record, tx, rx) in [("client", client, tx, rx), ("server", server, rx, tx)] {
                let wire = record.wire.with_context(|| format!("{name}: no packets"))?;
                let found = ((wire.tx_packets, wire.tx_bytes), (wire.rx_packets, wire.rx_bytes));
                ensure!(found == (tx, rx), "{name}, {what}: {found:?}, not {:?}", (tx, rx));
            }
            if talk.client.1.port() != 53 {
                continue;
            }
            let asked: Vec<_> = lookups.iter().filter(|lookup| lookup["name"] == *name).collect();
            ensure!(asked.len() == 1, "{name}: {asked:?}");
            let asked_at = talk.client.1.ip().to_string();
            ensure!(asked[0]["server"]["ip"] == asked_at, "{name}: {}", asked[0]);
            ensure!(asked[0]["process"]["pid"] == std::process::id(), "{name}: {}", asked[0]);
        }
        let tls = records
            .iter()
            .find(|record| record.local.port == self.tls && record.remote.ip == IpAddr::from(SEEMS))
            .context("the TCP connection is missing")?;
        ensure!(tls.names.iter().any(|name| name["name"] == "nat.connmon.test"), "{:?}", tls.names);
        Ok(())
    }
}

/// One packet more, with its headers.
fn add(before: Option<&(u64, u64)>, payload: u64, to: SocketAddr) -> (u64, u64) {
    let (packets, bytes) = before.copied().unwrap_or_default();
    (packets + 1, bytes + payload + if to.is_ipv4() { 28 } else { 48 })
}

fn is_unsupported(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::Unsupported)
}
