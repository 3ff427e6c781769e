//! What a summary needs of the connections of a stretch (`connmon_analysis::cells`), so that a report of everything reads only those
//! connections that it shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::{Connection as Database, params};

use super::pieces::{self, CellKey, CellMap};
use connmon_analysis::cells::{CellRest, cells_of, insert_few, remote_names, service_key};
use connmon_analysis::groups::GroupFigures;
use connmon_analysis::minute_of;
use connmon_record::{Connection, Process, Untrusted, varint};

/// Cells of a piece at most.
const PIECE: usize = 1_024;

/// The cells of connections, and what cells do not tell.
#[derive(Default)]
pub(super) struct Cells {
    cells: CellMap,
    rest: CellRest,
    ends: BTreeMap<&'static str, u64>,
    /// Connections that were opened in a minute, and those of them that failed.
    minutes: BTreeMap<i64, (u64, u64)>,
    names: BTreeMap<i64, BTreeSet<Untrusted>>,
    sizes: Sizes,
    /// Whether they are written, once that is decided.
    wanted: Option<bool>,
}

impl Cells {
    /// Takes in a connection that is over. `remote` is the id of its address, and `process` gives that of a process.
    pub(super) fn take(
        &mut self,
        connection: &Connection,
        remote: i64,
        process: impl Fn(&Arc<Process>) -> i64,
    ) {
        let service = service_key(connection);
        cells_of(connection, &process, |process, counted, figures| {
            let key = CellKey { remote, process: process.unwrap_or(0), service, counted };
            self.cells.entry(key).and_modify(|sum| *sum += figures).or_insert(figures);
        });
        let one = GroupFigures::of_connection(connection);
        let opened = minute_of(connection.opened);
        if let Some(end) = connection.end {
            *self.ends.entry(end.name()).or_default() += one.connections;
        }
        let minute = self.minutes.entry(opened).or_default();
        *minute = (minute.0 + one.connections, minute.1 + one.failed);
        for name in remote_names(connection) {
            insert_few(self.names.entry(remote).or_default(), name.clone());
        }
        self.rest.rows += 1;
        self.sizes.push(connection.id, connection.bytes());
    }

    /// Whether cells are worth their room: to read one costs a fraction of what a connection does.
    fn pay(&self) -> bool {
        cfg!(test) || self.cells.len() as u64 <= self.rest.rows.saturating_mul(2)
    }

    /// Adds so many of these to those that the stretch has, if they pay; whether there are more.
    pub(super) fn write_some(&mut self, db: &Database, stretch: i64, rows: usize) -> rusqlite::Result<bool> {
        let wanted = match self.wanted {
            Some(wanted) => wanted,
            None => *self.wanted.insert(self.begin(db, stretch)?),
        };
        if !wanted {
            return Ok(false);
        }
        let mut some = CellMap::new();
        while some.len() < rows.min(PIECE)
            && let Some((key, figures)) = self.cells.pop_first()
        {
            some.insert(key, figures);
        }
        let mut left = rows.saturating_sub(some.len());
        pieces::add(db, stretch, some)?;
        let mut put = db.prepare_cached(
            "INSERT OR IGNORE INTO stretch_name (stretch_id, remote_id, name) VALUES (?1, ?2, ?3)",
        )?;
        while left > 0
            && let Some((remote, names)) = self.names.pop_first()
        {
            left -= 1;
            for name in names {
                put.execute(params![stretch, remote, name.raw()])?;
            }
        }
        Ok(!self.cells.is_empty() || !self.names.is_empty())
    }

    /// Whether the stretch gets these. If so, it is noted that it has some, whatever becomes of the recorder now.
    fn begin(&self, db: &Database, stretch: i64) -> rusqlite::Result<bool> {
        let has_none: bool = db
            .prepare_cached("SELECT state = 1 AND cell_rows IS NULL FROM stretch WHERE id = ?1")?
            .query_row([stretch], |row| row.get(0))?;
        // Those that are added later are few.
        if has_none || (self.rest.rows > 1 && !self.pay()) {
            return Ok(false);
        }
        db.prepare_cached("UPDATE stretch SET cell_rows = coalesce(cell_rows, 0) WHERE id = ?1")?
            .execute([stretch])?;
        Ok(true)
    }

    /// Adds what is left.
    pub(super) fn write(mut self, db: &Database, stretch: i64) -> rusqlite::Result<()> {
        while self.write_some(db, stretch, usize::MAX)? {}
        if self.wanted != Some(true) {
            return Ok(());
        }
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let mut put = db.prepare_cached(
            "INSERT INTO stretch_end (stretch_id, end, connections) VALUES (?1, ?2, ?3)
                ON CONFLICT DO UPDATE SET connections = connections + excluded.connections",
        )?;
        for (end, connections) in self.ends {
            put.execute(params![stretch, end, count(connections)])?;
        }
        let mut put = db.prepare_cached(
            "INSERT INTO stretch_minute (stretch_id, minute, connections, failed) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT DO UPDATE SET connections = connections + excluded.connections, failed = failed + excluded.failed",
        )?;
        for (minute, (connections, failed)) in self.minutes {
            put.execute(params![stretch, minute, count(connections), count(failed)])?;
        }
        let mut put = db.prepare_cached(
            "INSERT OR REPLACE INTO stretch_sizes (stretch_id, first, sizes) VALUES (?1, ?2, ?3)",
        )?;
        if let Some(first) = self.sizes.first {
            put.execute(params![stretch, first, self.sizes.bytes])?;
        }
        db.prepare_cached("UPDATE stretch SET cell_rows = coalesce(cell_rows, 0) + ?2 WHERE id = ?1")?
            .execute(params![stretch, count(self.rest.rows)])?;
        Ok(())
    }
}

/// Forgets the cells of a stretch, which itself is about to be forgotten: they are many, so [`sweep`] deletes them.
pub(super) fn forget(db: &Database, stretch: i64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO stretch_gone (stretch_id) SELECT id FROM stretch WHERE id = ?1 AND cell_rows IS NOT NULL",
    )?
    .execute([stretch])
    .map(drop)
}

/// Deletes about so many rows of cells that are forgotten; whether there were any.
pub(super) fn sweep(db: &Database, rows: usize) -> rusqlite::Result<bool> {
    // Earlier versions kept cells as rows.
    const TABLES: [(&str, &str); 6] = [
        ("stretch_cell", "remote_id"),
        ("stretch_piece", "number"),
        ("stretch_name", "remote_id"),
        ("stretch_minute", "minute"),
        ("stretch_end", "end"),
        ("stretch_sizes", "first"),
    ];
    let gone = "SELECT min(stretch_id) FROM stretch_gone";
    let Some(stretch) = db.prepare_cached(gone)?.query_row([], |row| row.get::<_, Option<i64>>(0))? else {
        return Ok(false);
    };
    for (table, key) in TABLES {
        let some = format!(
            "DELETE FROM {table} WHERE stretch_id = ?1 AND {key} <= coalesce((SELECT {key} FROM {table}
                WHERE stretch_id = ?1 ORDER BY {key} LIMIT 1 OFFSET ?2),
                (SELECT max({key}) FROM {table} WHERE stretch_id = ?1))"
        );
        if db.prepare_cached(&some)?.execute(params![stretch, rows as i64])? > 0 {
            return Ok(true);
        }
    }
    db.prepare_cached("DELETE FROM stretch_gone WHERE stretch_id = ?1")?.execute([stretch])?;
    Ok(true)
}

/// The bytes of connections, in the order of their ids: of each how much further its id is, and its bytes.
#[derive(Default)]
pub(super) struct Sizes {
    first: Option<i64>,
    last: i64,
    bytes: Vec<u8>,
}

impl Sizes {
    fn push(&mut self, id: i64, bytes: u64) {
        let before = if self.first.is_some() { self.last } else { id };
        self.first.get_or_insert(id);
        self.last = id;
        for number in [id.wrapping_sub(before) as u64, bytes] {
            varint::push(&mut self.bytes, number);
        }
    }

    /// Calls `each` with the ids and the bytes.
    pub(super) fn read(first: i64, bytes: &[u8], mut each: impl FnMut(i64, u64)) {
        let mut numbers = varint::read(bytes);
        let mut id = first;
        while let (Some(further), Some(size)) = (numbers.next(), numbers.next()) {
            id = id.wrapping_add(further as i64);
            each(id, size);
        }
    }
}
