//! What runs on the made-up host, and what its connections are like.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use connmon_fixtures::{Random, SECOND, START};
use connmon_record::rows::{Batch, ConnectionRow, LookupRow, NameRow, ProcessRow, TrafficRow};
use connmon_record::{
    Direction, End, Endpoint, Facts, KernelTotals, Location, LookupAnswer, NameSource, ObservedService,
    Process, ProcessId, Proto, Timestamp, Wire, Workload,
};

/// Programs that run all the time; the others live as long as a script.
const SERVICES: [&str; 12] = [
    "systemd",
    "sshd",
    "nginx",
    "postgres",
    "prometheus",
    "restic",
    "firefox",
    "thunderbird",
    "dockerd",
    "chronyd",
    "cron",
    "node",
];
const TOOLS: [&str; 6] = ["curl", "apt-get", "git", "python3", "rsync", "wget"];
const COUNTRIES: [&str; 8] = ["US", "DE", "NL", "FR", "GB", "JP", "IE", "SG"];

/// How much there is of everything.
pub struct Host {
    /// Remote addresses.
    pub remotes: u64,
    scripts: u64,
}

impl Host {
    /// A host with so many connections.
    pub fn of_size(connections: u64) -> Self {
        Self { remotes: (connections / 50).max(100), scripts: connections / 50 }
    }

    /// The address that is used most after so many others.
    pub fn remote_of_rank(&self, rank: u64) -> IpAddr {
        // Spread over the addresses, none twice.
        let spread = (rank as u32).wrapping_mul(2_654_435_761);
        if rank % 5 == 4 {
            let [a, b, c, d] = spread.to_be_bytes();
            return format!(
                "2001:db8:{:x}:{:x}::{:x}",
                u16::from(a),
                u16::from(b),
                u16::from_be_bytes([c, d])
            )
            .parse()
            .unwrap_or(IpAddr::from([192, 0, 2, 1]));
        }
        Ipv4Addr::from((16 << 24) + spread % (160 << 24)).into()
    }

    fn script(&self, flush: i64, flushes: i64) -> std::ops::Range<i64> {
        let before = |flush: i64| (i128::from(self.scripts) * i128::from(flush) / i128::from(flushes)) as i64;
        let first = SERVICES.len() as i64 + 1;
        first + before(flush)..first + before(flush + 1)
    }

    /// The processes that begin between this flush and the next.
    pub fn processes_of(&self, flush: i64, flushes: i64, from: i64) -> Vec<ProcessRow> {
        let services = (1..).zip(SERVICES).filter(|_| flush == 0);
        let scripts = self.script(flush, flushes);
        let scripts = scripts.map(|row| (row, TOOLS[row as usize % TOOLS.len()]));
        services.chain(scripts).map(|(row, comm)| process(row, comm, from)).collect()
    }
}

fn process(row: i64, comm: &str, from: i64) -> ProcessRow {
    let cgroup = format!("/system.slice/{comm}.service");
    let process = Process {
        id: ProcessId { pid: 300 + (row % 60_000) as u32, start_ns: (from - START + row) as u64 },
        started: Timestamp(from),
        ppid: 1,
        comm: comm.into(),
        exe: format!("/usr/bin/{comm}").into(),
        cmdline: format!("{comm} --config /etc/{comm}/main.conf --job {row}").into(),
        uid: 1_000 + (row % 7) as u32,
        user: Some("mira".into()),
        euid: 1_000,
        cwd: "/home/mira".into(),
        place: Workload::of_cgroup(&cgroup),
        cgroup: cgroup.into(),
        ..Process::default()
    };
    ProcessRow { row, parent: (row > 1).then_some(1), process }
}

/// What a connection does from its beginning to its end.
pub struct Plan {
    kind: Kind,
    rank: u64,
    process: i64,
    opened: i64,
    /// When it ends.
    pub ends: i64,
    port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Web,
    Question,
    Served,
    Refused,
}

impl Plan {
    /// One that is opened at this time.
    pub fn drawn(host: &Host, opened: i64, flush: i64, flushes: i64, random: &mut Random) -> Self {
        let kind = match random.below(100) {
            0..50 => Kind::Web,
            50..75 => Kind::Question,
            75..97 => Kind::Served,
            _ => Kind::Refused,
        };
        let lasts = match (kind, random.below(1_000_000)) {
            // A few stay for all of the time, some for hours, most for less than a minute.
            (Kind::Web | Kind::Served, 0..20) => 30 * 86_400 * SECOND,
            (Kind::Web | Kind::Served, 20..30_000) => random.around(1_800) as i64 * SECOND,
            (Kind::Question | Kind::Refused, _) => 1 + random.around(40_000_000) as i64,
            _ => 1 + random.around(6_000_000_000) as i64,
        };
        let scripts = host.script(flush, flushes);
        let process = match kind {
            Kind::Served => 3,
            _ if random.below(2) == 0 && !scripts.is_empty() => {
                scripts.start + random.below((scripts.end - scripts.start) as u64) as i64
            }
            _ => 1 + random.below(SERVICES.len() as u64) as i64,
        };
        // Few addresses have most of the connections: a tenth of all addresses has four fifths of those of two thirds, whose number
        // falls as the rank rises (Zipf's law). Any address may be the other end of the rest.
        let some = random.below(host.remotes);
        let part = some as f64 / host.remotes as f64;
        let rank = if random.below(3) == 0 { some } else { (host.remotes as f64).powf(part) as u64 - 1 };
        let rank = if kind == Kind::Question { rank % 4 } else { rank };
        Self { kind, rank, process, opened, ends: opened + lasts, port: 32_768 + random.below(28_000) as u16 }
    }

    fn row(&self, host: &Host, row: i64, now: i64) -> ConnectionRow {
        let remote = host.remote_of_rank(self.rank);
        let local: IpAddr =
            if remote.is_ipv6() { [0x2001, 0xdb8, 7, 0, 0, 0, 0, 5].into() } else { [192, 168, 7, 5].into() };
        let (proto, direction, theirs, ours) = match self.kind {
            Kind::Web => (Proto::TCP, Direction::Out, 443, self.port),
            Kind::Question => (Proto::UDP, Direction::Out, 53, self.port),
            Kind::Served => (Proto::TCP, Direction::In, self.port, 443),
            Kind::Refused => (Proto::TCP, Direction::Out, 22, self.port),
        };
        let over = self.ends <= now;
        let seconds = ((now.min(self.ends) - self.opened) / SECOND) as u64;
        let end = match self.kind {
            Kind::Question => End::Closed,
            Kind::Refused => End::Refused,
            _ => End::Fin,
        };
        let (tx, rx) = (900 + 70 * seconds, 5_000 + 800 * seconds);
        let totals = KernelTotals { tx_bytes: tx, rx_bytes: rx, rtt_us: 12_000, ..KernelTotals::default() };
        let place = Location {
            asn: Some(64_500 + (self.rank % 900) as u32),
            org: Some(format!("Network {}", self.rank % 900).into()),
            source: "made".into(),
            ..Location::default()
        };
        ConnectionRow {
            row,
            facts: Facts {
                proto,
                direction,
                local: Endpoint::new(local, ours),
                remote: Endpoint::new(remote, theirs),
                opened: Timestamp(self.opened),
                closed: over.then_some(Timestamp(self.ends)),
                end: over.then_some(end),
                kernel: (over && proto == Proto::TCP).then_some(totals),
                wire: Some(Wire {
                    tx_bytes: tx + 52 * 6,
                    rx_bytes: rx + 52 * 6,
                    tx_packets: 6 + tx / 1_400,
                    rx_packets: 6 + rx / 1_400,
                }),
                netns: 4_026_531_840,
                ..Facts::default()
            },
            established: None,
            owner: Some(self.process),
            country: Some(COUNTRIES[self.rank as usize % COUNTRIES.len()].to_owned()),
            place: Some(Arc::new(place)),
        }
    }

    /// What the flush tells in which it begins.
    pub fn begins(&self, host: &Host, row: i64, now: i64, batch: &mut Batch, random: &mut Random) {
        batch.connections.push(self.row(host, row, now));
        if self.ends <= now {
            batch.over.push(row);
        }
        let name = format!("host-{}.site-{}.example", self.rank % 13, self.rank);
        match self.kind {
            Kind::Web => {
                let seen = [(NameSource::Sni, 80), (NameSource::Dns, 90)];
                for (source, share) in seen {
                    if random.below(100) < share {
                        let process = Some(self.process).filter(|_| source == NameSource::Dns);
                        let (name, time) = (name.as_str().into(), Timestamp(self.opened));
                        batch.names.push(NameRow { connection: row, name, source, process, time });
                    }
                }
                let spoken =
                    ObservedService { service: "tls".into(), alpn: vec!["h2".into(), "http/1.1".into()] };
                batch.observed.push((row, spoken));
            }
            Kind::Question => batch.lookups.push(self.lookup(host, name)),
            Kind::Served | Kind::Refused => {}
        }
        if self.kind != Kind::Refused {
            self.moves(row, self.opened, batch, random);
        }
    }

    /// What a later flush tells of one that was open before.
    pub fn goes_on(
        &self,
        host: &Host,
        row: i64,
        (from, to): (i64, i64),
        batch: &mut Batch,
        random: &mut Random,
    ) {
        batch.connections.push(self.row(host, row, to));
        let last = to.min(self.ends);
        if self.ends <= to {
            batch.over.push(row);
        }
        for _ in 0..random.below(4) {
            self.moves(row, from + random.below((last - from).max(1) as u64) as i64, batch, random);
        }
    }

    fn moves(&self, row: i64, time: i64, batch: &mut Batch, random: &mut Random) {
        batch.traffic.push(TrafficRow {
            connection: row,
            process: self.process,
            bucket: Timestamp(time).step().0 / SECOND,
            tx_bytes: random.around(900),
            rx_bytes: random.around(9_000),
            tx_calls: 2,
            rx_calls: 3,
        });
    }

    fn lookup(&self, host: &Host, name: String) -> LookupRow {
        let answer = LookupAnswer {
            name: name.as_str().into(),
            kind: "A".into(),
            ttl: 300,
            data: host.remote_of_rank(self.rank).to_string().into(),
        };
        LookupRow {
            time: Timestamp(self.opened),
            answered: Some(Timestamp(self.ends)),
            process: Some(self.process),
            proto: Proto::UDP,
            server: Endpoint::new([192, 168, 7, 1].into(), 53),
            name: name.into(),
            kind: "A".into(),
            code: Some("NoError".into()),
            answers: vec![answer],
        }
    }
}
