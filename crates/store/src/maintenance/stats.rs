//! Statistics of a store.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;

use super::super::{Store, StoreError, place, retention};
use connmon_record::Timestamp;

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Bytes of its pages, and of those of its indexes; `None` where SQLite cannot tell.
    pub bytes: Option<u64>,
}

/// A store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// The number of its schema.
    pub schema: i32,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of pages that hold something.
    pub used_bytes: u64,
    /// Bytes of the log beside it.
    pub log_bytes: u64,
    /// Whether pages that are freed can be handed back without `db vacuum`.
    pub hands_back: bool,
    /// Somebody records into it.
    pub recorded_into: bool,
    /// Its tables, the largest first.
    pub tables: Vec<TableStats>,
    /// When the oldest connection of which it has details was opened.
    pub oldest: Option<Timestamp>,
    /// When it was last written to by a recording.
    pub newest: Option<Timestamp>,
}

impl Store {
    /// Counts everything; that reads the whole file.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn stats(&self) -> Result<StoreStats, StoreError> {
        let mut stats = self.counts().map_err(|source| self.error(source))?;
        stats.newest = self.runs()?.iter().map(|run| run.last_flush).max();
        stats.recorded_into = self.going_on;
        let length = |ending: &str| {
            let path = if ending.is_empty() { self.path.clone() } else { place::beside(&self.path, ending) };
            path.metadata().map_or(0, |file| file.len())
        };
        (stats.file_bytes, stats.log_bytes) = (length(""), length("-wal"));
        Ok(stats)
    }

    fn counts(&self) -> rusqlite::Result<StoreStats> {
        let db = &self.db;
        let mut names =
            db.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name")?;
        let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        // A SQLite that was built without it has no such table.
        let bytes = self.bytes().ok();
        let mut tables = Vec::new();
        for name in names {
            let rows: i64 =
                db.query_row(&format!("SELECT count(*) FROM main.{name}"), [], |row| row.get(0))?;
            let bytes = bytes.as_ref().map(|bytes| bytes.get(&name).copied().unwrap_or(0));
            tables.push(TableStats { name, rows: rows.cast_unsigned(), bytes });
        }
        tables.sort_by_key(|table| std::cmp::Reverse((table.bytes, table.rows)));
        let (pages, page) = retention::used(db)?;
        let oldest = "SELECT min(opened) FROM connection";
        Ok(StoreStats {
            schema: db.pragma_query_value(None, "user_version", |row| row.get(0))?,
            used_bytes: pages * page,
            hands_back: db.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, i64>(0))? == 2,
            tables,
            oldest: db.query_row(oldest, [], |row| row.get(0)).optional()?.flatten().map(Timestamp),
            ..StoreStats::default()
        })
    }

    /// Bytes of each table with its indexes.
    fn bytes(&self) -> rusqlite::Result<BTreeMap<String, u64>> {
        let mut sizes = self.db.prepare(
            "SELECT s.tbl_name, sum(d.pgsize) FROM dbstat('main', 1) d JOIN main.sqlite_schema s ON s.name = d.name
                GROUP BY s.tbl_name",
        )?;
        let sizes = sizes.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
        sizes.collect()
    }
}
