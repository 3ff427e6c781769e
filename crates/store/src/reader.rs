//! A store that is open for reading.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::StoreError;
use connmon_record::{Run, Timestamp};

/// Who is told how much of what is being read has been, from 0 to 1.
pub(super) type Watch = Box<dyn Fn(f64) + Send>;

/// A store opened for reading.
pub struct Store {
    pub(super) db: Connection,
    pub(super) path: PathBuf,
    /// A recorder was writing into it when it was opened.
    pub(super) going_on: bool,
    /// The state of the file, if SQLite opened it as a file that nobody changes.
    pub(super) as_it_was: Option<Stamp>,
    /// Is told how much of what is being read has been.
    pub(super) watch: Option<Watch>,
    /// What was asked whether there is a recorder; after `db`, as in [`super::Writer`].
    pub(super) _file: Option<File>,
}

impl Store {
    /// The same, but while connections are read, `watch` is told how much of it is done, from 0 to 1.
    #[must_use]
    pub fn watched_by(self, watch: impl Fn(f64) + Send + 'static) -> Self {
        Self { watch: Some(Box::new(watch)), ..self }
    }

    /// Tells whoever watches that it has been read up to a time.
    pub fn tell_time(&self, now: Timestamp, runs: &[Run]) {
        let first = runs.iter().map(|run| run.started.0).min().unwrap_or_default();
        let last = runs.iter().map(|run| run.known_end().0).max().unwrap_or_default();
        let part = now.0.saturating_sub(first) as f64 / last.saturating_sub(first).max(1) as f64;
        self.watch.iter().for_each(|watch| watch(part.clamp(0.0, 1.0)));
    }

    /// What was read is worth nothing where somebody wrote into a file that SQLite took for one that nobody changes.
    ///
    /// # Errors
    /// The file has been changed.
    pub(super) fn is_as_it_was(&self) -> Result<(), StoreError> {
        match &self.as_it_was {
            Some(stamp) if Stamp::of_file(&self.path).as_ref() != Some(stamp) => {
                Err(StoreError::Changed(self.path.clone()))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn error(&self, source: rusqlite::Error) -> StoreError {
        match self.is_as_it_was() {
            Ok(()) => StoreError::from_sqlite(&self.path, &self.db, source),
            Err(changed) => changed,
        }
    }
}

/// When a file was last written, and which one it is.
#[derive(PartialEq, Eq)]
pub(super) struct Stamp([i64; 4]);

impl Stamp {
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        let file = path.metadata().ok()?;
        Some(Self([file.ino() as i64, file.size() as i64, file.mtime(), file.mtime_nsec()]))
    }
}
