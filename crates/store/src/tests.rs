//! The store: migrations, refusals, and what a crash leaves.

mod blocks;
mod classify;
mod facts;
mod filter;
mod open;
mod place;
mod time;

use std::path::Path;

use rusqlite::Connection as Database;

use super::schema::{APPLICATION_ID, migrate};
use connmon_ebpf::{SockEntry, flag};

use super::{Store, StoreError, Writer};
use connmon_analysis::{Completeness, Selection, Statement, Verdict};
use connmon_filter::Filter;
use connmon_record::frame::{Frame, Start};
use connmon_record::{CUT_OFF, Timestamp};
use connmon_track::Tracker;

fn start(tracker: &mut Tracker, seconds: u64) {
    let start =
        Start { backend_notes: vec!["fentry: refused".into()], ..connmon_fixtures::rows::start(seconds) };
    tracker.feed(Frame::Start(Box::new(start)));
}

/// A recording with a connection that is open and one that is over.
fn record(path: &Path, seconds: u64, end_in_order: bool) {
    let mut writer = Writer::open(path).unwrap();
    let mut tracker = Tracker::default();
    start(&mut tracker, seconds);
    let open = SockEntry { id: 1, proto: 6, ..SockEntry::default() };
    tracker.feed(Frame::Live(Box::new(open)));
    tracker.feed(Frame::Closed(Box::new(SockEntry { id: 2, flags: flag::TOTALS, closed_ns: 1, ..open })));
    tracker.feed(Frame::SweepEnd((seconds + 5) * 1_000_000_000));
    if end_in_order {
        tracker.feed(Frame::End((seconds + 6) * 1_000_000_000));
    }
    writer.write(&tracker.take()).unwrap();
}

#[test]
fn a_recording_that_did_not_end_leaves_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    record(&path, 10, false);
    let runs = Store::open(&path).unwrap().runs().unwrap();
    assert_eq!((runs[0].ended, runs[0].last_flush), (None, Timestamp(15_000_000_000)));
    record(&path, 100, true);
    let runs = Store::open(&path).unwrap().runs().unwrap();
    assert_eq!(runs[1].gaps.len(), 1);
    let gap = &runs[1].gaps[0];
    assert_eq!((gap.from, gap.to), (Timestamp(15_000_000_000), Timestamp(100_000_000_000)));
    assert_eq!(runs[1].backend_notes, ["fentry: refused"]);
    record(&path, 200, true);
    let runs = Store::open(&path).unwrap().runs().unwrap();
    assert!(runs[2].gaps.is_empty(), "a recording that ended in order leaves none");
    let mut why = Vec::new();
    let each = |_, connection: connmon_record::Connection| {
        why.push(connection.facts.inexact.unwrap_or_default());
        Ok::<(), StoreError>(())
    };
    Store::open(&path).unwrap().for_each(None, None, &Filter::default(), each).unwrap();
    why.sort();
    // Whether it ended in order or not.
    assert_eq!(why, ["", "", "", CUT_OFF, CUT_OFF, CUT_OFF]);
}

#[test]
fn a_clock_that_was_set_is_told_with_the_recording() {
    const HOUR: i64 = 3_600_000_000_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut writer = Writer::open(&path).unwrap();
    let mut tracker = Tracker::default();
    tracker.feed(Frame::Start(Box::new(Start { follows_clock: false, ..connmon_fixtures::rows::start(10) })));
    tracker.feed(Frame::Clock(12_000_000_000, HOUR));
    tracker.feed(Frame::Clock(14_000_000_000, -HOUR));
    tracker.feed(Frame::End(16_000_000_000));
    writer.write(&tracker.take()).unwrap();
    let runs = Store::open(&path).unwrap().runs().unwrap();
    let steps: Vec<_> =
        runs[0].clock_steps.iter().map(|step| (step.time.0, step.shift_ns(), step.ahead())).collect();
    assert_eq!(steps, [(12_000_000_000, HOUR, HOUR), (14_000_000_000, -2 * HOUR, -HOUR)]);
    let of = |selection| Completeness::from_runs(&runs, &selection);
    let whole = of(Selection::default());
    let words: Vec<_> = whole.statements.iter().map(Statement::words).collect();
    assert_eq!(whole.verdict, Verdict::Complete);
    assert_eq!(
        words[0],
        "The clock of this host was set 2 times, forward by 1\u{a0}h 00\u{a0}min at 1970-01-01 00:00:12 UTC, to 1970-01-01 \
         01:00:12 UTC; back by 2\u{a0}h 00\u{a0}min at 1970-01-01 01:00:14 UTC, to 1969-12-31 23:00:14 UTC, while recording 1 \
         was running; the times of that recording follow the clock as it was when the recording began. Subtract 1\u{a0}h \
         00\u{a0}min from its times from 1970-01-01 00:00:14 UTC on to get those of the clock."
    );
    let since = Selection { since: Some(Timestamp(12_000_000_000)), ..Selection::default() };
    assert_eq!(of(since).verdict, Verdict::Partial, "what was asked for may be elsewhere");
}

#[test]
fn times_that_follow_the_clock_cover_what_it_said() {
    const HOUR: i64 = 3_600_000_000_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut writer = Writer::open(&path).unwrap();
    let mut tracker = Tracker::default();
    start(&mut tracker, 10);
    tracker.feed(Frame::Clock(12_000_000_000, -HOUR));
    tracker.feed(Frame::Clock(14_000_000_000, HOUR));
    tracker.feed(Frame::End(16_000_000_000));
    writer.write(&tracker.take()).unwrap();
    let runs = Store::open(&path).unwrap().runs().unwrap();
    let whole = Completeness::from_runs(&runs, &Selection::default());
    let recorded: Vec<_> = whole.coverage.recorded.iter().map(|part| (part.from.0, part.to.0)).collect();
    let at = |seconds: i64, by: i64| seconds * 1_000_000_000 + by;
    assert_eq!(
        recorded,
        [(at(12, -HOUR), at(14, -HOUR)), (at(10, 0), at(12, 0)), (at(14, HOUR), at(16, HOUR))]
    );
    let gaps: Vec<_> = whole.coverage.gaps.iter().map(|gap| (gap.from.0, gap.to.0)).collect();
    assert_eq!(gaps, [], "what the clock passed over is not missing");
    let of = |from: i64, to: i64| {
        let selection =
            Selection { since: Some(Timestamp(from)), until: Some(Timestamp(to)), ..Selection::default() };
        Completeness::from_runs(&runs, &selection).verdict
    };
    assert_eq!(of(at(12, -HOUR), at(14, -HOUR)), Verdict::Complete);
    assert_eq!(of(at(10, 0), at(12, 0)), Verdict::Complete);
    assert_eq!(of(at(14, HOUR), at(16, HOUR)), Verdict::Complete);
    assert_eq!(of(at(20, 0), at(30, 0)), Verdict::Nothing);
    let words = whole.statements.iter().map(Statement::words).find(|words| words.contains("was set 2 times"));
    assert!(words.is_some_and(|words| words.ends_with("its times are by the clock as it was at the time.")));
}

#[test]
fn foreign_newer_and_damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert!(matches!(Store::open(&path("none")), Err(StoreError::Missing(_))));

    std::fs::write(path("text"), "not a database, but long enough to be looked at as one".repeat(40))
        .unwrap();
    assert!(matches!(Store::open(&path("text")), Err(StoreError::Foreign(_))));
    assert!(matches!(Writer::open(&path("text")), Err(StoreError::Foreign(_))));

    Database::open(path("other")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(matches!(Store::open(&path("other")), Err(StoreError::Foreign(_))));
    assert!(matches!(Writer::open(&path("other")), Err(StoreError::Foreign(_))));

    record(&path("newer"), 1, true);
    Database::open(path("newer")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Store::open(&path("newer")), Err(StoreError::Newer { found: 99, .. })));
    assert!(matches!(Writer::open(&path("newer")), Err(StoreError::Newer { .. })));
}

#[test]
fn migrations_bring_an_empty_file_to_the_newest_schema() {
    let mut db = Database::open_in_memory().unwrap();
    migrate(&mut db, Path::new(":memory:")).unwrap();
    migrate(&mut db, Path::new(":memory:")).unwrap();
    let id: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0)).unwrap();
    assert_eq!(id, APPLICATION_ID);
    let tables: i64 = db
        .query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 39);
}
