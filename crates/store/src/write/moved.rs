//! A store that is not at its path any more while it is recorded into.

use std::{fs, io};

use rusqlite::Connection;

use super::super::StoreError;
use super::super::place::{beside, is_at, now_at};
use super::Writer;

impl Writer {
    /// Says in words what happened to the file, if it is not at its path any more.
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
    /// The file at the path is not a store, or no store can be created there.
    pub fn begin_again(&mut self) -> Result<(), StoreError> {
        let whole = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        let memory = Connection::open_in_memory();
        let memory = memory.map_err(|source| StoreError::sqlite(&self.path, source))?;
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
