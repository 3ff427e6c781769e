//! Opening a store for reading, which leaves it and what is beside it as it was.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::reader::{Stamp, Store};
use super::{StoreError, filter, names, place, schema, set_up, write};

impl Store {
    /// Opens an existing store for reading.
    ///
    /// # Errors
    /// It does not exist, is another program's, is newer, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing(path.into()));
        }
        if path.is_dir() {
            return Err(StoreError::Folder(path.into()));
        }
        // A pipe would be waited for.
        if !path.is_file() {
            return Err(StoreError::Foreign(path.into()));
        }
        let (going_on, file) = write::is_taken(path);
        Ok(Self { _file: file, ..Self::connected(path, going_on)? })
    }

    /// Opens the store that this process records into. No file is opened but by SQLite, which knows of its other locks: to close any
    /// other would give these back.
    pub(super) fn beside(path: &Path) -> Result<Self, StoreError> {
        Self::connected(path, true)
    }

    fn connected(path: &Path, going_on: bool) -> Result<Self, StoreError> {
        let (db, as_it_was) = connect(path, going_on)?;
        schema::check(&db, path)?;
        names::stand_in(&db)
            .and_then(|()| db.pragma_update(None, "query_only", true))
            .and_then(|()| filter::provide(&db, going_on))
            .and_then(|()| set_up(&db))
            .map_err(|source| StoreError::sqlite(path, source))?;
        Ok(Self { db, path: path.into(), going_on, as_it_was, watch: None, _file: None })
    }

    /// Whether a recorder was writing into it when it was opened.
    pub fn is_recorded_into(&self) -> bool {
        self.going_on
    }
}

/// Opens the database, by the first way that works, and leaves no trace of it:
///
/// 1. A reader that may write takes part in SQLite's locks. For that it makes -wal and -shm, and takes them away again.
///    What a recorder that was killed left in its log stays there: it is not for a reader to write it into the file.
/// 2. A reader that may not write would leave both behind, or could not make them. But without a log, and without a
///    recorder, the file is complete in itself.
/// 3. What remains is a log that others keep: their -shm is read.
fn connect(path: &Path, going_on: bool) -> Result<(Connection, Option<Stamp>), StoreError> {
    // Beside the file, where the path is a link.
    let place = path.canonicalize().unwrap_or_else(|_| path.into());
    let log = place::beside(&place, "-wal").metadata().is_ok_and(|log| log.len() > 0);
    let alone = !going_on && !log;
    let error = |source| StoreError::sqlite(path, source);
    if let Ok(db) = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        && db.is_readonly(MAIN_DB).is_ok_and(|is| !is)
        && (!alone || readable(&db))
    {
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, log && !going_on).map_err(error)?;
        return Ok((db, None));
    }
    if alone {
        let stamp = Stamp::of_file(path);
        let db = open(uri(&place), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI);
        return Ok((db.map_err(error)?, stamp));
    }
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(error)?;
    match schema::check(&db, path) {
        Err(StoreError::Sqlite { .. }) if !going_on => Err(StoreError::Log(path.into())),
        _ => Ok((db, None)),
    }
}

fn open(path: impl AsRef<Path>, flags: OpenFlags) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Whether SQLite gets at the content: only then it makes the files beside it.
fn readable(db: &Connection) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    let looked = db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    !matches!(
        looked.map_err(|error| error.sqlite_error_code()),
        Err(Some(CannotOpen | PermissionDenied | ReadOnly))
    )
}

/// The path of a file that nobody changes, as SQLite takes it (sqlite.org/uri.html#uriimmutable).
fn uri(path: &Path) -> PathBuf {
    let mut uri = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").bytes()),
            _ => uri.push(*byte),
        }
    }
    uri.extend(b"?immutable=1");
    std::ffi::OsString::from_vec(uri).into()
}
