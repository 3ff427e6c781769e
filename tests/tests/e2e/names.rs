//! By what name: programs ask a DNS server for a name and speak to what it tells them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::{audit, connmon, connmon_prints, export, path, traffic_program};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::sys::netlink::Netlink;
use connmon_tests::visit::dns::{self, TTL, Zone};
use connmon_tests::visit::{Host, Visited, odd, words};
use serde_json::Value;

use super::scenes::{Played, Recording};

/// The DNS server, and who is visited: all of it loopback, and nobody else's.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(127, 53, 0, 1);
pub const HOST: Ipv4Addr = Ipv4Addr::new(127, 53, 0, 2);
pub const NAME: &str = "www.connmon.test";
const ALIAS: &str = "edge.connmon.test";

/// The port of the host that is visited.
pub fn town() -> Result<u16> {
    static TOWN: OnceLock<std::result::Result<u16, String>> = OnceLock::new();
    let open = || {
        let zone = vec![(NAME.into(), Some(ALIAS.into()), HOST), (FAR_NAME.into(), None, FAR)];
        dns::serve((SERVER, 53).into(), Zone(zone))?;
        Host::open(HOST).map(|host| host.port)
    };
    TOWN.get_or_init(|| open().map_err(|error| format!("{error:#}"))).clone().map_err(anyhow::Error::msg)
}

/// A recording of some visits.
struct Visits {
    folder: tempfile::TempDir,
    visited: Vec<Visited>,
    records: Vec<Record>,
}

fn record(options: &[&str], visits: &[&[&str]]) -> Result<Visits> {
    town()?;
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("names.db");
    let recorder = Recorder::start(&db, options)?;
    let visited = visit(visits)?;
    recorder.stop()?;
    let records = export(&db)?;
    Ok(Visits { folder, visited, records })
}

/// Programs that visit the town, one after the other.
fn visit(visits: &[&[&str]]) -> Result<Vec<Visited>> {
    let port = town()?.to_string();
    let server = SocketAddr::from((SERVER, 53)).to_string();
    let mut visited = Vec::new();
    for visit in visits {
        let mut command = Command::new(traffic_program()?);
        command.args(["visit", "--server", &server, "--name", NAME, "--port", &port]).args(*visit);
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "traffic visit {visit:?}: {}", output.status);
        visited.push(serde_json::from_slice(&output.stdout)?);
    }
    Ok(visited)
}

impl Visits {
    fn record(&self, visited: &Visited) -> Result<&Record> {
        record_of(&self.records, visited)
    }

    fn lookups(&self) -> Result<Vec<Value>> {
        lookups(&self.folder.path().join("names.db"))
    }
}

/// The visitor's end of a visit.
fn record_of<'a>(records: &'a [Record], visited: &Visited) -> Result<&'a Record> {
    let is_it = |record: &&Record| record.local.port == visited.from && record.remote.ip == visited.address;
    records.iter().find(is_it).with_context(|| format!("{visited:?} is missing"))
}

/// Questions for the name; others on this host may ask too.
fn lookups(db: &Path) -> Result<Vec<Value>> {
    let text = connmon_prints(&["dns", "--db", path(db)?, "--format", "jsonl"])?;
    let lookups = String::from_utf8(text)?;
    let lookups =
        lookups.lines().map(serde_json::from_str).collect::<std::result::Result<Vec<Value>, _>>()?;
    Ok(lookups.into_iter().filter(|lookup| lookup["name"] == NAME).collect())
}

/// The names of a record by source, and the PIDs of who asked for them.
pub fn names(record: &Record) -> Vec<(&str, &str, u64)> {
    record
        .names
        .iter()
        .map(|name| {
            let part = |field: &str| name[field].as_str().unwrap_or_default();
            (part("source"), part("name"), name["process"]["pid"].as_u64().unwrap_or(0))
        })
        .collect()
}

/// What visitors speak, the service that it is, and the source of the name that it tells.
const SPEAKS: [(&str, &str, Option<&str>); 5] = [
    ("tls", "tls", Some("sni")),
    ("http", "http", Some("http")),
    ("quic", "quic", Some("quic")),
    ("ssh", "ssh", None),
    ("other", "", None),
];

/// What is said on a connection names it, and so does what DNS answered the process before.
pub fn said_and_asked() -> Result<Played> {
    let arguments = SPEAKS.map(|(speak, ..)| ["--speak", speak]);
    let arguments: Vec<&[&str]> = arguments.iter().map(|arguments| &arguments[..]).collect();
    let visited = visit(&arguments)?;
    let pids = visited.iter().map(|visited| visited.pid).collect();
    let judge = move |recording: &Recording| are_named(recording.records()?, &visited, recording.db());
    Ok(Played { truths: Vec::new(), pids, judge: Box::new(judge) })
}

fn are_named(records: &[Record], visits: &[Visited], db: &Path) -> Result<()> {
    for ((speak, service, source), visited) in SPEAKS.into_iter().zip(visits) {
        let record = record_of(records, visited)?;
        let pid = u64::from(visited.pid);
        let mut expected: Vec<(&str, &str, u64)> =
            source.map(|source| (source, NAME, pid)).into_iter().collect();
        expected.push(("dns", NAME, pid));
        ensure!(names(record) == expected, "{speak}: {:?}, not {expected:?}", record.names);
        let observed = record.service["observed"].as_str().unwrap_or_default();
        ensure!(observed == service, "{speak}: {}", record.service);
        let alpn = match speak {
            "tls" => Some("h2"),
            "quic" => Some("h3"),
            _ => None,
        };
        ensure!(record.service["alpn"][0].as_str() == alpn, "{speak}: {}", record.service);
        // The other end of it, which was called: that is no name of the caller.
        let other = records
            .iter()
            .find(|record| record.local.ip == visited.address && record.remote.port == visited.from);
        let other = other.with_context(|| format!("{speak}: the host's end is missing"))?;
        let said = names(other).into_iter().any(|(source, ..)| source != "hosts");
        ensure!(!said, "{speak}: {:?}", other.names);
    }
    let lookups = lookups(db)?;
    ensure!(lookups.len() == SPEAKS.len(), "{lookups:?}");
    for (lookup, visited) in lookups.iter().zip(visits) {
        ensure!(lookup["process"]["pid"] == visited.pid, "{lookup}");
        ensure!(lookup["name"] == NAME && lookup["type"] == "A" && lookup["code"] == "NoError", "{lookup}");
        ensure!(lookup["server"]["ip"] == SERVER.to_string() && lookup["proto"] == "udp", "{lookup}");
        let answers = &lookup["answers"];
        ensure!(answers[0]["type"] == "CNAME" && answers[0]["data"] == ALIAS, "{lookup}");
        ensure!(answers[1]["data"] == HOST.to_string() && answers[1]["ttl"] == TTL, "{lookup}");
    }
    Ok(())
}

/// DNS over TCP; and no payload of anybody is in the store.
pub fn over_tcp() -> Result<()> {
    let visits = record(&[], &[&["--tcp", "--speak", "http"]])?;
    let visited = &visits.visited[0];
    let pid = u64::from(visited.pid);
    let record = visits.record(visited)?;
    ensure!(names(record) == [("http", NAME, pid), ("dns", NAME, pid)], "{:?}", record.names);
    let lookups = visits.lookups()?;
    ensure!(lookups.len() == 1 && lookups[0]["proto"] == "tcp", "{lookups:?}");
    ensure!(lookups[0]["process"]["pid"] == visited.pid, "{lookups:?}");
    for entry in std::fs::read_dir(visits.folder.path())? {
        let path = entry?.path();
        let bytes = std::fs::read(&path)?;
        let has_secret = bytes.windows(8).any(|window| window == b"secret=1");
        ensure!(!has_secret, "{} has payload in it", path.display());
    }
    Ok(())
}

/// `--no-names` looks at nothing.
pub fn switched_off() -> Result<()> {
    let visits = record(&["--no-names"], &[&["--speak", "tls"]])?;
    let record = visits.record(&visits.visited[0])?;
    ensure!(
        record.names.is_empty() && record.service["observed"].is_null(),
        "{:?} {}",
        record.names,
        record.service
    );
    // Nothing to show is exit code 1.
    ensure!(visits.lookups().is_err(), "somebody looked");
    Ok(())
}

/// Without packets being counted, names are still looked for.
pub fn without_wire() -> Result<()> {
    let visits = record(&["--no-wire"], &[&["--speak", "tls"]])?;
    let visited = &visits.visited[0];
    let record = visits.record(visited)?;
    let pid = u64::from(visited.pid);
    ensure!(names(record) == [("sni", NAME, pid), ("dns", NAME, pid)], "{:?}", record.names);
    ensure!(record.wire.is_none(), "{:?}", record.wire);
    Ok(())
}

/// Who is only ever met in a namespace of its own.
const FAR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 77);
const FAR_NAME: &str = "far.connmon.test";

/// Connects to [`FAR`] where it is an address of this host.
fn far() -> Result<u16> {
    // SAFETY: changes this thread alone.
    ensure!(unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0, "{}", std::io::Error::last_os_error());
    let netlink = Netlink::open()?;
    netlink.loopback_up()?;
    netlink.add_to_loopback(FAR.into())?;
    let listener = TcpListener::bind((FAR, 0))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    Ok(client.local_addr()?.port())
}

/// `--resolve` asks for the names of addresses; without it connmon asks nobody anything.
pub fn reverse() -> Result<()> {
    town()?;
    let server = format!("--resolve={}", SocketAddr::from((SERVER, 53)));
    for options in [&[server.as_str()][..], &[]] {
        let folder = tempfile::tempdir()?;
        let db = folder.path().join("names.db");
        let recorder = Recorder::start(&db, options)?;
        let port = std::thread::spawn(far).join().ok().context("the thread panicked")??;
        // What is asked while the recording ends is not recorded.
        std::thread::sleep(Duration::from_millis(1500));
        recorder.stop()?;
        let records = export(&db)?;
        let record = records.iter().find(|record| record.local.port == port && record.remote.ip == FAR);
        let found = names(record.context("the connection is missing")?);
        let questions = connmon(&["dns", "--db", path(&db)?, "--format", "jsonl"])?.stdout;
        let questions = String::from_utf8(questions)?;
        if options.is_empty() {
            ensure!(found.is_empty() && !questions.contains("PTR"), "{found:?} {questions}");
        } else {
            ensure!(found == [("rdns", FAR_NAME, 0)], "{found:?}");
            let asked = questions.lines().find(|line| line.contains("77.100.51.198.in-addr.arpa"));
            ensure!(asked.is_some_and(|line| line.contains("/connmon\"")), "who asked? {questions}");
        }
    }
    Ok(())
}

/// Where nothing is but what these tests put there.
const ODD: Ipv4Addr = Ipv4Addr::new(127, 53, 0, 3);
const ODD_SERVER: Ipv4Addr = Ipv4Addr::new(127, 53, 0, 4);

/// Connects to [`ODD`] in a namespace of its own.
fn elsewhere() -> Result<Ends> {
    // SAFETY: changes this thread alone.
    ensure!(unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0, "{}", std::io::Error::last_os_error());
    Netlink::open()?.loopback_up()?;
    said(&TcpListener::bind((ODD, 0))?, &[b"\0".to_vec()])
}

/// A client's port, and whom it asked. Other scenes of a recording use some of the addresses too, and may have had the same port.
type Ends = (u16, SocketAddr);

/// Says it to a listener.
fn said(listener: &TcpListener, parts: &[Vec<u8>]) -> Result<Ends> {
    Ok((odd::Pair::new(listener)?.say(parts)?, listener.local_addr()?))
}

/// Clients on one port of two local addresses, with the name that each says.
fn on_one_port(listener: &TcpListener) -> Result<Vec<(u16, &'static str)>> {
    let first = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    let second = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    first.set_reuse_address(true)?;
    second.set_reuse_address(true)?;
    let to = listener.local_addr()?.into();
    first.bind(&SocketAddr::from(([127, 53, 1, 1], 0)).into())?;
    first.connect(&to)?;
    let first = odd::Pair::with(first.into(), listener)?;
    let port = first.port()?;
    second.bind(&SocketAddr::from(([127, 53, 1, 2], port)).into())?;
    second.connect(&to)?;
    let second = odd::Pair::with(second.into(), listener)?;
    let said = [(first, "one.test"), (second, "other.test")];
    said.into_iter().map(|(pair, name)| Ok((pair.say(&[words::hello(name, 0)?])?, name))).collect()
}

/// What was said in odd ways.
struct Odd {
    openings: Vec<odd::Opening>,
    /// Those of the openings.
    ends: Vec<Ends>,
    printer: Ends,
    far: Ends,
    same_port: Vec<(u16, &'static str)>,
}

/// What is said in unusual pieces, behind something else, or through a proxy; DNS that is odd; and whom it names.
pub fn odd() -> Result<Played> {
    let listener = TcpListener::bind((ODD, 0))?;
    let listener6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
    let openings = odd::openings()?;
    let question = odd::question(7, "odd.connmon.test");
    let server = SocketAddr::from((ODD_SERVER, 53));
    odd::ask(server, &question, &odd::answer(&question, ODD))?;
    let far = std::thread::spawn(elsewhere).join().ok().context("the thread panicked")??;
    let told = Ipv4Addr::new(127, 53, 1, 9);
    odd::ask_everybody("printer.local", Ipv4Addr::new(127, 53, 1, 8), told)?;
    let printer = said(&TcpListener::bind((told, 0))?, &[])?;
    let mut ends = Vec::new();
    for opening in &openings {
        let listener = if opening.v6 { &listener6 } else { &listener };
        ends.push(said(listener, &opening.parts)?);
    }
    let same_port = on_one_port(&listener)?;
    // Several questions on one connection, in segments that say nothing alone; and a datagram that is no question.
    let questions: Vec<Vec<u8>> =
        (0..3).map(|n| odd::question(n, &format!("pipelined{n}.connmon.test"))).collect();
    let framed = |bytes: &Vec<u8>| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let stream: Vec<u8> = questions.iter().flat_map(framed).collect();
    let pieces: Vec<Vec<u8>> = stream.chunks(9).map(<[u8]>::to_vec).collect();
    let dns = TcpListener::bind(server)?;
    odd::Pair::new(&dns)?.say(&pieces)?;
    odd::ask(server, b"no question", b"no answer")?;
    let odd = Odd { openings, ends, printer, far, same_port };
    Ok(Played::by_us(move |recording| odd.judge(recording.records()?, recording.db())))
}

impl Odd {
    fn judge(self, records: &[Record], db: &Path) -> Result<()> {
        let Self { openings, ends, printer, far, same_port } = self;
        let of = |(port, at): Ends| {
            let is_it = |record: &&Record| {
                (record.local.port, record.remote.ip, record.remote.port) == (port, at.ip(), at.port())
            };
            let record = records.iter().find(is_it);
            record.map(|record| {
                let known = names(record).into_iter().map(|(source, name, _)| (source, name.to_owned()));
                known.filter(|(source, _)| *source != "hosts").collect::<Vec<_>>()
            })
        };
        let missed = || Ok::<_, anyhow::Error>(audit(db)?.completeness["names_missed"].as_u64());
        for (opening, ends) in openings.iter().zip(ends) {
            let mut expected = opening.names.clone();
            let asked = (!opening.v6).then(|| ("dns", "odd.connmon.test".to_owned()));
            let at = expected.iter().position(|(source, _)| *source == "proxied").unwrap_or(expected.len());
            expected.splice(at..at, asked);
            let found = of(ends).with_context(|| format!("{expected:?} is missing"))?;
            ensure!(found == expected, "{found:?}, not {expected:?}; missed: {:?}", missed()?);
        }
        let found = of(printer).context("the connection to the printer is missing")?;
        ensure!(found == [("dns", "printer.local".to_owned())], "{found:?}");
        let found = of(far).context("the connection in the other namespace is missing")?;
        ensure!(found.is_empty(), "what was asked in one namespace names {found:?} in another");
        for (ip, (port, name)) in
            [[127, 53, 1, 1], [127, 53, 1, 2]].map(IpAddr::from).into_iter().zip(same_port)
        {
            let record = records.iter().find(|record| record.local.ip == ip && record.local.port == port);
            let found = names(record.with_context(|| format!("{name} is missing"))?);
            let said: Vec<_> =
                found.iter().filter(|(source, ..)| *source == "sni").map(|(_, name, _)| *name).collect();
            ensure!(said == [name], "{found:?}, not {name}");
        }
        let lookups = connmon_prints(&["dns", "--db", path(db)?, "--format", "jsonl"])?;
        let lookups = String::from_utf8(lookups)?;
        for n in 0..3 {
            let name = format!("\"pipelined{n}.connmon.test\"");
            ensure!(
                lookups.lines().any(|line| line.contains(&name) && line.contains("\"tcp\"")),
                "{lookups}"
            );
        }
        let missed = missed()?;
        ensure!(missed.is_some_and(|missed| missed >= 2), "what was no question was not counted: {missed:?}");
        Ok(())
    }
}
