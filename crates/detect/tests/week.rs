//! Measured: which beacons are found, and what an ordinary week gives that is none.

mod made;

use std::fmt::Write;
use std::path::Path;

use connmon_detect::{Engine, Event, Finding, Settings, Severity};
use connmon_fixtures::{Random, golden};
use connmon_record::{Connection, Timestamp};
use made::{Series, chance, feed, ns};

const WEEK: i64 = 604_800;
const PERIODS: [&str; 8] = ["10s", "30s", "1m", "5m", "15m", "1h", "3h", "6h"];
const JITTERS: [f64; 4] = [0.0, 0.1, 0.25, 0.5];
const LOSSES: [f64; 4] = [0.0, 0.1, 0.2, 0.3];
const SEEDS: u64 = 4;
/// Connections of a beacon at most: after as many it is found or not.
const MOST: i64 = 300;

/// A program of nobody that asks its server, in one of these manners.
fn beacon(number: usize, every: &str, jitter: f64, loss: f64, seed: u64) -> Series {
    let times = (WEEK * 1_000_000_000 / ns(every)).min(MOST) as u32;
    Series {
        every: every.into(),
        times,
        jitter,
        loss,
        seed,
        spread: 0.3,
        exe: "/home/mira/agent".into(),
        host: format!("b{number}.example"),
        ..Series::default()
    }
}

/// How many beacons of each period are found, in percent, by jitter; and how many starts it took, by period.
#[test]
fn beacons_are_found() {
    let mut table = String::from(
        "| period | jitter 0 | 10 % | 25 % | 50 % | starts until it was found, median |\n|---|---|---|---|---|---|\n",
    );
    let (mut all, mut found_all) = (0, 0);
    for every in PERIODS {
        let mut latency = Vec::new();
        let mut cells = String::new();
        for jitter in JITTERS {
            let (mut tried, mut found) = (0, 0);
            for loss in LOSSES {
                for seed in 1..=SEEDS {
                    let series = beacon(tried, every, jitter, loss, seed * 7919 + tried as u64);
                    let mut engine = Engine::new(Settings::default());
                    tried += 1;
                    if let Some(starts) = starts_until_found(&mut engine, &series.connections(1)) {
                        found += 1;
                        latency.push(starts);
                    }
                }
            }
            all += tried;
            found_all += found;
            // Writing to a String does not fail.
            let _ = write!(cells, " {} % |", found * 100 / tried);
        }
        latency.sort_unstable();
        let middle = latency.get(latency.len() / 2).copied().unwrap_or_default();
        let _ = writeln!(table, "| {every} |{cells} {middle} |");
    }
    let _ = writeln!(table, "\n{found_all} of {all} found: {:.1} %", found_all as f64 * 100.0 / all as f64);
    golden::compare(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/recall.md"), &table);
    assert!(found_all * 100 >= all * 95, "{table}");
}

/// The number of starts after which a beacon is among the findings and stays there; `None` if it is not there at the end.
fn starts_until_found(engine: &mut Engine, connections: &[Connection]) -> Option<usize> {
    let is_found = |engine: &Engine| engine.findings().iter().any(|finding| finding.detector == "D1");
    let mut since = None;
    for (number, connection) in connections.iter().enumerate() {
        engine.feed(Event::Opened(connection));
        engine.feed(Event::Ended(connection));
        since = if is_found(engine) { since.or(Some(number + 1)) } else { None };
    }
    since
}

/// How many programs that connect by chance look like a beacon all the same, in percent, by the number of their starts.
#[test]
fn few_series_by_chance_look_like_beacons() {
    let mut table = String::from("| starts | found |\n|---|---|\n");
    for starts in [10, 20, 50, 200] {
        let mut found = 0;
        for seed in 1..=500_u64 {
            let mut random = Random(seed * 7919 + 13);
            (0..8).for_each(|_| {
                random.number();
            });
            let mut second = 0.0;
            let series: Vec<Series> = (0..starts)
                .map(|_| {
                    second -= 600.0 * (1.0 - chance(&mut random)).ln();
                    let start = format!("{second:.0}s");
                    Series {
                        start,
                        tx: random.around(2_000),
                        rx: random.around(20_000),
                        ..beacon(0, "10m", 0.0, 0.0, 1)
                    }
                })
                .map(|series| Series { times: 1, ..series })
                .collect();
            let mut connections: Vec<Connection> = Vec::new();
            for one in series {
                connections.extend(one.connections(connections.len() as i64 + 1));
            }
            let mut engine = Engine::new(Settings::default());
            feed(&mut engine, &connections);
            found += usize::from(engine.findings().iter().any(|finding| finding.detector == "D1"));
        }
        let _ = writeln!(table, "| {starts} | {:.1} % |", found as f64 / 5.0);
        assert!(found <= 25, "{table}");
    }
    golden::compare(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/chance.md"), &table);
}

/// Series at random times: a program that connects by chance, or because somebody uses it.
fn at_random(base: &Series, days: u32, a_day: u64, hours: (u64, u64), random: &mut Random) -> Vec<Series> {
    let mut all = Vec::new();
    for day in 0..u64::from(days) {
        for _ in 0..a_day {
            let second = day * 86_400 + hours.0 * 3600 + random.below((hours.1 - hours.0) * 3600);
            let length = random.around(20) + 1;
            let (tx, rx) = (random.around(2_000), random.around(60_000));
            all.push(Series {
                start: format!("{second}s"),
                lasts: format!("{length}s"),
                tx,
                rx,
                ..base.clone()
            });
        }
    }
    all
}

/// A week of an ordinary host.
fn ordinary_week() -> Vec<Series> {
    let mut random = Random(0x5eed_0001);
    let of = |exe: &str, host: &str| Series { exe: exe.into(), host: host.into(), ..Series::default() };
    let daily = |n: u32| n * 7;
    let mut all = vec![
        // Mail: asks every ten minutes, and keeps a connection open through each day.
        Series {
            every: "10m".into(),
            times: daily(144),
            jitter: 0.02,
            ..of("/usr/lib/thunderbird/thunderbird", "imap.mail.example")
        },
        Series {
            every: "1d".into(),
            times: 7,
            lasts: "14h".into(),
            ..of("/usr/lib/thunderbird/thunderbird", "imap2.mail.example")
        },
        Series {
            every: "6h".into(),
            times: daily(4),
            jitter: 0.3,
            ..of("/usr/lib/snapd/snapd", "api.snapcraft.io")
        },
        // The backup of each night, by a program of the administrator.
        Series {
            start: "3h".into(),
            every: "1d".into(),
            times: 7,
            lasts: "50m".into(),
            tx: 6_000_000_000,
            rx: 9_000_000,
            spread: 0.4,
            ..of("/usr/local/bin/restic", "backup.example.net")
        },
        Series {
            every: "24h".into(),
            times: 7,
            jitter: 0.2,
            ..of("/usr/bin/freshclam", "database.clamav.net")
        },
        Series { every: "1d".into(), times: 7, ..of("/usr/bin/python3.11", "contracts.canonical.com") },
        // Monitoring calls every minute.
        Series {
            ip: [10, 0, 0, 9].into(),
            port: 9100,
            direction: "in".into(),
            every: "1m".into(),
            times: daily(1440),
            ..of("/usr/local/bin/node_exporter", "")
        },
        // What browsers keep open, and ask regularly.
        Series {
            every: "1d".into(),
            times: 7,
            lasts: "9h".into(),
            ..of("/usr/lib/firefox/firefox", "push.services.mozilla.com")
        },
        Series {
            every: "30m".into(),
            times: daily(48),
            jitter: 0.05,
            ..of("/usr/lib/firefox/firefox", "incoming.telemetry.mozilla.org")
        },
        Series {
            every: "1h".into(),
            times: daily(24),
            jitter: 0.1,
            ..of("/snap/spotify/80/usr/share/spotify/spotify", "spclient.example")
        },
        // A login that lasts a working day.
        Series {
            start: "9h".into(),
            every: "1d".into(),
            times: 5,
            lasts: "7h".into(),
            port: 22,
            ..of("/usr/bin/ssh", "work.example")
        },
    ];
    for server in 1..=4_u8 {
        all.push(Series {
            ip: [162, 159, 200, server].into(),
            port: 123,
            proto: "udp".into(),
            end: "idle".into(),
            every: "1024s".into(),
            times: daily(84),
            jitter: 0.02,
            ..of("/usr/sbin/chronyd", "")
        });
    }
    for day in 0..7 {
        for (hour, n) in [(6, 12), (18, 9)] {
            let start = format!("{}s", day * 86_400 + hour * 3600 + random.below(3600));
            all.push(Series {
                start,
                every: "2s".into(),
                times: n,
                jitter: 0.8,
                ..of("/usr/lib/apt/methods/https", "deb.debian.org")
            });
        }
        // Somebody builds something.
        let start = format!("{}s", day * 86_400 + 36_000 + random.below(20_000));
        all.push(Series {
            start,
            every: "1s".into(),
            times: 40,
            jitter: 0.9,
            ..of("/home/mira/.cargo/bin/cargo", "index.crates.io")
        });
    }
    for site in 0..60 {
        let a_day = 1 + random.below(12);
        let base = of("/usr/lib/firefox/firefox", &format!("site{site}.example"));
        all.extend(at_random(&base, 7, a_day, (8, 23), &mut random));
    }
    for peer in 0..30_u8 {
        let base = Series { ip: [81, 2, 69, peer].into(), port: 22_000, ..of("/usr/bin/syncthing", "") };
        all.extend(at_random(&base, 7, 2, (0, 24), &mut random));
    }
    // Programs of the user's own, used by hand.
    all.extend(at_random(&of("/home/mira/venv/bin/tool", "api.example.com"), 7, 6, (9, 18), &mut random));
    all.extend(at_random(&of("/usr/bin/curl", "wttr.example"), 7, 3, (8, 22), &mut random));
    all.extend(at_random(&of("/usr/bin/git", "forge.example"), 7, 15, (9, 19), &mut random));
    let resolver = Series {
        ip: [192, 168, 7, 1].into(),
        port: 53,
        proto: "udp".into(),
        end: "idle".into(),
        ..of("/usr/lib/systemd/systemd-resolved", "")
    };
    all.extend(at_random(&resolver, 7, 400, (0, 24), &mut random));
    for (number, series) in all.iter_mut().enumerate() {
        series.seed = 1 + number as u64;
        series.pid = 100 + number as u32 % 900;
        series.spread = if series.spread > 0.0 { series.spread } else { 0.5 * chance(&mut random) };
        if series.exe.contains("python") {
            series.cmdline = "python3 /usr/lib/ubuntu-advantage/timer.py".into();
        }
    }
    all
}

/// Beacons in that week.
fn planted() -> Vec<Series> {
    let of = |exe: &str, host: &str| Series { exe: exe.into(), host: host.into(), ..Series::default() };
    vec![
        Series {
            start: "1d".into(),
            every: "5m".into(),
            times: 1500,
            jitter: 0.3,
            loss: 0.1,
            ..of("/home/mira/.config/agent", "cdn.bad.example")
        },
        Series {
            every: "6h".into(),
            times: 28,
            jitter: 0.2,
            ip: [185, 220, 101, 4].into(),
            ..of("/usr/bin/python3.11", "")
        },
        Series {
            every: "1h".into(),
            times: 168,
            end: "refused".into(),
            ..of("/home/mira/updater", "gone.bad.example")
        },
        Series {
            every: "45s".into(),
            times: 2000,
            jitter: 0.5,
            loss: 0.3,
            ..of("/dev/shm/x", "c2.bad.example")
        },
    ]
}

fn findings(series: &[Series]) -> Vec<Finding> {
    let mut connections: Vec<Connection> = Vec::new();
    for one in series {
        connections.extend(one.connections(connections.len() as i64 + 1));
    }
    let mut engine = Engine::new(Settings::default());
    feed(&mut engine, &connections);
    engine.advance(Timestamp(connmon_fixtures::START + WEEK * 1_000_000_000));
    engine.findings().into_iter().cloned().collect()
}

#[test]
fn an_ordinary_week_is_of_no_concern() {
    let above: Vec<Finding> =
        findings(&ordinary_week()).into_iter().filter(|finding| finding.severity > Severity::Info).collect();
    assert!(above.is_empty(), "{above:#?}");
}

#[test]
fn what_is_planted_in_it_comes_first() {
    let all = [ordinary_week(), planted()].concat();
    let found = findings(&all);
    let (above, info): (Vec<&Finding>, Vec<&Finding>) =
        found.iter().partition(|one| one.severity > Severity::Info);
    for series in planted() {
        let is_it = |one: &&&Finding| one.detector == "D1" && one.subject.exe.raw() == series.exe;
        let place = found.iter().position(|one| is_it(&&one) && one.severity >= Severity::Medium);
        assert!(place.is_some_and(|place| place < 10), "{}: {place:?}", series.exe);
    }
    let exes: Vec<String> = planted().into_iter().map(|series| series.exe).collect();
    assert!(above.iter().all(|one| exes.iter().any(|exe| one.subject.exe == exe.as_str())), "{above:#?}");
    // The ordinary beacons are there as well, for who wants to know.
    assert!(info.iter().filter(|one| one.detector == "D1").count() >= 8, "{}", info.len());
}
