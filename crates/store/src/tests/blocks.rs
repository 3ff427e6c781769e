//! A part of the time, or an address, is answered without reading what cannot be in the answer; and as if all had been read.

use std::collections::BTreeSet;

use rusqlite::Connection as Database;

use super::filter::{in_memory, reader};
use super::start;
use crate::blocks::{Block, Wanted, ids};
use crate::schema::migrate;
use crate::{Store, StoreError, Writer};
use connmon_filter::Filter;
use connmon_fixtures::Random;
use connmon_fixtures::rows::connection;
use connmon_record::rows::{Batch, ConnectionRow, TrafficRow};
use connmon_record::{Connection, End, Timestamp};
use connmon_track::Tracker;

const SECOND: i64 = 1_000_000_000;
/// A connection a second.
const CONNECTIONS: i64 = 5_000;

fn at(second: i64) -> Timestamp {
    Timestamp(second * SECOND)
}

/// Mostly in the order of their ids; every hundredth lasts for half an hour, every thousandth for ever. What does not end at once
/// is written again when it does.
fn made(seed: u64) -> Vec<ConnectionRow> {
    let mut random = Random(seed);
    let row = |row: i64| {
        let ip = if row == 2_500 { "203.0.113.9".to_owned() } else { format!("198.51.{}.1", row / 50 % 90) };
        let mut one = connection(row, 1, &ip);
        one.owner = None;
        one.opened = at(1_000 + row - random.below(40) as i64);
        let lasted = match row {
            row if row % 1_000 == 3 => None,
            row if row % 100 == 7 => Some(1_800),
            _ => Some(random.below(60) as i64),
        };
        one.closed = lasted.map(|lasted| Timestamp(one.opened.0 + lasted * SECOND));
        one.end = lasted.map(|_| End::Fin);
        one
    };
    (1..=CONNECTIONS).map(row).collect()
}

/// Two recordings of the same connections, in batches of many sizes.
fn filled(mut writer: Writer) -> Writer {
    for (run, seed) in [(1, 7), (2, 8)] {
        let mut tracker = Tracker::default();
        start(&mut tracker, 10 * run);
        writer.write(&tracker.take()).unwrap();
        let rows = made(seed);
        let mut from = 0;
        for size in (1..).map(|size| size * size) {
            let some = &rows[from..rows.len().min(from + size)];
            from += some.len();
            let last = some.last().map_or(0, |last| last.opened.0);
            let mut connections: Vec<ConnectionRow> = some.to_vec();
            for row in &mut connections {
                if row.closed.is_some_and(|closed| closed.0 > last) {
                    (row.closed, row.end) = (None, None);
                }
            }
            // What ended meanwhile, and what did so already.
            connections
                .extend(rows[..from].iter().filter(|row| row.closed.is_some_and(|it| it.0 <= last)).cloned());
            let traffic = some.iter().map(|row| TrafficRow {
                connection: row.row,
                process: 1,
                bucket: row.opened.step().0 / SECOND,
                tx_bytes: 1,
                rx_bytes: 1,
                tx_calls: 1,
                rx_calls: 1,
            });
            let traffic = traffic.collect();
            let processes = vec![connmon_fixtures::rows::process(1, "curl")];
            let time = some.last().or(rows.last()).map_or_else(Timestamp::default, |last| last.opened);
            writer.write(&Batch { processes, connections, traffic, time, ..Batch::default() }).unwrap();
            if some.is_empty() {
                break;
            }
        }
    }
    writer
}

fn all(store: &Store, since: Option<Timestamp>, until: Option<Timestamp>, filter: &str) -> Vec<Connection> {
    let mut found = Vec::new();
    let each = |_, connection| {
        found.push(connection);
        Ok::<_, StoreError>(())
    };
    store.for_each(since, until, &Filter::parse(filter, at(9_000)).unwrap(), each).unwrap();
    found
}

/// Answers, each with whether it is right: what reading everything gives, in the same order.
fn check(store: &Store) {
    let everything = all(store, None, None, "");
    assert_eq!(everything.len() as i64, 2 * CONNECTIONS);
    let times = [None, Some(at(1_500)), Some(at(3_333)), Some(at(8_000))];
    for (since, until) in times.iter().flat_map(|since| times.iter().map(move |until| (*since, *until))) {
        for (filter, remote) in
            [("", ""), ("ip:203.0.113.9", "203.0.113.9"), ("net:198.51.3.0/24", "198.51.3.1")]
        {
            let is = |one: &&Connection| {
                since.is_none_or(|since| one.known_end().is_none_or(|end| end >= since))
                    && until.is_none_or(|until| one.opened < until)
                    && (remote.is_empty() || one.remote.ip.to_string() == remote)
            };
            let ids = |all: Vec<&Connection>| all.iter().map(|one| one.id).collect::<Vec<_>>();
            let found = all(store, since, until, filter);
            let right = everything.iter().filter(is).collect();
            assert_eq!(ids(found.iter().collect()), ids(right), "{since:?} {until:?} {filter}");
        }
    }
}

#[test]
fn what_is_passed_over_is_not_in_the_answer() {
    check(&reader(filled(in_memory())));
}

#[test]
fn a_part_of_the_time_is_a_part_of_the_store() {
    let store = reader(filled(in_memory()));
    let count = |wanted: Wanted| {
        let ranges = wanted.ranges(&store.db).unwrap().unwrap();
        assert!(ranges.is_sorted_by(|a, b| a.1 < b.0), "{ranges:?}");
        ranges.iter().map(|(first, last)| last - first + 1).sum::<i64>()
    };
    let wanted = |since: Option<i64>, until: Option<i64>| Wanted {
        since: since.map(at),
        until: until.map(at),
        remotes: None,
    };
    // A block or two of each recording, and what lasts.
    assert!(count(wanted(Some(3_300), Some(3_310))) < 2 * 2 * 1_024 + 200);
    assert!(count(wanted(None, Some(1_100))) <= 2 * 1_024);
    let id = |ip: &str| {
        store.db.query_row("SELECT id FROM endpoint WHERE ip = ?1", [ip], |row| row.get(0)).unwrap()
    };
    let of = |ip: &str| Wanted { remotes: Some([id(ip)].into()), ..wanted(None, None) };
    assert_eq!(count(of("203.0.113.9")), 2 * 1_024);
    assert_eq!(count(Wanted { remotes: Some([].into()), ..wanted(None, None) }), 0);
}

#[test]
fn a_connection_that_turns_out_to_be_another_is_found() {
    let mut writer = filled(in_memory());
    let mut moved = connection(1, 1, "203.0.113.77");
    (moved.owner, moved.opened, moved.closed) = (None, at(7_000), Some(at(7_001)));
    writer.write(&Batch { connections: vec![moved], time: at(7_001), ..Batch::default() }).unwrap();
    let store = reader(writer);
    let found = all(&store, None, None, "ip:203.0.113.77");
    assert_eq!(found.len(), 1);
    let id = found[0].id;
    assert!(all(&store, Some(at(7_001)), Some(at(7_002)), "").iter().any(|one| one.id == id));
}

#[test]
fn where_blocks_are_missing_nothing_is_passed_over() {
    let writer = filled(in_memory());
    let db = writer.into_database();
    db.execute("DELETE FROM block WHERE id % 2 = 0", []).unwrap();
    crate::filter::provide(&db, false).unwrap();
    check(&Store { db, path: ":memory:".into(), going_on: false, as_it_was: None, watch: None, _file: None });
}

#[test]
fn an_older_store_is_read_as_it_is_and_gets_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(filled(Writer::open(&path).unwrap()));
    let blocks = |db: &Database| -> Vec<(i64, i64, i64, Vec<u8>)> {
        let mut all =
            db.prepare("SELECT id, first, last, remotes FROM block JOIN block_remotes USING (id)").unwrap();
        let all = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
        all.collect::<Result<_, _>>().unwrap()
    };
    let mut db = Database::open(&path).unwrap();
    let written = blocks(&db);
    assert_eq!(written.len(), 2 * 5);
    db.execute_batch(
        "DROP TABLE acknowledged; DROP TABLE block; DROP TABLE block_remotes; DROP INDEX connection_long; DROP INDEX lookup_time;
            DROP TABLE stretch_cell; DROP TABLE stretch_end; DROP TABLE stretch_minute; DROP TABLE finding; DROP TABLE finding_state;
            DROP TABLE stretch_name; DROP TABLE stretch_sizes; DROP TABLE stretch_gone; DROP TABLE stretch_piece;
            DROP TRIGGER stretch_process; DROP TRIGGER stretch_connection; DROP TABLE stretch_rest; DROP TABLE stretch_local; DROP TABLE stretch_sum;
            DROP TABLE stretch; DROP TABLE traffic_sum; DROP TABLE sum_owner; DROP TABLE pruned;
            DROP TABLE late_read; ALTER TABLE clock_step DROP COLUMN effect; ALTER TABLE run DROP COLUMN clock_right_ns;
            ALTER TABLE connection DROP COLUMN clock_set_ns; PRAGMA user_version = 12",
    )
    .unwrap();
    check(&Store::open(&path).unwrap());
    migrate(&mut db, &path).unwrap();
    assert_eq!(blocks(&db), written, "as if they had been written with the connections");
    check(&Store::open(&path).unwrap());
}

#[test]
fn blocks_know_their_remotes() {
    let store = reader(filled(in_memory()));
    let block = Block::read(&store.db, (2 << 40 | 2_500) >> 10).unwrap().unwrap();
    let (first, last) = ids((2 << 40 | 2_500) >> 10);
    let mut remotes =
        store.db.prepare("SELECT remote_id FROM connection WHERE id BETWEEN ?1 AND ?2").unwrap();
    let remotes = remotes.query_map([first, last], |row| row.get(0)).unwrap();
    let remotes: BTreeSet<i64> = remotes.collect::<Result<_, _>>().unwrap();
    assert_eq!(block.remotes().collect::<BTreeSet<_>>(), remotes);
}

#[test]
fn a_reader_lets_the_log_be_used_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut writer = filled(Writer::open(&path).unwrap());
    let store = Store::open(&path).unwrap();
    // Pages of the log, and those of them that are in the file.
    let checkpoint = |writer: &Writer| {
        let pages = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        writer.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages).unwrap()
    };
    let (mut count, mut behind, mut up) = (0, false, false);
    let each = |_, _| {
        count += 1;
        if count == 1 {
            let late = connection(CONNECTIONS + 1, 1, "192.0.2.1");
            writer.write(&Batch { connections: vec![late], time: at(7_000), ..Batch::default() }).unwrap();
        }
        if count % 500 != 1 {
            return Ok::<_, StoreError>(());
        }
        let (pages, done) = checkpoint(&writer);
        behind |= done < pages;
        up |= behind && done == pages;
        Ok(())
    };
    store.for_each(None, None, &Filter::default(), each).unwrap();
    assert!(behind && up, "the log waits for the first piece of the answer, not for all");
}
