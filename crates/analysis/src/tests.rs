//! Summaries of small fixtures, figure by figure.

use super::groups::tests::told_of;
use super::*;
use crate::summarize as summary;
use connmon_fixtures::groups::{Golden, Told};
use connmon_fixtures::{SECOND, START, connection, process, run, share};
use connmon_record::AddressKind;
use connmon_record::{End, Gap, KernelTotals, LateRead, LeftOut, LossCounters as Counters, Proto, Timestamp};

/// A little of everything.
fn varied() -> Summary {
    let (runs, connections) = connmon_fixtures::varied();
    summary(runs, connections)
}

#[test]
fn totals_are_exact() {
    let s = varied();
    let f = s.totals.figures;
    assert_eq!((f.connections, f.failed, f.inbound), (7, 1, 1));
    assert_eq!(
        (f.tx_bytes, f.rx_bytes),
        (1_500 + 500 + 70_000 + 40 + 1_000 + 24, 4_000_000 + 900 + 200 + 2_000)
    );
    assert_eq!((s.totals.processes, s.totals.remotes, s.totals.countries), (2, 6, 3));
    assert_eq!((s.totals.figures.open, s.totals.preexisting), (1, 1));
    assert_eq!(s.unowned.connections, 1);
    assert_eq!(s.protocols.iter().map(|row| row.figures.connections).sum::<u64>(), 7);
    assert_eq!(s.ends[0], EndRow { end: Some(End::Fin), connections: 5 });
    assert_eq!(s.activity.buckets.iter().map(|bucket| bucket.opened).sum::<u64>(), 7);
}

#[test]
fn rows_add_up_and_are_ranked() {
    let s = varied();
    let names: Vec<&str> = s.processes.iter().map(|row| row.program.comm.raw()).collect();
    assert_eq!(names, ["curl", "nginx"]);
    let curl = s.processes.get(0).unwrap();
    assert_eq!((curl.figures.connections, curl.udp_bytes), (5, 240));
    assert_eq!(curl.tcp_bytes + curl.udp_bytes, curl.figures.bytes());
    assert_eq!((curl.figures.tx_bytes, curl.remotes, curl.countries), (2_064, 4, 2));
    let nginx = s.processes.get(1).unwrap();
    assert_eq!((nginx.figures.tx_bytes, nginx.figures.connections), (71_000, 2));

    let codes: Vec<_> = s.countries.iter().map(|row| row.code.as_deref().unwrap_or("-")).collect();
    assert_eq!(codes, ["US", "NL", "AU"]);
    assert_eq!((s.countries[0].remotes, s.countries[2].processes), (2, 2));
    let kinds: Vec<_> = s.kinds.iter().map(|row| (row.kind, row.remotes)).collect();
    assert_eq!(kinds, [(AddressKind::Public, 4), (AddressKind::Private, 2)]);
    assert_eq!(s.remotes.get(0).unwrap().ip.to_string(), "8.8.8.8");
    let shared = s.remotes.iter().find(|row| row.ip.to_string() == "1.1.1.1").unwrap();
    assert_eq!(shared.processes, [0, 1], "used by both processes");
    let https = &s.services[0];
    assert_eq!(
        (https.proto, https.port, https.figures.connections, https.processes),
        (Proto::TCP, 443, 4, 2)
    );
}

#[test]
fn the_order_of_arrival_changes_nothing() {
    let curl = process(100, 5, "curl");
    let rows: Vec<_> = (0..50)
        .map(|i| (1, connection(i, i % 7, &curl, &format!("8.8.{}.{}:443", i % 5, i % 3), (i % 4) as u64, 9)))
        .collect();
    let forward = format!("{:?}", summary(vec![run(1, 0)], rows.clone()));
    let backward = format!("{:?}", summary(vec![run(1, 0)], rows.into_iter().rev()));
    assert_eq!(forward, backward);
}

#[test]
fn a_pid_alone_is_no_process() {
    let (first, second) = (process(100, 5, "curl"), process(100, 9, "curl"));
    let mut rebooted = run(2, 1);
    rebooted.boot_id = "other boot".into();
    let rows = [
        (1, connection(1, 1, &first, "8.8.8.8:443", 1, 0)),
        (1, connection(2, 2, &second, "8.8.8.8:443", 2, 0)),
        (2, connection(3, 3_700, &first, "8.8.8.8:443", 4, 0)),
        (1, connection(4, 4, &first, "8.8.8.8:443", 8, 0)),
    ];
    let s = summary(vec![run(1, 0), rebooted], rows);
    assert_eq!(s.processes.iter().map(|row| row.figures.tx_bytes).collect::<Vec<_>>(), [9, 4, 2]);
}

#[test]
fn another_executable_of_the_same_process_is_kept() {
    let (shell, tool) = (process(100, 5, "sh"), process(100, 5, "wget"));
    let rows = [
        (1, connection(2, 20, &tool, "8.8.8.8:443", 1, 1)),
        (1, connection(1, 10, &shell, "8.8.8.8:443", 1, 1)),
    ];
    let s = summary(vec![run(1, 0)], rows);
    let row = s.processes.get(0).unwrap();
    assert_eq!(row.program.exe, "/usr/bin/wget");
    assert_eq!(row.other_exes.unwrap().iter().collect::<Vec<_>>(), ["/usr/bin/sh"]);
}

#[test]
fn a_process_that_shares_a_connection_counts_it_once() {
    let (a, b) = (process(1, 1, "a"), process(2, 2, "b"));
    let mut c = connection(1, 1, &a, "8.8.8.8:443", 10, 0);
    c.traffic.extend([share(&b, 5, 0), share(&a, 1, 0)]);
    let s = summary(vec![run(1, 0)], [(1, c)]);
    let figures: Vec<_> =
        s.processes.iter().map(|row| (row.figures.connections, row.figures.tx_bytes)).collect();
    assert_eq!((figures, s.totals.figures.tx_bytes), (vec![(1, 11), (1, 5)], 16));
}

#[test]
fn the_list_is_cut_loudly_and_the_figures_are_not() {
    let curl = process(100, 5, "curl");
    let mut builder = Builder::new(vec![run(1, 0)], Selection::default(), 10);
    for i in 0..1_000 {
        // The first hundred are the largest, the last ones the newest.
        builder.add(1, connection(i, i, &curl, "8.8.8.8:443", if i < 100 { 9_000 - i as u64 } else { 1 }, 0));
    }
    let s = builder.finish();
    assert!(s.connections.is_cut());
    let ids: Vec<i64> = s.connections.rows.iter().map(|kept| kept.connection.id).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4, 995, 996, 997, 998, 999]);
    assert_eq!(
        (s.connections.total, s.connections.by_bytes, s.totals.figures.connections),
        (1_000, 5, 1_000)
    );
}

#[test]
fn a_complete_recording_is_complete() {
    let s = varied();
    assert!(s.is_complete(), "{:?}", s.completeness);
    assert!(s.completeness.statements.iter().all(|statement| statement.level != Level::Loss));
}

#[test]
fn every_counter_makes_it_incomplete_and_says_so() {
    type Change = fn(&mut Counters);
    let set: [(Change, &str); 9] = [
        (|c| c.lost_events = 3, "3 records were lost in the kernel"),
        (
            |c| c.unattributed_tx_bytes = 1,
            "1 byte sent and 0 bytes received belong to no recorded connection",
        ),
        (|c| c.unattributed_rx_bytes = 2_000, "2\u{202f}000 bytes received belong to no"),
        (|c| c.map_full = 1, "The kernel's tables were full 1 time"),
        (|c| c.aggregated_sockets = 1, "1 socket was not recorded one by one, because"),
        (|c| c.read_errors = 2, "2 reads of kernel memory failed"),
        (|c| c.malformed = 2, "could not be decoded"),
        (|c| c.probe_misses = 5, "The kernel skipped 5 probes"),
        (|c| c.reconciliation.unexplained = 1, "The byte counts of 1 connection differ"),
    ];
    for (change, words) in set {
        let mut lossy = run(1, 0);
        change(&mut lossy.completeness);
        let c = summary(vec![lossy], []).completeness;
        assert_eq!(c.verdict, Verdict::Incomplete, "{words}");
        assert!(c.statements[0].text.contains(words), "{words:?} is not in {:?}", c.statements[0]);
        assert!(c.statements[0].advice.is_some());
    }
}

#[test]
fn a_recording_that_left_something_out_is_incomplete() {
    let mut chosen = run(1, 0);
    let left_out =
        |connections| LeftOut { filter: "proto:udp".into(), connections, tx_bytes: 1, rx_bytes: 2 };
    chosen.left_out = Some(left_out(0));
    assert_eq!(summary(vec![chosen.clone()], []).completeness.verdict, Verdict::Complete);
    chosen.left_out = Some(left_out(3));
    let c = summary(vec![chosen], []).completeness;
    assert_eq!(c.verdict, Verdict::Incomplete);
    let text = &c.statements[0].text;
    assert!(
        text.contains("match “proto:udp”: 3 connections with 1 byte sent and 2 bytes received did not"),
        "{text}"
    );
}

#[test]
fn times_without_a_recording_are_gaps() {
    let at = |hour: i64| Timestamp(START + hour * 3_600 * SECOND);
    let mut later = run(2, 3);
    later.gaps.push(Gap { from: at(2), to: at(3), reason: "killed".into() });
    let c = summary(vec![run(1, 0), later], []).completeness;
    let gaps: Vec<_> = c.coverage.gaps.iter().map(|gap| (gap.from, gap.to, gap.reason.raw())).collect();
    assert_eq!(gaps, [(at(1), at(2), "no recording was running"), (at(2), at(3), "killed")]);

    let asked = Selection { since: Some(at(-1)), until: Some(at(2)), ..Selection::default() };
    let s = Builder::new(vec![run(1, 0)], asked, 1).finish();
    let gaps: Vec<_> = s.completeness.coverage.gaps.iter().map(|gap| (gap.from, gap.to)).collect();
    assert_eq!(gaps, [(at(-1), at(0)), (at(1), at(2))]);
}

#[test]
fn what_was_recorded_is_not_in_the_future() {
    let mut going_on = run(1, 0);
    (going_on.ended, going_on.going_on) = (None, true);
    // Flushed a moment after it was asked, as it can be while a store is opened.
    let asked = Timestamp(going_on.last_flush.0 - 1);
    let selection = Selection::new(None, None, String::new(), asked);
    let coverage = Builder::new(vec![going_on], selection, 1).finish().completeness.coverage;
    assert_eq!((coverage.gaps, coverage.recorded.len()), (Vec::new(), 1));
}

#[test]
fn time_that_was_not_recorded_is_never_called_complete() {
    use Verdict::{Complete, Nothing, Partial};

    let at = |hour: i64| Timestamp(START + hour * 3_600 * SECOND);
    let runs = [run(1, 0), run(2, 3)];
    let asked = |since: Option<i64>, until: Option<i64>| {
        let selection = Selection::new(since.map(at), until.map(at), String::new(), at(10));
        let c = Builder::new(runs.to_vec(), selection, 1).finish().completeness;
        let hours = |from: Timestamp, to: Timestamp| {
            ((from.0 - START) / (3_600 * SECOND), (to.0 - START) / (3_600 * SECOND))
        };
        let recorded: Vec<_> = c.coverage.recorded.iter().map(|part| hours(part.from, part.to)).collect();
        let gaps: Vec<_> = c.coverage.gaps.iter().map(|gap| hours(gap.from, gap.to)).collect();
        assert_eq!(c.is_complete(), gaps.is_empty() && !recorded.is_empty());
        let words: Vec<_> = c.statements.iter().map(Statement::words).collect();
        let told = words.join(" ");
        assert_eq!(told.contains("othing was recorded"), !gaps.is_empty(), "{words:#?}");
        assert_eq!(told.contains("No part of the time"), c.verdict == Nothing, "{words:#?}");
        let begins_later = since.is_some_and(|since| since > 10);
        let on = format!(
            "from {} UTC on: that time was still in the future",
            at(20).to_string()[..19].replace('T', " ")
        );
        assert_eq!(told.contains(&on), begins_later, "{words:#?}");
        (c.verdict, recorded, gaps)
    };
    for (since, until, found) in [
        (Some(0), Some(1), (Complete, vec![(0, 1)], vec![])),
        (None, None, (Partial, vec![(0, 1), (3, 4)], vec![(1, 3)])),
        // Before, between and after the recordings, and what is still to come.
        (Some(-2), Some(-1), (Nothing, vec![], vec![(-2, -1)])),
        (None, Some(-1), (Nothing, vec![], vec![])),
        (Some(1), Some(3), (Nothing, vec![], vec![(1, 3)])),
        (Some(9), None, (Nothing, vec![], vec![(9, 10)])),
        (Some(3), None, (Partial, vec![(3, 4)], vec![(4, 10)])),
        (Some(20), Some(21), (Nothing, vec![], vec![(20, 21)])),
        (Some(20), None, (Nothing, vec![], vec![(20, 20)])),
        (Some(3), Some(12), (Partial, vec![(3, 4)], vec![(4, 10), (10, 12)])),
    ] {
        assert_eq!(asked(since, until), found, "{since:?} {until:?}");
    }
}

#[test]
fn a_record_with_counts_that_may_be_too_low_is_not_called_complete() {
    let sentence = |run: Run, inexact: u64| {
        let mut completeness = Completeness::from_runs(&[run], &Selection::default());
        completeness.note_connections(inexact, 0);
        completeness.sentence().into_owned()
    };
    assert_eq!(sentence(run(1, 0), 0), "This record is complete.");
    assert_eq!(
        sentence(run(1, 0), 2),
        "Every connection is in this record; the byte counts of 2 connections may be too low."
    );
    let mut going_on = run(1, 0);
    (going_on.ended, going_on.going_on) = (None, true);
    assert!(
        sentence(going_on, 1).starts_with("Every connection is in this record so far; the byte counts of 1")
    );
    let mut lossy = run(1, 0);
    lossy.completeness.lost_events = 1;
    assert_eq!(sentence(lossy, 1), "This record is incomplete.");
}

#[test]
fn counters_that_were_read_late_are_told_where_a_bound_is_blurred() {
    let at = |s: i64| Timestamp(START + s * SECOND);
    let mut late = run(1, 0);
    late.late_reads = vec![LateRead { from: at(9), to: at(12) }];
    let runs = [late];
    let told = |since: Option<i64>, until: Option<i64>| {
        let selection = Selection::new(since.map(at), until.map(at), String::new(), at(100));
        let completeness = Completeness::from_runs(&runs, &selection);
        completeness.statements.iter().any(|statement| statement.text.contains("read late"))
    };
    assert!(told(Some(10), None) && told(None, Some(10)));
    assert!(!told(None, None) && !told(Some(0), Some(20)), "wholly inside, or no matter");

    let mut whole = Completeness::from_runs(&runs, &Selection::default());
    whole.note_periods(|_| Some(at(20)));
    assert!(!whole.statements.iter().any(|statement| statement.text.contains("read late")));
    whole.note_periods(|_| Some(at(10)));
    assert!(whole.statements.iter().any(|statement| statement.text.contains("the period before or after")));
}

#[test]
fn no_end_and_no_recording_are_said() {
    let mut open = run(1, 0);
    open.ended = None;
    let going_on = Run { going_on: true, ..open.clone() };
    assert_eq!(summary(vec![going_on], []).completeness.verdict, Verdict::Unfinished);
    assert_eq!(summary(vec![open], []).completeness.verdict, Verdict::CutOff);
    let nothing = summary(Vec::new(), []);
    assert_eq!(nothing.completeness.verdict, Verdict::Nothing);
    assert!(nothing.window.is_none() && !nothing.is_complete());
}

#[test]
fn a_selection_takes_what_overlaps() {
    let curl = process(100, 5, "curl");
    let c = connection(1, 100, &curl, "8.8.8.8:443", 1, 1);
    let at = |second: i64| Some(Timestamp(START + second * SECOND));
    for (since, until, taken) in [
        (None, None, true),
        (at(105), None, true),
        (at(111), None, false),
        (None, at(100), false),
        (None, at(101), true),
    ] {
        assert_eq!(
            Selection { since, until, ..Selection::default() }.overlaps(&c),
            taken,
            "{since:?} {until:?}"
        );
    }
}

#[test]
fn failed_is_what_ended_by_an_error_without_having_moved_a_byte() {
    let curl = process(1, 1, "curl");
    for (end, tx, rx, failed) in [
        (End::Reset, 0, 0, 1),
        (End::Reset, 10, 0, 0),
        (End::Timeout, 0, 10, 0),
        (End::Timeout, 0, 0, 1),
        (End::Unreachable, 0, 0, 1),
        (End::Refused, 0, 0, 1),
        (End::Refused, 5, 0, 1),
        (End::Fin, 0, 0, 0),
        (End::Abort, 0, 0, 0),
        (End::Unseen, 0, 0, 0),
        (End::RecordingEnded, 0, 0, 0),
    ] {
        let mut one = connection(1, 0, &curl, "8.8.8.8:443", tx, rx);
        one.end = Some(end);
        assert_eq!(summary(vec![run(1, 0)], [(1, one)]).totals.figures.failed, failed, "{end} {tx} {rx}");
    }
    // What it moved before the recording counts, which only the kernel tells; where it does not, it is not known to have failed.
    for (kernel, failed) in [(Some(0), 1), (Some(7), 0), (None, 0)] {
        let mut one = connection(1, 0, &curl, "8.8.8.8:443", 0, 0);
        (one.end, one.preexisting) = (Some(End::Reset), true);
        one.kernel = kernel.map(|tx_bytes| KernelTotals { tx_bytes, ..KernelTotals::default() });
        assert_eq!(summary(vec![run(1, 0)], [(1, one)]).totals.figures.failed, failed, "{kernel:?}");
    }
    // Of a part of its time too: what it moved before counts.
    let mut one = connection(1, 0, &curl, "8.8.8.8:443", 10, 0);
    one.end = Some(End::Reset);
    let one = one.between(Some(Timestamp(START + 60 * SECOND)), None);
    assert_eq!((one.tx_bytes(), one.has_failed()), (0, false));
}

#[test]
fn a_view_that_lacks_connections_does_not_say_yes() {
    let of = |forgotten, unseen, change: fn(&mut Run)| {
        let mut run = run(1, 0);
        change(&mut run);
        let mut c = summary(vec![run], []).completeness;
        c.note_elsewhere(forgotten, unseen);
        (c.verdict, c.statements[0].text.contains("the store"))
    };
    assert_eq!(of(0, 0, |_| ()), (Verdict::Complete, false));
    // All of the time was recorded: that is not what is missing.
    assert_eq!(of(3, 0, |_| ()), (Verdict::Excerpt, true));
    assert_eq!(of(0, 3, |_| ()), (Verdict::Excerpt, true));
    assert_eq!(of(3, 1, |run| run.ended = None), (Verdict::Excerpt, true));
    assert_eq!(of(3, 0, |run| run.completeness.lost_events = 1), (Verdict::Incomplete, true));
}

/// A recording without packets is not one in which no packets went.
#[test]
fn what_a_recording_lacks_is_told() {
    let mut lame = run(1, 0);
    lame.backend_notes = vec![format!("{}no hierarchy of cgroups", connmon_record::NO_PACKETS).into()];
    let words = |runs: Vec<Run>| {
        let c = summary(runs, []).completeness;
        c.statements.iter().map(Statement::words).collect::<Vec<_>>().join("\n")
    };
    let told = words(vec![lame, run(2, 1)]);
    assert!(told.contains("In recording 1, packets are not counted: no hierarchy of cgroups."), "{told}");
    assert!(!told.contains("In recording 2") && !words(vec![run(1, 0)]).contains("packets"), "{told}");
}

#[test]
fn a_summary_adds_up_as_the_contract_of_groups_says() {
    let golden = Golden::read();
    let s = summary(vec![run(1, 0)], golden.connections().into_iter().map(|connection| (1, connection)));
    assert_eq!(told_of(None, &s.totals.figures), golden.all);
    let told = |rows: Vec<(Option<String>, GroupFigures)>| -> Vec<Told> {
        rows.iter().map(|(key, figures)| told_of(key.as_deref(), figures)).collect()
    };
    let name = |row: &ProcessRow<'_>| match row.source {
        ProcessSource::Known(process) => golden.name(process),
        ProcessSource::Stored(_) => panic!("it is in no store"),
    };
    let processes = s.processes.iter().map(|row| (Some(name(&row)), row.figures));
    assert_eq!(told(processes.chain([(None, s.unowned)]).collect()), golden.told("process"));
    let remotes = s.remotes.iter().map(|row| (Some(row.ip.to_string()), row.figures));
    assert_eq!(told(remotes.collect()), golden.told("remote"));
    let protocols = s.protocols.iter().map(|row| (Some(row.proto.to_string()), row.figures));
    assert_eq!(told(protocols.collect()), golden.told("proto"));
    assert_eq!(s.activity.buckets.iter().map(|bucket| bucket.opened).sum::<u64>(), 8);
    assert_eq!(s.ends.iter().map(|row| row.connections).sum::<u64>(), 8);
}
