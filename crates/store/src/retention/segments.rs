//! Pruning what segments consist of. Their hashes stay, so that the chain holds.

use rusqlite::{Connection as Database, params};

use super::PruneTarget;
use connmon_record::Timestamp;

/// The sizes of segments, from the youngest on.
#[derive(Default)]
pub(super) struct Size {
    /// The segment that was examined last.
    before: Option<i64>,
    bytes: u64,
    too_many: i64,
}

impl Size {
    /// Looks at so many; whether it is known now up to which there are too many.
    pub(super) fn look(&mut self, db: &Database, most: u64, rows: usize) -> rusqlite::Result<bool> {
        // Of what lies on further pages SQLite knows the length without reading them.
        let mut look = db.prepare_cached(
            "SELECT id, coalesce(length(payload), 0) FROM segment WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let mut found = look.query(params![self.before.unwrap_or(i64::MAX), rows as i64])?;
        let mut count = 0;
        while let Some(row) = found.next()? {
            let (id, bytes): (i64, i64) = (row.get(0)?, row.get(1)?);
            self.bytes = self.bytes.saturating_add(bytes.cast_unsigned());
            self.before = Some(id);
            count += 1;
            if self.bytes > most {
                self.too_many = id;
                return Ok(true);
            }
        }
        Ok(count < rows)
    }

    /// Up to which there are too many.
    pub(super) fn too_many(&self) -> i64 {
        self.too_many
    }
}

/// Looks at so many segments after an id, and prunes those that have rows and ended before `limit`, or are not after the other
/// `limit`; gives the id after which the next step looks, if there is more to look at.
pub(super) fn prune(
    target: &mut PruneTarget<'_>,
    (after, rows): (i64, usize),
    (limit, too_many): (Timestamp, i64),
) -> rusqlite::Result<Option<i64>> {
    let transaction = target.db.transaction()?;
    let mut look = transaction.prepare_cached(
        "SELECT s.id, s.run_id, s.number, s.payload IS NULL, s.number <= r.indexed AND (s.last_ns + s.clock_offset_ns < ?3 OR s.id <= ?4)
            FROM segment s JOIN run r ON r.id = s.run_id WHERE s.id > ?1 ORDER BY s.id LIMIT ?2",
    )?;
    let found: Vec<(i64, i64, i64, bool, bool)> = look
        .query_map(params![after, rows as i64, limit.0, too_many], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get::<_, Option<bool>>(4)?.unwrap_or(false),
            ))
        })?
        .collect::<rusqlite::Result<_>>()?;
    drop(look);
    let over: Vec<_> = found.iter().take_while(|(.., is_over)| *is_over).collect();
    for (id, ..) in over.iter().filter(|(_, _, _, pruned, _)| !pruned) {
        transaction.prepare_cached("UPDATE segment SET payload = NULL WHERE id = ?1")?.execute([id])?;
    }
    if let Some((_, run, number, ..)) = over.last() {
        // The last one before what is left is what rows of that are made from.
        transaction
            .prepare_cached(
                "DELETE FROM checkpoint WHERE run_id < ?1 OR run_id = ?1 AND number <
                    (SELECT max(number) FROM checkpoint WHERE run_id = ?1 AND number <= ?2)",
            )?
            .execute(params![run, number])?;
    }
    transaction.commit()?;
    Ok(over.last().filter(|_| over.len() == rows).map(|(id, ..)| *id))
}
