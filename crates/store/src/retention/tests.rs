//! Sums and kept rows are what was recorded, whatever is pruned when.

mod hours;
mod summed;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::{Policy, Progress};
use crate::{Store, StoreError, Writer};
use connmon_analysis::groups::GroupFigures;
use connmon_analysis::{Completeness, Selection, Verdict};
use connmon_filter::Filter;
use connmon_fixtures::rows::{connection, process};
use connmon_record::frame::Frame;
use connmon_record::rows::{Batch, ConnectionRow, LookupRow, NameRow, TrafficRow};
use connmon_record::segment::{Hash, Packed, Span};
use connmon_record::{ClockEffect, ClockStep, End, LateRead, NameSource, Proto, Timestamp, Wire};
use connmon_render::export::audit::{Audit, Builder, GroupBy, GroupSort};
use connmon_track::Tracker;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp(second * SECOND)
}

/// What is random of a connection: second of opening, how long it lasts, who owns it, where it leads, and what is special of it.
type Random = (i64, i64, i64, usize, u16);

const REMOTES: [(&str, Option<&str>); 4] =
    [("8.8.8.8", Some("US")), ("9.9.9.9", None), ("127.0.0.1", None), ("10.0.0.1", None)];

fn made(row: i64, (opened, length, owner, remote, special): Random) -> (ConnectionRow, Vec<TrafficRow>) {
    let has = |bit: u16| special >> bit & 1 == 1;
    let (remote, country) = REMOTES[remote];
    let mut made = connection(row, owner, remote);
    made.country = country.map(str::to_owned);
    made.owner = (!has(0)).then_some(owner);
    (made.opened, made.closed) = (at(opened), Some(at(opened + length)));
    made.end = Some(if has(1) { End::Refused } else { End::Fin });
    made.proto = if has(2) { Proto::UDP } else { Proto::TCP };
    made.subflow = has(3);
    made.preexisting = has(4);
    made.inexact = has(5).then(|| "why".into());
    made.wire = has(6).then_some(Wire { tx_bytes: 7, rx_bytes: 11, tx_packets: 1, rx_packets: 1 });
    let steps: BTreeSet<i64> = (0..=i64::from(special >> 8) % 5)
        .map(|part| (opened + length * part / 5).div_euclid(10) * 10)
        .collect();
    let moved = |(number, bucket): (usize, i64)| TrafficRow {
        connection: row,
        process: if number % 2 == 0 { owner } else { 1 + owner % 3 },
        bucket,
        tx_bytes: number as u64 + 1,
        rx_bytes: 1_000 + row as u64,
        tx_calls: 1,
        rx_calls: 1,
    };
    (made, steps.into_iter().enumerate().map(moved).collect())
}

/// A recording from 1970 on of these connections, three processes of two users and units, and a lookup and a name for each.
fn record(path: &Path, all: &[Random], end: i64) -> Writer {
    let mut writer = Writer::open(path).unwrap();
    let mut tracker = Tracker::default();
    tracker.feed(Frame::Start(Box::new(connmon_fixtures::rows::start(0))));
    tracker.feed(Frame::SweepEnd((end * SECOND) as u64));
    let mut batch = Batch { time: at(end), ended: false, ..tracker.take() };
    for row in 1..=3 {
        let mut made = process(row, ["curl", "sshd", "apt"][row as usize - 1]);
        made.parent = (row > 1).then(|| row - 1);
        made.process.uid = row as u32 / 2;
        made.process.place.unit = (row == 2).then(|| "ssh.service".into());
        batch.processes.push(made);
    }
    for (row, random) in (1..).zip(all) {
        let (connection, traffic) = made(row, *random);
        let owner = Some(random.2);
        let name = "a.example".into();
        batch.names.push(NameRow {
            connection: row,
            name,
            source: NameSource::Sni,
            process: owner,
            time: connection.opened,
        });
        batch.lookups.push(LookupRow {
            time: connection.opened,
            answered: None,
            process: owner,
            proto: Proto::UDP,
            server: connection.remote,
            name: "a.example".into(),
            kind: "A".into(),
            code: None,
            answers: vec![],
        });
        batch.connections.push(connection);
        batch.traffic.extend(traffic);
    }
    batch.lookups.sort_by_key(|lookup| lookup.time);
    writer.write(&batch).unwrap();
    writer
}

fn audit(path: &Path, selection: &Selection, by: &[GroupBy]) -> Audit {
    let store = Store::open(path).unwrap();
    let mut builder = Builder::new(&store.runs().unwrap(), selection, by);
    let each = |run, connection| {
        builder.add(run, connection);
        Ok::<_, StoreError>(())
    };
    store.for_each(selection.since, selection.until, &Filter::default(), each).unwrap();
    store.for_each_sum(|key, figures| builder.add_sum(key, figures)).unwrap();
    builder.finish(GroupSort::Name, None)
}

/// What has to be the same, and what is not known of the wire where an answer ends before everything that was pruned did.
fn figures(figures: &GroupFigures, wire: bool) -> [u64; 10] {
    let mut all = [
        figures.connections,
        figures.failed,
        figures.inbound,
        figures.open,
        figures.inexact,
        figures.tx_bytes,
        figures.rx_bytes,
        figures.wire_tx_bytes,
        figures.wire_rx_bytes,
        figures.wire_unknown,
    ];
    if !wire {
        all[7..].fill(0);
    }
    all
}

type Answer = BTreeMap<Vec<String>, [[u64; 10]; 3]>;

fn answer(audit: &Audit, wire: bool) -> (Answer, [u64; 10], Vec<String>) {
    let groups = audit.groups.iter().map(|group| {
        let split = &group.figures;
        (group.key_texts().collect(), [&split.all, &split.tcp, &split.udp].map(|one| figures(one, wire)))
    });
    let words = audit.completeness.statements.iter().map(|one| one.words());
    let words = words.filter(|words| !words.contains("pruned") && !words.contains("wire"));
    let sums = [audit.comparison.loopback, audit.comparison.elsewhere]
        .map(|one| format!("{} {}", one.tx_bytes, one.rx_bytes));
    (groups.collect(), figures(&audit.totals.all, wire), words.chain(sums).collect())
}

const GROUPINGS: [&[GroupBy]; 9] = [
    &[GroupBy::Exe],
    &[GroupBy::User],
    &[GroupBy::Unit],
    &[GroupBy::Container],
    &[GroupBy::Country],
    &[GroupBy::Day],
    &[GroupBy::Month],
    &[GroupBy::User, GroupBy::Day],
    &[GroupBy::Exe, GroupBy::Month],
];

fn policy(seconds: i64, keep: &str) -> Policy {
    let keep = (!keep.is_empty()).then(|| Filter::parse(keep, at(0)).unwrap());
    Policy {
        max_age: Some(Duration::from_secs(seconds as u64)),
        keep: keep.into_iter().collect(),
        ..Policy::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn sums_and_rows_are_what_was_recorded(
        all in prop::collection::vec(
            (0..70 * DAY, prop_oneof![0..100_i64, 0..3 * DAY, 0..40 * DAY], 1..4_i64, 0..REMOTES.len(), any::<u16>()),
            1..40,
        ),
        first in 0..120 * DAY,
        from in 0..60_i64,
        days in 1..40_i64,
        keep in prop_oneof![Just(""), Just("ip:8.8.8.8")],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let end = 120 * DAY;
        let mut all = all;
        all.sort_by_key(|one| one.0);
        let mut writer = record(&path, &all, end);
        let days = [None, Some(at(from * DAY)), Some(at((from + days) * DAY))];
        let times = [(0, 0), (1, 0), (0, 2), (1, 2)].map(|(since, until)| Selection { since: days[since], until: days[until], ..Selection::default() });
        let ask = |pruned: bool| -> Vec<_> {
            let runs = Store::open(&path).unwrap().runs().unwrap();
            let until = connmon_analysis::pruned_until(&runs);
            times
                .iter()
                .flat_map(|time| GROUPINGS.map(|by| (time, audit(&path, time, by))))
                .map(|(time, audit)| {
                    let wire = !pruned || time.until.is_none_or(|time| time >= until);
                    (wire, audit)
                })
                .collect()
        };
        let before = ask(false);
        for limit in [first, 0] {
            let end_of = writer.prune_all(&policy(end - first.min(end) + if limit == 0 { 0 } else { DAY }, keep), at(end + 40 * DAY), |_| Duration::from_millis(50)).unwrap();
            prop_assert_eq!(end_of, Progress::Done);
            let faults: i64 = writer.db.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
            prop_assert_eq!(faults, 0);
            for ((_, before), (wire, after)) in before.iter().zip(ask(true)) {
                prop_assert_eq!(answer(before, wire), answer(&after, wire), "{:?}", after.by);
            }
        }
        // Months of days: what is asked of whole months, or of everything, is the same.
        writer.prune_all(&policy(end, keep), at(end + 900 * DAY), |_| Duration::from_millis(50)).unwrap();
        for ((_, before), (_, after)) in before.iter().zip(ask(true)).take(GROUPINGS.len()) {
            if !after.by.contains(&GroupBy::Day) {
                prop_assert_eq!(answer(before, true), answer(&after, true), "{:?}", after.by);
            }
        }
    }
}

/// Rows of a table.
fn rows(writer: &Writer, table: &str) -> i64 {
    writer.db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn what_ended_long_ago_is_pruned_with_all_that_only_it_needed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut writer = record(&path, &[(0, 100, 1, 0, 0), (50, 5_000, 2, 1, 0), (4_000, 10, 3, 2, 0)], 6_000);
    // The recorder has forgotten all processes.
    let past_processes = vec![1, 2, 3];
    let late_reads = [90, 3 * DAY].map(|second| LateRead { from: at(second), to: at(second + 5) }).to_vec();
    writer.write(&Batch { time: at(6_000), past_processes, late_reads, ..Batch::default() }).unwrap();
    let late = rows(&writer, "late_read");
    assert_eq!(
        writer.prune_all(&policy(5_000, ""), at(6_000), |_| Duration::from_millis(50)).unwrap(),
        Progress::Done
    );
    let left = ["connection", "traffic", "connection_name", "lookup", "endpoint", "process"]
        .map(|t| rows(&writer, t));
    // The first process is the parent of the second one.
    assert_eq!(left, [2, 2, 2, 1, 2, 3]);
    assert_eq!(rows(&writer, "late_read"), late - 1);
    assert_eq!(
        writer.prune_all(&policy(10, ""), at(6_000), |_| Duration::from_millis(50)).unwrap(),
        Progress::Done
    );
    let left = ["connection", "traffic", "connection_name", "lookup", "endpoint", "process"]
        .map(|t| rows(&writer, t));
    assert_eq!(left, [0; 6]);
    // What comes afterwards finds no trace of it.
    let (again, traffic) = made(4, (6_100, 10, 4, 0, 0));
    let processes = vec![process(4, "curl")];
    writer
        .write(&Batch { processes, connections: vec![again], traffic, time: at(6_200), ..Batch::default() })
        .unwrap();
    let runs = Store::open(&path).unwrap().runs().unwrap();
    let pruned = runs[0].pruned.unwrap();
    assert_eq!((pruned.connections, pruned.until), (3, at(5_050)));
    let verdict = |selection: &Selection| Completeness::from_runs(&runs, selection).verdict;
    assert_eq!(verdict(&Selection::default()), Verdict::Pruned);
    assert_eq!(verdict(&Selection { since: Some(at(5_060)), ..Selection::default() }), Verdict::Unfinished);
    assert_eq!(
        audit(&path, &Selection::default(), &[GroupBy::Exe]).completeness.verdict,
        Verdict::Unfinished
    );
}

#[test]
fn what_the_recorder_may_still_refer_to_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut writer = record(&path, &[(0, 100, 1, 0, 0)], 6_000);
    writer.write(&Batch { time: at(6_000), past_processes: vec![3], ..Batch::default() }).unwrap();
    writer.prune_all(&policy(10, ""), at(6_000), |_| Duration::from_millis(50)).unwrap();
    assert_eq!((rows(&writer, "connection"), rows(&writer, "process")), (0, 2));
    let (again, traffic) = made(4, (6_100, 10, 2, 0, 0));
    writer.write(&Batch { connections: vec![again], traffic, time: at(6_200), ..Batch::default() }).unwrap();
}

#[test]
fn an_open_connection_and_one_to_be_kept_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut writer = record(&path, &[(0, 100, 1, 0, 0), (10, 100, 1, 1, 0)], 6_000);
    let mut open = connection(3, 1, "1.1.1.1");
    open.opened = at(20);
    writer.write(&Batch { connections: vec![open], time: at(6_000), ..Batch::default() }).unwrap();
    writer.prune_all(&policy(10, "ip:9.9.9.9"), at(6_000), |_| Duration::from_millis(50)).unwrap();
    let mut left = writer.db.prepare("SELECT id & 0xff FROM connection ORDER BY id").unwrap();
    let left: Vec<i64> = left.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(left, [2, 3]);
}

#[test]
fn a_store_gets_no_larger_than_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let many: Vec<Random> = (0..4_000).map(|n| (n * 10, 5, 1, 0, 0x0400)).collect();
    let mut writer = record(&path, &many, 41_000);
    let (before, page) = super::used(&writer.db).unwrap();
    let policy = Policy { max_bytes: Some(before * page / 2), ..Policy::default() };
    let mut steps = 0;
    while writer.prune_step(&policy, at(41_000), None).unwrap() == Progress::More {
        steps += 1;
    }
    let (after, _) = super::used(&writer.db).unwrap();
    assert!(after <= before / 2 && after > before / 3, "{after} of {before} pages in {steps} steps");
    // New stores hand back what is freed.
    let file = writer.db.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0)).unwrap() as u64;
    assert!(file < before, "{file} pages");
    let least: i64 = writer.db.query_row("SELECT min(opened) FROM connection", [], |row| row.get(0)).unwrap();
    assert!(least > 10_000 * SECOND, "the oldest went first");
    let all = audit(&path, &Selection::default(), &[GroupBy::Exe]);
    assert_eq!(all.totals.all.connections, 4_000);
    // Nothing else can make room.
    let none = Policy { max_bytes: Some(1), ..Policy::default() };
    let mut end = Progress::More;
    while end == Progress::More {
        end = writer.prune_step(&none, at(41_000), None).unwrap();
    }
    assert_eq!((end, rows(&writer, "connection")), (Progress::Full, 0));
}

/// Goes on recording, and prunes what is due.
fn go_on(writer: &mut Writer, time: i64) {
    writer.write(&Batch { time: at(time), ..Batch::default() }).unwrap();
    while writer.tidy(None).unwrap() == Progress::More {}
}

#[test]
fn nothing_is_old_by_a_clock_that_leapt_until_it_has_been_recorded_for_a_day() {
    const YEARS: i64 = 4_000 * DAY;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut writer = record(&path, &[(0, 100, 1, 0, 0), (2 * DAY, 10, 2, 1, 0)], 2 * DAY + 100);
    writer.keep_by(policy(DAY, ""));
    let leap = |from: i64, to: i64| ClockStep {
        time: at(from),
        from: at(from),
        to: at(to),
        effect: ClockEffect::Followed,
    };
    let (before, after) = (2 * DAY + 200, 2 * DAY + 200 + YEARS);
    let clock_steps = vec![leap(before, after)];
    writer.write(&Batch { time: at(after + 1), clock_steps, ..Batch::default() }).unwrap();
    while writer.tidy(None).unwrap() == Progress::More {}
    // The first was old before.
    assert_eq!(rows(&writer, "connection"), 1);
    go_on(&mut writer, after + DAY - 10);
    assert_eq!(rows(&writer, "connection"), 1, "the clock may be wrong");
    drop(writer);
    // Nor does it become certain because a recorder begins anew.
    let mut writer = Writer::open(&path).unwrap();
    let mut tracker = Tracker::default();
    let start = connmon_record::frame::Start {
        clock_offset_ns: (after + DAY - 5) * SECOND,
        ..connmon_fixtures::rows::start(0)
    };
    tracker.feed(Frame::Start(Box::new(start)));
    writer.keep_by(policy(DAY, ""));
    writer.write(&Batch { time: at(after + DAY - 4), ended: false, ..tracker.take() }).unwrap();
    while writer.tidy(None).unwrap() == Progress::More {}
    assert_eq!(rows(&writer, "connection"), 1, "it may still be wrong");
    go_on(&mut writer, after + DAY + 1_000);
    assert_eq!(rows(&writer, "connection"), 0, "it has been right for a day");
}

#[test]
fn a_round_is_due_again_once_a_clock_that_leapt_is_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut writer = record(&path, &[(0, 100, 1, 0, 0)], 200);
    writer.keep_by(policy(DAY, ""));
    go_on(&mut writer, 4_000 * DAY);
    writer.write(&Batch { time: at(300), ..Batch::default() }).unwrap();
    go_on(&mut writer, 2 * DAY);
    assert_eq!(rows(&writer, "connection"), 0);
}

#[test]
fn the_oldest_segments_go_while_all_of_them_are_too_large() {
    const BYTES: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&folder.path().join("a.db")).unwrap();
    let start = connmon_fixtures::rows::start(0);
    writer.begin_segments(&start).unwrap();
    for number in 1..=20 {
        let time = number * SECOND as u64;
        let span = Span { first_ns: time - 1, last_ns: time, clock_offset_ns: 0 };
        let payload = vec![number as u8; BYTES];
        writer.seal(&Packed { span, frames: 1, len: 1, payload_hash: Hash::default(), payload }).unwrap();
    }
    let kept = |writer: &Writer| -> Vec<i64> {
        let mut kept =
            writer.db.prepare("SELECT number FROM segment WHERE payload IS NOT NULL ORDER BY id").unwrap();
        kept.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    writer.keep_by(Policy { segments_max_bytes: Some(65_000), ..Policy::default() });
    // Of what has no rows yet nothing goes.
    let mut tracker = Tracker::default();
    tracker.feed(Frame::Start(Box::new(start)));
    writer.write(&Batch { time: at(20), segment: Some(3), ended: false, ..tracker.take() }).unwrap();
    while writer.tidy(None).unwrap() == Progress::More {}
    assert_eq!(kept(&writer), (4..=20).collect::<Vec<_>>());
    writer.write(&Batch { time: at(3_000), segment: Some(20), ..Batch::default() }).unwrap();
    while writer.tidy(None).unwrap() == Progress::More {}
    assert_eq!(kept(&writer), (15..=20).collect::<Vec<_>>());
    assert_eq!(rows(&writer, "segment"), 20, "their hashes stay");
}
