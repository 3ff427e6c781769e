//! The chain of segments: written before anything is made of it, and read again to make rows.

use rusqlite::{Connection as Database, OptionalExtension, Row, params};

use super::{Store, StoreError, Writer, write};
use connmon_record::frame::Start;
use connmon_record::segment::{Hash, Link, Packed, Span};

/// A segment as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The run that it belongs to.
    pub run: i64,
    /// Its place in the chain.
    pub link: Link,
    /// The hash that it was sealed with.
    pub hash: Hash,
    /// What it consists of; `None` where the frames have been pruned.
    pub packed: Option<Packed>,
}

/// Where the chain of a store ends.
#[derive(Clone, Debug, Default)]
pub(super) struct ChainEnd {
    next: Link,
}

/// What is made of a run's segments so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Debt {
    /// The run.
    pub run: i64,
    /// The segments of which there are rows: all up to this number.
    pub indexed: u64,
    /// The number of the last segment.
    pub sealed: u64,
    /// Bytes of those without rows, as they are stored.
    pub bytes: u64,
}

impl Debt {
    /// Whether there are segments without rows.
    pub fn is_some(&self) -> bool {
        self.sealed > self.indexed
    }
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
        self.chain = Some(ChainEnd { next: Link { boot_id: start.boot_id.clone(), number: 1, previous } });
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

    pub(super) fn path_error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::from_sqlite(&self.path, &self.db, source)
    }
}

impl Store {
    /// What is not in the tables yet, by run.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn debts(&self) -> Result<Vec<Debt>, StoreError> {
        debts(&self.db).map_err(|source| self.error(source))
    }

    /// Calls `each` for each segment, in the order of the chain.
    ///
    /// # Errors
    /// The store cannot be read, or `each` fails.
    pub fn for_each_segment<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(Sealed) -> Result<(), E>,
    ) -> Result<(), E> {
        let error = |source| E::from(self.error(source));
        if !self.db.table_exists(None, "segment").map_err(error)? {
            return Ok(());
        }
        let mut statement = self.db.prepare(&format!("{SELECT} ORDER BY s.id")).map_err(error)?;
        let mut rows = statement.query([]).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            each(sealed(row).map_err(error)?)?;
        }
        Ok(self.is_as_it_was()?)
    }
}

/// A run of segments, and the hash of the last segment before it.
fn begin(db: &mut Database, start: &Start) -> rusqlite::Result<(i64, Hash)> {
    let transaction = db.transaction()?;
    let run = write::begin_run(&transaction, start)?;
    transaction.execute("UPDATE run SET indexed = 0 WHERE id = ?1", [run])?;
    let last = transaction
        .query_row("SELECT sha256 FROM segment ORDER BY id DESC LIMIT 1", [], |row| row.get::<_, Hash>(0))
        .optional()?;
    transaction.commit()?;
    Ok((run, last.unwrap_or_default()))
}

/// Segments of which one checkpoint stays: an hour of them, as a rule.
const KEPT: i64 = 3600;

const SELECT: &str =
    "SELECT s.run_id, r.boot_id, s.number, s.previous, s.sha256, s.first_ns, s.last_ns, s.clock_offset_ns,
    s.frames, s.length, s.payload_sha256, s.payload FROM segment s JOIN run r ON r.id = s.run_id";

fn segment(db: &Database, run: i64, number: u64) -> rusqlite::Result<Option<Sealed>> {
    db.prepare_cached(&format!("{SELECT} WHERE s.run_id = ?1 AND s.number = ?2"))?
        .query_row(params![run, number as i64], sealed)
        .optional()
}

fn sealed(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
    let payload: Option<Vec<u8>> = row.get(11)?;
    let packed = match payload {
        None => None,
        Some(payload) => Some(Packed {
            span: Span { first_ns: number(5)?, last_ns: number(6)?, clock_offset_ns: row.get(7)? },
            frames: number(8)?,
            len: number(9)?,
            payload,
            payload_hash: row.get(10)?,
        }),
    };
    Ok(Sealed {
        run: row.get(0)?,
        link: Link { boot_id: row.get(1)?, number: number(2)?, previous: row.get(3)? },
        hash: row.get(4)?,
        packed,
    })
}

/// A run of a version without segments has no debt.
pub(super) fn debts(db: &Database) -> rusqlite::Result<Vec<Debt>> {
    if !db.table_exists(None, "segment")? {
        return Ok(Vec::new());
    }
    // The last number of each run from the end of its index; only what has no rows yet is looked at.
    let mut statement = db.prepare_cached(
        "SELECT id, indexed, (SELECT coalesce(max(number), 0) FROM segment WHERE run_id = run.id) AS last,
            (SELECT coalesce(sum(length(payload)), 0) FROM segment WHERE run_id = run.id AND number > run.indexed)
            FROM run WHERE indexed IS NOT NULL AND last > indexed ORDER BY id",
    )?;
    let debts = statement.query_map([], |row| {
        let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
        Ok(Debt { run: row.get(0)?, indexed: number(1)?, sealed: number(2)?, bytes: number(3)? })
    })?;
    debts.collect()
}

/// Keeps what is known after a segment. Of the checkpoints before, the first of each [`KEPT`] segments stays.
pub(super) fn put_checkpoint(db: &Database, run: i64, number: u64, state: &[u8]) -> rusqlite::Result<()> {
    let number = number as i64;
    db.prepare_cached(
        "DELETE FROM checkpoint WHERE run_id = ?1 AND number / ?3 = ?2 / ?3
            AND number > (SELECT min(number) FROM checkpoint WHERE run_id = ?1 AND number / ?3 = ?2 / ?3)",
    )?
    .execute(params![run, number, KEPT])?;
    db.prepare_cached("INSERT OR REPLACE INTO checkpoint (run_id, number, state) VALUES (?1, ?2, ?3)")?
        .execute(params![run, number, state])?;
    Ok(())
}

/// What a recording's filter excludes is not kept in segments either: those that nobody needs to make rows any more lose their frames.
pub(super) fn forget_excluded(db: &Database, run: i64, ended: bool) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE segment SET payload = NULL WHERE run_id = ?1 AND payload IS NOT NULL
            AND (?2 OR number <= (SELECT max(number) FROM checkpoint WHERE run_id = ?1))",
    )?
    .execute(params![run, ended])?;
    if ended {
        db.execute("DELETE FROM checkpoint WHERE run_id = ?1", [run])?;
    }
    Ok(())
}
