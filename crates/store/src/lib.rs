//! The record on disk: one SQLite file, written in one transaction a batch.
//!
//! Ids: runs are numbered by the store; processes and connections are numbered by the tracker within their run and
//! get the run's number in their upper bits, so that a row's id is known before it is written and grows with time.

mod acknowledged;
mod bare;
mod blocks;
mod buckets;
mod candidates;
mod classify;
mod columns;
mod complete;
mod edit;
mod filter;
mod follow;
mod found;
mod geo;
mod interfaces;
mod labels;
mod maintenance;
mod names;
mod new_connections;
mod open;
mod place;
mod processes;
mod read;
mod reader;
mod reading;
mod recording_filter;
mod remotes;
mod retention;
mod row;
mod runs;
mod schema;
mod segments;
mod stretches;
mod sums;
#[cfg(test)]
mod tests;
mod totals;
mod write;

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

pub use acknowledged::Acknowledged;
pub use bare::{Judged, OpenTime};
pub use classify::{Classification, NewHit};
pub use edit::Editor;
pub use maintenance::{Merged, Rebuild, StoreStats, TableStats, backup, merge, open_alone, reset, restore};
pub use reader::Store;
pub use retention::{Policy, Progress};
pub use segments::{Debt, Sealed};
pub use stretches::{CellDetail, InCells, Instead};
pub use write::Writer;
pub use write::findings::FindingRow;

/// Rows of one run: its number is in the bits above.
pub const RUN_SHIFT: u32 = connmon_record::ConnectionId::BITS;
/// Statements that are kept: more than one batch uses, so that none is prepared twice.
const STATEMENTS: usize = 128;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A user's query that cannot be used.
    #[error("the query cannot be used: {0}; give one SELECT that returns connection ids")]
    Query(String),
    /// There is no such file.
    #[error("{} does not exist; `connmon record --db {}` creates it", .0.display(), .0.display())]
    Missing(PathBuf),
    /// Another program's file.
    #[error("{} is not a connmon database", .0.display())]
    Foreign(PathBuf),
    /// Written by a newer connmon.
    #[error("{} was written by a newer connmon (schema {found}, this one knows {known}); use that version", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i32,
        /// The schema of this program.
        known: i32,
    },
    /// Another recorder writes into it.
    #[error("another connmon is recording into {}; watch that one with `connmon live`, or name another store with --db", .0.display())]
    Taken(PathBuf),
    /// It cannot be opened for writing, or others could change it.
    #[error("{} cannot be recorded into: {}", .0.display(), .1)]
    Untrusted(PathBuf, std::io::Error),
    /// Its last writes are in the log beside it, which cannot be read where it is.
    #[error("{} has a log beside it (-wal) that can only be read in a folder that may be written; copy both there", .0.display())]
    Log(PathBuf),
    /// Somebody wrote into it, and this reader may leave no marks that would make writers wait.
    #[error("{} was written while it was being read; run the command again", .0.display())]
    Changed(PathBuf),
    /// A copy that is not to be put in place of anything.
    #[error("{} is damaged: {}", .0.display(), .1)]
    Faulty(PathBuf, String),
    /// Two stores with the same recordings.
    #[error("{} already has the recording of {} that began at {started}", path.display(), other.display())]
    Merged {
        /// The store.
        path: PathBuf,
        /// The store that was to be added.
        other: PathBuf,
        /// When that began.
        started: connmon_record::Timestamp,
    },
    /// A folder.
    #[error("{} is a folder, not a connmon database", .0.display())]
    Folder(PathBuf),
    /// The operating system cannot read or write it.
    #[error("{} cannot be read or written: {}", .0.display(), .1)]
    Disk(PathBuf, std::io::Error),
    /// The disk is full, the file is damaged or locked, and so on.
    #[error("{}: {}", path.display(), explain(source))]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// The message of SQLite about a file, with that of the operating system if the operating system failed. To be called at once:
    /// the next system call that fails has another reason.
    fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let system = match source.sqlite_error_code() {
            // SQLite calls a file damaged that the disk does not give back (unixRead and SQLITE_IOERR_CORRUPTFS).
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt) => {
                Some(std::io::Error::last_os_error()).filter(|error| error.raw_os_error() == Some(libc::EIO))
            }
            _ => None,
        };
        match system {
            Some(error) => Self::Disk(path.into(), error),
            None => Self::Sqlite { path: path.into(), source },
        }
    }

    /// The same, where the connection that failed is at hand, which knows each reason of a failure to read or to write.
    fn from_sqlite(path: &Path, db: &Connection, source: rusqlite::Error) -> Self {
        if source.sqlite_error_code() != Some(ErrorCode::SystemIoFailure) {
            return Self::sqlite(path, source);
        }
        // SAFETY: the handle is used only in this call, while the connection lives.
        match unsafe { rusqlite::ffi::sqlite3_system_errno(db.handle()) } {
            0 => Self::sqlite(path, source),
            number => Self::Disk(path.into(), std::io::Error::from_raw_os_error(number)),
        }
    }
}

/// Whether a file is a database at all.
pub fn is_database(path: &Path) -> bool {
    let mut head = [0; 15];
    let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
    read.is_ok() && head == *b"SQLite format 3"
}

/// Sets what every connection to a store needs. Statements that are kept stay as they were prepared: SQLite is built with
/// `STAT4`, with which it would plan them anew whenever other values are bound, at ten times the cost of a look-up
/// (sqlite.org/c3ref/c_dbconfig_defensive.html, `SQLITE_DBCONFIG_ENABLE_QPSG`).
fn set_up(db: &Connection) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

fn explain(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => {
            "the database is damaged; keep the file, and copy what can be read with `sqlite3 FILE .recover`"
                .into()
        }
        Some(ErrorCode::DiskFull) => "the disk is full; what was committed before is safe".into(),
        Some(ErrorCode::CannotOpen) => "it cannot be opened; check the path and its permissions".into(),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "it is not writable".into(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another program keeps it locked".into(),
        _ => error.to_string(),
    }
}
