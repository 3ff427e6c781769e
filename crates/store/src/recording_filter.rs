//! What a recording with a filter keeps. A connection is classified when it is over, because only then its figures, its end
//! and its processes are known; until then it is in the store.

use std::collections::HashMap;

use rusqlite::{Transaction, params};

use super::{RUN_SHIFT, labels, names, read};
use connmon_filter::{Filter, FilterRow};
use connmon_record::Connection;
use connmon_record::rows::Batch;

/// Notes that a recording has a filter.
pub(super) fn begin(db: &Transaction<'_>, run: i64, filter: &Filter) -> rusqlite::Result<()> {
    db.execute("INSERT INTO left_out VALUES (?1, ?2, 0, 0, 0)", params![run, filter.text()])?;
    Ok(())
}

/// Takes out the connections that are over and do not fit, counts them, and gives their rows.
pub(super) fn remove_unwanted(
    db: &Transaction<'_>,
    run: i64,
    filter: &Filter,
    batch: &Batch,
    fresh: &HashMap<i64, Connection>,
) -> rusqlite::Result<Vec<i64>> {
    let (mut left_out, mut tx_bytes, mut rx_bytes) = (Vec::new(), 0, 0);
    let hits = labels::Hits::new(db)?;
    for row in &batch.over {
        let id = run << RUN_SHIFT | row;
        let known = fresh.get(row);
        let stored = if known.is_none() { read::connection_with_run(db, &hits, id)? } else { None };
        let Some(connection) = known.or(stored.as_ref().map(|(_, connection)| connection)) else { continue };
        if filter.fits(&FilterRow::from_connection(connection, batch.time)) {
            continue;
        }
        left_out.push(*row);
        tx_bytes += connection.tx_bytes();
        rx_bytes += connection.rx_bytes();
        db.prepare_cached("DELETE FROM traffic WHERE connection_id = ?1")?.execute([id])?;
        // Of a connection that is known whole it is known, too, what there is to take out.
        if known.is_none_or(|known| !known.names.is_empty() || known.observed.is_some()) {
            names::delete(db, id)?;
        }
        if known.is_none_or(|known| !known.hits.is_empty()) {
            labels::delete_hits(db, id)?;
        }
        db.prepare_cached("DELETE FROM connection WHERE id = ?1")?.execute([id])?;
    }
    db.prepare_cached(
        "UPDATE left_out SET connections = connections + ?2, tx_bytes = tx_bytes + ?3, rx_bytes = rx_bytes + ?4
            WHERE run_id = ?1",
    )?
    .execute(params![run, left_out.len() as i64, tx_bytes as i64, rx_bytes as i64])?;
    Ok(left_out)
}
