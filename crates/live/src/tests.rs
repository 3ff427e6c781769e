//! What viewers see, from the rows of a batch on.

pub(crate) mod hostile;
mod state;

use std::time::Duration;

use super::attach::{AttachError, connect};
use super::broadcaster::{BroadcasterError, Socket};
use super::listeners::Listening;
use super::{LiveState, Update};
use connmon_fixtures::rows::{START, connection, process, run, traffic};
use connmon_record::rows::{ConnectionRow, NameRow};
use connmon_record::{End, Facts, Timestamp};

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
            source: connmon_record::NameSource::Sni,
            process: Some(1),
            time: Timestamp(START),
        }],
        ..Update::default()
    }
}

/// The connection of `row`, closed.
pub(super) fn closed(row: ConnectionRow, end: End) -> ConnectionRow {
    ConnectionRow {
        facts: Facts { closed: Some(Timestamp(row.opened.0 + 3_000_000_000)), end: Some(end), ..row.facts },
        ..row
    }
}

#[test]
fn a_connection_that_an_update_tells_of_twice_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.sock");
    let mut broadcaster = Socket::bind(&path).unwrap().serve(Listening::pair().0).unwrap();
    broadcaster.publish(first());
    let viewer = connect(&path).unwrap();
    // It began and was met by a sweep, and ended before these were told.
    let brief = connection(3, 1, "8.8.8.8");
    let connections = vec![brief.clone(), brief.clone(), closed(brief, End::Fin)];
    broadcaster.publish(Update { connections, ended: true, ..Update::default() });
    let mut live = LiveState::new(100, false);
    while !live.has_ended() {
        live.apply(&viewer.recv_timeout(Duration::from_secs(20)).unwrap().unwrap());
    }
    assert_eq!((live.totals().connections, live.totals().open, live.forgotten()), (3, 2, 0));
}

#[test]
fn viewers_come_go_and_sleep_and_the_recorder_never_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.sock");
    let mut broadcaster = Socket::bind(&path).unwrap().serve(Listening::pair().0).unwrap();
    assert!(matches!(Socket::bind(&path), Err(BroadcasterError::Taken(_))));
    broadcaster.publish(first());
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

    let mut live = LiveState::new(1_000_000, false);
    live.apply(&update);
    let recorder = std::thread::spawn(move || {
        for row in 3..2_000 {
            let rows = (0..60).map(|_| traffic(row, 1, 1, 1)).collect();
            let connections = vec![closed(connection(row, 1, "8.8.8.8"), End::Fin)];
            broadcaster.publish(Update { connections, traffic: rows, ..Update::default() });
        }
        broadcaster.publish(Update { ended: true, ..Update::default() });
    });
    while !live.has_ended() {
        live.apply(&get());
    }
    assert_eq!(live.totals().unseen, 0);
    assert_eq!(live.totals().tx_bytes, 1_010 + 1_997 * 60);
    assert_eq!(live.totals().connections, 1_999);
    recorder.join().unwrap();
    assert!(matches!(viewer.recv_timeout(Duration::from_secs(20)), Ok(Err(AttachError::Gone))));
    assert!(matches!(connect(&path), Err(AttachError::NoRecorder(..))));
}

#[test]
fn an_update_that_is_too_long_for_a_line_comes_as_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.sock");
    let mut broadcaster = Socket::bind(&path).unwrap().serve(Listening::pair().0).unwrap();
    broadcaster.publish(first());
    let viewer = connect(&path).unwrap();
    let get = || viewer.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
    assert!(get().snapshot.is_some());
    let long = |row| {
        let mut row = process(row, "java");
        row.process.cmdline = "x".repeat(1_000).into();
        row
    };
    let connections = (3..70).map(|row| connection(row, row, "8.8.8.8")).collect();
    broadcaster.publish(Update {
        processes: (3..70_000).map(long).collect(),
        connections,
        ..Update::default()
    });
    let mut live = LiveState::new(1_000_000, false);
    loop {
        let update = get();
        live.apply(&update);
        if let Some(snapshot) = update.snapshot.filter(|snapshot| snapshot.last) {
            assert_eq!(snapshot.missed, 1);
            break;
        }
    }
    assert_eq!(live.totals().connections, 69);
}

#[test]
fn a_socket_that_a_dead_recorder_left_is_replaced_and_a_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    drop(Socket::bind(&path).unwrap());
    assert!(!path.exists(), "it goes with its owner");
    std::fs::write(&path, "mine").unwrap();
    assert!(Socket::bind(&path).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}
