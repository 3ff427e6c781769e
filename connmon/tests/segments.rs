//! Rows are made from segments, by whoever comes first: a recording that was killed between the two loses nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

use std::path::Path;
use std::process::{Command, Output};

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/mixed.cap");

fn connmon(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_connmon")).args(args).env_remove("CONNMON_CONFIG").output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What a store says of everything.
fn told(db: &Path) -> [Vec<u8>; 3] {
    let db = text(db);
    [
        connmon(&["export", "--format", "jsonl", "--db", db]),
        connmon(&["dns", "--format", "jsonl", "--db", db]),
        connmon(&["audit", "--by", "process", "--format", "json", "--db", db]),
    ]
    .map(|output| {
        // 1: there was nothing to show.
        assert!(
            output.status.code().is_some_and(|code| code <= 1),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    })
}

fn query(db: &Path, sql: &str) {
    rusqlite::Connection::open(db)
        .unwrap()
        .execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}"))
        .unwrap();
}

/// As a recorder leaves it that is killed when it has sealed everything, and made rows of nothing.
const KILLED: &str = "DELETE FROM hit; DELETE FROM traffic; DELETE FROM connection_name; DELETE FROM observed;
    DELETE FROM connection; DELETE FROM lookup; DELETE FROM process; DELETE FROM endpoint_name; DELETE FROM endpoint;
    DELETE FROM interface; DELETE FROM clock_step; DELETE FROM gap;
    UPDATE run SET indexed = 0, ended = NULL, last_flush = started, rec_compared = 0, rec_equal = 0";

#[test]
fn a_reader_makes_the_rows_that_a_killed_recorder_left_to_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, killed] = ["whole.db", "killed.db"].map(|name| folder.path().join(name));
    assert!(connmon(&["replay", CAPTURE, "--db", text(&whole)]).status.success());
    std::fs::copy(&whole, &killed).unwrap();
    query(&killed, KILLED);
    assert_eq!(told(&killed), told(&whole));
    // Once.
    assert_eq!(told(&killed), told(&whole));
}

#[test]
fn what_cannot_be_made_into_rows_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("a.db");
    assert!(connmon(&["replay", CAPTURE, "--db", text(&db)]).status.success());
    query(&db, KILLED);
    query(&db, "UPDATE segment SET payload = zeroblob(length(payload)) WHERE number = 2");
    let output = connmon(&["audit", "--db", text(&db)]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("segment 2 was changed after it was sealed"), "{said}");
}

#[test]
fn what_a_filter_excludes_is_in_no_segment_either() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("a.db");
    assert!(connmon(&["replay", CAPTURE, "--filter", "proto:udp", "--db", text(&db)]).status.success());
    let count = |what: &str| -> i64 {
        rusqlite::Connection::open(&db)
            .unwrap()
            .query_row(&format!("SELECT count({what}) FROM segment"), [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(count("payload"), 0);
    assert!(count("sha256") > 1, "the chain is there all the same");
}

#[test]
fn a_store_is_made_again_from_the_segments_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first.db", "second.db"].map(|name| folder.path().join(name));
    assert!(connmon(&["replay", CAPTURE, "--db", text(&first)]).status.success());
    assert!(connmon(&["replay", text(&first), "--db", text(&second)]).status.success());
    assert_eq!(told(&second), told(&first));
    let chain = |db: &Path| -> Vec<Vec<u8>> {
        let db = rusqlite::Connection::open(db).unwrap();
        let mut hashes = db.prepare("SELECT sha256 FROM segment ORDER BY id").unwrap();
        hashes.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(chain(&second), chain(&first));
}

#[test]
fn a_store_verifies_until_something_in_it_is_altered() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.db");
    assert!(connmon(&["replay", CAPTURE, "--db", text(&whole)]).status.success());
    let verify = |db: &Path| {
        let output = connmon(&["verify", text(db)]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = verify(&whole);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("chain   ✓ unbroken") && said.contains("rows    ✓"), "{said}");
    let payload = "SELECT payload FROM segment WHERE number = 1";
    for (sql, tells) in [
        ("UPDATE traffic SET tx_bytes = tx_bytes + 1".to_owned(), "is not what the segments say"),
        ("UPDATE connection SET closed = closed - 1 WHERE id = (SELECT max(id) FROM connection)".into(), "is not what the segments say"),
        ("DELETE FROM connection WHERE id = (SELECT max(id) FROM connection)".into(), "is missing from the tables"),
        ("DELETE FROM segment WHERE number = 2".into(), "comes after segment 1"),
        (format!("UPDATE segment SET payload = ({payload}) WHERE number = 2"), "segment 2 of recording 1 is not what was sealed"),
        ("UPDATE segment SET last_ns = last_ns + 1 WHERE number = 1".into(), "segment 1 of recording 1 is not what was sealed"),
        (
            "UPDATE segment SET number = 1000 WHERE number = 2; UPDATE segment SET number = 2 WHERE number = 1;
                UPDATE segment SET number = 1 WHERE number = 1000"
                .into(),
            "segment 2 of recording 1",
        ),
    ] {
        let db = folder.path().join("altered.db");
        std::fs::copy(&whole, &db).unwrap();
        query(&db, &sql);
        let (code, said) = verify(&db);
        assert_eq!(code, Some(1), "{sql}: {said}");
        assert!(said.contains(tells), "{sql}: {said}");
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("a.db");
    let limited =
        format!("ulimit -f 40; exec {} replay {CAPTURE} --db {}", env!("CARGO_BIN_EXE_connmon"), text(&db));
    let output = Command::new("bash").args(["-c", &limited]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.lines().count() == 1 && said.contains("a.db"), "{said}");
}

#[test]
fn damaged_rows_are_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("a.db");
    // Two recordings: the segments of the second one are not all there.
    for _ in 0..2 {
        assert!(connmon(&["replay", CAPTURE, "--db", text(&db)]).status.success());
    }
    // What only the store knows.
    query(
        &db,
        "UPDATE connection SET label = 'evidence' WHERE id % 3 = 0;
            INSERT INTO indicator_list (id, name, sha256, indicators) VALUES (1, 'a.txt', 'ab', 1);
            INSERT INTO hit SELECT id, 1, 'address', 'x', 5 FROM connection WHERE id % 5 = 0;
            INSERT INTO gap (run_id, started, ended, reason) VALUES (1, 1, 2, 'the end of recording 0 is not in the store');
            UPDATE endpoint SET country = 'DE', city = 'Jena', geo_source = 'x';
            UPDATE segment SET payload = NULL WHERE run_id = 2 AND number = 1",
    );
    let before = told(&db);
    query(
        &db,
        "UPDATE traffic SET tx_bytes = tx_bytes + 1 WHERE connection_id >> 40 = 1;
            DELETE FROM connection_name WHERE connection_id >> 40 = 1;
            UPDATE connection SET closed = closed - 1, remote_port = 1 WHERE run_id = 1 AND id % 2 = 0;
            UPDATE process SET comm = 'other' WHERE run_id = 1;
            DELETE FROM lookup WHERE run_id = 1",
    );
    assert_ne!(told(&db), before);
    let refused = connmon(&["db", "rebuild", "--db", text(&db)]);
    assert_eq!(refused.status.code(), Some(2), "nobody said that it is wanted");
    let output = connmon(&["db", "rebuild", "--yes", "--db", text(&db)]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("rows of 1 recording made anew") && said.contains("the rows of recording 2"),
        "{said}"
    );
    assert_eq!(told(&db), before);
    assert!(connmon(&["verify", text(&db)]).status.success());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    // One that cannot be rebuilt is as it was.
    query(&db, "UPDATE segment SET payload = zeroblob(length(payload)) WHERE run_id = 1 AND number = 2");
    let output = connmon(&["db", "rebuild", "--yes", "--db", text(&db)]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(told(&db), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn segments_and_rows_are_pruned_apart() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, segments, rows] = ["whole.db", "segments.db", "rows.db"].map(|name| folder.path().join(name));
    assert!(connmon(&["replay", CAPTURE, "--db", text(&whole)]).status.success());
    let count = |db: &Path, sql: &str| -> i64 {
        rusqlite::Connection::open(db).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let payloads = "SELECT count(payload) FROM segment";
    let connections = "SELECT count(*) FROM connection";
    let verified = |db: &Path| {
        let output = connmon(&["verify", text(db)]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    // Segments alone: every reader answers as before, the chain holds, and what cannot be made again is told.
    std::fs::copy(&whole, &segments).unwrap();
    let pruned = connmon(&["db", "prune", "--segments-max-age", "1s", "--yes", "--db", text(&segments)]);
    assert!(pruned.status.success(), "{}", String::from_utf8_lossy(&pruned.stderr));
    assert_eq!((count(&segments, payloads), count(&segments, connections)), (0, count(&whole, connections)));
    assert_eq!(told(&segments), told(&whole));
    let (code, said) = verified(&segments);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("chain   ✓ unbroken") && said.contains("lost their events on purpose"), "{said}");
    let again = connmon(&["replay", text(&segments), "--db", text(&folder.path().join("again.db"))]);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(!again.status.success() && said.contains("segment 1"), "{said}");
    // Rows alone: sums answer, and the segments are all there.
    std::fs::copy(&whole, &rows).unwrap();
    let pruned = connmon(&[
        "db",
        "prune",
        "--max-age",
        "1s",
        "--segments-max-age",
        "9999d",
        "--yes",
        "--db",
        text(&rows),
    ]);
    assert!(pruned.status.success(), "{}", String::from_utf8_lossy(&pruned.stderr));
    assert_eq!(count(&rows, payloads), count(&whole, payloads));
    assert!(count(&rows, connections) < count(&whole, connections));
    let (code, said) = verified(&rows);
    assert_eq!(code, Some(0), "{said}");
    let totals = |db: &Path| {
        let output = connmon(&["audit", "--by", "exe", "--format", "csv", "--db", text(db)]).stdout;
        String::from_utf8(output).unwrap()
    };
    let bytes = |csv: &str| -> Vec<String> { csv.lines().map(str::to_owned).collect() };
    assert_eq!(bytes(&totals(&rows)), bytes(&totals(&whole)));
    assert!(connmon(&["replay", text(&rows), "--db", text(&folder.path().join("more.db"))]).status.success());
    assert_eq!(told(&folder.path().join("more.db")), told(&whole));
}

#[test]
fn what_is_kept_by_the_hour_is_compared_by_the_hour() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("a.db");
    assert!(connmon(&["replay", CAPTURE, "--db", text(&db)]).status.success());
    // As the recorder does it with what is a week old.
    let store = rusqlite::Connection::open(&db).unwrap();
    store
        .execute_batch(
            "CREATE TEMP TABLE hours AS SELECT connection_id, process_id, bucket / 3600 * 3600 + 1 AS bucket, sum(tx_bytes) AS tx,
                sum(rx_bytes) AS rx, sum(tx_calls) AS txc, sum(rx_calls) AS rxc FROM traffic GROUP BY 1, 2, 3;
            DELETE FROM traffic;
            INSERT INTO traffic SELECT * FROM hours",
        )
        .unwrap();
    drop(store);
    let verified = || {
        let output = connmon(&["verify", text(&db)]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = verified();
    assert_eq!(code, Some(0), "{said}");
    query(&db, "UPDATE traffic SET tx_bytes = tx_bytes + 1 WHERE bucket % 10 = 1");
    let (code, said) = verified();
    assert!(code == Some(1) && said.contains("is not what the segments say"), "{said}");
}
