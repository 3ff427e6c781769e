//! A store as a whole.

use std::path::Path;

use super::{backup, merge, open_alone, reset, restore};
use crate::{Policy, Store, StoreError, Writer};
use connmon_analysis::Selection;
use connmon_filter::Filter;
use connmon_fixtures::rows::{connection, process, traffic};
use connmon_record::frame::{Frame, Start};
use connmon_record::rows::Batch;
use connmon_record::{End, Timestamp};
use connmon_render::export::audit::{Audit, Builder, GroupBy, GroupSort};
use connmon_track::Tracker;

fn at(second: i64) -> Timestamp {
    Timestamp(second * 1_000_000_000)
}

/// A recording of a host, with a few connections of two processes.
fn record(path: &Path, host: &str, remotes: &[&str]) -> Writer {
    let mut writer = Writer::open(path).unwrap();
    let mut tracker = Tracker::default();
    let start = Start { host: host.into(), ..connmon_fixtures::rows::start(0) };
    tracker.feed(Frame::Start(Box::new(start)));
    tracker.feed(Frame::SweepEnd(100_000_000_000));
    let mut batch = Batch { ended: true, time: at(100), ..tracker.take() };
    batch.processes = vec![process(1, "curl"), process(2, "sshd")];
    batch.processes[1].parent = Some(1);
    for (row, remote) in (1..).zip(remotes) {
        let mut made = connection(row, 1 + row % 2, remote);
        (made.opened, made.closed, made.end) = (at(row), Some(at(row + 20)), Some(End::Fin));
        batch.connections.push(made);
        batch.traffic.push(traffic(row, 1 + row % 2, 10 * row as u64, 7));
    }
    writer.write(&batch).unwrap();
    writer
}

fn audit(path: &Path, by: GroupBy) -> Audit {
    let store = Store::open(path).unwrap();
    let mut builder = Builder::new(&store.runs().unwrap(), &Selection::default(), &[by]);
    let each = |run, connection| {
        builder.add(run, connection);
        Ok::<_, StoreError>(())
    };
    store.for_each(None, None, &Filter::default(), each).unwrap();
    store.for_each_sum(|key, figures| builder.add_sum(key, figures)).unwrap();
    builder.finish(GroupSort::Name, None)
}

#[test]
fn two_hosts_stores_become_one_with_exact_sums() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one.db", "other.db"].map(|name| folder.path().join(name));
    drop(record(&one, "one", &["8.8.8.8", "9.9.9.9"]));
    let mut writer = record(&other, "other", &["9.9.9.9", "1.1.1.1", "9.9.9.9"]);
    let policy = Policy { max_age: Some(std::time::Duration::from_secs(78)), ..Policy::default() };
    writer.prune_all(&policy, at(100), |_| std::time::Duration::from_millis(50)).unwrap();
    drop(writer);
    let [first, second] = [&one, &other].map(|path| audit(path, GroupBy::Exe).totals.all);
    let merged = merge(&one, &other).unwrap();
    assert_eq!((merged.recordings, merged.connections), (1, 2));
    assert_eq!(audit(&one, GroupBy::Exe).totals.all, first + second);
    assert_eq!(audit(&one, GroupBy::Exe).groups.len(), 2);
    assert_eq!(audit(&other, GroupBy::Exe).totals.all, second, "the other one stays as it is");
    let store = Store::open(&one).unwrap();
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    let runs = store.runs().unwrap();
    let hosts: Vec<_> = runs
        .iter()
        .map(|run| (run.id, run.host.raw(), run.pruned.map(|pruned| pruned.connections)))
        .collect();
    assert_eq!(hosts, [(1, "one", None), (2, "other", Some(1))]);
    let mut found = Vec::new();
    let each = |run, one: connmon_record::Connection| {
        let owner = one.owner.clone().map(|owner| owner.comm.shown().into_owned()).unwrap_or_default();
        found.push((run, one.remote.ip.to_string(), owner, one.tx_bytes()));
        Ok::<_, StoreError>(())
    };
    store.for_each(None, None, &Filter::default(), each).unwrap();
    let line = |run, ip: &str, owner: &str, bytes| (run, ip.to_owned(), owner.to_owned(), bytes);
    let all = [
        line(1, "8.8.8.8", "sshd", 10),
        line(1, "9.9.9.9", "curl", 20),
        line(2, "1.1.1.1", "curl", 20),
        line(2, "9.9.9.9", "sshd", 30),
    ];
    assert_eq!(found, all);
    drop(store);
    assert!(matches!(merge(&one, &other), Err(StoreError::Merged { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
}

#[test]
fn a_copy_is_made_of_a_store_that_is_recorded_into_and_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let [store, copy] = ["a.db", "b.db"].map(|name| folder.path().join(name));
    let recorder = record(&store, "host", &["8.8.8.8"]);
    backup(&store, &copy).unwrap();
    assert!(matches!(backup(&store, &copy), Err(StoreError::Disk(..))), "nothing is written over");
    assert!(matches!(restore(&copy, &store), Err(StoreError::Taken(_))));
    assert!(matches!(reset(&store), Err(StoreError::Taken(_))));
    assert!(matches!(open_alone(&store).map(drop), Err(StoreError::Taken(_))));
    drop(recorder);
    let before = audit(&store, GroupBy::Exe).totals;
    reset(&store).unwrap();
    assert!(Store::open(&store).unwrap().runs().unwrap().is_empty());
    restore(&copy, &store).unwrap();
    assert_eq!(audit(&store, GroupBy::Exe).totals, before);
    // Something goes on in it.
    drop(record(&store, "host", &["1.1.1.1"]));
    assert_eq!(audit(&store, GroupBy::Exe).totals.all.connections, 2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    std::fs::write(folder.path().join("text"), "no store".repeat(200)).unwrap();
    assert!(matches!(restore(&folder.path().join("text"), &store), Err(StoreError::Foreign(_))));
    assert!(matches!(open_alone(&folder.path().join("none")).map(drop), Err(StoreError::Missing(_))));
}

#[test]
fn a_store_tells_what_it_consists_of_and_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut writer = record(&path, "host", &["8.8.8.8", "9.9.9.9"]);
    writer.vacuum().unwrap();
    let store = Store::open(&path).unwrap();
    let stats = store.stats().unwrap();
    let rows = |name: &str| stats.tables.iter().find(|table| table.name == name).map(|table| table.rows);
    assert_eq!((rows("connection"), rows("process"), rows("gap")), (Some(2), Some(2), Some(0)));
    assert!(stats.hands_back && stats.recorded_into && stats.used_bytes > 0);
    assert!(stats.tables.iter().all(|table| table.bytes.is_some_and(|bytes| bytes >= 4096)), "{stats:?}");
    assert_eq!((stats.oldest, stats.newest), (Some(at(1)), Some(at(100))));
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    writer
        .db
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             UPDATE connection SET closed = 5 WHERE opened > 1500000000;
             INSERT INTO pruned VALUES (1, 5, 1, 2, 3);
             DELETE FROM process WHERE id & 0xff = 1;",
        )
        .unwrap();
    let faults = store.check().unwrap().join("\n");
    for fault in ["\"connection\" has 1 references", "ended before it was opened", "are not the sums"] {
        assert!(faults.contains(fault), "{fault}: {faults}");
    }
}
