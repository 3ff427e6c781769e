//! A recording that begins before the clock of its host is right has the right times in the end, whoever makes its rows.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod made;

use std::path::Path;
use std::process::{Command, Output};

use connmon_ebpf::Share;
use connmon_record::frame::{Frame, Start};
use made::{SECOND, address, sock};

/// 2026-11-28T00:00:00Z, when the host began.
const RIGHT: i64 = 1_795_824_000 * SECOND as i64;
const HOUR: i64 = 3_600 * SECOND as i64;

fn connmon(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_connmon")).args(args).env_remove("CONNMON_CONFIG").output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A connection of a second that sent as many bytes.
fn connection(id: u64, opened: u64) -> Frame {
    let ends = [1, 2].map(|last| address([10, 0, 0, last], 443));
    let owner = Share { tgid: 7, start_ns: 2 * SECOND, tx_bytes: id, ..Share::default() };
    Frame::Closed(Box::new(sock(id, opened, Some(opened + 1), ends, owner)))
}

/// A recording whose clock is set by these frames at 20 s and 30 s; one connection before each, and one after.
fn capture(path: &Path, offset_ns: i64, set: [Option<Frame>; 2]) {
    let [first, second] = set;
    let start = Start { clock_offset_ns: offset_ns, ..connmon_fixtures::rows::start(10) };
    let frames = [
        Some(Frame::Start(Box::new(start))),
        Some(connection(1, 12)),
        Some(Frame::SweepEnd(15 * SECOND)),
        first,
        Some(connection(2, 22)),
        Some(Frame::SweepEnd(25 * SECOND)),
        second,
        Some(connection(3, 32)),
        Some(Frame::SweepEnd(35 * SECOND)),
        Some(Frame::End(36 * SECOND)),
    ];
    connmon_fixtures::rows::capture(path, &frames.into_iter().flatten().collect::<Vec<_>>());
}

/// What a store says of all connections, and of an hour.
fn told(db: &Path) -> [String; 3] {
    let db = text(db);
    [
        connmon(&["export", "--format", "jsonl", "--db", db]),
        connmon(&["audit", "--by", "hour", "--format", "json", "--db", db]),
        connmon(&["report", "--format", "csv", "--out", "-", "--db", db]),
    ]
    .map(|output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    })
}

fn replayed(folder: &Path, name: &str, offset_ns: i64, set: [Option<Frame>; 2]) -> std::path::PathBuf {
    let [capture_file, db] = ["cap", "db"].map(|ending| folder.join(format!("{name}.{ending}")));
    capture(&capture_file, offset_ns, set);
    assert!(connmon(&["replay", text(&capture_file), "--db", text(&db)]).status.success());
    db
}

fn query<T: rusqlite::types::FromSql>(db: &Path, sql: &str) -> T {
    rusqlite::Connection::open(db).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_clock_that_becomes_right_is_right_from_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let right = told(&replayed(folder.path(), "right", RIGHT, [None, None]));
    assert!(right[0].contains("2026-11-28T00:00:12"), "{}", right[0]);
    let found = |second: u64| Some(Frame::ClockRight(second * SECOND, RIGHT));
    // 1970; somebody sets it wrong first; somebody sets it right, and it is known later.
    for (name, offset, set) in [
        ("unset", 0, [None, found(30)]),
        ("wrong", 0, [Some(Frame::Clock(20 * SECOND, 5 * HOUR)), found(30)]),
        ("known", -HOUR, [Some(Frame::Clock(20 * SECOND, RIGHT)), found(30)]),
        ("twice", HOUR, [Some(Frame::ClockRight(20 * SECOND, 0)), found(30)]),
    ] {
        let db = replayed(folder.path(), name, offset, set);
        let same = |store: &Path| {
            let told = told(store);
            // The last line is of the recording, whose clock was set.
            let connections = |told: &str| told.lines().take(3).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(connections(&told[0]), connections(&right[0]), "{name}");
            assert_eq!(told[2], right[2], "{name}");
        };
        same(&db);
        assert_eq!(query::<i64>(&db, "SELECT started FROM run"), RIGHT + 10 * SECOND as i64, "{name}");
        let verified = connmon(&["verify", text(&db)]);
        assert!(verified.status.success(), "{name}: {}", String::from_utf8_lossy(&verified.stdout));
        // Out of its segments.
        let again = folder.path().join(format!("{name}.again.db"));
        assert!(connmon(&["replay", text(&db), "--db", text(&again)]).status.success());
        same(&again);
        // Killed when the rows were to be made anew, and before any had been.
        rusqlite::Connection::open(&db)
            .unwrap()
            .execute_batch(
                "PRAGMA foreign_keys = OFF; DELETE FROM traffic; DELETE FROM connection; DELETE FROM process;
                    DELETE FROM clock_step; UPDATE run SET indexed = 0, ended = NULL",
            )
            .unwrap();
        same(&db);
        let audit = connmon(&["audit", "--db", text(&db)]);
        let said = String::from_utf8(audit.stdout).unwrap();
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains("it was not right before, and all times of that recording are by the clock"),
            "{said}"
        );
    }
}

#[test]
fn steps_are_followed_hour_by_hour() {
    let folder = tempfile::tempdir().unwrap();
    let set = |second: u64, by: i64| Some(Frame::Clock(second * SECOND, RIGHT + by));
    let db = replayed(folder.path(), "steps", RIGHT, [set(20, -2 * HOUR), set(30, 3 * HOUR)]);
    let hours: serde_json::Value = serde_json::from_str(&told(&db)[1]).unwrap();
    assert_eq!(hours["totals"]["groups"], 3, "{hours}");
    let verified = connmon(&["verify", text(&db)]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    // What was sent in an hour is found there.
    for (since, until, bytes) in [
        ("2026-11-27T22:00:00Z", "2026-11-27T23:00:00Z", 2),
        ("2026-11-28T00:00:00Z", "2026-11-28T01:00:00Z", 1),
        ("2026-11-28T03:00:00Z", "2026-11-28T04:00:00Z", 3),
        ("2026-11-28T01:00:00Z", "2026-11-28T02:00:00Z", 0),
    ] {
        let output =
            connmon(&["audit", "--since", since, "--until", until, "--format", "json", "--db", text(&db)]);
        let audit: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(audit["totals"]["tx_bytes"], bytes, "{audit}");
    }
}
