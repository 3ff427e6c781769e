//! What a store says of a part of the time: whose bytes, and up to when a connection is known.

use std::path::Path;

use crate::{Store, StoreError, Writer};
use connmon_analysis::{Completeness, Selection, Verdict};
use connmon_filter::Filter;
use connmon_fixtures::rows::connection;
use connmon_record::frame::Frame;
use connmon_record::rows::{Batch, TrafficRow};
use connmon_record::{End, Timestamp};
use connmon_render::export::audit::{Builder, GroupBy, GroupSort};
use connmon_track::Tracker;

const SECOND: i64 = 1_000_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp(second * SECOND)
}

/// A recording from 1000 s on with a connection that is never seen to end, and that moves 1 byte at 1005 s, 20 at 1500 s and 300
/// at 4500 s. It ends at 5000 s, in order or not.
fn record(path: &Path, in_order: bool) -> Writer {
    let mut writer = Writer::open(path).unwrap();
    let mut tracker = Tracker::default();
    super::start(&mut tracker, 1_000);
    tracker.feed(Frame::SweepEnd(5_000 * SECOND as u64));
    let mut row = connection(1, 1, "8.8.8.8");
    (row.opened, row.owner) = (at(1_003), None);
    let moved = |bucket, rx_bytes| TrafficRow {
        connection: 1,
        process: 1,
        bucket,
        tx_bytes: 0,
        rx_bytes,
        tx_calls: 0,
        rx_calls: 1,
    };
    // The first is in the step before the connection began, as earlier versions could write it.
    let traffic = vec![moved(990, 1), moved(1_500, 20), moved(4_500, 300)];
    let processes = vec![connmon_fixtures::rows::process(1, "curl")];
    let batch = Batch { processes, connections: vec![row], traffic, ended: in_order, ..tracker.take() };
    writer.write(&batch).unwrap();
    writer
}

/// How many connections a time has, and the bytes received in it.
fn within(path: &Path, since: Option<i64>, until: Option<i64>) -> (u64, u64) {
    let selection = Selection::new(since.map(at), until.map(at), String::new(), at(9_000));
    let audit = audit(path, &selection, GroupBy::Process);
    (audit.totals.all.connections, audit.totals.all.rx_bytes)
}

fn audit(path: &Path, selection: &Selection, by: GroupBy) -> connmon_render::export::audit::Audit {
    let store = Store::open(path).unwrap();
    let mut builder = Builder::new(&store.runs().unwrap(), selection, &[by]);
    let each = |run, connection| {
        builder.add(run, connection);
        Ok::<_, StoreError>(())
    };
    store.for_each(selection.since, selection.until, &Filter::default(), each).unwrap();
    builder.finish(GroupSort::Name, None)
}

#[test]
fn an_hour_of_a_connection_of_ten_days_has_what_was_moved_in_it_and_what_was_moved_in_all() {
    const HOURS: i64 = 240;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let mut writer = Writer::open(&path).unwrap();
    let mut tracker = Tracker::default();
    super::start(&mut tracker, 1_000);
    tracker.feed(Frame::SweepEnd((HOURS * 3_600 * SECOND) as u64));
    let ids = [1, 2, 3];
    let rows = ids.map(|id| {
        let mut row = connection(id, 1, "8.8.8.8");
        // The one between two that are open for long is not.
        row.opened = at(if id == 2 { 100 * 3_600 } else { 1_000 });
        row.closed = (id == 2).then(|| at(100 * 3_600 + 5));
        row.owner = None;
        row
    });
    let moved = |connection, process, second: i64| TrafficRow {
        connection,
        process,
        bucket: second / 10 * 10,
        tx_bytes: 1,
        rx_bytes: second as u64,
        tx_calls: 1,
        rx_calls: 2,
    };
    let mut traffic = vec![moved(2, 1, 100 * 3_600)];
    for (hour, minute) in (1..HOURS).flat_map(|hour| [(hour, 0), (hour, 30)]) {
        let second = 3_600 * hour + 60 * minute;
        // One process only in the hour, one only outside of it.
        traffic.push(moved(1, if hour == 100 { 1 } else { 2 }, second));
        traffic.push(moved(3, 3, second));
    }
    let processes = (1..4).map(|row| connmon_fixtures::rows::process(row, "curl")).collect();
    writer
        .write(&Batch { processes, connections: rows.to_vec(), traffic, ended: true, ..tracker.take() })
        .unwrap();
    drop(writer);
    let store = Store::open(&path).unwrap();
    let read = |since: Option<i64>, until: Option<i64>| {
        let mut found = Vec::new();
        let each = |_, connection| {
            found.push(connection);
            Ok::<_, StoreError>(())
        };
        store.for_each(since.map(at), until.map(at), &Filter::default(), each).unwrap();
        found
    };
    let whole = read(None, None);
    for (since, until) in
        [(Some(100 * 3_600), Some(101 * 3_600)), (Some(239 * 3_600), None), (None, Some(3 * 3_600))]
    {
        let part = read(since, until);
        for one in &part {
            let same = whole.iter().find(|other| other.id == one.id).unwrap();
            assert_eq!(one.traffic, same.traffic, "{since:?} {until:?}");
            assert_eq!(
                one.clone().between(since.map(at), until.map(at)),
                same.clone().between(since.map(at), until.map(at))
            );
        }
        assert_eq!(part.len(), if since == Some(100 * 3_600) { 3 } else { 2 });
    }
}

#[test]
fn a_time_has_the_bytes_that_were_moved_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(record(&path, true));
    for (since, until, found) in [
        (None, None, (1, 321)),
        (None, Some(1_000), (0, 0)),
        (None, Some(1_010), (1, 1)),
        (Some(1_010), Some(1_500), (1, 0)),
        (Some(1_500), Some(1_510), (1, 20)),
        (Some(1_510), None, (1, 300)),
        // Widened to the step from 1500 s to 1510 s.
        (Some(1_501), Some(1_502), (1, 20)),
        (Some(5_010), None, (0, 0)),
    ] {
        assert_eq!(within(&path, since, until), found, "{since:?} {until:?}");
    }
    let hours = audit(&path, &Selection::default(), GroupBy::Hour);
    let rows: Vec<_> = hours
        .groups
        .iter()
        .map(|group| (group.key_texts().collect::<String>(), group.figures.all.rx_bytes))
        .collect();
    assert_eq!(rows, [("1970-01-01T00:00Z".to_owned(), 21), ("1970-01-01T01:00Z".to_owned(), 300)]);
    assert_eq!(hours.totals.all.connections, 1);
}

#[test]
fn a_connection_is_known_up_to_the_end_of_its_recording() {
    for in_order in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        drop(record(&path, in_order));
        let store = Store::open(&path).unwrap();
        let fits = |text: &str| {
            let filter = Filter::parse(text, at(9_000)).unwrap();
            let mut found = 0;
            let each = |_, one: connmon_record::Connection| {
                assert_eq!((one.cut_off, one.end), (Some(at(5_000)), Some(End::RecordingEnded)));
                found += 1;
                Ok::<_, StoreError>(())
            };
            store.for_each(None, None, &filter, each).unwrap();
            found
        };
        for (text, found) in [
            ("end:open", 0),
            ("end:recording-ended", 1),
            ("since:1970-01-01T01:23:20Z", 1),
            ("since:1970-01-01T01:23:21Z", 0),
            ("dur:3997s", 1),
        ] {
            assert_eq!(fits(text), found, "{text}, in order {in_order}");
        }
        let (_, alone) = store.connection(1 << 40 | 1).unwrap().unwrap();
        assert_eq!(alone.known_end(), Some(at(5_000)));
    }
}

#[test]
fn a_recording_that_goes_on_has_open_connections_and_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let writer = record(&path, false);
    let store = Store::open(&path).unwrap();
    let open = Filter::parse("end:open since:8000s", at(9_000)).unwrap();
    let mut found = 0;
    store
        .for_each(Some(at(8_000)), None, &open, |_, one| {
            assert!(one.is_open());
            found += 1;
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(found, 1);
    let recent = Selection::new(Some(at(8_000)), None, String::new(), at(9_000));
    let runs = store.runs().unwrap();
    assert_eq!(Completeness::from_runs(&runs, &recent).verdict, Verdict::Unfinished);
    drop((store, writer));
    let runs = Store::open(&path).unwrap().runs().unwrap();
    let c = Completeness::from_runs(&runs, &recent);
    assert_eq!((c.verdict, c.coverage.recorded.len()), (Verdict::Nothing, 0), "nobody records any more");
    assert!(c.coverage.gaps[0].reason.raw().contains("did not end in order"), "{:?}", c.coverage.gaps);
}
