//! Measured: which beacons are found, and what an ordinary week gives that is none.

mod made;

use std::fmt::Write;
use std::path::Path;

use connmon_detect::{Engine, Event, Finding, Settings, Severity};
use connmon_fixtures::week::{PLANTED, WEEK, ordinary, planted};
use connmon_fixtures::{Random, golden};
use connmon_record::{Connection, Timestamp};
use made::{Questions, Series, chance, feed, feed_with, ns};

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

/// Beacons in that week.
fn beacons() -> Vec<Series> {
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

fn findings(series: &[Series], questions: &[Questions]) -> Vec<Finding> {
    let mut connections: Vec<Connection> = Vec::new();
    for one in series {
        connections.extend(one.connections(connections.len() as i64 + 1));
    }
    let lookups: Vec<_> = questions.iter().flat_map(Questions::lookups).collect();
    let mut engine = Engine::new(Settings::default());
    feed_with(&mut engine, &connections, &lookups);
    engine.advance(Timestamp(connmon_fixtures::START + WEEK * 1_000_000_000));
    engine.findings().into_iter().cloned().collect()
}

#[test]
fn an_ordinary_week_is_of_no_concern() {
    let found = findings(&ordinary(), &[]);
    let above: Vec<&Finding> = found.iter().filter(|finding| finding.severity > Severity::Info).collect();
    assert!(above.is_empty(), "{above:#?}");
}

#[test]
fn beacons_that_are_planted_in_it_come_first() {
    let found = findings(&[ordinary(), beacons()].concat(), &[]);
    let (above, info): (Vec<&Finding>, Vec<&Finding>) =
        found.iter().partition(|one| one.severity > Severity::Info);
    for series in beacons() {
        let is_it = |one: &&&Finding| one.detector == "D1" && one.subject.exe.raw() == series.exe;
        let place = found.iter().position(|one| is_it(&&one) && one.severity >= Severity::Medium);
        assert!(place.is_some_and(|place| place < 10), "{}: {place:?}", series.exe);
    }
    let exes: Vec<String> = beacons().into_iter().map(|series| series.exe).collect();
    assert!(above.iter().all(|one| exes.iter().any(|exe| one.subject.exe == exe.as_str())), "{above:#?}");
    // The ordinary beacons are there as well, for who wants to know.
    assert!(info.iter().filter(|one| one.detector == "D1").count() >= 8, "{}", info.len());
}

/// Each thing is among the first ten findings, and nothing else is above "info".
#[test]
fn what_is_planted_in_it_comes_first() {
    let (series, questions) = planted();
    let found = findings(&[ordinary(), series].concat(), &questions);
    let list: Vec<String> = found
        .iter()
        .take(30)
        .map(|one| format!("{:?} {} {:.3} {}", one.severity, one.detector, one.score, one.what.shown()))
        .collect();
    for (what, detector, exe) in PLANTED {
        let first = &found[..10];
        let is_there = first.iter().any(|one| one.detector == detector && one.subject.exe == exe);
        assert!(is_there, "{what} is not among the first ten: {list:#?}");
    }
    let is_planted = |one: &&Finding| PLANTED.iter().any(|(_, _, exe)| one.subject.exe == *exe);
    let noise: Vec<_> =
        found.iter().filter(|one| one.severity > Severity::Info && !is_planted(one)).collect();
    assert!(noise.is_empty(), "{noise:#?}");
}
