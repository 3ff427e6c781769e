//! Figures of processes: in which places they are kept, and what becomes of them when a connection is lost.

use super::*;
use connmon_record::rows::Batch;

/// The sums of all rows of traffic: bytes sent and received.
fn total(batch: &Batch) -> (u64, u64) {
    batch.traffic.iter().fold((0, 0), |(tx, rx), row| (tx + row.tx_bytes, rx + row.rx_bytes))
}

fn acct(id: u64, uid: u32, tx: u64, rx: u64) -> Frame {
    let share = share(7, tx, rx);
    Frame::Share(AcctKey { id, start_ns: share.start_ns, tgid: 7, uid }, share)
}

fn lost(batch: &Batch) -> (u64, u64) {
    let completeness = batch.completeness.as_ref().unwrap();
    (completeness.unattributed_tx_bytes, completeness.unattributed_rx_bytes)
}

#[test]
fn a_process_in_several_places_has_the_sum() {
    let mut both = entry(1, 500, 3);
    both.shares[1] = share(7, 1, 400);
    both.extra_shares = 2;
    let (mut tracker, batch) = feed([
        Frame::Live(Box::new(both)),
        acct(1, 1000, 20, 0),
        acct(1, 0, 4, 0),
        Frame::SweepEnd(6 * SECOND),
    ]);
    assert_eq!(total(&batch), (525, 403));
    assert!(batch.processes.iter().all(|row| row.process.id.pid == 7));
    both.shares[1].tx_bytes += 7;
    tracker.feed(Frame::Live(Box::new(both)));
    tracker.feed(acct(1, 0, 5, 0));
    assert_eq!(total(&tracker.take()), (8, 0), "each place grows by itself");
}

#[test]
fn figures_that_shrink_take_nothing_away() {
    let (mut tracker, _) = feed([Frame::Live(Box::new(entry(1, 10, 20)))]);
    tracker.feed(Frame::Live(Box::new(entry(1, 4, 25))));
    assert_eq!(total(&tracker.take()), (0, 5));
    tracker.feed(Frame::Live(Box::new(entry(1, 12, 25))));
    assert_eq!(total(&tracker.take()), (2, 0));
}

#[test]
fn shares_wait_for_their_connection() {
    let mut shared = entry(1, 10, 0);
    shared.extra_shares = 1;
    let (mut tracker, batch) =
        feed([acct(1, 1000, 5, 6), Frame::SweepEnd(6 * SECOND), closed(shared, 15, 6), acct(1, 1000, 5, 6)]);
    assert_eq!(total(&batch), (15, 6));
    for second in 7..12 {
        tracker.feed(Frame::SweepEnd(second * SECOND));
    }
    let batch = tracker.take();
    assert_eq!((lost(&batch), total(&batch)), ((0, 0), (0, 0)));
    assert_eq!(batch.completeness.unwrap().reconciliation.equal, 1);
}

#[test]
fn shares_of_a_connection_that_was_never_met_are_counted() {
    let (mut tracker, _) = feed([acct(1, 1000, 5, 6), Frame::SweepEnd(6 * SECOND)]);
    tracker.feed(acct(1, 1000, 8, 6));
    tracker.feed(Frame::SweepEnd(7 * SECOND));
    assert_eq!(lost(&tracker.take()), (0, 0), "its record may still come");
    tracker.feed(Frame::SweepEnd(8 * SECOND));
    assert_eq!(lost(&tracker.take()), (8, 6));
    tracker.feed(acct(2, 1000, 1, 1));
    tracker.feed(Frame::End(9 * SECOND));
    assert_eq!(lost(&tracker.take()), (9, 7));
}

#[test]
fn of_a_lost_connection_only_inline_shares_are_among_the_lost_bytes() {
    let mut counters = Counters::default();
    counters.kernel[stat::LOST_CONNECTIONS as usize] = 1;
    counters.kernel[stat::LOST_TX as usize] = 30;
    let (mut tracker, _) = feed([
        Frame::Live(Box::new(entry(1, 10, 0))),
        acct(1, 0, 100, 0),
        Frame::SweepEnd(6 * SECOND),
        Frame::Counters(counters),
    ]);
    for second in 7..10 {
        tracker.feed(Frame::SweepEnd(second * SECOND));
    }
    assert_eq!(lost(&tracker.take()), (20, 0), "10 of the 30 bytes are in a row, and 100 others");
}

#[test]
fn sockets_that_were_found_after_all_are_not_lost() {
    let mut counters = Counters::default();
    counters.kernel[stat::SOCKS_FULL as usize] = 3;
    counters.kernel[stat::SOCKS_FOUND as usize] = 1;
    let (_, batch) = feed([Frame::Counters(counters)]);
    let completeness = batch.completeness.unwrap();
    assert_eq!((completeness.lost_connections, completeness.map_full), (2, 2));
}

/// What is told of a flow of datagrams over IPv4 with so many bytes and calls, and what its packets had.
fn compared(remote: [u8; 4], sent: (u64, u64), received: u64, packets: [(u64, u64); 2]) -> [u64; 4] {
    let mut flow = entry(1, sent.0, received);
    (flow.proto, flow.closed_ns) = (17, 9 * SECOND);
    flow.remote.ip[0] = u32::from_ne_bytes(remote);
    flow.shares[0].tx_calls = sent.1;
    let [(tx_packets, tx_payload), (rx_packets, rx_payload)] = packets;
    flow.wire = connmon_ebpf::Wire {
        tx_bytes: tx_payload + 28 * tx_packets,
        rx_bytes: rx_payload + 28 * rx_packets,
        tx_packets,
        rx_packets,
    };
    let Frame::Start(mut start) = start() else { unreachable!("a start") };
    start.wire = true;
    let mut tracker = Tracker::default();
    tracker.feed(Frame::Start(start));
    tracker.feed(Frame::Closed(Box::new(flow)));
    let r = tracker.take().completeness.unwrap().reconciliation;
    [r.compared, r.equal, r.unexplained, r.rx_unread_bytes]
}

#[test]
fn datagrams_are_compared_with_their_packets() {
    let host = [8, 8, 8, 8];
    assert_eq!(compared(host, (100, 2), 50, [(2, 100), (1, 50)]), [1, 1, 0, 0]);
    assert_eq!(
        compared(host, (60, 1), 50, [(2, 100), (1, 50)]),
        [1, 0, 1, 0],
        "a send that no call is known of"
    );
    assert_eq!(compared(host, (60, 2), 50, [(2, 68), (1, 50)]), [0; 4], "headers with options");
    assert_eq!(compared(host, (100, 2), 20, [(2, 100), (2, 50)]), [1, 0, 0, 30], "cut, or not read");
    assert_eq!(compared(host, (100, 2), 50, [(1, 50), (0, 0)]), [0; 4], "packets were not counted");
    assert_eq!(compared([224, 0, 0, 251], (100, 1), 0, [(2, 200), (0, 0)]), [0; 4], "it comes back");
    assert_eq!(compared([10, 0, 0, 255], (100, 1), 0, [(2, 200), (0, 0)]), [0; 4], "so does this");
}
