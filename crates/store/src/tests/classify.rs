//! What is known late is classified late: names and hashes that come after their connection.

use super::filter::{in_memory, reader};
use super::start;
use connmon_filter::Filter;
use connmon_filter::ioc::{Lists, read};
use connmon_filter::rules::Rules;
use connmon_record::frame::Frame;
use connmon_record::rows::{Batch, ConnectionRow, NameRow, ProcessRow, TrafficRow};
use connmon_record::{
    Direction, End, Endpoint, ExeHash, Facts, IndicatorKind, NameSource, Process, ProcessId, Proto, Rule,
    Timestamp, Untrusted,
};
use connmon_track::Tracker;

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000_000)
}

fn process(exe_hash: ExeHash) -> ProcessRow {
    let process = Process { id: ProcessId { pid: 7, start_ns: 1 }, exe_hash, ..Process::default() };
    ProcessRow { row: 1, parent: None, process }
}

fn closed() -> ConnectionRow {
    ConnectionRow {
        row: 1,
        facts: Facts {
            proto: Proto::TCP,
            direction: Direction::Out,
            local: Endpoint::new([10, 0, 0, 5].into(), 40_000),
            remote: Endpoint::new([192, 0, 2, 1].into(), 443),
            opened: at(11),
            closed: Some(at(12)),
            end: Some(End::Fin),
            ..Facts::default()
        },
        established: None,
        owner: Some(1),
        country: None,
        place: None,
    }
}

#[test]
fn names_and_hashes_that_come_later_count() {
    let hash = "ab".repeat(32);
    let list = read("list.txt", format!("evil.example\nbad.example\n{hash}\n").as_bytes(), None).unwrap();
    let expression = "ioc:evil.example";
    let filter = Filter::parse(expression, at(0)).unwrap();
    let rule = Rule { label: "evil".into(), color: None, expression: expression.into(), text: true };
    let mut writer =
        in_memory().with_classifier(Rules::new(vec![(rule, filter)]), Lists::new(vec![list]).unwrap());
    let mut tracker = Tracker::default();
    start(&mut tracker, 10);
    tracker.feed(Frame::SweepEnd(10_000_000_000));
    writer.write(&tracker.take()).unwrap();
    let mut write = |batch: Batch| {
        writer.write(&batch).unwrap();
        writer.take_news().into_iter().map(|news| (news.hit.kind, news.hit.time)).collect::<Vec<_>>()
    };
    let first = Batch {
        processes: vec![process(ExeHash::Unknown)],
        connections: vec![closed()],
        over: vec![1],
        time: at(13),
        ..Batch::default()
    };
    assert_eq!(write(first), []);
    let name = NameRow {
        connection: 1,
        name: "www.evil.example".into(),
        source: NameSource::Dns,
        process: None,
        time: at(11),
    };
    assert_eq!(
        write(Batch { names: vec![name], time: at(14), ..Batch::default() }),
        [(IndicatorKind::Name, at(14))]
    );
    let hashed = || vec![process(ExeHash::Sha256(hash.clone()))];
    assert_eq!(
        write(Batch { processes: hashed(), time: at(15), ..Batch::default() }),
        [(IndicatorKind::Sha256, at(15))]
    );
    let again = Batch { processes: hashed(), connections: vec![closed()], time: at(16), ..Batch::default() };
    assert_eq!(write(again), [], "a hit is told once");
    let told = vec![(at(17), vec![([192, 0, 2, 1].into(), vec!["host.bad.example".into()])])];
    assert_eq!(
        write(Batch { reverse: told, time: at(17), ..Batch::default() }),
        [(IndicatorKind::Name, at(17))]
    );
    let store = reader(writer);
    let (_, connection) = store.connection(1 << 40 | 1).unwrap().unwrap();
    assert_eq!((connection.label.as_ref().map(Untrusted::raw), connection.hits.len()), (Some("evil"), 3));
    let run = store.runs().unwrap().remove(0);
    assert_eq!((run.rules[0].expression.raw(), run.lists[0].indicators), (expression, 3));
}

/// What a batch tells for the first time is classified without being read back: the writer compares both in tests.
#[test]
fn what_is_new_is_judged_as_it_is_stored() {
    let expression = "bytes>30 host:b.example proc:second service:https end:fin";
    let filter = Filter::parse(expression, at(0)).unwrap();
    let rule = Rule { label: "all".into(), color: None, expression: expression.into(), text: true };
    let keep = Filter::parse("label:all", at(0)).unwrap();
    let rules = Rules::new(vec![(rule, filter)]);
    let mut writer = in_memory().with_classifier(rules, Lists::default()).with_recording_filter(keep);
    let mut tracker = Tracker::default();
    start(&mut tracker, 10);
    tracker.feed(Frame::SweepEnd(10_000_000_000));
    writer.write(&tracker.take()).unwrap();
    let program = |row: i64, pid: u32, comm: &str| {
        let process = Process { id: ProcessId { pid, start_ns: 1 }, comm: comm.into(), ..Process::default() };
        ProcessRow { row, parent: None, process }
    };
    let traffic = |connection: i64, process: i64, bucket: i64| TrafficRow {
        connection,
        process,
        bucket,
        tx_bytes: 10,
        rx_bytes: 5,
        tx_calls: 1,
        rx_calls: 1,
    };
    let name = |connection: i64, name: &str, source: NameSource| NameRow {
        connection,
        name: name.into(),
        source,
        process: Some(2),
        time: at(11),
    };
    let open =
        ConnectionRow { owner: None, facts: Facts { closed: None, end: None, ..closed().facts }, ..closed() };
    let seen = |service: &str, alpn: &[&str]| connmon_record::ObservedService {
        service: service.into(),
        alpn: alpn.iter().map(|alpn| (*alpn).into()).collect(),
    };
    let other = |row: i64| ConnectionRow {
        row,
        facts: Facts { remote: Endpoint::new([192, 0, 2, 2].into(), 80), ..closed().facts },
        ..closed()
    };
    let batch = Batch {
        processes: vec![program(1, 7, "first"), program(2, 8, "second"), program(3, 7, "third")],
        connections: vec![open, other(2), closed()],
        traffic: vec![
            traffic(1, 2, 10),
            traffic(2, 1, 10),
            traffic(1, 3, 10),
            traffic(1, 1, 20),
            traffic(1, 1, 10),
        ],
        names: vec![
            name(1, "a.example", NameSource::Dns),
            name(1, "b.example", NameSource::Sni),
            name(1, "a.example", NameSource::Dns),
        ],
        observed: vec![(1, seen("tls", &["h2"])), (1, seen("tls", &[]))],
        over: vec![1, 2],
        time: at(13),
        ..Batch::default()
    };
    writer.write(&batch).unwrap();
    // Later rows of it are read back.
    let late = Batch { names: vec![name(1, "c.example", NameSource::Dns)], time: at(14), ..Batch::default() };
    writer.write(&late).unwrap();
    assert_eq!(writer.left_out(), 1);
    let store = reader(writer);
    let (_, connection) = store.connection(1 << 40 | 1).unwrap().unwrap();
    assert_eq!(connection.label.as_ref().map(Untrusted::raw), Some("all"));
    assert!(store.connection(1 << 40 | 2).unwrap().is_none());
}

#[test]
fn what_was_read_again_judges_what_changes_from_then_on() {
    let rules = |label: &str| {
        let rule = Rule { label: label.into(), color: None, expression: Untrusted::default(), text: true };
        Rules::new(vec![(rule, Filter::default())])
    };
    let list = |name: &str| Lists::new(vec![read(name, b"192.0.2.1\n", None).unwrap()]).unwrap();
    let mut writer = in_memory().with_classifier(rules("before"), Lists::default());
    let mut tracker = Tracker::default();
    start(&mut tracker, 10);
    tracker.feed(Frame::SweepEnd(10_000_000_000));
    writer.write(&tracker.take()).unwrap();
    let connections = |row| vec![ConnectionRow { row, owner: None, ..closed() }];
    let batch = |row, time| Batch { connections: connections(row), time: at(time), ..Batch::default() };
    writer.write(&batch(1, 13)).unwrap();
    writer.judge_by(rules("after"), list("list.txt"));
    writer.write(&batch(2, 14)).unwrap();
    writer.judge_by(Rules::default(), Lists::default());
    writer.write(&batch(3, 15)).unwrap();
    let store = reader(writer);
    let judged: Vec<_> = (1..=3)
        .map(|row| store.connection(1 << 40 | row).unwrap().unwrap().1)
        .map(|connection| (connection.label.map(|label| label.raw().to_owned()), connection.hits.len()))
        .collect();
    assert_eq!(judged, [(Some("before".into()), 0), (Some("after".into()), 1), (None, 0)]);
    let run = store.runs().unwrap().remove(0);
    assert_eq!(
        (run.rules.len(), run.lists.len()),
        (0, 1),
        "the rules in force, and every list that was compared"
    );
}

#[test]
fn a_connection_that_goes_on_is_judged_by_all_that_it_has_moved_without_adding_it_up_again() {
    let rule = |expression: &str| {
        let rule = Rule { label: expression.into(), color: None, expression: expression.into(), text: true };
        (rule, Filter::parse(expression, at(0)).unwrap())
    };
    let rules = ["bytes:300", "bytes:600", "bytes:900"].map(rule).into();
    let mut writer = in_memory().with_classifier(Rules::new(rules), Lists::default());
    let mut tracker = Tracker::default();
    start(&mut tracker, 10);
    tracker.feed(Frame::SweepEnd(10_000_000_000));
    writer.write(&tracker.take()).unwrap();
    let open =
        ConnectionRow { facts: Facts { closed: None, end: None, ..closed().facts }, owner: None, ..closed() };
    let processes = [1, 2].map(|row| connmon_fixtures::rows::process(row, "curl")).to_vec();
    writer.write(&Batch { processes, connections: vec![open], time: at(11), ..Batch::default() }).unwrap();
    let mut label = |time: i64, sent: u64| {
        let moved = |process| TrafficRow {
            bucket: time * 10,
            ..connmon_fixtures::rows::traffic(1, process, sent / 2, 0)
        };
        let traffic = vec![moved(1), moved(2)];
        writer.write(&Batch { traffic, time: at(time), ..Batch::default() }).unwrap();
        writer
            .db
            .query_row("SELECT label FROM connection", [], |row| row.get::<_, Option<String>>(0))
            .unwrap()
    };
    let labels: Vec<_> =
        [(12, 100), (13, 200), (14, 100), (15, 200)].map(|(time, sent)| label(time, sent)).into();
    assert_eq!(labels, [None, Some("bytes:300".into()), None, Some("bytes:600".into())]);
    // What it moved in the four steps before is known, and not read once more.
    writer.db.execute("DELETE FROM traffic WHERE bucket < 160", []).unwrap();
    let traffic = vec![TrafficRow { bucket: 160, ..connmon_fixtures::rows::traffic(1, 1, 300, 0) }];
    writer.write(&Batch { traffic, time: at(16), ..Batch::default() }).unwrap();
    let last: Option<String> =
        writer.db.query_row("SELECT label FROM connection", [], |row| row.get(0)).unwrap();
    assert_eq!(last.as_deref(), Some("bytes:900"));
}

#[test]
fn what_can_match_lists_is_told_without_reading_every_connection() {
    let (mut writer, ips) = (in_memory(), ["192.0.2.1", "192.0.2.2", "198.51.100.7", "::ffff:203.0.113.9"]);
    let mut tracker = Tracker::default();
    start(&mut tracker, 10);
    tracker.feed(Frame::SweepEnd(10_000_000_000));
    writer.write(&tracker.take()).unwrap();
    let connections = (1..=3_000).map(|row| {
        let remote = Endpoint::new(ips[row as usize / 1_000 % 4].parse().unwrap(), 443);
        let facts = Facts { remote, opened: at(10 + row), closed: Some(at(11 + row)), ..closed().facts };
        ConnectionRow { row, facts, owner: None, ..closed() }
    });
    let mut batch = Batch { connections: connections.collect(), time: at(4_000), ..Batch::default() };
    for (row, name) in [(7, "a.evil.example"), (2_000, "evil.example"), (2_500, "example")] {
        let name = NameRow {
            connection: row,
            name: name.into(),
            source: NameSource::Sni,
            process: None,
            time: at(20),
        };
        batch.names.push(name);
    }
    writer.write(&batch).unwrap();
    let store = reader(writer);
    let count = |list: &[u8]| {
        let lists = Lists::new(vec![read("list.txt", list, None).unwrap()]).unwrap();
        let (mut all, mut met, mut matches) = (Vec::new(), 0, Vec::new());
        let of = |connection: &connmon_record::Connection| {
            let row = connmon_filter::FilterRow::from_connection(connection, at(4_000));
            !lists.matches(&row, connection.remote.port).is_empty()
        };
        let everything = |_, connection: connmon_record::Connection| {
            all.extend(of(&connection).then_some(connection.id));
            Ok::<_, crate::StoreError>(())
        };
        store.for_each(None, None, &Filter::default(), everything).unwrap();
        let some = |_, connection: connmon_record::Connection| {
            met += 1;
            matches.extend(of(&connection).then_some(connection.id));
            Ok::<_, crate::StoreError>(())
        };
        let instead = store.unmatched(&lists).unwrap();
        store.for_each_but(&instead, None, None, &Filter::default(), some).unwrap();
        assert_eq!(matches, all);
        (met, matches.len())
    };
    assert_eq!(count(b"192.0.2.2\n"), (1_000, 1_000));
    assert_eq!(count(b"192.0.2.2:80\n"), (1_000, 0), "which port is not looked at before");
    assert_eq!(count(b"evil.example\n203.0.113.0/24\n"), (3, 3));
    assert_eq!(count(b"10.0.0.1\n"), (0, 0));
}
