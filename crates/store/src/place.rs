//! The place of a store, and the owner of its files.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::StoreError;
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
        .map_err(|source| StoreError::sqlite(path, source))?;
    match is_at(file, path) {
        true => Ok(db),
        false => {
            Err(StoreError::Untrusted(path.into(), io::Error::other("another file has taken its place")))
        }
    }
}

/// Whether the path still names this file, and not by a link, beside which SQLite would not keep its log; where that cannot be
/// told, it does.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    let identity = |data: fs::Metadata| (data.dev(), data.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(own), Ok(there)) => identity(own) == identity(there),
        (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
        _ => true,
    }
}

/// The present place of a file that was moved; `None` if it was deleted.
pub(super) fn now_at(file: &File) -> Option<PathBuf> {
    let place = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    is_at(file, &place).then_some(place).filter(|place| place.exists())
}

/// The file beside a database that has its name and this ending.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
