//! Made connections: what scenarios and synthetic weeks consist of.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use connmon_detect::{Engine, Event};
use connmon_fixtures::{Random, SECOND, START};
use connmon_record::{
    Connection, Direction, End, Endpoint, ExeHash, ExeState, Facts, Hit, IndicatorKind, IndicatorList,
    Location, Lookup, Name, NameSource, Process, ProcessId, Proto, Share, Timestamp, length,
};
use serde::Deserialize;

/// Connections of one process to one destination.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Series {
    /// When the first is opened, after the recording began.
    pub start: String,
    /// The period, and how many periods there are.
    pub every: String,
    pub times: u32,
    /// How far an interval can be from the period, as a share of it.
    pub jitter: f64,
    /// The share of connections that are missing.
    pub loss: f64,
    /// A number that makes the chance of this series another.
    pub seed: u64,
    /// Each connection's duration, bytes sent and received, and how far these can be from that, as a share.
    pub lasts: String,
    pub tx: u64,
    pub rx: u64,
    pub spread: f64,
    /// The process.
    pub pid: u32,
    pub exe: String,
    pub sha256: String,
    pub comm: String,
    pub cmdline: String,
    pub state: String,
    pub kernel_thread: bool,
    /// Paths of the executables of its ancestors, the nearest first.
    pub parents: Vec<String>,
    /// The other end. `{n}` is the number of the connection, as in `x{n}.example`; the last byte of the address and the port grow by
    /// these with each connection.
    pub host: String,
    pub ip: IpAddr,
    pub ip_step: u8,
    pub port: u16,
    pub port_step: u16,
    pub country: String,
    pub asn: u32,
    pub direction: String,
    pub proto: String,
    pub end: String,
    /// An indicator that each connection matches, and how many days its list is old.
    pub indicator: String,
    pub list_age: i64,
}

/// Questions of one process to DNS.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Questions {
    pub start: String,
    pub every: String,
    pub times: u32,
    pub exe: String,
    /// `{n}` is the number of the question, `{hex}` 32 hexadecimal digits and `{dice}` twelve letters that come of it.
    pub name: String,
    pub kind: String,
    pub code: String,
}

impl Default for Questions {
    fn default() -> Self {
        Self {
            start: "0s".into(),
            every: "1s".into(),
            times: 1,
            exe: "/usr/bin/x".into(),
            name: "{n}.example.org".into(),
            kind: "A".into(),
            code: "NoError".into(),
        }
    }
}

impl Questions {
    /// The questions, in order of time.
    pub fn lookups(&self) -> Vec<Lookup> {
        let process = Series { exe: self.exe.clone(), ..Series::default() }.process();
        let every = ns(&self.every);
        let lookup = |number: u32| {
            let mut random = Random((u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            (0..4).for_each(|_| {
                random.number();
            });
            let hex = format!("{:016x}{:016x}", random.number(), random.number());
            let dice: String = (0..12).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
            let name =
                self.name.replace("{n}", &number.to_string()).replace("{hex}", &hex).replace("{dice}", &dice);
            Lookup {
                time: Timestamp(START + ns(&self.start) + every * i64::from(number)),
                answered: None,
                process: Some(process.clone()),
                server: Endpoint::new([192, 168, 7, 1].into(), 53),
                proto: Proto::UDP,
                name: name.into(),
                kind: self.kind.as_str().into(),
                code: Some(self.code.as_str().into()),
                answers: Vec::new(),
            }
        };
        (0..self.times).map(lookup).collect()
    }
}

impl Default for Series {
    fn default() -> Self {
        Self {
            start: "0s".into(),
            every: "60s".into(),
            times: 1,
            jitter: 0.0,
            loss: 0.0,
            seed: 1,
            lasts: "1s".into(),
            tx: 500,
            rx: 2_000,
            spread: 0.0,
            pid: 100,
            exe: "/usr/bin/x".into(),
            sha256: String::new(),
            comm: String::new(),
            cmdline: String::new(),
            state: String::new(),
            kernel_thread: false,
            parents: Vec::new(),
            host: String::new(),
            ip: [93, 184, 216, 34].into(),
            ip_step: 0,
            port: 443,
            port_step: 0,
            country: String::new(),
            asn: 0,
            direction: "out".into(),
            proto: "tcp".into(),
            end: "fin".into(),
            indicator: String::new(),
            list_age: 1,
        }
    }
}

/// A number from 0 to 1.
pub fn chance(random: &mut Random) -> f64 {
    random.below(1 << 30) as f64 / f64::from(1 << 30)
}

/// Nanoseconds of a length of time.
pub fn ns(text: &str) -> i64 {
    length(text).unwrap_or_else(|| panic!("{text} is no length of time")).as_nanos() as i64
}

impl Series {
    /// The process, with its ancestors.
    pub fn process(&self) -> Arc<Process> {
        let name = |path: &str| path.rsplit('/').next().unwrap_or(path).chars().take(15).collect::<String>();
        let ancestor = |parent: Option<Arc<Process>>, path: &String| {
            Some(Arc::new(Process {
                exe: path.as_str().into(),
                comm: name(path).into(),
                parent,
                ..Process::default()
            }))
        };
        Arc::new(Process {
            id: ProcessId { pid: self.pid, start_ns: u64::from(self.pid) },
            started: Timestamp(START),
            comm: if self.comm.is_empty() { name(&self.exe) } else { self.comm.clone() }.into(),
            exe: self.exe.as_str().into(),
            cmdline: self.cmdline.as_str().into(),
            kernel_thread: self.kernel_thread,
            exe_state: ExeState::from_name(
                Some(&self.state).filter(|state| !state.is_empty()).map(String::as_str),
            ),
            exe_hash: match self.sha256.as_str() {
                "" => ExeHash::Unknown,
                hash => ExeHash::Sha256(hash.repeat(64 / hash.len())),
            },
            parent: self.parents.iter().rev().fold(None, ancestor),
            ..Process::default()
        })
    }

    /// The connections, in order of time; ids begin at `id`.
    pub fn connections(&self, id: i64) -> Vec<Connection> {
        let mut random = Random(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| {
            random.number();
        });
        let process = self.process();
        let every = ns(&self.every) as f64;
        let mut time = START + ns(&self.start);
        let mut all = Vec::new();
        for number in 0..self.times {
            if number > 0 {
                time += (every * (1.0 + self.jitter * (2.0 * chance(&mut random) - 1.0))) as i64;
            }
            let is_lost = chance(&mut random) < self.loss;
            let factor = 1.0 + self.spread * (2.0 * chance(&mut random) - 1.0);
            if !is_lost {
                all.push(self.connection(id + all.len() as i64, number, time, factor, &process));
            }
        }
        all
    }

    fn connection(&self, id: i64, number: u32, time: i64, factor: f64, process: &Arc<Process>) -> Connection {
        let ip = match self.ip {
            IpAddr::V4(ip) => IpAddr::from((u32::from(ip) + u32::from(self.ip_step) * number).to_be_bytes()),
            ip => ip,
        };
        let port = self.port.wrapping_add(self.port_step.wrapping_mul(number as u16));
        let direction =
            Direction::ALL.into_iter().find(|one| one.name() == self.direction).expect("a direction");
        let (local, remote) = if direction == Direction::In { (port, 50_000) } else { (40_000, port) };
        let opened = Timestamp(time);
        let names = (!self.host.is_empty()).then(|| Name {
            name: self.host.replace("{n}", &number.to_string()).into(),
            source: NameSource::Sni,
            process: None,
            time: opened,
        });
        let end = End::from_name(&self.end);
        let scaled = |bytes: u64| (bytes as f64 * factor) as u64;
        let share = Share {
            process: process.clone(),
            tx_bytes: scaled(self.tx),
            rx_bytes: scaled(self.rx),
            tx_calls: 1,
            rx_calls: 1,
        };
        Connection {
            id,
            facts: Facts {
                proto: if self.proto == "udp" { Proto::UDP } else { Proto::TCP },
                direction,
                local: Endpoint::new([192, 168, 7, 5].into(), local),
                remote: Endpoint::new(ip, remote),
                opened,
                closed: end.map(|_| Timestamp(time + ns(&self.lasts))),
                end,
                ..Facts::default()
            },
            // What goes on is seen as long as it is said to last.
            cut_off: end.is_none().then(|| Timestamp(time + ns(&self.lasts))),
            owner: Some(process.clone()),
            traffic: if end.is_some_and(End::is_error) { Vec::new() } else { vec![share] },
            country: Some(self.country.clone()).filter(|country| !country.is_empty()),
            place: (self.asn > 0).then(|| Arc::new(Location { asn: Some(self.asn), ..Location::default() })),
            names: names.into_iter().collect(),
            hits: self.hits(opened),
            ..Connection::default()
        }
    }
}

impl Series {
    fn hits(&self, opened: Timestamp) -> Vec<Hit> {
        let list = || IndicatorList {
            name: "feed.csv".into(),
            sha256: "ab".repeat(32),
            date: Some(Timestamp(opened.0 - self.list_age * 86_400 * SECOND)),
            indicators: 1,
        };
        let hit = |indicator: &str| Hit {
            indicator: indicator.into(),
            kind: IndicatorKind::Name,
            list: Arc::new(list()),
            time: opened,
        };
        Some(self.indicator.as_str()).filter(|indicator| !indicator.is_empty()).map(hit).into_iter().collect()
    }
}

/// Feeds an engine with connections in order of time: when each is opened, and when it ends or is last seen.
pub fn feed(engine: &mut Engine, connections: &[Connection]) {
    feed_with(engine, connections, &[]);
}

/// The same, with questions to DNS.
pub fn feed_with(engine: &mut Engine, connections: &[Connection], lookups: &[Lookup]) {
    let mut order = BTreeMap::new();
    for (place, lookup) in lookups.iter().enumerate() {
        order.insert((lookup.time, 0, usize::MAX - place), Event::Lookup(lookup));
    }
    for (place, connection) in connections.iter().enumerate() {
        order.insert((connection.opened, 0, place), Event::Opened(connection));
        let event = match connection.cut_off {
            Some(time) => Event::Lasts(connection, time),
            None => Event::Ended(connection),
        };
        order.insert((event.time(), 1, place), event);
    }
    engine.feed(Event::Recording(Timestamp(START)));
    order.into_values().for_each(|event| engine.feed(event));
    engine.advance(Timestamp(engine.world().now().0 + SECOND));
}
