//! Where a store is: whose files are written to, and a store that is not at its path any more while it is recorded into.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{StoreError, Writer};
use connmon_system::files;

/// Opens or creates the file of a store that is to be written to.
///
/// # Errors
/// It is no file, others could change it, or it cannot be opened or made.
pub(super) fn open(path: &Path) -> Result<File, StoreError> {
    let untrusted = |path: &Path, error| StoreError::Untrusted(path.into(), error);
    for ending in ["-wal", "-shm"] {
        let path = beside(path, ending);
        match files::open_trusted(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(untrusted(&path, error)),
            _ => {}
        }
    }
    match files::open_trusted(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => files::create_private(path),
        opened => opened,
    }
    .map_err(|error| untrusted(path, error))
}

/// Opens the database in a file.
///
/// # Errors
/// SQLite cannot open it, or another file has taken its place meanwhile.
pub(super) fn connect(path: &Path, file: &File) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NOFOLLOW)
        .map_err(|source| StoreError::Sqlite { path: path.into(), source })?;
    match is_at(file, path) {
        true => Ok(db),
        false => {
            Err(StoreError::Untrusted(path.into(), io::Error::other("another file has taken its place")))
        }
    }
}

impl Writer {
    /// What became of the file, in words, if it is not at its path any more.
    pub fn moved(&self) -> Option<String> {
        let file = self.alone.as_ref().filter(|file| !is_at(file, &self.path))?;
        let path = self.path.display();
        Some(match now_at(file) {
            Some(place) => format!("{path} was moved to {}", place.display()),
            None => format!("{path} was deleted"),
        })
    }

    /// Leaves the file, whole in itself, and begins another one at the path. May be called again if it fails.
    ///
    /// # Errors
    /// What stands at the path is no store, or there can be none.
    pub fn begin_again(&mut self) -> Result<(), StoreError> {
        let whole = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        let memory = Connection::open_in_memory();
        let memory = memory.map_err(|source| StoreError::Sqlite { path: self.path.clone(), source })?;
        drop(std::mem::replace(&mut self.db, memory));
        // Nothing is there, or a link.
        let left = match fs::symlink_metadata(&self.path) {
            Ok(there) => there.is_symlink(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if let Some(file) = self.alone.take()
            && left
        {
            // What SQLite keeps beside the file was not moved with it, and must not be taken for the next one's.
            let log = beside(&self.path, "-wal");
            match now_at(&file) {
                Some(place) if !matches!(whole, Ok(0)) => drop(fs::rename(&log, beside(&place, "-wal"))),
                _ => drop(fs::remove_file(&log)),
            }
            let _ = fs::remove_file(beside(&self.path, "-shm"));
        }
        let fresh = Self::open(&self.path)?;
        (self.db, self.alone, self.path) = (fresh.db, fresh.alone, fresh.path);
        (self.begun, self.chain) = (false, None);
        self.endpoints.clear();
        self.pruner = Default::default();
        Ok(())
    }
}

/// Whether the path still names this file, and not by a link, beside which SQLite would not keep its log; where that cannot be
/// told, it does.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |data: fs::Metadata| (data.dev(), data.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(own), Ok(there)) => identity(own) == identity(there),
        (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
        _ => true,
    }
}

/// Where a file that was moved is now; `None` if it was deleted.
fn now_at(file: &File) -> Option<PathBuf> {
    let place = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    is_at(file, &place).then_some(place).filter(|place| place.exists())
}

/// The file beside a database that has its name and this ending.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
