//! Who does what in the demonstration, and where the places are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};

/// The traffic of one program.
pub(super) struct Habit {
    /// Its file name.
    pub name: &'static str,
    /// Its user.
    pub uid: Option<u32>,
    /// Datagrams instead of connections.
    pub udp: bool,
    /// Where to.
    pub port: u16,
    /// Which places: this one, and every so-manieth after it, up to so many.
    pub from: usize,
    pub step: usize,
    pub count: usize,
    /// How often each place.
    pub rounds: usize,
    /// Requests a connection.
    pub requests: u32,
    /// Bytes of a request.
    pub request: usize,
    /// Bytes of an answer.
    pub reply: usize,
    /// Pause after a connection, or spread over it.
    pub pause_ms: u64,
    /// Nobody listens there.
    pub refused: bool,
}

const USUAL: Habit = Habit {
    name: "",
    uid: None,
    udp: false,
    port: 443,
    from: 0,
    step: 1,
    count: 1,
    rounds: 1,
    requests: 1,
    request: 500,
    reply: 1000,
    pause_ms: 10,
    refused: false,
};

/// Where the web server listens.
pub(super) const PORTS: [u16; 7] = [443, 80, 22, 587, 993, 5222, 8443];

/// Programs that talk to the world.
pub(super) const WORLD: &[Habit] = &[
    Habit {
        name: "browser",
        uid: Some(1000),
        count: 32,
        rounds: 4,
        requests: 3,
        reply: 40_000,
        pause_ms: 60,
        ..USUAL
    },
    Habit {
        name: "mailer",
        uid: Some(1000),
        port: 993,
        from: 3,
        step: 7,
        count: 5,
        rounds: 6,
        request: 2400,
        reply: 31_000,
        pause_ms: 260,
        ..USUAL
    },
    Habit {
        name: "backup",
        port: 22,
        from: 2,
        step: 9,
        count: 2,
        rounds: 6,
        request: 3_000_000,
        reply: 700,
        pause_ms: 500,
        ..USUAL
    },
    Habit {
        name: "updater",
        port: 80,
        from: 5,
        step: 11,
        count: 2,
        rounds: 2,
        reply: 6_000_000,
        pause_ms: 1800,
        ..USUAL
    },
    Habit {
        name: "chat",
        uid: Some(1001),
        port: 5222,
        from: 8,
        requests: 40,
        request: 90,
        reply: 140,
        pause_ms: 8400,
        ..USUAL
    },
    Habit {
        name: "sync",
        uid: Some(1001),
        port: 8443,
        from: 1,
        step: 4,
        count: 6,
        rounds: 3,
        request: 45_000,
        reply: 60_000,
        pause_ms: 420,
        ..USUAL
    },
    Habit {
        name: "resolver",
        udp: true,
        port: 53,
        from: 0,
        step: 3,
        count: 10,
        rounds: 12,
        request: 44,
        pause_ms: 65,
        ..USUAL
    },
    Habit {
        name: "scanner",
        uid: Some(1002),
        port: 23,
        from: 0,
        step: 2,
        count: 16,
        rounds: 2,
        pause_ms: 200,
        refused: true,
        ..USUAL
    },
];

/// Programs that talk to the database next door.
pub(super) const LOCAL: &[Habit] = &[
    Habit { name: "webapp", uid: Some(1003), rounds: 400, request: 350, reply: 5200, pause_ms: 20, ..USUAL },
    Habit {
        name: "worker",
        uid: Some(1003),
        rounds: 60,
        requests: 20,
        request: 900,
        reply: 12_000,
        pause_ms: 130,
        ..USUAL
    },
    Habit { name: "report-job", rounds: 2, request: 200, reply: 9_000_000, pause_ms: 900, ..USUAL },
];

/// The machine's own addresses out there: documentation and unique-local ranges are nobody's.
pub(super) const HOME: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 20, 30, 40)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x20, 0x30, 0, 0, 0, 0, 0x40)),
];

/// Well-known public addresses in many countries, as registered; all of them ours inside the namespace.
const PLACES: [&str; 38] = [
    "8.8.8.8",              // US
    "194.25.0.125",         // DE
    "212.27.48.10",         // FR
    "212.58.244.20",        // GB
    "202.12.27.33",         // JP
    "139.130.4.5",          // AU
    "200.160.0.8",          // BR
    "164.100.1.1",          // IN
    "114.114.114.114",      // CN
    "168.126.63.1",         // KR
    "77.88.8.8",            // RU
    "155.232.0.1",          // ZA
    "192.36.148.17",        // SE
    "193.0.6.139",          // NL
    "129.132.1.1",          // CH
    "193.204.114.105",      // IT
    "80.58.61.250",         // ES
    "132.246.2.2",          // CA
    "132.248.10.2",         // MX
    "157.92.1.1",           // AR
    "146.83.1.1",           // CL
    "129.240.2.6",          // NO
    "128.214.4.1",          // FI
    "130.225.1.1",          // DK
    "212.77.98.9",          // PL
    "195.175.39.39",        // TR
    "163.121.128.134",      // EG
    "165.21.83.88",         // SG
    "205.252.144.228",      // HK
    "168.95.1.1",           // TW
    "202.27.184.3",         // NZ
    "203.162.4.190",        // VN
    "194.177.210.210",      // GR
    "130.208.165.1",        // IS
    "2001:4860:4860::8888", // US
    "2a02:6b8::feed:ff",    // RU
    "2001:7fd::1",          // NL
    "2001:dc3::35",         // JP
];

/// All places.
pub(super) fn places() -> Vec<IpAddr> {
    PLACES.iter().filter_map(|place| place.parse().ok()).collect()
}

/// A program's habit.
pub(super) fn habit(name: &str) -> Result<&'static Habit> {
    WORLD.iter().chain(LOCAL).find(|habit| habit.name == name).with_context(|| format!("no habit {name}"))
}

impl Habit {
    /// The places it visits.
    pub fn places(&self) -> impl Iterator<Item = IpAddr> {
        places().into_iter().cycle().skip(self.from).step_by(self.step).take(self.count)
    }
}
