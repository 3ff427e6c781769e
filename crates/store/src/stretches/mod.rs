//! What the connections of a stretch add up to, whose ids differ in their lowest bits only: so an answer about everything is not
//! made of each of them again. Sums are made when a stretch is complete and the recorder has nothing else to do, of connections
//! that are over; the others are in no sum, but are listed (`stretch_rest`), read one by one, and added once they are over. If
//! anything changes that is in a sum, the sums of its stretch are forgotten and made anew: they are the rows' at any time.

mod cells;
mod describe;
mod make;
mod pieces;
mod read;
mod read_cells;

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use rusqlite::{Connection as Database, OptionalExtension, params};

use super::blocks::{self, IdRange};
use connmon_record::Timestamp;
pub(super) use make::Summer;
pub use read::Instead;
pub(super) use read::faults;
pub use read_cells::{CellDetail, InCells};

/// Bits in which the ids of a stretch differ.
const SHIFT: u32 = if cfg!(test) { 4 } else { 16 };
/// Connections of a stretch from which on its sums are worth their room.
const LEAST: i64 = if cfg!(test) { 1 } else { 4_096 };

/// The values of `state` of a stretch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its sums are being made.
    InProgress = 0,
    /// It has sums.
    Summed = 1,
    /// It gets none any more: details were pruned, or it has too many owners.
    GivenUp = 2,
    // 3: something else is known of a process, so they are not right any more (see schema/migrations.rs).
}

/// The stretch of a connection.
fn of_connection(id: i64) -> i64 {
    id >> SHIFT
}

/// The ids of a stretch.
fn ids(stretch: i64) -> IdRange {
    (stretch << SHIFT, (stretch << SHIFT) | ((1 << SHIFT) - 1))
}

/// Looks whether connections of a batch that was just written are in sums, which are then forgotten. Their ids come in any order.
pub(super) fn note_changes(
    db: &Database,
    (first, last): IdRange,
    connections: impl Iterator<Item = i64>,
) -> rusqlite::Result<()> {
    let mut newest = db.prepare_cached("SELECT max(id) FROM stretch WHERE id BETWEEN ?1 AND ?2")?;
    let newest: Option<i64> =
        newest.query_row([of_connection(first), of_connection(last)], |row| row.get(0))?;
    let Some(newest) = newest else { return Ok(()) };
    let mut find = db.prepare_cached(
        "SELECT NOT EXISTS (SELECT 1 FROM stretch_rest WHERE connection_id = ?2) FROM stretch WHERE id = ?1 AND state < 2",
    )?;
    let mut changed = BTreeSet::new();
    for id in connections {
        let stretch = of_connection(id);
        if stretch > newest || changed.contains(&stretch) {
            continue;
        }
        if find.query_row([stretch, id], |row| row.get(0)).optional()? == Some(true) {
            changed.insert(stretch);
        }
    }
    changed.into_iter().try_for_each(|stretch| forget(db, stretch))
}

/// Forgets the sums of all stretches with connections to addresses of which something else is known now.
pub(super) fn note_remotes(db: &Database, remotes: &[i64]) -> rusqlite::Result<()> {
    if remotes.is_empty() {
        return Ok(());
    }
    let remotes: HashSet<i64> = remotes.iter().copied().collect();
    let mut all = db.prepare_cached("SELECT id FROM stretch WHERE state < 2")?;
    for stretch in all.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()? {
        if has_remote(db, stretch, &remotes)? {
            forget(db, stretch)?;
        }
    }
    Ok(())
}

/// Forgets the sums of a stretch: they are made anew.
fn forget(db: &Database, stretch: i64) -> rusqlite::Result<()> {
    let (first, last) = ids(stretch);
    db.prepare_cached("DELETE FROM stretch_sum WHERE stretch_id = ?1")?.execute([stretch])?;
    cells::forget(db, stretch)?;
    db.prepare_cached("DELETE FROM stretch_rest WHERE connection_id BETWEEN ?1 AND ?2")?
        .execute([first, last])?;
    db.prepare_cached("DELETE FROM stretch WHERE id = ?1")?.execute([stretch])?;
    Ok(())
}

/// Forgets the sums of all connections in a range of ids, which are a recording's.
pub(super) fn forget_all(db: &Database, (first, last): IdRange) -> rusqlite::Result<()> {
    let mut all = db.prepare_cached("SELECT id FROM stretch WHERE id BETWEEN ?1 AND ?2")?;
    let all = all.query_map([of_connection(first), of_connection(last)], |row| row.get(0))?;
    all.collect::<rusqlite::Result<Vec<i64>>>()?.into_iter().try_for_each(|stretch| forget(db, stretch))
}

/// Forgets the sums of the stretches of these connections, which have been deleted, for good.
pub(super) fn give_up(db: &Database, connections: &[i64]) -> rusqlite::Result<()> {
    let stretches: BTreeSet<i64> = connections.iter().map(|id| of_connection(*id)).collect();
    for stretch in stretches {
        forget(db, stretch)?;
        db.prepare_cached(
            "INSERT INTO stretch (id, state, first, last, locals, processes) VALUES (?1, ?2, 0, 0, 0, 0)",
        )?
        .execute(params![stretch, State::GivenUp as i64])?;
    }
    Ok(())
}

/// Whether connections of a stretch lead to one of these addresses.
fn has_remote(db: &Database, stretch: i64, remotes: &HashSet<i64>) -> rusqlite::Result<bool> {
    let (first, last) = ids(stretch);
    for block in blocks::number_of(first)..=blocks::number_of(last) {
        if blocks::has_remote(db, block, remotes)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The addresses that this host is known to have had.
pub(super) fn locals(db: &Database) -> rusqlite::Result<HashSet<IpAddr>> {
    let mut all = db.prepare_cached("SELECT ip FROM stretch_local")?;
    let all = all.query_map([], |row| row.get::<_, String>(0))?;
    all.filter_map(|ip| ip.map(|ip| ip.parse().ok()).transpose()).collect()
}

/// A moment of a statement's value.
fn time(value: Option<i64>) -> Timestamp {
    value.map_or_else(Timestamp::default, Timestamp)
}
