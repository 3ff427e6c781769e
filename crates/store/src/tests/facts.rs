//! What is seen of connections is kept, in the newest schema and in each before it.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection as Database;

use super::super::schema::{migrate, migrate_to, newest};
use super::super::{Store, StoreError, Writer, columns};
use super::filter::{in_memory, reader};
use super::start;
use connmon_analysis::{Builder, Selection};
use connmon_filter::Filter;
use connmon_filter::ioc::Lists;
use connmon_filter::rules::Rules;
use connmon_record::Facts;
use connmon_record::facts::{Cell, Seen};
use connmon_record::frame::Frame;
use connmon_record::rows::{Batch, ConnectionRow};
use connmon_record::segment::{Columns, Packed, Span};
use connmon_record::{Connection, Proto, Rule, Timestamp};
use connmon_render::report::{PictureOptions, json};
use connmon_track::Tracker;

/// Facts of which each differs from what is known of nothing.
fn filled() -> Facts {
    let mut facts = Facts { proto: Proto::TCP, ..Facts::default() };
    for (number, (fact, seen)) in (1..).zip(columns::seen()) {
        match seen {
            Seen::Count(_, set) => set(&mut facts, number),
            Seen::Time(_, set) => set(&mut facts, Timestamp(number.cast_signed())),
            Seen::Flag(_, set) => set(&mut facts, true),
            Seen::Text(get, set) => {
                let words = ["2001:db8::1", "in", "rst"];
                let kept = |word: &&str| {
                    let mut tried = facts.clone();
                    set(&mut tried, word);
                    get(&tried).as_deref() == Some(*word)
                };
                let word = words.into_iter().find(kept).unwrap_or_else(|| panic!("{}", fact.json));
                set(&mut facts, word);
            }
        }
    }
    // The other end's address has a table of its own.
    facts.remote.ip = [192, 0, 2, 1].into();
    facts
}

/// The connections of a store with their runs.
fn all_connections(store: &Store) -> Vec<(i64, Connection)> {
    let mut found = Vec::new();
    let each = |run, connection| {
        found.push((run, connection));
        Ok::<_, StoreError>(())
    };
    store.for_each(None, None, &Filter::default(), each).unwrap();
    found
}

#[test]
fn what_is_seen_is_kept_and_can_change() {
    let mut writer = in_memory();
    let mut tracker = Tracker::default();
    start(&mut tracker, 10);
    writer.write(&tracker.take()).unwrap();
    let mut write = |facts: Facts| {
        let row = ConnectionRow { row: 1, facts, ..ConnectionRow::default() };
        writer.write(&Batch { connections: vec![row], time: Timestamp(1), ..Batch::default() }).unwrap();
    };
    write(Facts::default());
    let facts = filled();
    for (fact, seen) in columns::seen() {
        assert_ne!(seen.cell(&facts), seen.cell(&Facts::default()), "{}", fact.json);
    }
    write(Facts { proto: Proto(0), ..facts.clone() });
    let (_, found) = all_connections(&reader(writer)).remove(0);
    // The protocol and the remote are what a connection is: they do not change.
    let remote = connmon_record::Endpoint { ip: found.remote.ip, ..facts.remote };
    assert_eq!(found.facts, Facts { proto: Proto(0), remote, ..facts });
}

/// A store of the newest schema in which every table has rows.
fn populated(path: &Path) {
    let rule = Rule { label: "long".into(), color: None, expression: "bytes>0".into(), text: true };
    let filter = Filter::parse(rule.expression.raw(), Timestamp(0)).unwrap();
    let list = connmon_filter::ioc::read("list.txt", b"127.0.0.1\n", None).unwrap();
    let mut writer = Writer::open(path)
        .unwrap()
        .with_classifier(Rules::new(vec![(rule, filter)]), Lists::new(vec![list]).unwrap());
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/mixed.cap");
    let mut frames = connmon_record::segment::file::Reader::open(Path::new(capture)).unwrap();
    let (mut tracker, mut columns) = (Tracker::default(), Columns::default());
    let store = |writer: &mut Writer, tracker: &mut Tracker, columns: Columns| {
        let span = Span { first_ns: 1, last_ns: 2, clock_offset_ns: 3 };
        writer.seal(&Packed::new(&columns, span).unwrap()).unwrap();
        let checkpoint = Some(tracker.checkpoint().unwrap());
        let segment = Some(writer.sealed());
        writer.write(&Batch { segment, checkpoint, ..tracker.take() }).unwrap();
    };
    while let Some(frame) = frames.read().unwrap() {
        if let Frame::Start(start) = &frame {
            writer.begin_segments(start).unwrap();
        }
        columns.push(&frame);
        let flush = matches!(frame, Frame::SweepEnd(_));
        tracker.feed(frame);
        if flush {
            store(&mut writer, &mut tracker, std::mem::take(&mut columns));
        }
    }
    store(&mut writer, &mut tracker, columns);
    let row = ConnectionRow { row: 1_000, facts: filled(), ..ConnectionRow::default() };
    writer.write(&Batch { connections: vec![row], time: Timestamp(1), ..Batch::default() }).unwrap();
    drop(writer);
    Database::open(path)
        .unwrap()
        .execute_batch(
            "INSERT INTO gap (run_id, started, ended, reason) VALUES (1, 1, 2, 'a test');
             INSERT INTO clock_step (id, run_id, time, clock_before, clock_after) VALUES (1, 1, 5, 5, 9);
             INSERT INTO late_read VALUES (1, 1, 5, 9);
             INSERT INTO acknowledged VALUES ('D1-0', 5, 'mira', NULL, 'low', 0.5);
             INSERT INTO left_out VALUES (1, 'dir:in', 1, 2, 3);
             INSERT INTO pruned VALUES (1, 5, 1, 2, 3);
             INSERT INTO sum_owner VALUES (1, '/usr/bin/curl', 'root', '(no unit)', '(the host)', 'DE', 0);
             INSERT INTO traffic_sum VALUES (0, 0, 0, 6, 1, 1, 0, 0, 0, 0, 2, 3, 1, 0, 4, 5);
             INSERT INTO finding VALUES ('D1-0', 'D1', 'low', 0.5, 1, 2, 'curl', 'proc:curl', '{}', 1);
             INSERT INTO finding_state VALUES (1, 5, x'00');
             INSERT INTO stretch VALUES (0, 2, 0, 0, 0, 0, NULL);
             INSERT INTO stretch_cell VALUES (0, 1, 1, 6, 443, 0, 1, 0, 0, 0, 0, 2, 3, 5, 6, 5, 1);
             INSERT INTO stretch_end VALUES (0, 'fin', 1);
             INSERT INTO stretch_minute VALUES (0, 0, 1, 0);
             INSERT INTO stretch_name VALUES (0, 1, 'example.org');
             INSERT INTO stretch_sizes VALUES (0, 1, x'0005');
             INSERT INTO stretch_piece VALUES (0, 0, x'00');
             INSERT INTO stretch_gone VALUES (0);
             INSERT INTO stretch_sum VALUES (0, 0, 0, 6, 1, 1, 0, 0, 0, 0, 2, 3, 1, 0, 4, 5);
             INSERT INTO stretch_rest VALUES (1);
             INSERT INTO stretch_local VALUES (1, '192.0.2.1');
             INSERT OR IGNORE INTO interface VALUES (1, 5, 'eth0', 2, 1, 2, 3, 4);
             INSERT INTO observed SELECT min(id), 'tls', '[\"h2\"]' FROM connection WHERE true ON CONFLICT DO NOTHING;
             INSERT INTO connection_name SELECT min(id), 'sni', 'example.org', NULL, 7 FROM connection;
             INSERT INTO endpoint_name SELECT min(id), 'hosts', 'example.net', 7 FROM endpoint;
             INSERT INTO lookup VALUES (1, 1, 7, 8, NULL, 17, '192.0.2.53', 53, 'example.org', 'A', NULL, '[]');",
        )
        .unwrap();
}

/// The names of the columns of each table.
fn tables(db: &Database, schema: &str) -> Vec<(String, Vec<String>)> {
    let mut names = db
        .prepare(&format!(
            "SELECT name FROM {schema}.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        ))
        .unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let columns = |table: String| {
        let mut columns = db.prepare("SELECT name FROM pragma_table_info(?1, ?2)").unwrap();
        let columns = columns.query_map([&table, schema], |row| row.get(0)).unwrap().map(Result::unwrap);
        (table.clone(), columns.collect())
    };
    names.into_iter().map(columns).collect()
}

/// Makes a store of an earlier schema with what that had room for.
fn earlier(path: &Path, version: i32, whole: &Path) {
    let mut db = Database::open(path).unwrap();
    migrate_to(&mut db, path, version).unwrap();
    db.execute("ATTACH ?1 AS whole", [whole.to_str().unwrap()]).unwrap();
    let kept: BTreeMap<String, Vec<String>> = tables(&db, "whole").into_iter().collect();
    for (table, mut columns) in tables(&db, "main") {
        // What later schemas have dropped stays empty.
        let Some(kept) = kept.get(&table) else { continue };
        columns.retain(|column| kept.contains(column));
        let columns = columns.join(", ");
        let copied = db
            .execute(&format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM whole.{table}"), [])
            .unwrap();
        assert!(copied > 0, "{table} has no row");
    }
}

/// All that is read of a store: its recordings, connections, lookups, samples and report.
fn everything_read(path: &Path) -> (Vec<(i64, Connection)>, String) {
    let store = Store::open(path).unwrap();
    let (connections, runs) = (all_connections(&store), store.runs().unwrap());
    let mut more = format!("{runs:?}");
    store
        .for_each_lookup(None, None, |lookup| {
            more += &format!("{lookup:?}");
            Ok::<_, StoreError>(())
        })
        .unwrap();
    store.for_each_sample(None, None, |run, sample| more += &format!("{run} {sample:?}")).unwrap();
    store.for_each_sum(|key, figures| more += &format!("{key:?} {figures:?}")).unwrap();
    let mut builder = Builder::new(runs, Selection::default(), 1_000);
    connections.iter().for_each(|(run, connection)| builder.add(*run, connection.clone()));
    let (summary, mut report) = (builder.finish(), Vec::new());
    let none = |_| panic!("all is known");
    json::write(&summary, &PictureOptions::for_summary(&summary), &none, &mut report).unwrap();
    (connections, more + &String::from_utf8(report).unwrap())
}

#[test]
fn a_store_of_each_schema_says_the_same_before_and_after_it_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let newest_path = folder.path().join("newest.db");
    populated(&newest_path);
    let (whole, _) = everything_read(&newest_path);
    assert!(whole.len() > 30);
    for version in 1..=newest() {
        let path = folder.path().join(format!("{version}.db"));
        earlier(&path, version, &newest_path);
        let before = everything_read(&path);
        migrate(&mut Database::open(&path).unwrap(), &path).unwrap();
        let db = Database::open(&path).unwrap();
        assert_eq!(
            db.pragma_query_value::<i32, _>(None, "user_version", |row| row.get(0)).unwrap(),
            newest()
        );
        assert_eq!(tables(&db, "main").len(), tables(&Database::open(&newest_path).unwrap(), "main").len());
        drop(db);
        let after = everything_read(&path);
        assert_eq!(before, after, "schema {version}");
        assert_eq!(after.0.len(), whole.len());
        for ((_, now), (_, once)) in after.0.iter().zip(&whole) {
            assert_eq!((now.id, now.tx_bytes(), now.rx_bytes()), (once.id, once.tx_bytes(), once.rx_bytes()));
            for (fact, seen) in columns::seen().filter(|(fact, _)| fact.since <= version) {
                assert_eq!(
                    seen.cell(&now.facts),
                    seen.cell(&once.facts),
                    "{} in schema {version}",
                    fact.json
                );
            }
            let later = columns::seen().filter(|(fact, _)| fact.since > version);
            for (fact, seen) in later {
                let none = matches!(
                    seen.cell(&now.facts),
                    Cell::Text(None)
                        | Cell::Count(None | Some(0))
                        | Cell::Time(None)
                        | Cell::Flag(Some(false))
                );
                assert!(none, "{} in schema {version}", fact.json);
            }
        }
    }
    // A recording goes on in it.
    let first = folder.path().join("1.db");
    super::record(&first, 4_000_000_000, true);
    assert_eq!(Store::open(&first).unwrap().runs().unwrap().len(), 2);
}
