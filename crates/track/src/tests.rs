//! The tracker against hand-made and random frames.

mod checkpoint;
mod clock;
mod flows;
mod names;
mod processes;
mod shares;

use std::collections::{HashMap, HashSet};

use connmon_ebpf::{
    AcctKey, Addr, AskedRecord, COMM_LEN, CgroupRecord, Share, SockEntry, TaskRecord, flag, kind, proto, stat,
};
use proptest::prelude::*;

use super::*;
use connmon_record::frame::{Counters, ProgramFacts, Start};
use connmon_record::{End, ExeHash, ExeState, KernelTotals, Timestamp, Untrusted};

const SECOND: u64 = 1_000_000_000;

fn start() -> Frame {
    Frame::Start(Box::new(Start {
        host: "host".into(),
        boot_id: "boot".into(),
        kernel: "6.12".into(),
        tool_version: "0".into(),
        object_sha256: "0".into(),
        backend: "fentry".into(),
        backend_notes: vec![],
        wire: false,
        names: true,
        idle_ns: 0,
        clock_offset_ns: 1_000 * SECOND as i64,
        follows_clock: true,
        started_ns: SECOND,
        users: vec![(1000, "ada".into())],
    }))
}

fn comm(name: &str) -> [u8; COMM_LEN] {
    let mut comm = [0; COMM_LEN];
    comm[..name.len()].copy_from_slice(name.as_bytes());
    comm
}

fn share(tgid: u32, tx_bytes: u64, rx_bytes: u64) -> Share {
    Share { tgid, start_ns: u64::from(tgid) * SECOND, uid: 1000, tx_bytes, rx_bytes, ..Share::default() }
}

fn entry(id: u64, tx: u64, rx: u64) -> SockEntry {
    SockEntry {
        kind: kind::SOCK,
        flags: flag::OUTBOUND,
        id,
        opened_ns: 5 * SECOND,
        proto: 6,
        local: Addr { ip: [u32::from_ne_bytes([127, 0, 0, 1]), 0, 0, 0], port: 4000, family: 2 },
        remote: Addr { ip: [u32::from_ne_bytes([8, 8, 8, 8]), 0, 0, 0], port: 53, family: 2 },
        comm: comm("curl"),
        shares: [share(7, tx, rx), Share::default()],
        ..SockEntry::default()
    }
}

fn closed(mut entry: SockEntry, kernel_tx: u64, kernel_rx: u64) -> Frame {
    entry.flags |= flag::RELEASED | flag::TOTALS | flag::FIN_RECEIVED;
    entry.closed_ns = 9 * SECOND;
    entry.old_state = 9;
    entry.kernel_tx = kernel_tx;
    entry.kernel_rx = kernel_rx + 1;
    Frame::Closed(Box::new(entry))
}

fn feed(frames: impl IntoIterator<Item = Frame>) -> (Tracker, Batch) {
    let mut tracker = Tracker::default();
    tracker.feed(start());
    frames.into_iter().for_each(|frame| tracker.feed(frame));
    let batch = tracker.take();
    (tracker, batch)
}

#[test]
fn ids_differ_on_each_processor() {
    let ids: HashSet<u64> =
        (0..8192).map(|cpu| connmon_ebpf::entry_id(cpu, u64::MAX - cpu, cpu << 7)).collect();
    assert_eq!(ids.len(), 8192);
    assert_ne!(connmon_ebpf::entry_id(1024, 1, 1), connmon_ebpf::entry_id(0, 1, 1));
}

#[test]
fn what_a_sockmap_may_have_moved_is_labelled_and_not_compared() {
    let mut diverted = entry(1, 1000, 0);
    diverted.diverted = 1;
    let (tracker, batch) = feed([closed(diverted, 0, 0)]);
    assert!(batch.connections[0].inexact.as_deref().is_some_and(|reason| reason.contains("sockmap")));
    assert_eq!(tracker.completeness.total().reconciliation.compared, 0);
}

#[test]
fn packets_of_which_one_is_not_understood_are_not_told() {
    let wire = |unknown: u8| {
        let Frame::Start(mut start) = start() else { unreachable!() };
        start.wire = true;
        let mut all = entry(1, 0, 0);
        all.wire_unknown = unknown;
        let mut tracker = Tracker::default();
        [Frame::Start(start), closed(all, 0, 0)].into_iter().for_each(|frame| tracker.feed(frame));
        tracker.take().connections[0].wire
    };
    assert!(wire(0).is_some());
    assert_eq!(wire(1), None);
}

#[test]
fn a_flow_whose_packets_had_other_ends_has_no_packets() {
    let wire = |proto: u16, tx: u64, packets: u64| {
        let Frame::Start(mut start) = start() else { unreachable!() };
        start.wire = true;
        let mut all = entry(1, tx, 0);
        (all.proto, all.wire.tx_packets, all.wire.tx_bytes) = (proto, packets, packets * 28 + tx);
        let mut tracker = Tracker::default();
        [Frame::Start(start), closed(all, 0, 0)].into_iter().for_each(|frame| tracker.feed(frame));
        tracker.take().connections[0].wire.is_some()
    };
    assert!(!wire(proto::UDP, 5, 0), "sent without a packet");
    assert!(wire(proto::UDP, 5, 1) && wire(proto::UDP, 0, 0) && wire(proto::TCP, 5, 0));
}

#[test]
fn no_handshake_is_over_before_its_connection_begins() {
    let established = |ns: u64| {
        let mut called = entry(1, 0, 0);
        (called.flags, called.established_ns) = (flag::INBOUND, ns);
        let (_, batch) = feed([closed(called, 0, 0)]);
        batch.connections[0].established.map(|time| time.0 - batch.connections[0].opened.0)
    };
    assert_eq!(established(5 * SECOND - 300), Some(0));
    assert_eq!(established(5 * SECOND + 300), Some(300));
    assert_eq!(established(0), None);
}

#[test]
fn the_address_that_was_asked_for_is_kept_beside_the_remote() {
    let address = Addr { ip: [u32::from_ne_bytes([10, 96, 0, 1]), 0, 0, 0], port: 443, family: 2 };
    let asked = Frame::Asked(AskedRecord { kind: kind::ASKED, id: 1, address, ..AskedRecord::default() });
    let told = |frames: [Frame; 2]| {
        let (_, batch) = feed(frames);
        batch.connections.last().unwrap().asked.map(|asked| asked.to_string())
    };
    let live = || Frame::Live(Box::new(entry(1, 0, 0)));
    assert_eq!(told([asked.clone(), live()]).as_deref(), Some("10.96.0.1:443"), "before it is met");
    assert_eq!(told([live(), asked]).as_deref(), Some("10.96.0.1:443"), "afterwards");
    let other = Frame::Asked(AskedRecord { kind: kind::ASKED, id: 2, address, ..AskedRecord::default() });
    assert_eq!(told([other, live()]), None, "another one's");
}

#[test]
fn a_short_connection_is_one_row() {
    let (_, batch) = feed([closed(entry(1, 10, 20), 10, 20)]);
    assert_eq!(batch.connections.len(), 1);
    let row = &batch.connections[0];
    assert_eq!(row.end, Some(End::Fin));
    assert_eq!(row.direction, Direction::Out);
    assert_eq!(row.remote.to_string(), "8.8.8.8:53");
    assert_eq!(row.opened, Timestamp(1_005 * SECOND as i64));
    assert_eq!(row.kernel, Some(KernelTotals { tx_bytes: 10, rx_bytes: 20, ..KernelTotals::default() }));
    assert_eq!(batch.processes.len(), 1);
    assert_eq!(batch.processes[0].process.user.as_ref().map(Untrusted::raw), Some("ada"));
    assert_eq!((batch.traffic[0].tx_bytes, batch.traffic[0].rx_bytes), (10, 20));
    let reconciliation = batch.completeness.unwrap().reconciliation;
    assert_eq!((reconciliation.compared, reconciliation.equal), (1, 1));
}

#[test]
fn sweeps_hand_on_only_what_grew() {
    let live = |tx| Frame::Live(Box::new(entry(1, tx, 0)));
    let frames = [
        live(10),
        Frame::SweepEnd(6 * SECOND),
        live(10),
        Frame::SweepEnd(7 * SECOND),
        closed(entry(1, 25, 0), 25, 0),
    ];
    let (_, batch) = feed(frames);
    let sent: Vec<u64> = batch.traffic.iter().map(|row| row.tx_bytes).collect();
    assert_eq!(sent, [10, 15]);
    assert!(batch.connections.iter().all(|row| row.row == 1));
}

#[test]
fn a_further_process_is_waited_for() {
    let mut shared = entry(1, 10, 0);
    shared.extra_shares = 1;
    let key = AcctKey { id: 1, start_ns: 8 * SECOND, tgid: 8, uid: 1000 };
    let acct = Frame::Share(key, share(8, 5, 0));
    let (mut tracker, batch) = feed([closed(shared, 15, 0)]);
    assert_eq!(batch.connections[0].end, None, "its traffic may be written before its end");
    for second in 10..14 {
        tracker.feed(acct.clone());
        tracker.feed(Frame::SweepEnd(second * SECOND));
    }
    let batch = tracker.take();
    assert_eq!(batch.traffic.iter().map(|row| row.tx_bytes).sum::<u64>(), 5);
    assert_eq!(batch.connections.last().unwrap().end, Some(End::Fin));
    assert_eq!(batch.completeness.unwrap().reconciliation.equal, 1);
}

#[test]
fn what_vanishes_without_a_record_is_lost_and_not_counted_twice() {
    let (mut tracker, _) = feed([Frame::Live(Box::new(entry(1, 10, 0))), Frame::SweepEnd(6 * SECOND)]);
    let mut counters = Counters::default();
    counters.kernel[stat::LOST_CONNECTIONS as usize] = 1;
    counters.kernel[stat::LOST_TX as usize] = 30;
    for second in 7..10 {
        tracker.feed(Frame::Counters(counters));
        tracker.feed(Frame::SweepEnd(second * SECOND));
    }
    let batch = tracker.take();
    let row = batch.connections.last().unwrap();
    assert_eq!((row.end, row.inexact.as_deref()), (None, Some("its end was not recorded")));
    let completeness = batch.completeness.unwrap();
    assert_eq!(completeness.lost_connections, 1);
    assert_eq!(completeness.unattributed_tx_bytes, 20, "10 of the 30 bytes are in a row");
}

#[test]
fn a_fork_inherits_and_exec_replaces() {
    let task = |tgid: u32, ppid: u32, kind| TaskRecord {
        kind,
        tgid,
        start_ns: u64::from(tgid) * SECOND,
        ppid,
        uid: 1000,
        parent_start_ns: u64::from(ppid) * SECOND,
        comm: comm("sh"),
        ..TaskRecord::default()
    };
    let facts = connmon_record::frame::ProcessFacts {
        tgid: 6,
        start_ns: 6 * SECOND,
        exe: "/bin/sh".into(),
        args: ["sh", "-c", "x"].map(String::from).to_vec(),
        command_line: None,
        cwd: "/".into(),
        file: None,
    };
    let frames = [
        Frame::Task(task(6, 1, kind::EXISTS)),
        Frame::Process(facts),
        Frame::Task(task(7, 6, kind::FORK)),
        closed(entry(1, 1, 1), 1, 1),
    ];
    let (_, batch) = feed(frames);
    let [parent, child] = &batch.processes[..] else { panic!("{:?}", batch.processes) };
    assert_eq!((parent.row, parent.parent, parent.process.id.pid), (1, None, 6));
    assert_eq!((child.parent, child.process.id.pid, child.process.ppid), (Some(1), 7, 6));
    assert_eq!((child.process.exe.raw(), child.process.cmdline.raw()), ("/bin/sh", "sh -c x"));
}

fn task(tgid: u32, ppid: u32, kind: u32, time_ns: u64) -> TaskRecord {
    let start_ns = |pid: u32| u64::from(pid) * SECOND;
    TaskRecord {
        kind,
        tgid,
        start_ns: start_ns(tgid),
        time_ns,
        ppid,
        uid: 1000,
        parent_start_ns: start_ns(ppid),
        comm: comm("sh"),
        cgroup: 5,
        session: 3,
        ..TaskRecord::default()
    }
}

fn cgroup(id: u64, path: &str) -> Frame {
    let mut record = CgroupRecord {
        kind: kind::CGROUP,
        path_len: path.len() as u32,
        id,
        path: [0; connmon_ebpf::CGROUP_PATH_LEN],
    };
    record.path[..path.len()].copy_from_slice(path.as_bytes());
    Frame::Cgroup(Box::new(record))
}

#[test]
fn a_process_of_which_nothing_is_known_says_why_it_has_no_hash() {
    let (_, batch) = feed([closed(entry(1, 1, 1), 1, 1)]);
    let ExeHash::Refused(why) = &batch.processes[0].process.exe_hash else { panic!("{:?}", batch.processes) };
    assert!(batch.processes[0].process.exe.is_empty() && why.contains("neither saw this process begin"));
}

#[test]
fn ancestors_are_on_record_long_after_they_ended() {
    let (mut tracker, _) = feed([
        Frame::Task(task(2, 1, kind::EXISTS, 0)),
        Frame::Task(task(3, 2, kind::FORK, 0)),
        Frame::Task(task(7, 3, kind::FORK, 0)),
        Frame::Task(task(8, 3, kind::FORK, 0)),
        Frame::Task(task(3, 2, kind::EXIT, 10 * SECOND)),
        Frame::Task(task(8, 3, kind::EXIT, 11 * SECOND)),
        Frame::SweepEnd(1000 * SECOND),
        closed(entry(1, 1, 1), 1, 1),
    ]);
    let processes = tracker.take().processes;
    assert!(processes.is_empty());
    let (mut tracker, batch) = feed([
        Frame::Task(task(2, 1, kind::EXISTS, 0)),
        Frame::Task(task(3, 2, kind::FORK, 0)),
        Frame::Task(task(7, 3, kind::FORK, 0)),
        Frame::Task(task(3, 2, kind::EXIT, 10 * SECOND)),
        Frame::SweepEnd(1000 * SECOND),
        closed(entry(1, 1, 1), 1, 1),
    ]);
    let chain: Vec<_> = batch.processes.iter().map(|row| (row.process.id.pid, row.parent)).collect();
    assert_eq!(chain, [(2, None), (3, Some(1)), (7, Some(2))]);
    // With the last of them, the others are forgotten.
    tracker.feed(Frame::Task(task(7, 3, kind::EXIT, 1001 * SECOND)));
    tracker.feed(Frame::SweepEnd(2000 * SECOND));
    assert_eq!(tracker.processes.len(), 1, "only the one that lives");
}

#[test]
fn a_process_is_where_its_cgroup_was() {
    let moved = TaskRecord { cgroup: 6, ..task(7, 1, kind::MOVED, 6 * SECOND) };
    let (mut tracker, batch) = feed([
        cgroup(5, "/system.slice/a.service"),
        cgroup(6, "/system.slice/b.service"),
        Frame::Task(task(7, 1, kind::FORK, 0)),
        Frame::Live(Box::new(entry(1, 1, 1))),
    ]);
    let unit = |batch: &Batch| batch.processes[0].process.place.unit.clone();
    assert_eq!(unit(&batch).as_ref().map(Untrusted::raw), Some("a.service"));
    assert_eq!(batch.processes[0].process.session, Some(3));
    tracker.feed(Frame::Task(moved));
    let later = SockEntry { opened_ns: 7 * SECOND, ..entry(2, 1, 1) };
    tracker.feed(closed(later, 1, 1));
    assert_eq!(unit(&tracker.take()).as_ref().map(Untrusted::raw), Some("b.service"));
}

#[test]
fn what_is_found_out_later_is_written_again() {
    let (mut tracker, batch) =
        feed([Frame::Task(task(7, 1, kind::FORK, 0)), Frame::Live(Box::new(entry(1, 1, 1)))]);
    assert_eq!(batch.processes[0].process.exe_hash, ExeHash::Unknown);
    tracker.feed(Frame::Program(ProgramFacts {
        tgid: 7,
        start_ns: 7 * SECOND,
        since_ns: 7 * SECOND,
        deleted: true,
        sha256: Ok("ab".into()),
        container_name: None,
        container_image: None,
    }));
    let again = tracker.take().processes.remove(0);
    assert_eq!((again.row, again.process.exe_state), (1, ExeState::Deleted));
    assert_eq!(again.process.exe_hash, ExeHash::Sha256("ab".into()));
}

#[test]
fn the_end_closes_nothing_that_is_open() {
    let (_, batch) = feed([Frame::Live(Box::new(entry(1, 10, 0))), Frame::End(9 * SECOND)]);
    assert!(batch.ended);
    assert_eq!(batch.connections.len(), 1);
    assert_eq!(batch.connections[0].closed, None);
}

#[test]
fn what_tcp_has_closed_and_nobody_can_read_from_any_more_is_over_at_the_end() {
    let mut shut = entry(1, 10, 20);
    shut.flags |= flag::TOTALS | flag::FIN_RECEIVED;
    (shut.closed_ns, shut.old_state) = (8 * SECOND, 9);
    (shut.kernel_tx, shut.kernel_rx) = (10, 21);
    let (_, batch) = feed([Frame::Live(Box::new(shut)), Frame::End(9 * SECOND)]);
    let last = batch.connections.last().unwrap();
    assert_eq!((last.end, &last.inexact), (Some(End::Fin), &None));
    // Ten bytes wait to be read.
    shut.kernel_rx += 10;
    let (_, batch) = feed([Frame::Live(Box::new(shut)), Frame::End(9 * SECOND)]);
    let last = batch.connections.last().unwrap();
    assert_eq!((last.closed, last.end), (None, None));
}

#[test]
fn datagrams_of_an_older_socket_may_be_incomplete() {
    let mut flow = entry(1, 10, 20);
    flow.proto = 17;
    flow.flags |= flag::SOCKET_OLDER;
    let (_, batch) = feed([closed(flow, 0, 0)]);
    let row = &batch.connections[0];
    assert!(!row.preexisting && row.inexact.as_deref().unwrap().contains("older"), "{row:?}");
}

#[test]
fn what_was_not_seen_of_a_connection_makes_it_inexact() {
    let row = |set: fn(&mut SockEntry)| {
        let Frame::Closed(mut entry) = closed(entry(1, 10, 20), 10, 20) else { unreachable!() };
        set(&mut entry);
        feed([Frame::Closed(entry)]).1.connections.pop().unwrap()
    };
    let reason = |row: &ConnectionRow| row.inexact.clone().unwrap_or_default().into_owned();
    let seen = row(|_| ());
    assert_eq!((seen.facts.inexact, seen.facts.end), (None, Some(End::Fin)));
    for unseen in [
        row(|entry| entry.flags |= flag::END_UNSEEN),
        row(|entry| entry.flags &= !flag::TOTALS),
        row(|entry| (entry.proto, entry.flags) = (17, entry.flags | flag::END_UNSEEN)),
    ] {
        assert!(reason(&unseen).contains("its end was not seen"), "{unseen:?}");
        assert_eq!(unseen.end, Some(End::Unseen));
    }
    let beginning = row(|entry| entry.flags |= flag::BEGIN_UNSEEN);
    assert!(reason(&beginning).contains("its beginning was not seen"), "{beginning:?}");
    let call = row(|entry| entry.kernel_tx += 1);
    assert!(reason(&call).contains("no call was seen to move"), "{call:?}");
}

proptest! {
    /// However sweeps and final records interleave, the rows sum up to the final figures, for each connection.
    #[test]
    fn rows_sum_up_to_the_final_figures(
        steps in prop::collection::vec((0_u64..5, 0_u64..1000, 0_u64..1000, any::<bool>()), 1..60)
    ) {
        let mut sums: HashMap<u64, (u64, u64)> = HashMap::new();
        let mut frames = Vec::new();
        let mut second = 6;
        for (id, tx, rx, sweep) in steps {
            let sum = sums.entry(id).or_default();
            *sum = (sum.0 + tx, sum.1 + rx);
            if sweep {
                // A sweep meets everything that is open.
                frames.extend(sums.iter().map(|(id, (tx, rx))| Frame::Live(Box::new(entry(*id, *tx, *rx)))));
                frames.push(Frame::SweepEnd(second * SECOND));
                second += 1;
            }
        }
        frames.extend(sums.iter().map(|(id, (tx, rx))| closed(entry(*id, *tx, *rx), *tx, *rx)));
        let (_, batch) = feed(frames);
        let total = |f: fn(&TrafficRow) -> u64| batch.traffic.iter().map(f).sum::<u64>();
        prop_assert_eq!(total(|row| row.tx_bytes), sums.values().map(|sum| sum.0).sum::<u64>());
        prop_assert_eq!(total(|row| row.rx_bytes), sums.values().map(|sum| sum.1).sum::<u64>());
        let ended = batch.connections.iter().filter(|row| row.end.is_some()).count();
        prop_assert_eq!(ended, sums.len());
        prop_assert_eq!(batch.completeness.unwrap().reconciliation.equal, sums.len() as u64);
    }
}

#[test]
fn what_goes_on_in_another_store_is_told_once_more_and_counts_from_there() {
    let counters = |lost| {
        let mut counters = Counters { malformed: 3, ..Counters::default() };
        counters.kernel[stat::LOST_CONNECTIONS as usize] = lost;
        Frame::Counters(counters)
    };
    let frames = [Frame::Live(Box::new(entry(1, 10, 20))), counters(5), Frame::SweepEnd(7 * SECOND)];
    let (mut tracker, before) = feed(frames);
    assert_eq!((before.connections[0].preexisting, before.traffic[0].tx_bytes), (false, 10));
    tracker.begin_again();
    tracker.feed(counters(6));
    tracker.feed(closed(entry(1, 15, 20), 15, 20));
    tracker.feed(Frame::Live(Box::new(SockEntry { opened_ns: 8 * SECOND, ..entry(2, 1, 1) })));
    let after = tracker.take();
    assert_eq!(after.start.map(|start| start.started_ns), Some(7 * SECOND));
    assert_eq!(after.processes.len(), 1, "a store that has no row of it");
    let rows: Vec<_> = after.connections.iter().map(|row| (row.row, row.preexisting, row.end)).collect();
    assert_eq!(rows, [(1, true, None), (1, true, Some(End::Fin)), (2, false, None)]);
    assert!(after.connections.iter().all(|row| row.owner == Some(after.processes[0].row)));
    assert_eq!((after.traffic[0].tx_bytes, after.traffic[0].rx_bytes), (5, 0));
    assert_eq!(after.completeness.map(|all| all.lost_events), Some(1));
}
