//! Stores that are moved or deleted while they are recorded into, and stores that cannot be written for a while.

use std::path::Path;

use rusqlite::Connection as Database;

use super::super::{Editor, Store, StoreError, Writer};
use super::start;
use connmon_record::frame::Frame;
use connmon_record::rows::Batch;
use connmon_record::{Gap, Timestamp};
use connmon_track::Tracker;

/// A writer that has begun a recording.
fn begun(path: &Path) -> (Writer, Tracker) {
    let mut writer = Writer::open(path).unwrap();
    let mut tracker = Tracker::default();
    start(&mut tracker, 1);
    writer.write(&tracker.take()).unwrap();
    (writer, tracker)
}

/// What is in a store: how many recordings, and whether the last one has ended.
fn recordings(path: &Path) -> (usize, bool) {
    let runs = Store::open(path).unwrap().runs().unwrap();
    (runs.len(), runs.last().unwrap().ended.is_some())
}

#[test]
fn a_store_that_is_moved_is_whole_and_another_one_takes_its_place() {
    for (with_log, read_meanwhile) in [(false, false), (true, false), (false, true)] {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("a.db"), folder.path().join("old.db"));
        let (mut writer, mut tracker) = begun(&path);
        assert_eq!(writer.moved(), None);
        // A reader keeps the log from being emptied.
        let reader = read_meanwhile.then(|| {
            let db = Database::open(&path).unwrap();
            db.execute_batch("BEGIN; SELECT * FROM run").unwrap();
            db
        });
        std::fs::rename(&path, &old).unwrap();
        if with_log {
            std::fs::rename(folder.path().join("a.db-wal"), folder.path().join("old.db-wal")).unwrap();
        }
        assert!(writer.moved().unwrap().ends_with("old.db"));
        tracker.feed(Frame::SweepEnd(5_000_000_000));
        writer.write(&Batch { ended: true, ..tracker.take() }).unwrap();
        tracker.begin_again();
        writer.begin_again().unwrap();
        writer.write(&tracker.take()).unwrap();
        assert_eq!(writer.moved(), None);
        drop(reader);
        assert_eq!((recordings(&old), recordings(&path)), ((1, true), (1, false)));
        std::fs::remove_file(&path).unwrap();
        assert!(writer.moved().unwrap().ends_with("was deleted"));
        // Something else stands there: it is not touched, and tried again.
        std::fs::write(&path, "not a database, but long enough to be looked at as one".repeat(40)).unwrap();
        assert!(matches!(writer.begin_again(), Err(StoreError::Foreign(_))));
        std::fs::remove_file(&path).unwrap();
        tracker.begin_again();
        writer.begin_again().unwrap();
        writer.write(&tracker.take()).unwrap();
        assert_eq!(recordings(&path), (1, false));
    }
}

#[test]
fn a_store_that_is_moved_and_linked_to_goes_on_where_it_is() {
    for read_meanwhile in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (path, new) = (folder.path().join("a.db"), folder.path().join("new.db"));
        let (mut writer, mut tracker) = begun(&path);
        let reader = read_meanwhile.then(|| {
            let db = Database::open(&path).unwrap();
            db.execute_batch("BEGIN; SELECT * FROM run").unwrap();
            db
        });
        std::fs::rename(&path, &new).unwrap();
        std::os::unix::fs::symlink("new.db", &path).unwrap();
        assert!(writer.moved().unwrap().ends_with("new.db"));
        tracker.feed(Frame::SweepEnd(5_000_000_000));
        writer.write(&Batch { ended: true, ..tracker.take() }).unwrap();
        tracker.begin_again();
        writer.begin_again().unwrap();
        writer.write(&tracker.take()).unwrap();
        drop(reader);
        assert_eq!(writer.moved(), None);
        assert_eq!((recordings(&new), recordings(&path)), ((2, false), (2, false)));
    }
}

#[test]
fn what_could_not_be_written_is_written_when_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (mut writer, mut tracker) = begun(&path);
    let other = Database::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    tracker.feed(Frame::End(9_000_000_000));
    let gap = Gap { from: Timestamp(3), to: Timestamp(4), reason: "for want of memory".into() };
    let batch = Batch { gaps: vec![gap.clone()], ..tracker.take() };
    let error = writer.write(&batch).unwrap_err();
    assert!(error.to_string().ends_with("another program keeps it locked"), "{error}");
    other.execute_batch("COMMIT").unwrap();
    writer.write(&batch).unwrap();
    assert_eq!(Store::open(&path).unwrap().runs().unwrap()[0].gaps, [gap]);
}

#[test]
fn an_editor_does_not_migrate_what_is_recorded_into() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (writer, _) = begun(&path);
    // The newest schema needs no migration, and labels may be written meanwhile.
    assert!(Editor::open(&path).is_ok());
    Database::open(&path).unwrap().pragma_update(None, "user_version", 1).unwrap();
    assert!(matches!(Editor::open(&path), Err(StoreError::Taken(_))));
    drop(writer);
    assert!(!matches!(Editor::open(&path), Err(StoreError::Taken(_))));
}

#[test]
fn a_pipe_is_no_store_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the name is a string that ends.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    assert!(matches!(Writer::open(&path), Err(StoreError::Untrusted(..))));
    assert!(matches!(Store::open(&path), Err(StoreError::Foreign(_))));
    assert!(matches!(Editor::open(&path), Err(StoreError::Foreign(_))));
}
