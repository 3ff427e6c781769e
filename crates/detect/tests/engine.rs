//! What holds of the engine whatever it is fed with.

mod made;

use connmon_detect::{Acknowledgement, Engine, Event, Finding, Found, Settings, Severity};
use connmon_fixtures::{SECOND, START};
use connmon_record::{Connection, Timestamp};
use made::Series;

/// A little of everything that detectors find.
fn everything() -> Vec<Connection> {
    let base = || Series { exe: "/home/mira/agent".into(), host: "c2.example".into(), ..Series::default() };
    let all = [
        Series { every: "10m".into(), times: 150, jitter: 0.2, loss: 0.1, ..base() },
        Series {
            every: "5m".into(),
            times: 90,
            host: "gone.example".into(),
            end: "refused".into(),
            ..base()
        },
        Series { exe: "/dev/shm/x".into(), lasts: "13h".into(), host: "t.example".into(), ..base() },
        Series {
            start: "2h".into(),
            every: "1s".into(),
            times: 80,
            exe: "/usr/bin/nmap".into(),
            host: String::new(),
            ip: [10, 0, 0, 9].into(),
            port: 1,
            port_step: 1,
            end: "refused".into(),
            ..base()
        },
        Series {
            every: "64s".into(),
            times: 900,
            exe: "/usr/sbin/chronyd".into(),
            proto: "udp".into(),
            ..base()
        },
        Series { start: "20h".into(), exe: "/usr/bin/late".into(), host: "late.example".into(), ..base() },
    ];
    let mut connections = Vec::new();
    for series in all {
        connections.extend(series.connections(connections.len() as i64 + 1));
    }
    connections
}

fn settings() -> Settings {
    Settings { learning_ns: 10 * 3_600 * SECOND, ..Settings::default() }
}

fn found(engine: &Engine) -> Vec<Finding> {
    engine.findings().into_iter().cloned().collect()
}

/// The events of connections, in order of time.
fn events(connections: &[Connection]) -> Vec<Event<'_>> {
    let mut all: Vec<Event<'_>> =
        connections.iter().flat_map(|one| [Event::Opened(one), Event::Ended(one)]).collect();
    all.sort_by_key(Event::time);
    all
}

#[test]
fn a_restart_changes_nothing() {
    let connections = everything();
    let mut whole = Engine::new(settings());
    made::feed(&mut whole, &connections);
    assert!(whole.findings().len() > 6, "{:?}", whole.findings());
    let mut codes: Vec<String> = whole.findings().iter().map(|one| one.detector.to_string()).collect();
    codes.sort();
    codes.dedup();
    assert_eq!(codes, ["D1", "D11", "D2", "D3", "D4"]);

    let mut parts = Engine::new(settings());
    parts.feed(Event::Recording(Timestamp(START)));
    for (number, event) in events(&connections).into_iter().enumerate() {
        if number % 400 == 399 {
            parts = Engine::restore(&parts.save().unwrap()).unwrap();
        }
        parts.feed(event);
    }
    parts.advance(Timestamp(parts.world().now().0 + SECOND));
    assert_eq!(found(&parts), found(&whole));
    assert_eq!(parts.take(), whole.take());
    assert!(whole.take().is_empty(), "what was taken has not changed since");
}

#[test]
fn events_that_come_late_count_all_the_same() {
    let connections = everything();
    let mut whole = Engine::new(settings());
    made::feed(&mut whole, &connections);
    let mut late = Engine::new(settings());
    late.feed(Event::Recording(Timestamp(START)));
    let mut events = events(&connections);
    events.chunks_mut(7).for_each(<[Event<'_>]>::reverse);
    events.into_iter().for_each(|event| late.feed(event));
    late.advance(Timestamp(late.world().now().0 + SECOND));
    let ids = |engine: &Engine| {
        let mut ids: Vec<(String, Severity)> =
            found(engine).into_iter().map(|one| (one.id, one.severity)).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&late), ids(&whole));
}

#[test]
fn a_clock_that_leaps_breaks_nothing() {
    let connections = everything();
    let mut engine = Engine::new(settings());
    made::feed(&mut engine, &connections);
    let before = engine.findings().len();
    for time in [0, -1, i64::MIN, i64::MAX, START - 1, START] {
        for mut connection in connections.iter().step_by(40).cloned() {
            connection.opened = Timestamp(time);
            connection.closed = Some(Timestamp(time.saturating_add(SECOND)));
            engine.feed(Event::Opened(&connection));
            engine.feed(Event::Lasts(&connection, Timestamp(time)));
            engine.feed(Event::Ended(&connection));
        }
        engine.advance(Timestamp(time));
    }
    assert!(engine.findings().len() >= before);
}

#[test]
fn memory_is_bounded_and_what_is_dropped_is_counted() {
    let settings = Settings { max_groups: 200, max_samples: 1000, max_findings: 20, learning_ns: 0 };
    let mut engine = Engine::new(settings);
    let flood = Series {
        exe: "/home/mira/agent".into(),
        host: "a{n}.example".into(),
        every: "1s".into(),
        times: 5_000,
        ..Series::default()
    };
    let beacon = Series { host: "c2.example".into(), every: "10s".into(), times: 500, ..flood.clone() };
    let mut connections = flood.connections(1);
    connections.extend(beacon.connections(10_000));
    made::feed(&mut engine, &connections);
    assert!(engine.world().groups() <= 200);
    assert!(engine.findings().len() <= 20);
    let Found { groups_forgotten: groups, findings_omitted: findings, .. } = engine.found(|_| true);
    assert!(groups >= 4_000 && findings > 0, "{groups} {findings}");
    let hosts =
        found(&engine).into_iter().filter(|one| one.detector == "D1").filter_map(|one| one.subject.host);
    assert_eq!(hosts.map(|host| host.raw().to_owned()).collect::<Vec<_>>(), ["c2.example"]);
    let again = Engine::restore(&engine.save().unwrap()).unwrap();
    assert_eq!(found(&again), found(&engine));
}

#[test]
fn what_was_acknowledged_stays_so_until_it_is_more() {
    let connections = everything();
    let mut engine = Engine::new(settings());
    made::feed(&mut engine, &connections);
    let worst = found(&engine).remove(0);
    let mut known = Acknowledgement::of(&worst, Timestamp(START), "mira".into(), None);
    assert!(engine.acknowledge(&worst.id, known.clone()));
    let last = found(&engine).pop().unwrap();
    assert_eq!((last.id, last.acknowledged), (worst.id.clone(), Some(known.clone())));
    // Said before the finding is there, as by a command that reads a store.
    let mut early = Engine::new(settings());
    assert!(!early.acknowledge(&worst.id, known.clone()));
    made::feed(&mut early, &connections);
    assert!(found(&early).iter().any(|one| one.id == worst.id && one.acknowledged.is_some()));
    // It was less then.
    known.severity = Severity::Info;
    let mut more = Engine::new(settings());
    more.acknowledge(&worst.id, known);
    made::feed(&mut more, &connections);
    assert!(found(&more).iter().all(|one| one.acknowledged.is_none()));
}

#[test]
fn a_damaged_state_is_refused() {
    let mut engine = Engine::new(settings());
    made::feed(&mut engine, &everything());
    let state = engine.save().unwrap();
    assert!(Engine::restore(&[]).is_err());
    for cut in [1, 10, state.len() / 2, state.len() - 1] {
        assert!(Engine::restore(&state[..cut]).is_err(), "{cut}");
    }
    for place in (0..state.len()).step_by(97) {
        let mut bytes = state.clone();
        bytes[place] ^= 0x41;
        assert!(Engine::restore(&bytes).is_err(), "{place}");
    }
}
