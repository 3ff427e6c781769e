//! A store with a little of everything.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use connmon_record::facts::{FACTS, Fact};
use connmon_record::frame::{Frame, Start};
use connmon_record::rows::{Batch, ConnectionRow, ProcessRow, TrafficRow};
use connmon_record::{
    Container, Direction, End, Endpoint, Facts, Interface, InterfaceSample, Location, LossCounters, Process,
    ProcessId, Proto, Reconciliation, Timestamp, Wire, Workload,
};
use connmon_store::{Store, Writer};
use connmon_track::Tracker;

/// 2026-06-18T08:00:00Z.
pub const START: i64 = 1_781_769_600_000_000_000;
const SECOND: i64 = 1_000_000_000;
/// The executable with the longest path.
pub const LONG: &str = "/opt/vendor/products/2026/collector-for-everything/bin/collector-main";

const CURL: i64 = 1;
const NGINX: i64 = 2;
const COLLECTOR: i64 = 3;
const KERNEL: i64 = 4;

/// A folder with a store in it.
pub struct Fixture {
    folder: TempDir,
}

impl Fixture {
    /// One recording of 26 hours.
    pub fn new() -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap() };
        let mut tracker = Tracker::default();
        tracker.feed(Frame::Start(Box::new(Start {
            host: "kestrel".into(),
            boot_id: "11111111-2222".into(),
            kernel: "6.12.0".into(),
            tool_version: "0.1.0".into(),
            object_sha256: "ab".repeat(32).into(),
            wire: true,
            names: true,
            backend: "fentry".into(),
            backend_notes: vec![],
            idle_ns: 0,
            clock_offset_ns: START,
            follows_clock: true,
            started_ns: 0,
            users: vec![],
        })));
        let batch = Batch {
            processes: processes(),
            connections: connections(),
            traffic: traffic(),
            interfaces: samples(),
            time: Timestamp(START + 26 * 3_600 * SECOND),
            ended: true,
            ..tracker.take()
        };
        Writer::open(&this.path()).unwrap().write(&batch).unwrap();
        this
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }

    /// The store, to be read.
    pub fn open(&self) -> Store {
        Store::open(&self.path()).unwrap()
    }

    /// Makes it as stores were before the interfaces were sampled.
    pub fn forget_samples(&self) {
        let db = rusqlite::Connection::open(self.path()).unwrap();
        db.execute_batch("DROP TABLE interface; PRAGMA user_version = 1").unwrap();
        // Later versions of the schema added these columns.
        for column in FACTS.iter().filter(|fact| fact.since == 3).map(Fact::column) {
            db.execute_batch(&format!("ALTER TABLE connection DROP COLUMN {column}")).unwrap();
        }
        for column in ["region", "city", "latitude", "longitude", "asn", "org", "geo_source"] {
            db.execute_batch(&format!("ALTER TABLE endpoint DROP COLUMN {column}")).unwrap();
        }
        for column in ["geo_databases", "location"] {
            db.execute_batch(&format!("ALTER TABLE run DROP COLUMN {column}")).unwrap();
        }
    }

    /// A second recording that lost something of everything.
    pub fn lose(&self) {
        let mut tracker = Tracker::default();
        tracker.feed(Frame::Start(Box::new(Start {
            host: "kestrel".into(),
            boot_id: "11111111-2222".into(),
            kernel: "6.12.0".into(),
            tool_version: "0.1.0".into(),
            object_sha256: "ab".repeat(32).into(),
            wire: true,
            names: true,
            backend: "kprobe".into(),
            backend_notes: vec![],
            idle_ns: 0,
            clock_offset_ns: START,
            follows_clock: true,
            started_ns: (26 * 3_600 * SECOND) as u64,
            users: vec![],
        })));
        let completeness = LossCounters {
            lost_events: 8,
            lost_connections: 4,
            lost_processes: 3,
            unattributed_tx_bytes: 5,
            unattributed_rx_bytes: 0,
            map_full: 3,
            read_errors: 2,
            malformed: 1,
            probe_misses: 2,
            names_missed: 0,
            evicted: 0,
            aggregated_sockets: 0,
            reconciliation: Reconciliation { compared: 9, unexplained: 4, ..Reconciliation::default() },
        };
        let batch = Batch { completeness: Some(completeness), ended: true, ..tracker.take() };
        Writer::open(&self.path()).unwrap().write(&batch).unwrap();
    }
}

fn container() -> Workload {
    let container = Container {
        runtime: "docker".into(),
        id: "0123456789abcdef".into(),
        name: Some("web".into()),
        image: Some("nginx:1".into()),
    };
    Workload { unit: Some("nginx.service".into()), container: Some(container), ..Workload::default() }
}

fn processes() -> Vec<ProcessRow> {
    [
        (CURL, 100, "curl", "/usr/bin/curl", 1000, Some("mira")),
        (NGINX, 200, "nginx", "/usr/sbin/nginx", 33, Some("www-data")),
        (COLLECTOR, 300, "collector", LONG, 4711, None),
        (KERNEL, 2, "kworker/0:1", "", 0, Some("root")),
    ]
    .map(|(row, pid, comm, exe, uid, user)| ProcessRow {
        parent: None,
        row,
        process: Process {
            id: ProcessId { pid, start_ns: 7 },
            started: Timestamp(START - 60 * SECOND),
            ppid: 1,
            comm: comm.into(),
            exe: exe.into(),
            cmdline: format!("{comm} --fast,\"now\"").into(),
            uid,
            user: user.map(Into::into),
            kernel_thread: exe.is_empty(),
            place: if row == NGINX { container() } else { Workload::default() },
            ..Process::default()
        },
    })
    .into()
}

fn connections() -> Vec<ConnectionRow> {
    let rows = [
        (10, Proto::TCP, Direction::Out, "192.168.7.5:40001", "8.8.8.8:443", Some("US"), Some(CURL)),
        (20, Proto::UDP, Direction::Out, "192.168.7.5:40002", "8.8.8.8:443", Some("US"), Some(CURL)),
        (300, Proto::TCP, Direction::In, "192.168.7.5:443", "193.0.6.139:51000", Some("NL"), Some(NGINX)),
        (3_000, Proto::TCP, Direction::Out, "192.168.7.5:40003", "10.0.0.9:5432", None, Some(NGINX)),
        (3_700, Proto::TCP, Direction::Out, "127.0.0.1:40004", "127.0.0.1:5432", None, Some(COLLECTOR)),
        (3_800, Proto::TCP, Direction::Out, "192.168.7.5:900", "10.0.0.2:2049", None, Some(KERNEL)),
        (90_000, Proto::TCP, Direction::In, "192.168.7.5:22", "10.0.0.7:40000", None, None),
    ];
    let row = |row, (second, proto, direction, local, remote, country, owner): Row| ConnectionRow {
        row,
        facts: Facts {
            proto,
            direction,
            local: endpoint(local),
            remote: endpoint(remote),
            opened: Timestamp(START + second * SECOND),
            closed: Some(Timestamp(START + (second + 10) * SECOND)),
            end: Some(if proto == Proto::UDP { End::Closed } else { End::Fin }),
            wire: (proto == Proto::TCP).then_some(Wire {
                tx_bytes: 5_000,
                rx_bytes: 7_000,
                tx_packets: 9,
                rx_packets: 11,
            }),
            ..Facts::default()
        },
        established: None,
        owner,
        country: country.map(str::to_owned),
        place: remote.starts_with("8.8.8.8:").then(|| {
            Arc::new(Location {
                asn: Some(15_169),
                org: Some("Example LLC".into()),
                source: "networks 2026-06-01".into(),
                ..Location::default()
            })
        }),
    };
    (1..).zip(rows).map(|(number, fields)| row(number, fields)).collect()
}

type Row = (i64, Proto, Direction, &'static str, &'static str, Option<&'static str>, Option<i64>);

fn endpoint(text: &str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().unwrap();
    Endpoint::new(address.ip(), address.port())
}

fn traffic() -> Vec<TrafficRow> {
    [
        (1, CURL, 1_500, 3_000_000),
        (2, CURL, 500, 1_000_000),
        (3, NGINX, 70_000, 900),
        (4, NGINX, 1_000, 2_000),
        (4, COLLECTOR, 24, 0),
        (5, COLLECTOR, 10, 20),
        (6, KERNEL, 306, 2_023),
    ]
    .map(|(connection, process, tx_bytes, rx_bytes)| TrafficRow {
        connection,
        process,
        bucket: START / SECOND,
        tx_bytes,
        rx_bytes,
        tx_calls: 1,
        rx_calls: 1,
    })
    .into()
}

/// Four samples, a minute apart.
fn samples() -> Vec<InterfaceSample> {
    let one = |name: &str, index, bytes: u64, packets: u64| Interface {
        name: name.into(),
        index,
        rx_bytes: bytes,
        rx_packets: packets,
        tx_bytes: bytes * 2,
        tx_packets: packets,
    };
    let all = [
        vec![one("lo", 1, 10, 1), one("eth0", 2, 1_000_000, 9_000), one("eth1", 3, 100, 10)],
        vec![
            one("lo", 1, 20, 2),
            one("eth0", 2, 1_005_000, 9_005),
            one("eth1", 3, 150, 11),
            one("veth0", 9, 90, 9),
        ],
        vec![one("lo", 1, 30, 3), one("eth0", 2, 700, 7), one("wan0", 3, 180, 12)],
        vec![one("lo", 1, 40, 4), one("eth0", 2, 800, 8), one("wan0", 3, 210, 13)],
    ];
    (0..)
        .zip(all)
        .map(|(minute, interfaces)| InterfaceSample {
            time: Timestamp(START + minute * 60 * SECOND),
            interfaces,
        })
        .collect()
}
