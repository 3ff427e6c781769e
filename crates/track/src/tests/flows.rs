//! Connections of datagrams, which are kept in one entry after the other and end by a pause.

use super::*;
use connmon_record::rows::{Batch, ConnectionRow};

const PAUSE: u64 = 120 * SECOND;

/// An entry of a UDP socket's flow: its own, or a further one of `parent`.
fn part(id: u64, parent: u64, opened: u64, tx: u64) -> SockEntry {
    let mut part = entry(id, tx, 0);
    (part.proto, part.parent, part.opened_ns) = (17, parent, opened * SECOND);
    (part.wire.tx_bytes, part.wire.tx_packets) = (tx + 28, 1);
    part
}

fn live(part: SockEntry) -> Frame {
    Frame::Live(Box::new(part))
}

/// The entry has been left for the next epoch's: one of `FLOWS` leaves, the socket's own stays.
fn retired(mut part: SockEntry) -> Frame {
    part.flags |= flag::RETIRED;
    if part.parent == 0 { Frame::Live(Box::new(part)) } else { Frame::Closed(Box::new(part)) }
}

/// Its socket is gone.
fn gone(mut part: SockEntry, closed: u64) -> Frame {
    part.flags |= flag::RELEASED;
    part.closed_ns = closed * SECOND;
    Frame::Closed(Box::new(part))
}

fn swept(second: u64) -> Frame {
    Frame::SweepEnd(second * SECOND)
}

fn tracked(frames: impl IntoIterator<Item = Frame>) -> (Tracker, Batch) {
    let Frame::Start(mut start) = start() else { unreachable!("a start") };
    (start.idle_ns, start.wire) = (PAUSE, true);
    let mut tracker = Tracker::default();
    tracker.feed(Frame::Start(start));
    frames.into_iter().for_each(|frame| tracker.feed(frame));
    let batch = tracker.take();
    (tracker, batch)
}

/// Row, opened and closed in seconds, end, bytes on the wire, and bytes of processes.
type Told = (i64, u64, Option<u64>, Option<End>, u64, u64);

/// Connections in their last state.
fn told(batch: &Batch) -> Vec<Told> {
    let second = |time: Timestamp| (time.0 / SECOND as i64) as u64 - 1_000;
    let rows: std::collections::BTreeMap<i64, &ConnectionRow> =
        batch.connections.iter().map(|row| (row.row, row)).collect();
    let sent = |row: i64| batch.traffic.iter().filter(|t| t.connection == row).map(|t| t.tx_bytes).sum();
    rows.values()
        .map(|row| {
            let wire = row.wire.as_ref().map_or(0, |wire| wire.tx_bytes);
            (row.row, second(row.opened), row.closed.map(second), row.end, wire, sent(row.row))
        })
        .collect()
}

#[test]
fn a_flow_that_goes_on_is_one_connection() {
    let (tracker, batch) = tracked([
        live(part(1, 0, 5, 10)),
        swept(6),
        retired(part(1, 0, 5, 15)),
        swept(66),
        retired(part(1, 0, 5, 15)),
        live(part(2, 1, 70, 100)),
        swept(71),
        retired(part(1, 0, 5, 15)),
        retired(part(2, 1, 70, 101)),
        live(part(3, 1, 126, 1_000)),
        swept(127),
        gone(SockEntry { extra_flows: 2, ..part(1, 0, 5, 15) }, 130),
        live(part(3, 1, 126, 1_001)),
        swept(131),
        gone(part(3, 1, 126, 1_001), 132),
        swept(132),
    ]);
    assert_eq!(told(&batch), [(1, 5, Some(130), Some(End::Closed), 1_117 + 3 * 28, 1_117)]);
    assert!(tracker.open.is_empty() && tracker.flows.is_empty_after_the_next_sweeps());
    assert_eq!(batch.processes.len(), 1);
}

#[test]
fn a_pause_ends_a_connection_and_what_follows_is_a_new_one() {
    let first = part(1, 0, 5, 10);
    let (mut tracker, batch) = tracked([
        live(first),
        swept(6),
        retired(first),
        swept(66),
        retired(first),
        swept(125),
        retired(first),
        swept(127),
        retired(first),
        live(part(2, 1, 200, 7)),
        swept(201),
    ]);
    let idle = (1, 5, Some(6), Some(End::Idle), 38, 10);
    assert_eq!(told(&batch), [idle, (2, 200, None, None, 35, 7)]);
    assert_eq!(tracker.open.len(), 1);
    tracker.feed(gone(SockEntry { extra_flows: 1, ..first }, 210));
    tracker.feed(gone(part(2, 1, 200, 8), 211));
    assert_eq!(told(&tracker.take()), [(2, 200, Some(210), Some(End::Closed), 36, 1)]);
    (212..216).for_each(|second| tracker.feed(swept(second)));
    let batch = tracker.take();
    assert!(batch.connections.is_empty(), "the first socket's entry is no connection of its own again");
    assert_eq!(batch.completeness.unwrap().lost_connections, 0);
}

#[test]
fn what_follows_a_pause_ends_the_connection_at_once() {
    let other = part(2, 1, 5, 9);
    let (_, batch) =
        tracked([live(other), swept(6), retired(other), swept(66), live(part(3, 1, 127, 1)), swept(128)]);
    assert_eq!(told(&batch), [(1, 5, Some(6), Some(End::Idle), 37, 9), (2, 127, None, None, 29, 1)]);
}

#[test]
fn shares_of_further_processes_are_counted_with_the_entry_that_leaves() {
    let shared = |id: u16, parent, opened| {
        let mut shared = SockEntry { extra_shares: 1, ..part(u64::from(id), parent, opened, 10) };
        shared.remote.port = id;
        shared
    };
    let acct = |id, tx| {
        let key = AcctKey { id, start_ns: 9 * SECOND, tgid: 9, uid: 0 };
        Frame::Share(key, share(9, tx, 0))
    };
    let (mut tracker, batch) = tracked([
        live(shared(1, 0, 5)),
        live(shared(2, 1, 5)),
        acct(1, 100),
        acct(2, 1_000),
        swept(6),
        retired(shared(1, 0, 5)),
        retired(shared(2, 1, 5)),
        acct(1, 101),
        acct(2, 1_001),
        swept(66),
        retired(shared(1, 0, 5)),
        acct(1, 101),
        swept(67),
    ]);
    let sums: Vec<u64> = told(&batch).iter().map(|row| row.5).collect();
    assert_eq!(sums, [111, 1_011]);
    for second in [68, 126, 127] {
        tracker.feed(retired(shared(1, 0, 5)));
        tracker.feed(acct(1, 101));
        tracker.feed(swept(second));
    }
    tracker.feed(Frame::End(130 * SECOND));
    let batch = tracker.take();
    assert!(batch.traffic.is_empty());
    assert_eq!(batch.completeness.unwrap().unattributed_tx_bytes, 0);
}

#[test]
fn the_socket_of_a_connection_that_is_over_can_be_lost() {
    let first = part(1, 0, 5, 10);
    let mut counters = Counters::default();
    counters.kernel[stat::LOST_CONNECTIONS as usize] = 1;
    counters.kernel[stat::LOST_TX as usize] = 10;
    let (mut tracker, _) = tracked([live(first), swept(6), retired(first), swept(66), swept(127)]);
    tracker.feed(Frame::Counters(counters));
    (128..132).for_each(|second| tracker.feed(swept(second)));
    let batch = tracker.take();
    assert_eq!(batch.completeness.unwrap().unattributed_tx_bytes, 0, "what was lost is in a row");
}

#[test]
fn memory_does_not_grow_with_flows_that_are_over() {
    let server = part(1, 0, 5, 1);
    let (mut tracker, _) = tracked([live(server)]);
    for minute in 1..60 {
        for n in 0..100 {
            let mut flow = part(minute * 1_000 + n, 1, minute * 60, 1);
            flow.remote.port = (minute * 100 + n) as u16;
            tracker.feed(retired(flow));
        }
        tracker.feed(retired(server));
        tracker.feed(swept(minute * 60 + 60));
        tracker.take();
        assert!(tracker.open.len() <= 301, "{} connections are remembered", tracker.open.len());
    }
}

#[test]
fn of_too_many_flows_those_that_paused_longest_are_over() {
    let (mut tracker, _) = tracked([]);
    tracker.flows.most_paused = 2;
    for n in 1..5 {
        let mut flow = part(n, 9, 5, n);
        flow.remote.port = n as u16;
        tracker.feed(retired(flow));
        tracker.feed(swept(10 + n));
    }
    let ends: Vec<_> = told(&tracker.take()).iter().map(|row| (row.0, row.3, row.5)).collect();
    assert_eq!(ends, [(1, Some(End::Idle), 1), (2, Some(End::Idle), 2), (3, None, 3), (4, None, 4)]);
}

#[test]
fn remotes_that_are_not_told_apart_are_a_connection_that_says_so() {
    let unknown = |id, flags| {
        let mut flow = part(id, 9, 5, 10);
        flow.flags |= flags;
        (flow.remote.ip, flow.remote.port) = ([0; 4], 0);
        live(flow)
    };
    let (_, batch) = tracked([unknown(1, flag::REMOTE_UNKNOWN), unknown(2, flag::AGGREGATE)]);
    let reasons: Vec<_> =
        batch.connections.iter().map(|row| row.inexact.clone().unwrap_or_default()).collect();
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].contains("unknown") && reasons[1].contains("not told apart"), "{reasons:?}");
}

#[test]
fn what_is_read_of_an_unknown_remote_blurs_the_others_of_its_socket_and_no_other() {
    let flow = |id, parent, port| {
        let mut flow = part(id, parent, 5, 10);
        flow.remote.port = port;
        flow
    };
    let mut unknown = flow(3, 1, 0);
    unknown.remote.ip = [0; 4];
    unknown.flags |= flag::REMOTE_UNKNOWN;
    let first = SockEntry { extra_flows: 2, ..flow(1, 0, 53) };
    let frames = [
        live(first),
        live(flow(2, 1, 54)),
        live(flow(8, 0, 53)),
        live(unknown),
        swept(6),
        // One that begins afterwards, and those that end.
        live(flow(4, 1, 55)),
        gone(first, 7),
        gone(flow(2, 1, 54), 7),
        gone(unknown, 7),
        gone(flow(4, 1, 55), 7),
        gone(flow(8, 0, 53), 7),
        swept(8),
        swept(9),
    ];
    let (tracker, batch) = tracked(frames);
    let last: std::collections::BTreeMap<i64, bool> = batch
        .connections
        .iter()
        .map(|row| (row.row, row.inexact.as_deref().is_some_and(|why| why.contains("unknown remote"))))
        .collect();
    let exact: Vec<_> =
        batch.connections.iter().filter(|row| row.inexact.is_none() && row.closed.is_some()).collect();
    assert_eq!(
        last.into_iter().collect::<Vec<_>>(),
        [(1, true), (2, true), (3, false), (4, false), (5, true)]
    );
    assert_eq!(exact.iter().map(|row| row.row).collect::<Vec<_>>(), [3]);
    assert!(tracker.flows.is_empty_after_the_next_sweeps());
}

#[test]
fn a_socket_that_ends_during_a_sweep_waits_for_one_that_reads_all_it_had() {
    let mut unknown = part(2, 1, 5, 10);
    (unknown.remote.ip, unknown.remote.port) = ([0; 4], 0);
    unknown.flags |= flag::REMOTE_UNKNOWN;
    let first = SockEntry { extra_flows: 1, ..part(1, 0, 5, 10) };
    // The sweep that began at 6 had read the flows already when the ring told what happened at 7.
    let (tracker, batch) =
        tracked([gone(first, 7), swept(6), live(unknown), swept(8), gone(unknown, 7), swept(9)]);
    let last = |row| batch.connections.iter().rfind(|one| one.row == row).unwrap();
    assert_eq!((last(1).end, last(2).end), (Some(End::Closed), Some(End::Closed)));
    let reason = last(1).inexact.as_deref();
    assert!(reason.is_some_and(|why| why.contains("of an unknown remote")), "{reason:?}");
    assert!(tracker.flows.is_empty_after_the_next_sweeps());
}

#[test]
fn entries_that_are_met_after_their_socket_went_end_with_it() {
    let mut flow = part(2, 1, 6, 20);
    flow.remote.port = 54;
    let (tracker, batch) =
        tracked([gone(SockEntry { extra_flows: 1, ..part(1, 0, 5, 10) }, 7), retired(flow), swept(8)]);
    let closed = |row, opened, bytes| (row, opened, Some(7), Some(End::Closed), bytes + 28, bytes);
    assert_eq!(told(&batch), [closed(1, 5, 10), closed(2, 6, 20)]);
    assert!(tracker.open.is_empty());
}

#[test]
fn sockets_of_a_user_together_are_a_connection_of_each_protocol_that_tells_how_many() {
    let pool = |id, proto, sockets, tx| {
        let mut pool = part(id, 1_001, 5, tx);
        pool.flags = flag::AGGREGATE | flag::POOL | flag::FLOW;
        (pool.proto, pool.extra_flows, pool.remote, pool.wire_unknown) = (proto, sockets, Addr::default(), 1);
        pool
    };
    let (mut tracker, batch) = tracked([
        live(pool(1, 6, 3, 10)),
        live(pool(2, 17, 1, 4)),
        swept(6),
        retired(pool(1, 6, 5, 30)),
        live(pool(3, 6, 2, 7)),
        swept(66),
    ]);
    let last = |batch: &Batch, row| batch.connections.iter().rfind(|one| one.row == row).cloned().unwrap();
    let (tcp, udp) = (last(&batch, 1), last(&batch, 2));
    assert_eq!((tcp.proto, udp.proto), (Proto::TCP, Proto::UDP));
    assert!(tcp.inexact.as_ref().unwrap().starts_with("7 sockets of one user, not recorded one by one"));
    assert!(udp.inexact.as_ref().unwrap().starts_with("1 socket of one user"));
    assert_eq!((tcp.wire, tcp.direction, tcp.end), (None, Direction::Unknown, None));
    assert_eq!(told(&batch).iter().map(|row| row.5).collect::<Vec<_>>(), [37, 4]);
    tracker.feed(retired(SockEntry { lost_calls: 1, ..pool(3, 6, 2, 7) }));
    tracker.feed(swept(67));
    tracker.feed(swept(67 + 121));
    let over = last(&tracker.take(), 1);
    assert_eq!(over.end, Some(End::Idle), "it paused");
    assert!(over.inexact.as_ref().unwrap().ends_with("bytes of some processes are missing"));
}
