//! Which connections can be in an answer. Ids grow with time, but not strictly; so for each block of connections, whose ids
//! differ in their last bits only, the store keeps when they were opened and which remote addresses they have. That costs
//! next to nothing to write, and lets a reader pass over all other blocks. Connections that lasted longer than a minute, or
//! are open, are in an index besides: the others ended soon after they were opened.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rusqlite::{Connection as Database, OptionalExtension, params};

use connmon_record::{Timestamp, varint};

/// Bits in which the ids of a block differ.
const SHIFT: u32 = 10;
/// Longer than this is long, nanoseconds; as the index `connection_long` has it.
const LONG: i64 = 60_000_000_000;
/// Ranges of ids that a reader is given at most.
const MOST_RANGES: usize = 65_536;

/// The summary of a block. It may claim more than its connections have by now, never less.
#[derive(Default)]
pub(super) struct Block {
    /// When the first and the last of its connections were opened.
    opened: Option<(i64, i64)>,
    remotes: BTreeSet<i64>,
}

impl Block {
    fn add(&mut self, opened: i64, remote: i64) {
        let (first, last) = self.opened.unwrap_or((opened, opened));
        self.opened = Some((first.min(opened), last.max(opened)));
        self.remotes.insert(remote);
    }

    /// Adds all of another one; whether that was anything new.
    fn extend(&mut self, other: Self) -> bool {
        let before = (self.opened, self.remotes.len());
        if let (Some((first, last)), Some(remote)) = (other.opened, other.remotes.first()) {
            self.add(first, *remote);
            self.add(last, *remote);
        }
        self.remotes.extend(other.remotes);
        before != (self.opened, self.remotes.len())
    }

    pub(super) fn read(db: &Database, number: i64) -> rusqlite::Result<Option<Self>> {
        let mut find = db.prepare_cached(
            "SELECT first, last, remotes FROM block JOIN block_remotes USING (id) WHERE id = ?1",
        )?;
        let read = |row: &rusqlite::Row<'_>| {
            let remotes = unpacked(row.get_ref(2)?.as_blob()?).collect();
            Ok(Self { opened: Some((row.get(0)?, row.get(1)?)), remotes })
        };
        find.query_row([number], read).optional()
    }

    /// The remote addresses of its connections.
    #[cfg(test)]
    pub(super) fn remotes(&self) -> impl Iterator<Item = i64> {
        self.remotes.iter().copied()
    }

    fn write(&self, db: &Database, number: i64) -> rusqlite::Result<()> {
        let Some((first, last)) = self.opened else { return Ok(()) };
        db.prepare_cached("INSERT OR REPLACE INTO block (id, first, last) VALUES (?1, ?2, ?3)")?
            .execute([number, first, last])?;
        db.prepare_cached("INSERT OR REPLACE INTO block_remotes (id, remotes) VALUES (?1, ?2)")?
            .execute(params![number, packed(&self.remotes)])?;
        Ok(())
    }
}

/// Numbers in ascending order as bytes: of each the difference to the one before.
fn packed(numbers: &BTreeSet<i64>) -> Vec<u8> {
    let (mut bytes, mut before) = (Vec::with_capacity(2 * numbers.len()), 0);
    for number in numbers {
        varint::push(&mut bytes, number.wrapping_sub(before) as u64);
        before = *number;
    }
    bytes
}

/// The inverse of [`packed`].
fn unpacked(bytes: &[u8]) -> impl Iterator<Item = i64> {
    varint::read(bytes).scan(0_i64, |before, step| {
        *before = before.wrapping_add(step as i64);
        Some(*before)
    })
}

/// Keeps the blocks of what is written.
#[derive(Default)]
pub(super) struct BlockWriter {
    /// The block values of connections that are open and may be written again.
    open: HashMap<i64, (i64, i64)>,
    changed: BTreeMap<i64, Block>,
    /// The block that is added to: it need not be read back.
    newest: Option<(i64, Block)>,
}

impl BlockWriter {
    /// Notes that a connection is written.
    pub(super) fn note(&mut self, id: i64, opened: i64, remote: i64, is_open: bool) {
        let known = if is_open { self.open.insert(id, (opened, remote)) } else { self.open.remove(&id) };
        if known != Some((opened, remote)) {
            self.changed.entry(id >> SHIFT).or_default().add(opened, remote);
        }
    }

    /// Notes that a connection is not written again.
    pub(super) fn forget(&mut self, id: i64) {
        self.open.remove(&id);
    }

    /// Writes what was noted.
    pub(super) fn write(&mut self, db: &Database) -> rusqlite::Result<()> {
        for (number, more) in std::mem::take(&mut self.changed) {
            let mut block = match self.newest.take_if(|(newest, _)| *newest == number) {
                Some((_, block)) => block,
                None => Block::read(db, number)?.unwrap_or_default(),
            };
            if block.extend(more) {
                block.write(db, number)?;
            }
            if self.newest.as_ref().is_none_or(|(newest, _)| *newest < number) {
                self.newest = Some((number, block));
            }
        }
        Ok(())
    }
}

/// Makes the blocks of a store that has none yet.
pub(super) fn make(db: &Database) -> rusqlite::Result<()> {
    let mut writer = BlockWriter::default();
    let mut all = db.prepare("SELECT id, opened, remote_id FROM connection ORDER BY id")?;
    let mut rows = all.query([])?;
    let mut block = 0;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        if id >> SHIFT != block {
            writer.write(db)?;
            block = id >> SHIFT;
        }
        writer.note(id, row.get(1)?, row.get(2)?, false);
    }
    writer.write(db)
}

/// Deletes what is kept of the blocks of these connections, which have been deleted, where no other one is in them.
pub(super) fn delete_empty(db: &Database, connections: &[i64]) -> rusqlite::Result<()> {
    let numbers: BTreeSet<i64> = connections.iter().map(|id| id >> SHIFT).collect();
    for number in numbers {
        let (first, last) = ids(number);
        let mut left =
            db.prepare_cached("SELECT EXISTS (SELECT 1 FROM connection WHERE id BETWEEN ?1 AND ?2)")?;
        if !left.query_row([first, last], |row| row.get::<_, bool>(0))? {
            db.prepare_cached("DELETE FROM block WHERE id = ?1")?.execute([number])?;
            db.prepare_cached("DELETE FROM block_remotes WHERE id = ?1")?.execute([number])?;
        }
    }
    Ok(())
}

/// Ids from the first to the last.
pub(super) type IdRange = (i64, i64);

/// The block of a connection.
pub(super) fn number_of(id: i64) -> i64 {
    id >> SHIFT
}

/// The ids of a block.
pub(super) fn ids(number: i64) -> IdRange {
    (number << SHIFT, (number << SHIFT) | ((1 << SHIFT) - 1))
}

/// The conditions that all connections of an answer meet.
pub(super) struct Wanted {
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    /// Their remote addresses.
    pub(super) remotes: Option<HashSet<i64>>,
}

impl Wanted {
    /// The ids among which they are, in ascending order; `None` for all. The store has blocks.
    pub(super) fn ranges(&self, db: &Database) -> rusqlite::Result<Option<Vec<IdRange>>> {
        if self.since.is_none() && self.until.is_none() && self.remotes.is_none() {
            return Ok(None);
        }
        let mut ranges = Ranges::default();
        // All of them in one pass: there are a thousand for a million connections, and to look each up takes longer than to read it.
        let mut blocks = db.prepare("SELECT id, first, last FROM block ORDER BY id")?;
        let mut blocks = blocks.query([])?;
        let mut next = blocks.next()?.map(block_times).transpose()?;
        let since = self.since.map_or(i64::MIN, |since| since.0.saturating_sub(LONG));
        let until = self.until.map_or(i64::MAX, |until| until.0);
        for number in numbers(db)? {
            while next.is_some_and(|(id, ..)| id < number) {
                next = blocks.next()?.map(block_times).transpose()?;
            }
            let may = match next {
                Some((id, first, last)) if id == number => {
                    last >= since && first < until && self.has_remote(db, number)?
                }
                // Of another program's making, or of one that failed: nothing is known of it.
                _ => true,
            };
            if may {
                ranges.push(ids(number));
            }
        }
        let mut ranges = ranges.0;
        if let Some(since) = self.since {
            self.add_long(db, since.0, until, &mut ranges)?;
        }
        Ok(Some(few(ranges)))
    }

    fn has_remote(&self, db: &Database, block: i64) -> rusqlite::Result<bool> {
        self.remotes.as_ref().map_or(Ok(true), |wanted| has_remote(db, block, wanted))
    }

    /// Adds those that were opened before, and lasted.
    fn add_long(
        &self,
        db: &Database,
        since: i64,
        until: i64,
        ranges: &mut Vec<IdRange>,
    ) -> rusqlite::Result<()> {
        let mut long = db.prepare(
            "SELECT id FROM connection INDEXED BY connection_long
                WHERE closed - opened > 60000000000 AND closed >= ?1 AND opened < ?2
                UNION ALL SELECT id FROM connection INDEXED BY connection_long WHERE closed IS NULL AND opened < ?2",
        )?;
        let ids = long.query_map([since, until], |row| row.get(0))?;
        let mut ids = ids.collect::<rusqlite::Result<Vec<i64>>>()?;
        ids.sort_unstable();
        let mut last = (i64::MIN, false);
        let mut all = Ranges::default();
        let mut blocks = std::mem::take(ranges).into_iter().peekable();
        for id in ids {
            while let Some(range) = blocks.next_if(|range| range.1 < id) {
                all.push(range);
            }
            if blocks.peek().is_some_and(|range| range.0 <= id) {
                continue;
            }
            if last.0 != id >> SHIFT {
                last = (id >> SHIFT, self.has_remote(db, id >> SHIFT)?);
            }
            if last.1 {
                all.push((id, id));
            }
        }
        blocks.for_each(|range| all.push(range));
        *ranges = all.0;
        Ok(())
    }
}

/// The number of a block, and when its first and its last connection were opened.
fn block_times(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, i64, i64)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

/// Ranges in ascending order, of which none touches the next.
#[derive(Default)]
struct Ranges(Vec<IdRange>);

impl Ranges {
    fn push(&mut self, (first, last): IdRange) {
        match self.0.last_mut() {
            Some(before) if before.1 + 1 == first => before.1 = last,
            _ => self.0.push((first, last)),
        }
    }
}

/// At most so many ranges: those that are nearest to each other become one.
fn few(ranges: Vec<IdRange>) -> Vec<IdRange> {
    if ranges.len() <= MOST_RANGES {
        return ranges;
    }
    let mut gaps: Vec<i64> = ranges.windows(2).map(|pair| pair[1].0 - pair[0].1).collect();
    gaps.sort_unstable();
    let joined = gaps[ranges.len() - MOST_RANGES];
    let mut fewer: Vec<IdRange> = Vec::new();
    for (first, last) in ranges {
        match fewer.last_mut() {
            Some(before) if first - before.1 <= joined => before.1 = last,
            _ => fewer.push((first, last)),
        }
    }
    fewer
}

/// Whether connections of a block can lead to one of these addresses.
pub(super) fn has_remote(db: &Database, block: i64, wanted: &HashSet<i64>) -> rusqlite::Result<bool> {
    let mut find = db.prepare_cached("SELECT remotes FROM block_remotes WHERE id = ?1")?;
    let has = |row: &rusqlite::Row<'_>| {
        Ok(unpacked(row.get_ref(0)?.as_blob()?).any(|remote| wanted.contains(&remote)))
    };
    Ok(find.query_row([block], has).optional()?.unwrap_or(true))
}

/// Whether a store has blocks.
pub(super) fn has_blocks(db: &Database) -> rusqlite::Result<bool> {
    db.table_exists(Some("main"), "block")
}

/// The blocks that there can be, in ascending order.
pub(super) fn numbers(db: &Database) -> rusqlite::Result<impl Iterator<Item = i64>> {
    let all = extents(db)?;
    Ok(all.into_iter().flat_map(|(first, last)| first >> SHIFT..=last >> SHIFT))
}

/// The first and the last id of each recording that has connections, in ascending order.
pub(super) fn extents(db: &Database) -> rusqlite::Result<Vec<IdRange>> {
    let mut ends = db.prepare(
        "SELECT (SELECT min(id) FROM connection WHERE id BETWEEN ?1 AND ?2),
            (SELECT max(id) FROM connection WHERE id BETWEEN ?1 AND ?2)",
    )?;
    let mut runs = db.prepare("SELECT id FROM run ORDER BY id")?;
    let runs = runs.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut all = Vec::new();
    for run in runs {
        let base = run << super::RUN_SHIFT;
        let ends = ends.query_row([base, base | ((1 << super::RUN_SHIFT) - 1)], |row| {
            Ok(Option::zip(row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
        })?;
        all.extend(ends);
    }
    Ok(all)
}
