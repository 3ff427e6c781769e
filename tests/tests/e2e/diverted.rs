//! What BPF programs of others do to connections: bytes that pass TCP by, and connects that lead elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, bail, ensure};
use connmon_tests::harness::programs::{connmon, connmon_prints, in_vm, path};
use connmon_tests::harness::record::{self, Record};
use connmon_tests::sys::bpf::{Detour, Rewrites, Sockmap};
use connmon_tests::truth::Proto;

use super::scenes::{Played, Recording};

/// Bytes of a message.
const SIZE: usize = 1000;

/// A pair of connected sockets.
fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    Ok((client, listener.accept()?.0))
}

/// Two of three messages go from queue to queue by a sockmap's program. All are counted, and both ends are labelled.
pub fn sockmap() -> Result<Played> {
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
    doctor_names(&["sockmap"])?;
    drop(client);
    ensure!(server.read(&mut [0])? == 0, "bytes behind the end");
    drop(server);
    drop(map);
    Ok(Played::by_us(move |recording| both_are_labelled(recording.records()?, ports)))
}

fn both_are_labelled(records: &[Record], ports: (u16, u16)) -> Result<()> {
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

/// `connmon doctor` tells that these are loaded on this host. It tries each backend, which takes minutes in a guest, and what it tells of
/// the programs of others is the same there.
fn doctor_names(kinds: &[&str]) -> Result<()> {
    if in_vm() {
        return Ok(());
    }
    let said = connmon(&["doctor"])?.stdout;
    let said = String::from_utf8_lossy(&said);
    kinds.iter().try_for_each(|kind| {
        ensure!(said.contains(kind), "doctor does not name {kind}:\n{said}");
        Ok(())
    })
}

/// A cgroup of its own, with this process in it.
struct Cgroup {
    path: PathBuf,
    home: PathBuf,
}

impl Cgroup {
    fn enter() -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let mut fields = mounts.lines().map(|line| line.split(' ').skip(1));
        let root = fields.find_map(|mut of| of.next().filter(|_| of.next() == Some("cgroup2")));
        let root = Path::new(root.context("no cgroup2 hierarchy")?);
        let mine = fs::read_to_string("/proc/self/cgroup")?;
        let home = mine.lines().find_map(|line| line.strip_prefix("0::/")).context("in no cgroup")?;
        let all = Self { path: root.join(format!("detour-{}", process::id())), home: root.join(home) };
        fs::create_dir(&all.path)?;
        all.go(&all.path)?;
        Ok(all)
    }

    fn go(&self, to: &Path) -> Result<()> {
        Ok(fs::write(to.join("cgroup.procs"), process::id().to_string())?)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What is left of it is empty.
        let _ = self.go(&self.home);
        let _ = fs::remove_dir(&self.path);
    }
}

/// Whether the address that was asked for must be seen: the tracepoint backend has a place for that only where the kernel knows
/// BPF_F_PREORDER, as those since 6.17 do, and some before.
fn is_seen() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0_u32));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (6, 17) || std::env::var_os("CONNMON_BACKEND").is_none_or(|backend| backend != "tracepoint")
}

/// Sockets that were led from the address that they asked for to another one, and one that was not; what matters of each is its port.
struct Led {
    asked: SocketAddr,
    at: SocketAddr,
    stream: u16,
    datagrams: u16,
    plain: u16,
    free: u16,
}

/// A program leads connects elsewhere, TCP and a socket of datagrams, and datagrams that name their target, over IPv4 and IPv6. Both
/// addresses are kept, or the one that was asked for is not known; what is not led elsewhere has none.
pub fn detour() -> Result<Played> {
    let led = [
        lead(Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(192, 0, 2, 77).into())?,
        lead(Ipv6Addr::LOCALHOST.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77).into())?,
    ];
    Ok(Played::by_us(move |recording| {
        led.iter().try_for_each(|led| {
            both_addresses(recording.records()?, led)?;
            found_by_what_was_asked(recording, led.asked)
        })
    }))
}

fn lead(to: IpAddr, from: IpAddr) -> Result<Led> {
    let listener = TcpListener::bind((to, 0))?;
    let at = listener.local_addr()?;
    let target = UdpSocket::bind(at)?;
    let asked = SocketAddr::new(from, 443);
    let cgroup = Cgroup::enter()?;
    let lead = |rewrites, from, to| {
        let cgroup = fs::File::open(&cgroup.path)?.into();
        Detour::new(cgroup, rewrites, from, to).context("a program of the cgroup")
    };
    let detour = [
        lead(Rewrites::Connect, asked, at)?,
        lead(Rewrites::Send, asked, at)?,
        lead(Rewrites::Receive, at, asked)?,
    ];
    doctor_names(&["cgroup/sock_addr"])?;
    let stream = TcpStream::connect(asked)?;
    let plain = TcpStream::connect(at)?;
    let datagrams = UdpSocket::bind((to, 0))?;
    datagrams.connect(asked)?;
    datagrams.send(b"x")?;
    target.recv(&mut [0; 8])?;
    let free = UdpSocket::bind((to, 0))?;
    free.send_to(b"there", asked)?;
    let (_, from) = target.recv_from(&mut [0; 8])?;
    target.send_to(b"and back", from)?;
    let (_, seems) = free.recv_from(&mut [0; 8])?;
    ensure!(seems == asked, "the answer seems to come from {seems}");
    let port = |address: io::Result<SocketAddr>| address.map(|address| address.port());
    let led = Led {
        asked,
        at,
        stream: port(stream.local_addr())?,
        datagrams: port(datagrams.local_addr())?,
        plain: port(plain.local_addr())?,
        free: port(free.local_addr())?,
    };
    drop((detour, cgroup));
    Ok(led)
}

fn both_addresses(records: &[Record], led: &Led) -> Result<()> {
    let of = |port: u16| {
        let is_it = |record: &&Record| {
            record.local.port == port
                && record.remote.port == led.at.port()
                && record.remote.ip == led.at.ip()
        };
        records.iter().find(is_it).context("an end was not recorded")
    };
    let told = |port: u16| -> Result<Option<(String, u16)>> {
        Ok(of(port)?.asked.map(|asked| (asked.ip.to_string(), asked.port)))
    };
    let right = Some((led.asked.ip().to_string(), led.asked.port()));
    for (what, port) in [("TCP", led.stream), ("UDP", led.datagrams)] {
        let told = told(port)?;
        ensure!(told == right || (told.is_none() && !is_seen()), "{what}: {told:?}, not {right:?}");
    }
    sends_led(records, led, &right)?;
    ensure!(told(led.plain)?.is_none(), "a connect that led where it was to: {:?}", told(led.plain)?);
    Ok(())
}

/// The filter finds the connections that were led elsewhere, and no others.
fn found_by_what_was_asked(recording: &Recording, asked: SocketAddr) -> Result<()> {
    let length = if asked.is_ipv4() { 31 } else { 127 };
    let filter = format!("asked:{}/{length} asked_port:https", asked.ip());
    let args = ["export", "--format", "jsonl", "--filter", &filter, "--db", path(recording.db())?];
    let of = |record: &Record| (record.local.port, record.remote.port);
    let found: BTreeSet<_> = record::parse(&connmon_prints(&args)?)?.iter().map(of).collect();
    let told = |record: &&Record| {
        let to = record.asked.as_ref();
        to.is_some_and(|to| to.ip == asked.ip() && to.port == asked.port())
    };
    let right: BTreeSet<_> = recording.records()?.iter().filter(told).map(of).collect();
    ensure!(found == right, "`{filter}` finds {found:?}, not {right:?}");
    Ok(())
}

/// Of two sockets with one port, each over one family.
fn is_family(record: &Record, at: SocketAddr) -> bool {
    record.remote.ip.is_ipv4() == at.is_ipv4()
}

/// A socket that is not connected sent five bytes to an address that stands for another one, and got eight from there: they are
/// counted once, with the packets that they were, or without any where those cannot be told to be theirs.
fn sends_led(records: &[Record], led: &Led, asked: &Option<(String, u16)>) -> Result<()> {
    let at = led.at;
    // Another scene of this recording may have had the port before.
    let is_mine = |record: &&Record| {
        let is_ours = record.process.as_ref().is_some_and(|owner| owner.pid == process::id());
        record.proto == Proto::Udp && record.local.port == led.free && is_family(record, at) && is_ours
    };
    let mine: Vec<_> = records.iter().filter(is_mine).collect();
    let moved = mine.iter().fold((0, 0), |sum, record| (sum.0 + record.tx_bytes, sum.1 + record.rx_bytes));
    ensure!(moved == (5, 8), "sent and received {moved:?}: {mine:#?}");
    for record in &mine {
        let Some(wire) = record.wire else { continue };
        let headers = if at.is_ipv4() { 28 } else { 48 };
        let on_wire = |bytes| if bytes == 0 { 0 } else { bytes + headers };
        let right = (on_wire(record.tx_bytes), on_wire(record.rx_bytes));
        ensure!((wire.tx_bytes, wire.rx_bytes) == right, "packets of {record}: {wire:?}");
    }
    let told = |record: &Record| record.asked.as_ref().map(|asked| (asked.ip.to_string(), asked.port));
    for record in mine.iter().filter(|record| record.tx_bytes > 0) {
        let is_right = record.remote.port == at.port() && told(record) == *asked;
        ensure!(is_right || (told(record).is_none() && !is_seen()), "led from {:?}: {record}", told(record));
    }
    let answers = records
        .iter()
        .filter(|one| one.proto == Proto::Udp && one.local.port == at.port() && is_family(one, at));
    for record in answers {
        ensure!(told(record).is_none(), "an answer that led where it was to: {record}");
    }
    if std::env::var_os("CONNMON_BACKEND").is_none_or(|backend| backend == "tracepoint") && is_seen() {
        let [only] = mine[..] else { bail!("one flow, not {mine:#?}") };
        ensure!(only.remote.port == at.port() && only.wire.is_some(), "{only}");
    }
    Ok(())
}
