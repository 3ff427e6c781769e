//! What viewers see, from the rows of a batch on.

use std::time::Duration;

use proptest::prelude::*;

use super::attach::{AttachError, connect};
use super::event::What;
use super::hub::{HubError, Socket};
use super::meter::Rate;
use super::{Board, Update};
use crate::model::{Direction, End, Endpoint, Process, ProcessId, Proto, Run, Timestamp};
use crate::track::{ConnectionRow, NameRow, ProcessRow, TrafficRow};

pub(super) const START: i64 = 1_780_000_000_000_000_000;

/// A recording without anything.
pub(super) fn run() -> Run {
    Run {
        id: 3,
        host: "host".into(),
        boot_id: "boot".into(),
        kernel: "6.12".into(),
        tool_version: "0".into(),
        object_sha256: "0".into(),
        backend: "fentry".into(),
        backend_notes: vec![],
        geo: vec![],
        location: None,
        started: Timestamp(START),
        ended: None,
        last_flush: Timestamp(START),
        going_on: true,
        completeness: crate::model::Completeness::default(),
        gaps: vec![],
        clock_steps: Vec::new(),
        left_out: None,
        rules: vec![],
        lists: vec![],
    }
}

pub(crate) fn process(row: i64, comm: &str) -> ProcessRow {
    let process = Process {
        id: ProcessId { pid: 100 + row as u32, start_ns: row as u64 },
        started: Timestamp(START + row),
        comm: comm.into(),
        exe: format!("/usr/bin/{comm}"),
        ..Process::default()
    };
    ProcessRow { row, parent: None, process }
}

pub(crate) fn connection(row: i64, owner: i64, remote: &str) -> ConnectionRow {
    ConnectionRow {
        row,
        proto: Proto::TCP,
        direction: Direction::Out,
        local: Endpoint::new("10.0.0.1".parse().unwrap(), 40_000),
        remote: Endpoint::new(remote.parse().unwrap(), 443),
        opened: Timestamp(START + 1_000_000_000 * row),
        established: Some(Timestamp(START + 1_000_000_000 * row + 5_000_000)),
        closed: None,
        end: None,
        preexisting: false,
        subflow: false,
        inexact: None,
        netns: 1,
        owner: Some(owner),
        kernel: None,
        wire: None,
        country: Some("US".into()),
        place: None,
    }
}

pub(super) fn traffic(connection: i64, process: i64, tx_bytes: u64, rx_bytes: u64) -> TrafficRow {
    TrafficRow { connection, process, bucket: 0, tx_bytes, rx_bytes, tx_calls: 1, rx_calls: 1 }
}

pub(super) fn first() -> Update {
    Update {
        format: super::update::FORMAT,
        time: Timestamp(START + 2_000_000_000),
        run: Some(Box::new(run())),
        processes: vec![process(1, "curl"), process(2, "ssh")],
        connections: vec![connection(1, 1, "8.8.8.8"), connection(2, 2, "9.9.9.9")],
        traffic: vec![traffic(1, 1, 1_000, 50_000), traffic(2, 2, 10, 20)],
        names: vec![NameRow {
            connection: 1,
            name: "dns.google".into(),
            source: crate::model::NameSource::Sni,
            process: Some(1),
            time: Timestamp(START),
        }],
        ..Update::default()
    }
}

/// The connection of `row`, closed.
pub(super) fn closed(row: ConnectionRow, end: End) -> ConnectionRow {
    ConnectionRow { closed: Some(Timestamp(row.opened.0 + 3_000_000_000)), end: Some(end), ..row }
}

#[test]
fn a_board_knows_when_bytes_were_moved_in_steps_that_get_longer() {
    let id = 3 << 40 | 1;
    let began = START / 1_000_000_000;
    let moved = |board: &Board| {
        let one = board.connection(id).unwrap();
        let ours = one.steps.iter().filter(|step| step.tx_bytes == 7 || step.tx_bytes == 14);
        let ours: Vec<_> = ours.map(|step| (step.start.0 / 1_000_000_000 - began, step.tx_bytes)).collect();
        (ours, one.steps.iter().map(|step| step.tx_bytes).sum::<u64>() == one.tx_bytes())
    };
    let mut board = Board::new(10, true);
    board.apply(&first());
    let at = |seconds: i64| TrafficRow { bucket: began + seconds, ..traffic(1, 1, 7, 0) };
    board.apply(&Update { traffic: vec![at(0), at(3_600), at(3_610)], ..Update::default() });
    assert_eq!(moved(&board), (vec![(0, 7), (3_600, 7), (3_610, 7)], true));
    // Too many steps of another one: all become longer, and a viewer that comes then is told so.
    let many = (0..500_000).map(|n| TrafficRow { bucket: n * 10, ..traffic(2, 2, 1, 0) });
    board.apply(&Update { traffic: many.collect(), ..Update::default() });
    assert_eq!(moved(&board), (vec![(-10, 7), (3_590, 14)], true), "of 30 s");
    let mut late = Board::new(10, true);
    board.snapshot(0).iter().for_each(|part| drop(late.apply(part)));
    let whole = |board: &Board| board.connections().collect::<Vec<_>>();
    assert_eq!(whole(&late), whole(&board));
}

#[test]
fn a_board_has_what_was_told_and_says_what_happened() {
    let mut board = Board::new(10, true);
    let changes = board.apply(&first());
    let id = |row: i64| 3 << 40 | row;
    assert_eq!(changes.connections, [id(1), id(2)]);
    let words: Vec<_> = changes.events.iter().map(|event| event.what.name()).collect();
    assert_eq!(words, ["exec", "exec", "new", "established", "new", "established"]);
    let one = board.connection(id(1)).unwrap();
    assert_eq!((one.tx_bytes(), one.rx_bytes(), one.host()), (1_000, 50_000, Some("dns.google")));
    assert_eq!(one.owner.unwrap().comm, "curl");
    assert_eq!(board.rate(id(1)), Rate { tx: 200.0, rx: 10_000.0 });

    let refused = ConnectionRow { established: None, ..connection(3, 1, "1.1.1.1") };
    let changes = board.apply(&Update {
        time: Timestamp(START + 9_000_000_000),
        connections: vec![closed(connection(1, 1, "8.8.8.8"), End::Fin), closed(refused, End::Refused)],
        traffic: vec![traffic(1, 1, 1, 0)],
        labels: vec![(1, Some("work".into()))],
        left_out: vec![2],
        ..Update::default()
    });
    let events: Vec<_> = changes.events.iter().map(|event| event.what.clone()).collect();
    assert_eq!(events, [What::New(id(3)), What::Closed(id(1)), What::Failed(id(3))]);
    assert_eq!((changes.gone, changes.connections), (vec![id(2)], vec![id(1), id(3)]));
    let one = board.connection(id(1)).unwrap();
    assert_eq!((one.tx_bytes(), one.end, one.label.as_deref()), (1_001, Some(End::Fin), Some("work")));
    assert_eq!(board.rate(id(1)), Rate { tx: 0.2, rx: 0.0 });
}

proptest! {
    /// Whatever a socket says in the form of updates, a board takes it, and gives connections.
    #[test]
    fn a_board_takes_anything(
        updates in prop::collection::vec(
            (any::<[i64; 4]>(), prop::collection::vec((0..6_i64, 0..4_i64, any::<[i64; 3]>(), any::<[u64; 2]>()), 0..6), 0..4_u8),
            1..12,
        ),
        keep in 0..4_usize,
    ) {
        let mut board = Board::new(keep, true);
        for ([time, id, missed, from], rows, kind) in updates {
            let mut update = Update { time: Timestamp(time), ..first() };
            update.run = Some(Box::new(Run { id, started: Timestamp(from), ..run() }));
            update.left_out = if kind == 3 { vec![1, 2] } else { vec![] };
            update.snapshot = (kind == 2).then_some(super::update::Snapshot {
                first: missed % 2 == 0,
                last: missed % 3 == 0,
                missed: missed as u64,
            });
            for (row, owner, [opened, established, closed], [tx, rx]) in rows {
                let mut one = connection(row, owner, "8.8.8.8");
                (one.opened, one.established) = (Timestamp(opened), Some(Timestamp(established)));
                one.closed = (closed % 2 == 0).then_some(Timestamp(closed));
                update.connections.push(one);
                update.traffic.push(traffic(row, owner, tx, rx));
            }
            let changes = board.apply(&update);
            for id in changes.connections {
                prop_assert!(board.connection(id).is_some());
                let _ = (board.rate(id), board.moved(id));
                board.history(id, &mut [0; 7]);
            }
            prop_assert!(board.connections().count() >= board.ids().count().min(keep));
            prop_assert!(!board.snapshot(1).is_empty());
        }
    }
}

#[test]
fn a_snapshot_gives_a_new_board_everything_and_tells_of_nothing() {
    let mut board = Board::new(10, false);
    board.apply(&first());
    board.apply(&Update {
        connections: vec![closed(connection(2, 2, "9.9.9.9"), End::Reset)],
        ..Update::default()
    });
    let mut other = Board::new(10, false);
    for part in board.snapshot(4) {
        // Through the text, as on the socket.
        let part: Update = serde_json::from_str(&part.to_line()).unwrap();
        let changes = other.apply(&part);
        assert!(changes.reset && changes.events.is_empty());
    }
    assert!(other.is_complete());
    assert_eq!(other.missed(), 4);
    assert_eq!(other.connections().collect::<Vec<_>>(), board.connections().collect::<Vec<_>>());
    assert_eq!(other.snapshot(4), board.snapshot(4));
}

#[test]
fn closed_connections_are_pushed_out_by_newer_ones() {
    let mut board = Board::new(2, false);
    board.apply(&first());
    for row in 3..=6 {
        let changes = board.apply(&Update {
            connections: vec![closed(connection(row, 1, "8.8.8.8"), End::Fin)],
            totals: super::Totals { connections: row as u64, ..super::Totals::default() },
            ..Update::default()
        });
        assert_eq!(changes.gone.len(), usize::from(row > 4));
    }
    assert_eq!(board.ids().map(|id| id & 0xff).collect::<Vec<_>>(), [1, 2, 5, 6]);
    assert_eq!(board.forgotten(), 2);
}

#[test]
fn viewers_come_go_and_sleep_and_the_recorder_never_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.sock");
    let mut hub = Socket::bind(&path).unwrap().serve().unwrap();
    assert!(matches!(Socket::bind(&path), Err(HubError::Taken(_))));
    hub.tell(first());
    let viewer = connect(&path).unwrap();
    let get = || viewer.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
    let update = get();
    assert!(update.snapshot.is_some_and(|snapshot| snapshot.first && snapshot.last));
    assert_eq!((update.totals.connections, update.totals.open, update.totals.rx_bytes), (2, 2, 50_020));

    // One never reads; one says something and is hung up on.
    let _asleep = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let mut talker = std::os::unix::net::UnixStream::connect(&path).unwrap();
    std::io::Write::write_all(&mut talker, b"GET / HTTP/1.1\r\n\r\n").unwrap();
    talker.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut said = Vec::new();
    let _ = std::io::Read::read_to_end(&mut talker, &mut said);

    let mut board = Board::new(1_000_000, false);
    board.apply(&update);
    let recorder = std::thread::spawn(move || {
        for row in 3..2_000 {
            let rows = (0..200).map(|_| traffic(row, 1, 1, 1)).collect();
            let connections = vec![closed(connection(row, 1, "8.8.8.8"), End::Fin)];
            hub.tell(Update { connections, traffic: rows, ..Update::default() });
        }
        hub.tell(Update { ended: true, ..Update::default() });
    });
    while !board.has_ended() {
        board.apply(&get());
    }
    assert_eq!(board.totals().unseen, 0);
    assert_eq!(board.totals().tx_bytes, 1_010 + 1_997 * 200);
    assert_eq!(board.totals().connections, 1_999);
    recorder.join().unwrap();
    assert!(matches!(viewer.recv_timeout(Duration::from_secs(20)), Ok(Err(AttachError::Gone))));
    assert!(matches!(connect(&path), Err(AttachError::NoRecorder(..))));
}

#[test]
fn a_socket_that_a_dead_recorder_left_is_replaced_and_a_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    drop(Socket::bind(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "mine").unwrap();
    assert!(Socket::bind(&path).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}
