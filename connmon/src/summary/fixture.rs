//! Small rows for tests.

use std::sync::Arc;

use super::{Builder, Selection, Summary};
use crate::model::{
    Completeness, Connection, Direction, End, Endpoint, Facts, GeoDatabase, Process, ProcessId, Proto, Run,
    Share, Step, Timestamp,
};

/// 2026-06-18T08:00:00Z.
pub(crate) const START: i64 = 1_781_769_600_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;

/// A complete recording of an hour that begins `hour` hours after [`START`].
pub(crate) fn run(id: i64, hour: i64) -> Run {
    let started = Timestamp(START + hour * 3_600 * SECOND);
    let ended = Timestamp(started.0 + 3_600 * SECOND);
    Run {
        id,
        host: "kestrel".into(),
        boot_id: "11111111-2222".into(),
        kernel: "6.12.0".into(),
        tool_version: "0.1.0".into(),
        object_sha256: "ab".repeat(32),
        backend: "fentry".into(),
        backend_notes: vec!["kprobe: not needed".into()],
        geo: vec![GeoDatabase {
            name: "IPtoASN country".into(),
            kind: "country".into(),
            date: "2026-06-17".into(),
            source: "part of connmon".into(),
            licence: Some("PDDL 1.0".into()),
            attribution: Some("IPtoASN (iptoasn.com), packaged by ip-location-db".into()),
            registered_only: true,
        }],
        location: None,
        started,
        ended: Some(ended),
        last_flush: ended,
        going_on: false,
        completeness: Completeness::default(),
        gaps: Vec::new(),
        clock_steps: Vec::new(),
        left_out: None,
        rules: Vec::new(),
        lists: Vec::new(),
    }
}

pub(crate) fn process(pid: u32, start_ns: u64, comm: &str) -> Arc<Process> {
    Arc::new(Process {
        id: ProcessId { pid, start_ns },
        started: Timestamp(START - 60 * SECOND + start_ns as i64),
        ppid: 1,
        comm: comm.into(),
        exe: format!("/usr/bin/{comm}"),
        cmdline: format!("{comm} --fast"),
        uid: 1000,
        user: Some("mira".into()),
        kernel_thread: false,
        ..Process::default()
    })
}

/// An outbound TCP connection of ten seconds that moved `tx` and `rx` bytes, opened `second` seconds after [`START`].
pub(crate) fn connection(
    id: i64,
    second: i64,
    owner: &Arc<Process>,
    remote: &str,
    tx: u64,
    rx: u64,
) -> Connection {
    let remote: std::net::SocketAddr = remote.parse().unwrap();
    let opened = Timestamp(START + second * SECOND);
    Connection {
        id,
        facts: Facts {
            proto: Proto::TCP,
            direction: Direction::Out,
            local: Endpoint::new("192.168.7.5".parse().unwrap(), 40_000_u16.wrapping_add(id as u16)),
            remote: Endpoint::new(remote.ip(), remote.port()),
            opened,
            closed: Some(Timestamp(opened.0 + 10 * SECOND)),
            end: Some(End::Fin),
            ..Facts::default()
        },
        cut_off: None,
        owner: Some(owner.clone()),
        traffic: vec![share(owner, tx, rx)],
        steps: vec![Step {
            start: opened.step(),
            length: crate::model::STEP_NS,
            share: 0,
            tx_bytes: tx,
            rx_bytes: rx,
            tx_calls: 1,
            rx_calls: 1,
        }],
        within: None,
        beyond: 0,
        country: None,
        place: None,
        names: Vec::new(),
        observed: None,
        label: None,
        hits: Vec::new(),
    }
}

pub(crate) fn share(process: &Arc<Process>, tx_bytes: u64, rx_bytes: u64) -> Share {
    Share { process: process.clone(), tx_bytes, rx_bytes, tx_calls: 1, rx_calls: 1 }
}

pub(crate) fn summary(runs: Vec<Run>, connections: impl IntoIterator<Item = (i64, Connection)>) -> Summary {
    let mut builder = Builder::new(runs, Selection::default(), 100);
    for (run, connection) in connections {
        builder.add(run, connection);
    }
    builder.finish()
}

/// A little of everything, with a country database's answers.
pub(crate) fn varied() -> Summary {
    let (curl, nginx, kernel) =
        (process(100, 5, "curl"), process(200, 6, "nginx"), process(2, 1, "kworker/u8:2"));
    let placed = |mut c: Connection, country: &str| {
        c.country = Some(country.into());
        c
    };
    let mut inbound = placed(connection(3, 300, &nginx, "193.0.6.139:51000", 70_000, 900), "NL");
    inbound.direction = Direction::In;
    inbound.local.port = 443;
    let mut refused = connection(4, 400, &curl, "10.0.0.9:22", 0, 0);
    refused.end = Some(End::Refused);
    let mut open = connection(5, 900, &curl, "[2001:4860:4860::8888]:53", 40, 200);
    (open.proto, open.closed, open.end) = (Proto::UDP, None, None);
    let mut nameless = connection(6, 1_000, &kernel, "192.168.7.2:2049", 0, 0);
    (nameless.owner, nameless.preexisting) = (None, true);
    nameless.inexact = Some("opened before the recording".into());
    nameless.traffic.clear();
    let mut shared = placed(connection(7, 1_200, &nginx, "1.1.1.1:443", 1_000, 2_000), "AU");
    shared.traffic.push(share(&curl, 24, 0));
    let all = [
        placed(connection(1, 10, &curl, "8.8.8.8:443", 1_500, 3_000_000), "US"),
        placed(connection(2, 20, &curl, "8.8.8.8:443", 500, 1_000_000), "US"),
        inbound,
        refused,
        placed(open, "US"),
        nameless,
        shared,
    ];
    summary(vec![run(1, 0)], all.map(|c| (1, c)))
}
