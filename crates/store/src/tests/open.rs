//! Reading changes nothing: not the file, and not what is beside it; and it needs no leave to write.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection as Database;

use super::super::{Editor, Store, StoreError};
use super::record;
use connmon_filter::Filter;

/// What is in a folder.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
}

/// Reads everything, and gives the number of connections.
fn read(path: &Path) -> Result<usize, StoreError> {
    let store = Store::open(path)?;
    let mut connections = 0;
    store.for_each(None, None, &Filter::default(), |_, _| {
        connections += 1;
        Ok::<_, StoreError>(())
    })?;
    store.runs()?;
    Ok(connections)
}

/// Does something as a user who may only read, and gives what came of it.
fn as_reader<T>(folder: &Path, act: impl FnOnce() -> T) -> T {
    for file in fs::read_dir(folder).unwrap() {
        fs::set_permissions(file.unwrap().path(), Permissions::from_mode(0o444)).unwrap();
    }
    let mode = folder.metadata().unwrap().permissions().mode();
    let open = mode & 0o002 != 0;
    fs::set_permissions(folder, Permissions::from_mode(if open { 0o1777 } else { 0o555 })).unwrap();
    // Root may write everywhere: this thread alone is somebody else meanwhile.
    // SAFETY: only returns a number.
    let root = unsafe { libc::geteuid() } == 0;
    // SAFETY: sets this thread's user for files.
    let become_user = |uid| unsafe { libc::setfsuid(uid) };
    if root {
        become_user(65_534);
    }
    let done = act();
    if root {
        become_user(0);
    }
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    done
}

#[test]
fn a_store_is_read_without_leave_to_write_and_nothing_is_left_beside_it() {
    for (mode, name) in [(0o755, "a.db"), (0o777, "a.db"), (0o755, "100%#?.db"), (0o755, "a link.db")] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        record(&path, 10, true);
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let before = content(folder.path());
        for path in [&path, &link] {
            let found = as_reader(folder.path(), || read(path).map_err(|error| error.to_string()));
            assert_eq!((found, content(folder.path()) == before), (Ok(2), true), "{mode:o} {path:?}");
            assert_eq!((read(path).unwrap(), content(folder.path()) == before), (2, true), "{path:?}");
        }
    }
}

/// A folder with the store that a recorder leaves that is killed: its last batches are in the log.
fn killed() -> tempfile::TempDir {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("a.db");
    // Somebody who reads keeps the log from being written into the file.
    record(&path, 10, true);
    let reader = Database::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM run").unwrap();
    record(&path, 100, false);
    for name in ["a.db", "a.db-wal"] {
        fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    copy
}

#[test]
fn what_a_killed_recorder_left_in_its_log_stays_there() {
    let folder = killed();
    let path = folder.path().join("a.db");
    let before = content(folder.path());
    assert_eq!(read(&path).unwrap(), 4);
    let mut after = content(folder.path());
    // SQLite's own notes on the log.
    after.remove("a.db-shm");
    assert!(after == before);
    // It is there for who may write.
    drop(Editor::open(&path).unwrap());
    assert_eq!((content(folder.path()).len(), read(&path).unwrap()), (1, 4));
}

#[test]
fn a_log_that_cannot_be_read_is_told_and_not_passed_over() {
    let folder = killed();
    let path = folder.path().join("a.db");
    let found = as_reader(folder.path(), || read(&path).map_err(|error| error.to_string()));
    assert!(found.as_ref().is_err_and(|error| error.contains("has a log beside it")), "{found:?}");
}

#[test]
fn a_store_that_changes_under_a_reader_who_may_not_write_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    record(&path, 10, true);
    let store = as_reader(folder.path(), || Store::open(&path).unwrap());
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    record(&path, 100, true);
    let read = store.for_each(None, None, &Filter::default(), |_, _| Ok::<_, StoreError>(()));
    assert!(matches!(read, Err(StoreError::Changed(_))), "{read:?}");
}

#[test]
fn an_editor_trusts_no_store_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    record(&path, 10, true);
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(Editor::open(&path), Err(StoreError::Untrusted(..))));
    assert!(Store::open(&path).is_ok());
}
