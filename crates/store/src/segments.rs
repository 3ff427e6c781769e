//! The chain of segments, read again to make rows.

use rusqlite::{Connection as Database, OptionalExtension, Row, params};

use super::{Store, StoreError};
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
    /// The content of the segment; `None` if its frames have been pruned.
    pub packed: Option<Packed>,
}

/// The progress of making rows from a run's segments.
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

    /// The number of segments without rows.
    pub fn segments(&self) -> u64 {
        self.sealed.saturating_sub(self.indexed)
    }
}

impl Store {
    /// The segments that are not in the tables yet, by run.
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

/// Segments of which one checkpoint stays: an hour of them, as a rule.
const KEPT: i64 = 3600;

const SELECT: &str =
    "SELECT s.run_id, r.boot_id, s.number, s.previous, s.sha256, s.first_ns, s.last_ns, s.clock_offset_ns,
    s.frames, s.length, s.payload_sha256, s.payload FROM segment s JOIN run r ON r.id = s.run_id";

/// A segment of a run.
pub(super) fn segment(db: &Database, run: i64, number: u64) -> rusqlite::Result<Option<Sealed>> {
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
