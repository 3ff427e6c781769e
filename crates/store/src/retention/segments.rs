//! Pruning what segments consist of. Their hashes stay, so that the chain holds.

use rusqlite::params;

use super::super::Writer;
use connmon_record::Timestamp;

/// Looks at so many segments after an id, and prunes those that have rows and ended before `limit`; gives the id after which the
/// next step looks, if there is more to look at.
pub(super) fn prune(
    writer: &mut Writer,
    (after, rows): (i64, usize),
    limit: Timestamp,
) -> rusqlite::Result<Option<i64>> {
    let transaction = writer.db.transaction()?;
    let mut look = transaction.prepare_cached(
        "SELECT s.id, s.run_id, s.number, s.payload IS NULL, s.number <= r.indexed AND s.last_ns + s.clock_offset_ns < ?3
            FROM segment s JOIN run r ON r.id = s.run_id WHERE s.id > ?1 ORDER BY s.id LIMIT ?2",
    )?;
    let found: Vec<(i64, i64, i64, bool, bool)> = look
        .query_map(params![after, rows as i64, limit.0], |row| {
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
