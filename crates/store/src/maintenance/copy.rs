//! Copies of a store: made while somebody records into it, put back in place of another one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection as Database;

use super::super::{Store, StoreError, Writer, place, schema};
use connmon_system::files;

/// Writes a copy of a store, as it is at this moment, beside `to`; whoever drops it without having it named deletes it.
pub(super) struct Copy {
    path: PathBuf,
    kept: bool,
}

impl Copy {
    /// Copies a store into the folder of `to`.
    pub(super) fn new(from: &Path, to: &Path) -> Result<Self, StoreError> {
        // Makes sure that it is a store, which can be read.
        let store = Store::open(from)?;
        let path = place::beside(to, &format!(".{}.part", std::process::id()));
        let file =
            files::create_private(&path).map_err(|error| StoreError::Untrusted(path.clone(), error))?;
        let copy = Self { path, kept: false };
        store.db.pragma_update(None, "query_only", false).map_err(|source| store.error(source))?;
        store
            .db
            .execute("VACUUM INTO ?1", [copy.path.to_string_lossy()])
            .map_err(|source| store.error(source))?;
        store.is_as_it_was()?;
        file.sync_all().map_err(|error| StoreError::Disk(copy.path.clone(), error))?;
        Ok(copy)
    }

    /// The path of the copy.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, in place of what is there.
    pub(super) fn rename(mut self, to: &Path) -> Result<(), StoreError> {
        let failed = |error| StoreError::Disk(to.into(), error);
        fs::rename(&self.path, to).map_err(failed)?;
        self.kept = true;
        match to.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => files::sync_folder(folder).map_err(failed),
            _ => Ok(()),
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
            for ending in ["-wal", "-shm", "-journal"] {
                let _ = fs::remove_file(place::beside(&self.path, ending));
            }
        }
    }
}

/// Copies a store to a place where nothing is yet, also while somebody records into it.
///
/// # Errors
/// Something is there, the store cannot be read, or the copy not be written.
pub fn backup(from: &Path, to: &Path) -> Result<(), StoreError> {
    let place = files::place_of(to).map_err(|error| StoreError::Untrusted(to.into(), error))?;
    if fs::symlink_metadata(&place).is_ok() {
        let there = io::Error::new(io::ErrorKind::AlreadyExists, "there is a file already; name another one");
        return Err(StoreError::Disk(place, there));
    }
    Copy::new(from, &place)?.rename(&place)
}

/// Puts a copy of a store in place of another one, or where none is.
///
/// # Errors
/// Somebody records into that one, or it is no store; the copy is none, or cannot be written.
pub fn restore(from: &Path, to: &Path) -> Result<(), StoreError> {
    let place = files::place_of(to).map_err(|error| StoreError::Untrusted(to.into(), error))?;
    let faults = Store::open(from)?.check()?;
    if let Some(fault) = faults.into_iter().next() {
        return Err(StoreError::Faulty(from.into(), fault));
    }
    let alone = if place.exists() { Some(Writer::open(&place)?) } else { None };
    let copy = Copy::new(from, &place)?;
    // What it keeps beside the file must not be taken for the copy's.
    let lock = alone.map(leave).transpose()?.flatten();
    let renamed = copy.rename(&place);
    drop(lock);
    renamed
}

/// Empties a store: everything that was recorded is gone.
///
/// # Errors
/// Somebody records into it, it is no store, or it cannot be written.
pub fn reset(path: &Path) -> Result<(), StoreError> {
    let alone = super::open_alone(path)?;
    let path = alone.path.clone();
    let lock = leave(alone)?;
    fs::remove_file(&path).map_err(|error| StoreError::Disk(path.clone(), error))?;
    drop(lock);
    drop(Writer::open(&path)?);
    Ok(())
}

/// Closes a database that nobody records into, without its log, and gives what keeps others from recording.
pub(super) fn leave(writer: Writer) -> Result<Option<fs::File>, StoreError> {
    let Writer { db, path, alone, .. } = writer;
    let closed = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    let busy = match closed {
        Ok(busy) => busy != 0,
        Err(source) => return Err(StoreError::from_sqlite(&path, &db, source)),
    };
    drop(db);
    if busy {
        let read = io::Error::other("another program reads it; end that first");
        return Err(StoreError::Disk(path, read));
    }
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(place::beside(&path, ending));
    }
    Ok(alone)
}

/// Brings a copy to the newest schema.
pub(super) fn migrate(copy: &Copy) -> Result<(), StoreError> {
    let path = copy.path();
    let mut db = Database::open(path).map_err(|source| StoreError::sqlite(path, source))?;
    schema::migrate(&mut db, path)
}
