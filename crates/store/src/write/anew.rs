//! Rows of a recording that are made anew from its segments: because its clock was not right when the first ones were made, or because
//! they are not trusted any more. What is not of the segments stays: places, rules, lists.

use rusqlite::{Connection as Database, OptionalExtension, Transaction, params};

use super::super::{RUN_SHIFT, StoreError, blocks, stretches};
use super::{Writer, findings};

/// The wording of a gap before a recording that the store itself finds.
pub(super) const LOST_END: &str = "the end of recording ";

impl Writer {
    /// Deletes the rows of a recording, to be made anew from all of its segments; says whether they can be: where segments, or
    /// details of connections, have been pruned, nothing changes. If its clock became `right` (CLOCK_BOOTTIME, and CLOCK_REALTIME −
    /// CLOCK_BOOTTIME then), it begins by that clock.
    ///
    /// # Errors
    /// The store cannot be written; nothing has changed then.
    pub fn begin_anew(&mut self, run: i64, right: Option<(u64, i64)>) -> Result<bool, StoreError> {
        let mut work = || {
            // Every row that a deleted one refers to would be looked for, and everything that refers to it.
            self.db.pragma_update(None, "foreign_keys", false)?;
            let transaction = self.db.transaction()?;
            if !has_everything(&transaction, run)? {
                return Ok(false);
            }
            delete_rows(&transaction, run)?;
            if let Some(right) = right {
                set_clock(&transaction, run, right)?;
            }
            transaction.commit()?;
            Ok(true)
        };
        let done: rusqlite::Result<bool> = work();
        let again = self.db.pragma_update(None, "foreign_keys", true);
        let done = done.and_then(|done| again.map(|()| done)).map_err(|source| self.after_failure(source))?;
        if done {
            self.forget_batches();
        }
        Ok(done)
    }

    /// When the clock of a recording became right (CLOCK_BOOTTIME), and CLOCK_REALTIME − CLOCK_BOOTTIME then; `None` where it was
    /// right from the beginning, as far as is known.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn clock_right(&self, run: i64) -> Result<Option<(u64, i64)>, StoreError> {
        let read = || {
            self.db
                .prepare_cached("SELECT clock_right_ns, clock_offset_ns FROM run WHERE id = ?1")?
                .query_row([run], |row| Ok(row.get::<_, Option<i64>>(0)?.zip(Some(row.get(1)?))))
                .optional()
        };
        let found = read().map_err(|source| self.path_error(source))?;
        Ok(found.flatten().map(|(right_ns, offset_ns)| (right_ns as u64, offset_ns)))
    }
}

/// Whether all that was recorded is still in the segments, and all rows are of it.
fn has_everything(db: &Database, run: i64) -> rusqlite::Result<bool> {
    db.query_row(
        "SELECT EXISTS (SELECT 1 FROM segment WHERE run_id = ?1)
            AND NOT EXISTS (SELECT 1 FROM segment WHERE run_id = ?1 AND payload IS NULL)
            AND NOT EXISTS (SELECT 1 FROM pruned WHERE run_id = ?1)",
        [run],
        |row| row.get(0),
    )
}

fn delete_rows(db: &Transaction<'_>, run: i64) -> rusqlite::Result<()> {
    let ids = [run << RUN_SHIFT, (run << RUN_SHIFT) | ((1 << RUN_SHIFT) - 1)];
    for (table, id) in [
        ("hit", "connection_id"),
        ("traffic", "connection_id"),
        ("connection_name", "connection_id"),
        ("observed", "connection_id"),
        ("connection", "id"),
        ("process", "id"),
    ] {
        db.execute(&format!("DELETE FROM {table} WHERE {id} BETWEEN ?1 AND ?2"), ids)?;
    }
    findings::forget(db)?;
    stretches::forget_all(db, (ids[0], ids[1]))?;
    let (first, last) = (blocks::number_of(ids[0]), blocks::number_of(ids[1]));
    for table in ["block", "block_remotes"] {
        db.execute(&format!("DELETE FROM {table} WHERE id BETWEEN ?1 AND ?2"), [first, last])?;
    }
    for table in ["lookup", "interface", "clock_step", "late_read", "left_out"] {
        db.execute(&format!("DELETE FROM {table} WHERE run_id = ?1"), [run])?;
    }
    db.execute(
        "DELETE FROM gap WHERE run_id = ?1 AND substr(reason, 1, length(?2)) <> ?2",
        params![run, LOST_END],
    )?;
    // The state before the first segment is of no segment.
    db.execute("DELETE FROM checkpoint WHERE run_id = ?1 AND number > 0", [run])?;
    db.execute("UPDATE run SET indexed = 0 WHERE id = ?1", [run])?;
    Ok(())
}

/// The recording began by another clock than it seemed.
fn set_clock(db: &Transaction<'_>, run: i64, (right_ns, offset_ns): (u64, i64)) -> rusqlite::Result<()> {
    let by = "(?3 - clock_offset_ns)";
    db.execute(
        &format!(
            "UPDATE run SET started = started + {by}, last_flush = last_flush + {by}, ended = ended + {by},
                clock_right_ns = ?2, clock_offset_ns = ?3 WHERE id = ?1"
        ),
        params![run, right_ns as i64, offset_ns],
    )?;
    // It reaches up to the start.
    db.execute(
        "UPDATE gap SET ended = max(started, (SELECT started FROM run WHERE id = ?1)) WHERE run_id = ?1",
        [run],
    )?;
    Ok(())
}
