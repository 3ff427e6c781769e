//! Times follow the clock when it is set, and are right once it is.

use super::*;
use connmon_record::ClockEffect;

const HOUR: i64 = 3_600 * SECOND as i64;
/// Of the clock when the recording begins.
const OFFSET: i64 = 1_000 * SECOND as i64;

fn at(seconds: i64) -> Timestamp {
    Timestamp(OFFSET + seconds * SECOND as i64)
}

/// A connection from 5 s to 9 s, which moves 10 bytes before the clock is set at 7 s, and 90 after; all that is told of it.
fn set_by(by: i64, start: Frame) -> Batch {
    let mut tracker = Tracker::default();
    for frame in [
        start,
        Frame::Live(Box::new(entry(1, 10, 0))),
        Frame::SweepEnd(6 * SECOND),
        Frame::Clock(7 * SECOND, OFFSET + by),
        closed(entry(1, 100, 0), 100, 0),
        Frame::SweepEnd(10 * SECOND),
        Frame::End(11 * SECOND),
    ] {
        tracker.feed(frame);
    }
    tracker.take()
}

#[test]
fn times_are_by_the_clock_as_it_was() {
    for by in [HOUR, -HOUR] {
        let batch = set_by(by, start());
        let connection = batch.connections.last().unwrap();
        assert_eq!(connection.opened, at(5));
        assert_eq!(connection.closed, Some(Timestamp(at(9).0 + by)));
        assert_eq!(connection.clock_set_ns, by, "it lasted 4 s");
        let buckets: Vec<_> = batch.traffic.iter().map(|row| (row.bucket, row.tx_bytes)).collect();
        assert_eq!(buckets, [(1_000, 10), (1_000 + by / SECOND as i64, 90)]);
        assert_eq!(batch.time, Timestamp(at(11).0 + by));
        let step = batch.clock_steps[0];
        assert_eq!((step.shift_ns(), step.from, step.effect), (by, at(7), ClockEffect::Followed));
    }
}

#[test]
fn recordings_of_earlier_versions_go_by_the_clock_of_their_start() {
    let Frame::Start(mut old) = start() else { unreachable!() };
    old.follows_clock = false;
    let batch = set_by(HOUR, Frame::Start(old));
    let connection = batch.connections.last().unwrap();
    assert_eq!((connection.opened, connection.closed), (at(5), Some(at(9))));
    assert_eq!(connection.clock_set_ns, 0);
    assert!(batch.traffic.iter().all(|row| row.bucket == 1_000));
    let step = batch.clock_steps[0];
    assert_eq!((step.time, step.to, step.effect), (at(7), Timestamp(at(7).0 + HOUR), ClockEffect::Told));
}

#[test]
fn what_was_told_before_the_clock_was_right_is_found_to_be_wrong() {
    let right = |offset| {
        let (mut tracker, _) = feed([Frame::ClockRight(7 * SECOND, offset)]);
        tracker.take_found()
    };
    assert_eq!(right(OFFSET), None);
    assert_eq!(right(OFFSET + HOUR), Some((7 * SECOND, OFFSET + HOUR)));
    // Also where it was set to it before anybody could know.
    let (mut tracker, _) = feed([Frame::Clock(6 * SECOND, HOUR), Frame::ClockRight(7 * SECOND, HOUR)]);
    assert_eq!(tracker.take_found(), Some((7 * SECOND, HOUR)));
    assert_eq!(tracker.take_found(), None);
}

#[test]
fn all_times_are_by_a_clock_that_became_right() {
    let mut tracker = Tracker::default();
    tracker.correct((8 * SECOND, OFFSET + HOUR));
    for frame in [
        start(),
        Frame::Clock(6 * SECOND, OFFSET - HOUR),
        closed(entry(1, 100, 0), 100, 0),
        Frame::ClockRight(8 * SECOND, OFFSET + HOUR),
        Frame::Clock(12 * SECOND, OFFSET),
        Frame::SweepEnd(13 * SECOND),
    ] {
        tracker.feed(frame);
    }
    assert_eq!(tracker.take_found(), None);
    let batch = tracker.take();
    let later = |seconds| Timestamp(at(seconds).0 + HOUR);
    assert_eq!(batch.start.as_ref().map(Start::started), Some(later(1)));
    let connection = batch.connections.last().unwrap();
    assert_eq!(
        (connection.opened, connection.closed, connection.clock_set_ns),
        (later(5), Some(later(9)), 0)
    );
    assert_eq!(batch.time, at(13), "from then on it is followed");
    let steps: Vec<_> =
        batch.clock_steps.iter().map(|step| (step.from, step.shift_ns(), step.effect)).collect();
    assert_eq!(
        steps,
        [
            (at(6), -HOUR, ClockEffect::Corrected),
            (Timestamp(at(8).0 - HOUR), 2 * HOUR, ClockEffect::Corrected),
            (later(12), -HOUR, ClockEffect::Followed)
        ]
    );
}

/// Sweeps that end at these milliseconds after the recording began at 1000 s: what was late, as milliseconds.
fn late_reads(sweeps: &[u64]) -> Vec<(i64, i64)> {
    let mut tracker = Tracker::default();
    tracker.feed(start());
    sweeps.iter().for_each(|ms| tracker.feed(Frame::SweepEnd(ms * 1_000_000)));
    let since = |time: Timestamp| (time.0 - OFFSET) / 1_000_000;
    tracker.take().late_reads.iter().map(|read| (since(read.from), since(read.to))).collect()
}

#[test]
fn a_sweep_that_comes_late_for_its_step_is_told() {
    assert_eq!(late_reads(&[9_000, 10_000, 10_090, 20_050]), [], "on time");
    assert_eq!(late_reads(&[9_000, 11_500, 12_000]), [(9_000, 11_500)]);
    assert_eq!(late_reads(&[9_000, 75_000]), [(9_000, 75_000)], "as long as the host slept");
}
