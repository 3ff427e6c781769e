//! Pruning connections, with everything that is known of each, and lookups.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection as Database, Transaction, params};

use super::super::{RUN_SHIFT, blocks, labels, names, read, runs, stretches, sums};
use super::{DAY_NS, Policy, PruneTarget};
use connmon_analysis::groups::sums::sums_of;
use connmon_filter::FilterRow;
use connmon_record::{Connection, Pruned, Timestamp};

/// The result of a step.
pub(super) struct Step {
    /// Connections that were pruned.
    pub pruned: u64,
    /// The id after which the next step looks; `None` if there is nothing left to look at.
    pub next: Option<i64>,
}

/// Looks at so many connections after an id, and prunes those that ended before `limit` and are not to be kept.
pub(super) fn prune(
    target: &mut PruneTarget<'_>,
    policy: &Policy,
    (after, rows): (i64, usize),
    limit: Timestamp,
    ends: &HashMap<i64, Option<Timestamp>>,
) -> rusqlite::Result<Step> {
    let transaction = target.db.transaction()?;
    let (mut next, mut over) = (None, Vec::new());
    {
        let mut look = transaction.prepare_cached(
            "SELECT id, run_id, opened, closed FROM connection WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut found = look.query(params![after, rows as i64])?;
        while let Some(row) = found.next()? {
            let (id, run): (i64, i64) = (row.get(0)?, row.get(1)?);
            if row.get::<_, i64>(2)? >= limit.0 {
                // Those after it are younger; but the next recording may be another host's.
                next = Some(((id >> RUN_SHIFT) + 1) << RUN_SHIFT);
                break;
            }
            next = Some(id);
            let closed = row.get::<_, Option<i64>>(3)?.map(Timestamp);
            if closed.or(ends.get(&run).copied().flatten()).is_some_and(|end| end < limit) {
                over.push(id);
            }
        }
    }
    let mut pruned_sums = sums::Sums::new();
    let here = stretches::locals(&transaction)?;
    let mut runs: BTreeMap<i64, Pruned> = BTreeMap::new();
    let hits = labels::Hits::new(&transaction)?;
    let mut gone = Vec::new();
    for id in over {
        let Some((run, connection)) = read::connection_with_steps(&transaction, &hits, id, ends)? else {
            continue;
        };
        let row = FilterRow::from_connection(&connection, limit);
        if policy.keep.iter().any(|keep| keep.fits(&row)) {
            continue;
        }
        drop(row);
        sums_of(&connection, &here, |key, figures| *pruned_sums.entry(key).or_default() += figures);
        count(runs.entry(run).or_default(), &connection);
        delete(&transaction, id)?;
        gone.push(id);
    }
    blocks::delete_empty(&transaction, &gone)?;
    stretches::give_up(&transaction, &gone)?;
    sums::add(&transaction, &pruned_sums)?;
    let pruned = runs.values().map(|run| run.connections).sum();
    for (run, pruned) in runs {
        note(&transaction, run, &pruned)?;
    }
    transaction.commit()?;
    Ok(Step { pruned, next })
}

fn count(pruned: &mut Pruned, connection: &Connection) {
    pruned.until = pruned.until.max(connection.known_end().unwrap_or_default());
    pruned.connections += 1;
    pruned.tx_bytes = pruned.tx_bytes.saturating_add(connection.tx_bytes());
    pruned.rx_bytes = pruned.rx_bytes.saturating_add(connection.rx_bytes());
}

fn delete(db: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM traffic WHERE connection_id = ?1")?.execute([id])?;
    names::delete(db, id)?;
    labels::delete_hits(db, id)?;
    db.prepare_cached("DELETE FROM connection WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Adds to what is told of a recording.
fn note(db: &Transaction<'_>, run: i64, pruned: &Pruned) -> rusqlite::Result<()> {
    let known = runs::pruned(db)?.remove(&run).unwrap_or_default();
    let sum = |a: u64, b: u64| i64::try_from(a.saturating_add(b)).unwrap_or(i64::MAX);
    db.prepare_cached(
        "INSERT OR REPLACE INTO pruned (run_id, until, connections, tx_bytes, rx_bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        run,
        pruned.until.max(known.until).0,
        sum(pruned.connections, known.connections),
        sum(pruned.tx_bytes, known.tx_bytes),
        sum(pruned.rx_bytes, known.rx_bytes)
    ])?;
    Ok(())
}

/// Prunes at most this number of lookups that were made before `limit`, the oldest first, and of late readings of that time; returns how
/// many lookups they were.
pub(super) fn prune_lookups(
    target: &mut PruneTarget<'_>,
    rows: usize,
    limit: Timestamp,
) -> rusqlite::Result<u64> {
    let transaction = target.db.transaction()?;
    let mut look = transaction.prepare_cached("SELECT id, time FROM lookup ORDER BY id LIMIT ?1")?;
    let found = look.query_map([rows as i64], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    drop(look);
    let mut pruned = 0;
    for (id, _) in found.iter().filter(|(_, time)| *time < limit.0) {
        transaction.prepare_cached("DELETE FROM lookup WHERE id = ?1")?.execute([id])?;
        pruned += 1;
    }
    // There are far fewer of these: at most one in ten seconds. One over the bound of a day matters to the sums that stay.
    transaction
        .prepare_cached(
            "DELETE FROM late_read WHERE id IN (SELECT id FROM late_read
                WHERE ended < ?1 AND started / ?3 = ended / ?3 ORDER BY id LIMIT ?2)",
        )?
        .execute(params![limit.0, rows as i64, DAY_NS])?;
    transaction.commit()?;
    Ok(pruned)
}

/// About how many connections there are: nothing is read of them.
pub(super) fn count_about(db: &Database) -> rusqlite::Result<u64> {
    let mut runs = db.prepare_cached(
        "SELECT (SELECT max(id) FROM connection WHERE id BETWEEN run.id << ?1 AND (run.id + 1 << ?1) - 1)
            - (SELECT min(id) FROM connection WHERE id BETWEEN run.id << ?1 AND (run.id + 1 << ?1) - 1) FROM run",
    )?;
    let each = runs.query_map([RUN_SHIFT], |row| row.get::<_, Option<i64>>(0))?;
    each.map(|count| count.map(|count| count.map_or(0, |count| count.unsigned_abs() + 1))).sum()
}

/// When the oldest of what may be pruned began.
pub(super) fn oldest(db: &Database) -> rusqlite::Result<Option<Timestamp>> {
    let oldest = "SELECT min(time) FROM (
        SELECT * FROM (SELECT opened AS time FROM connection ORDER BY id LIMIT 1)
        UNION ALL SELECT * FROM (SELECT time FROM lookup ORDER BY id LIMIT 1))";
    Ok(db.query_row(oldest, [], |row| row.get::<_, Option<i64>>(0))?.map(Timestamp))
}
