//! Findings that are made while a recording goes on are those that are made of the whole record.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod made;

use std::path::Path;
use std::process::Command;

use connmon::follow::Follow;
use connmon::indexer::Indexer;
use connmon_detect::{Finding, Owner};
use connmon_enrich::{Enricher, geo::Geo};
use connmon_fixtures::Random;
use connmon_record::frame::{Frame, ProgramFacts, Start};
use connmon_record::segment::{Columns, Packed, Span};
use connmon_store::{Store, Writer};
use made::{SECOND, connection, entry, process, question};

/// 2026-11-28T00:00:00Z, when the host began.
const BOOT: i64 = 1_795_824_000 * SECOND as i64;
const MINUTES: u64 = 6 * 60;

/// What happens in a minute: a beacon, a time server, a browser, made-up names, and a connection that lasts for hours.
fn minute(number: u64, frames: &mut Vec<Frame>) {
    let (begin, id) = (60 * number, 100 * number);
    connection(id + 1, 7, begin + 20, (9, 443), "c2.example", frames);
    if number.is_multiple_of(8) {
        connection(id + 2, 8, begin + 31 + number % 5, (4, 123), "", frames);
    }
    for page in 0..number % 4 {
        connection(
            id + 3 + page,
            9,
            begin + 3 + 7 * page,
            (20 + (number % 60) as u8, 443),
            &format!("site{}.example", number % 60),
            frames,
        );
    }
    let ended = (number >= 330).then_some(330 * 60 + 5);
    if number <= 330 {
        frames.push(entry(1_000_000, 10, 62, ended, 1_000 * number));
    }
    if (100..130).contains(&number) {
        for n in 0..4 {
            question(
                (4 * number + n) as u16,
                11,
                begin + 40 + n,
                &format!("xk{}q{}zv.example", number * 7919 % 9973, n * 31 + number),
                frames,
            );
        }
    }
    frames.push(Frame::SweepEnd((begin + 59) * SECOND));
}

fn indexer(path: &Path) -> (Indexer, Start) {
    let start = Start { clock_offset_ns: BOOT, ..connmon_fixtures::rows::start(1) };
    let mut indexer = Indexer::new(Enricher::new(Geo::embedded(), None), Writer::open(path).unwrap());
    indexer.begin(&start).unwrap();
    (indexer, start)
}

/// Seals frames as a segment, and makes their rows.
fn index(indexer: &mut Indexer, frames: &[Frame]) {
    let mut columns = Columns::default();
    frames.iter().for_each(|frame| columns.push(frame));
    indexer.seal(&Packed::new(&columns, Span::default()).unwrap()).unwrap();
    while indexer.index().unwrap().is_some() {}
}

fn open(store: &Store) -> Follow {
    Follow::open(store, Box::new(|_| Owner::Unknown), Vec::new()).unwrap().unwrap()
}

/// Records, and follows in steps of any size, with restarts.
fn recorded(path: &Path, random: &mut Random) {
    let (mut indexer, start) = indexer(path);
    let mut first = vec![Frame::Start(Box::new(start))];
    for (tgid, exe) in [
        (7, "/dev/shm/agent"),
        (8, "/usr/sbin/chronyd"),
        (9, "/usr/lib/firefox/firefox"),
        (10, "/home/mira/agent"),
        (11, "/opt/tool"),
    ] {
        process(tgid, exe, &mut first);
    }
    index(&mut indexer, &first);
    let mut reading = None;
    for number in 0..MINUTES {
        let mut frames = Vec::new();
        minute(number, &mut frames);
        index(&mut indexer, &frames);
        if random.below(3) == 0 {
            let (store, follow) = reading.get_or_insert_with(|| {
                let store = indexer.store().reader().unwrap();
                let follow = open(&store);
                (store, follow)
            });
            follow.step(store, 1 + random.below(50) as usize).unwrap();
            follow.write(indexer.store(), random.below(4) == 0).unwrap();
        }
        // Killed: what was told since the last time that it was kept is told once more.
        if random.below(9) == 0 {
            reading = None;
        }
    }
    index(&mut indexer, &[Frame::End(MINUTES * 60 * SECOND)]);
    let store = indexer.store().reader().unwrap();
    let mut follow = open(&store);
    while follow.step(&store, 100).unwrap() {}
    follow.write(indexer.store(), true).unwrap();
}

/// The findings of a store, by the engine that it has kept or by a new one.
fn found(path: &Path) -> Vec<Finding> {
    let store = Store::open(path).unwrap();
    let mut follow = open(&store);
    while follow.step(&store, usize::MAX).unwrap() {}
    follow.finish(&store).unwrap().found(|_| true).findings
}

#[test]
fn what_the_recorder_found_is_what_the_record_tells() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(16);
    for round in 0..4 {
        let path = folder.path().join(format!("{round}.db"));
        recorded(&path, &mut random);
        let followed = found(&path);
        let mut detectors: Vec<&str> = followed.iter().map(|one| &*one.detector).collect();
        detectors.sort_unstable();
        detectors.dedup();
        assert_eq!(detectors, ["D1", "D10", "D2", "D4", "D6"]);

        // What is written is what was found, up to what is only told at the end.
        let store = Store::open(&path).unwrap();
        let written: Vec<Finding> = store
            .findings_after(0)
            .unwrap()
            .iter()
            .map(|(_, text)| serde_json::from_str(text.raw()).unwrap())
            .collect();
        let ids = |all: &[Finding]| {
            let mut ids: Vec<_> = all.iter().map(|one| (one.id.clone(), one.severity)).collect();
            ids.sort();
            ids
        };
        assert_eq!(ids(&written), ids(&followed));
        drop(store);

        // A reader of all of it asks another way.
        let asked = |args: &[&str]| -> serde_json::Value {
            let mut command = Command::new(env!("CARGO_BIN_EXE_connmon"));
            let command = command.args(["findings", "--format", "json", "--db"]).arg(&path).args(args);
            let json: serde_json::Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
            json["findings"].clone()
        };
        assert_eq!(asked(&[]), asked(&["--until", "2027-01-01"]), "connections in one pass");
        let db = rusqlite::Connection::open(&path).unwrap();
        let kept: i64 = db.query_row("SELECT count(*) FROM finding_state", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 1);
        db.execute_batch("DELETE FROM finding_state; DELETE FROM finding").unwrap();
        drop(db);
        assert_eq!(found(&path), followed, "a new engine");
    }
}

#[test]
fn a_damaged_state_is_told_and_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    recorded(&path, &mut Random(17));
    let whole = found(&path);
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("UPDATE finding_state SET content = zeroblob(100)").unwrap();
    drop(db);
    assert_eq!(found(&path), whole);
}

#[test]
fn rows_that_are_made_anew_forget_what_was_found_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    recorded(&path, &mut Random(18));
    let whole = found(&path);
    let done = Command::new(env!("CARGO_BIN_EXE_connmon"))
        .args(["db", "rebuild", "--yes", "--db"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let store = Store::open(&path).unwrap();
    assert_eq!((store.finding_state().unwrap(), store.findings_after(0).unwrap().len()), (None, 0));
    drop(store);
    assert_eq!(found(&path), whole);
}

/// The hash of an executable comes after its first connection: what is found is found once, by the hash.
#[test]
fn a_program_that_is_examined_late_is_one_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (mut indexer, start) = indexer(&path);
    let mut frames = vec![Frame::Start(Box::new(start))];
    process(7, "/dev/shm/agent", &mut frames);
    connection(1, 7, 20, (9, 443), "c2.example", &mut frames);
    frames.push(Frame::SweepEnd(22 * SECOND));
    index(&mut indexer, &frames);
    let reader = indexer.store().reader().unwrap();
    let mut follow = open(&reader);
    assert!(!follow.step(&reader, 100).unwrap());
    assert!(follow.engine().take().is_empty(), "it waits");
    let facts = ProgramFacts {
        tgid: 7,
        start_ns: 7,
        since_ns: 7,
        deleted: false,
        sha256: Ok("ab".repeat(32)),
        container_name: None,
        container_image: None,
    };
    index(&mut indexer, &[Frame::Program(facts), Frame::SweepEnd(23 * SECOND)]);
    assert!(!follow.step(&reader, 100).unwrap());
    let now = follow.engine().take();
    assert!(!now.findings.is_empty() && now.findings.iter().all(|(one, _)| one.subject.sha256.is_some()));
    // What is never examined is not waited for longer than that.
    let mut frames = Vec::new();
    process(8, "/dev/shm/other", &mut frames);
    connection(2, 8, 24, (9, 443), "c2.example", &mut frames);
    frames.push(Frame::SweepEnd(29 * SECOND));
    index(&mut indexer, &frames);
    follow.step(&reader, 100).unwrap();
    assert!(follow.engine().take().findings.iter().any(|(one, _)| one.subject.exe == "/dev/shm/other"));
}
