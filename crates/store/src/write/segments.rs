//! Sealing: segments are written before anything is made of them.

use rusqlite::{Connection as Database, OptionalExtension, params};

use super::super::StoreError;
use super::super::segments::{Debt, Sealed, debts, segment};
use super::{Writer, begin_run};
use connmon_record::frame::Start;
use connmon_record::segment::{Hash, Link, Packed};

/// The end of a store's chain.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct ChainEnd {
    next: Link,
}

impl Writer {
    /// Begins a recording: from here on segments are sealed as part of it.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn begin_segments(&mut self, start: &Start) -> Result<(), StoreError> {
        let begun = begin(&mut self.db, start);
        let (run, previous) = begun.map_err(|source| self.path_error(source))?;
        self.run = run;
        self.begun = true;
        self.chain =
            Some(ChainEnd { next: Link { boot_id: start.boot_id.raw().to_owned(), number: 1, previous } });
        Ok(())
    }

    /// Seals a segment: after this it is in the store, whatever happens.
    ///
    /// # Errors
    /// The store cannot be written, or no recording has begun; nothing has changed then, and it can be tried again.
    pub fn seal(&mut self, packed: &Packed) -> Result<(), StoreError> {
        let Some(chain) = &self.chain else {
            return Err(self.path_error(rusqlite::Error::InvalidQuery));
        };
        let hash = packed.hash(&chain.next);
        self.insert_segment(packed, &chain.next, &hash).map_err(|source| self.path_error(source))?;
        if let Some(chain) = &mut self.chain {
            chain.next.number += 1;
            chain.next.previous = hash;
        }
        Ok(())
    }

    fn insert_segment(&self, packed: &Packed, link: &Link, hash: &Hash) -> rusqlite::Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO segment (run_id, number, first_ns, last_ns, clock_offset_ns, frames, length, payload_sha256,
                    previous, sha256, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                self.run,
                link.number as i64,
                packed.span.first_ns as i64,
                packed.span.last_ns as i64,
                packed.span.clock_offset_ns,
                packed.frames as i64,
                packed.len as i64,
                packed.payload_hash,
                link.previous,
                hash,
                packed.payload,
            ])?;
        Ok(())
    }

    /// The number of the last segment that was sealed.
    pub fn sealed(&self) -> u64 {
        self.chain.as_ref().map_or(0, |chain| chain.next.number - 1)
    }

    /// A segment of a run; `None` if it has none of this number.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn segment(&self, run: i64, number: u64) -> Result<Option<Sealed>, StoreError> {
        segment(&self.db, run, number).map_err(|source| self.path_error(source))
    }

    /// Runs that ended, in order or not, before there were rows of all their segments.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn debts(&self) -> Result<Vec<Debt>, StoreError> {
        debts(&self.db).map_err(|source| self.path_error(source))
    }

    /// The newest checkpoint of a run after none of the segments behind `number`, and the number of its segment.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn checkpoint(&self, run: i64, number: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let read = || {
            self.db
                .prepare_cached(
                    "SELECT number, state FROM checkpoint WHERE run_id = ?1 AND number <= ?2 ORDER BY number DESC LIMIT 1",
                )?
                .query_row(params![run, number as i64], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)))
                .optional()
        };
        read().map_err(|source| self.path_error(source))
    }

    /// From here on rows of this run are written, which began earlier.
    pub fn resume(&mut self, run: i64) {
        self.run = run;
        self.begun = true;
        self.chain = None;
    }

    pub(in super::super) fn path_error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::from_sqlite(&self.path, &self.db, source)
    }
}

/// A run of segments, and the hash of the last segment before it.
fn begin(db: &mut Database, start: &Start) -> rusqlite::Result<(i64, Hash)> {
    let transaction = db.transaction()?;
    let run = begin_run(&transaction, start)?;
    transaction.execute("UPDATE run SET indexed = 0 WHERE id = ?1", [run])?;
    let last = transaction
        .query_row("SELECT sha256 FROM segment ORDER BY id DESC LIMIT 1", [], |row| row.get::<_, Hash>(0))
        .optional()?;
    transaction.commit()?;
    Ok((run, last.unwrap_or_default()))
}
