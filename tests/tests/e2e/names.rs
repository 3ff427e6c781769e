//! By what name: programs ask a DNS server for a name and speak to what it tells them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::{connmon, connmon_prints, export, path, traffic_program};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::sys::netlink::Netlink;
use connmon_tests::visit::dns::{self, TTL, Zone};
use connmon_tests::visit::{Host, Visited};
use serde_json::Value;

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
    let port = town()?.to_string();
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("names.db");
    let recorder = Recorder::start(&db, options)?;
    let server = SocketAddr::from((SERVER, 53)).to_string();
    let mut visited = Vec::new();
    for visit in visits {
        let mut command = Command::new(traffic_program()?);
        command.args(["visit", "--server", &server, "--name", NAME, "--port", &port]).args(*visit);
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "traffic visit {visit:?}: {}", output.status);
        visited.push(serde_json::from_slice(&output.stdout)?);
    }
    recorder.stop()?;
    let records = export(&db)?;
    Ok(Visits { folder, visited, records })
}

impl Visits {
    /// The visitor's end of a visit.
    fn record(&self, visited: &Visited) -> Result<&Record> {
        let is_it =
            |record: &&Record| record.local.port == visited.from && record.remote.ip == visited.address;
        self.records.iter().find(is_it).with_context(|| format!("{visited:?} is missing"))
    }

    /// Questions for the name; others on this host may ask too.
    fn lookups(&self) -> Result<Vec<Value>> {
        let db = self.folder.path().join("names.db");
        let text = connmon_prints(&["dns", "--db", &db.display().to_string(), "--format", "jsonl"])?;
        let lookups = String::from_utf8(text)?;
        let lookups =
            lookups.lines().map(serde_json::from_str).collect::<std::result::Result<Vec<Value>, _>>()?;
        Ok(lookups.into_iter().filter(|lookup| lookup["name"] == NAME).collect())
    }
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

/// What is said on a connection names it, and so does what DNS answered the process before.
pub fn said_and_asked() -> Result<()> {
    let speaks: [(&str, &str, Option<&str>); 5] = [
        ("tls", "tls", Some("sni")),
        ("http", "http", Some("http")),
        ("quic", "quic", Some("quic")),
        ("ssh", "ssh", None),
        ("other", "", None),
    ];
    let arguments: Vec<[&str; 2]> = speaks.iter().map(|(speak, ..)| ["--speak", speak]).collect();
    let arguments: Vec<&[&str]> = arguments.iter().map(|arguments| &arguments[..]).collect();
    let visits = record(&[], &arguments)?;
    for ((speak, service, source), visited) in speaks.into_iter().zip(&visits.visited) {
        let record = visits.record(visited)?;
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
        let other = visits.records.iter().find(|record| record.remote.port == visited.from);
        let other = other.with_context(|| format!("{speak}: the host's end is missing"))?;
        let said = names(other).into_iter().any(|(source, ..)| source != "hosts");
        ensure!(!said, "{speak}: {:?}", other.names);
    }
    let lookups = visits.lookups()?;
    ensure!(lookups.len() == speaks.len(), "{lookups:?}");
    for (lookup, visited) in lookups.iter().zip(&visits.visited) {
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
