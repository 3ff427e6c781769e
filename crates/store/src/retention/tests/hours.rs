//! What was moved long ago is kept by the hour, and adds up as before.

use super::*;

/// Rows for a connection that is never quiet, of two processes by turns.
fn busy(connection: i64, (from, to): (i64, i64)) -> Vec<TrafficRow> {
    let moved = |bucket: i64| TrafficRow {
        connection,
        process: 1 + bucket / 10 % 2,
        bucket,
        tx_bytes: bucket as u64 % 977,
        rx_bytes: bucket as u64 % 1_009,
        tx_calls: 1,
        rx_calls: 2,
    };
    (from..to).step_by(10).map(moved).collect()
}

fn answers(path: &Path, since: Option<i64>, until: Option<i64>) -> Vec<(Answer, [u64; 10], Vec<String>)> {
    let selection = Selection { since: since.map(at), until: until.map(at), ..Selection::default() };
    let by: [&[GroupBy]; 4] =
        [&[GroupBy::Hour], &[GroupBy::Exe, GroupBy::Hour], &[GroupBy::Exe], &[GroupBy::Day]];
    by.iter().map(|by| answer(&audit(path, &selection, by), true)).collect()
}

#[test]
fn hours_are_the_sums_of_what_was_moved_in_them() {
    const HOUR: i64 = 3_600;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (length, end) = (9 * DAY, 9 * DAY + 2_000);
    let mut writer = record(&path, &[(1_000, length, 1, 0, 0x0400), (50, 40, 2, 1, 0x0400)], end);
    // Of its first day and of its last.
    let traffic = busy(1, (1_000, DAY)).into_iter().chain(busy(1, (8 * DAY, 8 * DAY + 5_000)));
    writer.write(&Batch { traffic: traffic.collect(), time: at(end), ..Batch::default() }).unwrap();
    let times = [(None, None), (Some(2 * HOUR), Some(5 * HOUR)), (Some(8 * DAY + 20), Some(8 * DAY + 500))];
    let ask = || times.map(|(since, until)| answers(&path, since, until));
    let (before, many) = (ask(), rows(&writer, "traffic"));
    let tidy = |writer: &mut Writer| while writer.tidy(None).unwrap() == Progress::More {};
    tidy(&mut writer);
    let few = rows(&writer, "traffic");
    // Two processes each hour of the first day; what is younger than a week is as it was.
    assert!(few < many - 8_000 && few >= 48 + 500, "{few} of {many} rows");
    assert!(ask() == before, "all is as it was");
    // What comes late is added, and the next hours are made when they are old.
    let late = busy(1, (1_000, 3_000)).into_iter().chain(busy(1, (8 * DAY, 8 * DAY + 20)));
    writer.write(&Batch { traffic: late.collect(), time: at(17 * DAY), ..Batch::default() }).unwrap();
    let before = ask();
    tidy(&mut writer);
    assert!(rows(&writer, "traffic") < 70);
    let after = ask();
    assert!(after[..2] == before[..2], "whole hours are exact");
    // A part of an hour cannot be right, and says so.
    let inexact = |answers: &[(Answer, [u64; 10], Vec<String>)]| answers[2].1[4];
    assert_eq!((inexact(&before[2]), inexact(&after[2])), (0, 1));
    let wide = [Some(7 * DAY), None].map(|since| answers(&path, since, Some(8 * DAY + 2 * HOUR)));
    assert!(wide.iter().all(|answers| inexact(answers) == 0), "whole hours are exact");
}

#[test]
fn a_clock_that_leapt_makes_no_hours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut writer = record(&path, &[(1_000, DAY, 1, 0, 0)], DAY + 2_000);
    let traffic = busy(1, (1_000, DAY));
    let (before, after) = (DAY + 2_000, 1_000 * DAY);
    writer.write(&Batch { traffic, time: at(before), ..Batch::default() }).unwrap();
    let step = ClockStep { time: at(before), from: at(before), to: at(after), effect: ClockEffect::Followed };
    writer.write(&Batch { time: at(after), clock_steps: vec![step], ..Batch::default() }).unwrap();
    let many = rows(&writer, "traffic");
    while writer.tidy(None).unwrap() == Progress::More {}
    assert_eq!(rows(&writer, "traffic"), many);
    go_on(&mut writer, after + DAY + 10);
    assert!(rows(&writer, "traffic") < 70);
}
