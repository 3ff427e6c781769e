//! A small recording with a little of everything, and hostile names.

use std::sync::Arc;

use crate::tui::Options;
use crate::tui::app::App;
use crate::update::{FORMAT, Listener, Snapshot};
use crate::{LiveTotals, Update};
use connmon_fixtures::rows::START;
use connmon_record::rows::{ConnectionRow, NameRow, ProcessRow, TrafficRow};
use connmon_record::{
    Coordinates, Direction, End, Endpoint, Facts, HostLocation, Location, NameSource, Process, ProcessId,
    Proto, Timestamp,
};

pub const SECOND: i64 = 1_000_000_000;

pub fn at(second: i64) -> Timestamp {
    Timestamp(START + second * SECOND)
}

fn process(row: i64, pid: u32, comm: &str, cmdline: &str, user: &str) -> ProcessRow {
    let process = Process {
        id: ProcessId { pid, start_ns: row as u64 },
        started: at(-60),
        ppid: 1,
        comm: comm.into(),
        exe: format!("/usr/bin/{comm}").into(),
        cmdline: cmdline.into(),
        uid: 1000,
        user: Some(user.into()),
        ..Process::default()
    };
    ProcessRow { row, parent: None, process }
}

pub struct Made {
    pub row: ConnectionRow,
    pub name: Option<&'static str>,
    pub moved: (u64, u64),
}

pub fn made(row: i64, owner: i64, remote: &str, second: i64) -> Made {
    let remote: std::net::SocketAddr = remote.parse().unwrap();
    let row = ConnectionRow {
        row,
        facts: Facts {
            proto: Proto::TCP,
            direction: Direction::Out,
            local: Endpoint::new("192.168.7.5".parse().unwrap(), 40_000 + row as u16),
            remote: Endpoint::new(remote.ip(), remote.port()),
            opened: at(second),
            ..Facts::default()
        },
        established: Some(Timestamp(at(second).0 + 5_000_000)),
        owner: (owner > 0).then_some(owner),
        country: None,
        place: None,
    };
    Made { row, name: None, moved: (0, 0) }
}

impl Made {
    pub fn named(self, name: &'static str) -> Self {
        Self { name: Some(name), ..self }
    }

    pub fn moved(self, tx: u64, rx: u64) -> Self {
        Self { moved: (tx, rx), ..self }
    }

    pub fn of(mut self, country: &str, asn: u32, org: &str, city: Option<(&str, f64, f64)>) -> Self {
        let at = city.map(|(_, latitude, longitude)| Coordinates { latitude, longitude });
        self.row.country = Some(country.into());
        self.row.place = Some(Arc::new(Location {
            region: None,
            city: city.map(|(city, ..)| city.into()),
            coordinates: at,
            asn: Some(asn),
            org: Some(org.into()),
            source: "a database".into(),
        }));
        self
    }

    pub fn ended(mut self, second: i64, end: End) -> Self {
        self.row.closed = Some(at(second));
        self.row.end = Some(end);
        self
    }
}

/// What all of these tell.
pub fn told(all: &[Made], time: Timestamp) -> Update {
    let names = all.iter().filter_map(|made| {
        Some(NameRow {
            connection: made.row.row,
            name: made.name?.into(),
            source: NameSource::Sni,
            process: made.row.owner,
            time: made.row.opened,
        })
    });
    Update {
        format: FORMAT,
        time,
        connections: all.iter().map(|made| made.row.clone()).collect(),
        names: names.collect(),
        traffic: all
            .iter()
            .filter(|made| made.moved != (0, 0))
            .map(|made| moved(made.row.row, made.row.owner.unwrap_or(1), made.moved.0, made.moved.1))
            .collect(),
        ..Update::default()
    }
}

pub fn moved(connection: i64, process: i64, tx_bytes: u64, rx_bytes: u64) -> TrafficRow {
    TrafficRow { connection, process, bucket: 0, tx_bytes, rx_bytes, tx_calls: 1, rx_calls: 1 }
}

fn connections() -> Vec<Made> {
    let ripe = ("Amsterdam", 52.37, 4.9);
    let mut inbound =
        made(3, 2, "193.0.6.139:51000", 22).moved(70_000, 900).of("NL", 3333, "RIPE NCC", Some(ripe));
    inbound.row.direction = Direction::In;
    inbound.row.local.port = 443;
    let mut dns =
        made(6, 1, "[2001:4860:4860::8888]:53", 25).moved(40, 200).of("US", 15169, "Google LLC", None);
    dns.row.proto = Proto::UDP;
    let mut waits = made(9, 4, "10.0.0.77:50022", 2);
    waits.row.direction = Direction::In;
    waits.row.local.port = 22;
    vec![
        made(1, 1, "8.8.8.8:443", 1).named("dns.google").moved(1_500, 3_000_000).of(
            "US",
            15169,
            "Google LLC",
            None,
        ),
        made(2, 3, "140.82.121.4:443", 4).named("github.com").moved(52_000, 9_400_000).of(
            "US",
            36459,
            "GitHub, Inc.",
            Some(("San Francisco", 37.77, -122.42)),
        ),
        inbound,
        made(4, 1, "10.0.0.9:22", 20).ended(20, End::Refused),
        made(5, 3, "151.101.1.69:443", 8)
            .named("a-very-long-host-name.of-a-shop.example.com")
            .moved(8_000, 640_000)
            .of("DE", 54113, "Fastly, Inc.", None)
            .ended(24, End::Fin),
        dns,
        made(7, 0, "192.168.7.2:2049", 0).moved(0, 0),
        made(8, 5, "127.0.0.1:8080", 12).moved(900, 1_200),
        waits,
        made(10, 3, "203.119.0.5:443", 27).named("例え.テスト.example").moved(3_000, 12_000).of(
            "JP",
            2500,
            "WIDE Project",
            None,
        ),
    ]
}

fn processes() -> Vec<ProcessRow> {
    vec![
        process(1, 4711, "curl", "curl --silent https://dns.google/resolve?name=example.com", "mira"),
        process(2, 812, "nginx", "nginx: worker process", "www-data"),
        process(3, 2290, "firefox", "/usr/lib/firefox/firefox -contentproc", "mira"),
        process(4, 1002, "sshd", "sshd: mira [priv]", "root"),
        process(
            5,
            3100,
            "網路🦀瀏覽器",
            "\u{1b}[2J\u{202e}evil e\u{301}\u{302}\u{303}\u{304}\u{305}",
            "mira",
        ),
    ]
}

/// Everything until 28 s.
pub fn first() -> Update {
    let mut run = connmon_fixtures::rows::run();
    run.host = "kestrel".into();
    run.location = Some(HostLocation {
        label: "Berlin".into(),
        at: Coordinates { latitude: 52.52, longitude: 13.4 },
        source: "told".into(),
        country_only: false,
    });
    let listener = |proto, local: &str, pid, comm: &str| {
        let local: std::net::SocketAddr = local.parse().unwrap();
        Listener { proto, local: Endpoint::new(local.ip(), local.port()), pid, comm: comm.into() }
    };
    let all = connections();
    let sum = |of: fn(&Made) -> u64| all.iter().map(of).sum();
    Update {
        snapshot: Some(Snapshot { first: true, last: true, missed: 0, forgotten: 0 }),
        run: Some(Box::new(run)),
        processes: processes(),
        listeners: Some(vec![
            listener(Proto::TCP, "0.0.0.0:22", 1002, "sshd"),
            listener(Proto::TCP, "[::]:443", 812, "nginx"),
            listener(Proto::TCP, "127.0.0.1:5432", 940, "postgres"),
            listener(Proto::UDP, "192.168.7.5:5353", 0, ""),
        ]),
        totals: LiveTotals {
            connections: 10,
            open: 8,
            tx_bytes: sum(|m| m.moved.0),
            rx_bytes: sum(|m| m.moved.1),
            unseen: 0,
        },
        ..told(&all, at(28))
    }
}

/// What is moved until 30 s.
pub fn second() -> Update {
    Update {
        format: FORMAT,
        time: at(30),
        traffic: vec![moved(1, 1, 5_000, 1_000_000), moved(3, 2, 200_000, 400), moved(8, 5, 10, 20)],
        totals: LiveTotals { connections: 10, open: 8, tx_bytes: 340_450, rx_bytes: 14_054_720, unseen: 0 },
        ..Update::default()
    }
}

pub fn options() -> Options {
    Options::new(Box::new(|_, filter| match filter.is_everything() {
        true => Ok("connmon-live.html".into()),
        false => Err("the disk is full".into()),
    }))
}

/// An app that was told everything.
pub fn app(options: Options) -> App {
    let mut app = App::new(options);
    app.update(&first());
    app.update(&second());
    app
}
