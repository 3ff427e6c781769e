//! What is new in a store since somebody last looked: connections and questions to DNS by their ids, which grow, and ends of
//! connections that were open.

use std::collections::HashMap;

use rusqlite::OptionalExtension;

use super::columns::StoreColumns;
use super::complete::Completer;
use super::labels::Hits;
use super::names::lookup;
use super::processes::ProcessReader;
use super::{Store, StoreError, Writer};
use connmon_record::{Connection, Lookup, Run, Timestamp};

impl Writer {
    /// A reader of what has been written, in the same process.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn reader(&self) -> Result<Store, StoreError> {
        Store::beside(&self.path)
    }
}

impl Store {
    /// The connections with higher ids than this one, in the order of their ids, at most so many. Each has all its bytes, but does not
    /// say when it moved them. `runs` are those of the store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn connections_after(
        &self,
        id: i64,
        most: usize,
        runs: &[Run],
    ) -> Result<Vec<Connection>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.some("SELECT * FROM connection WHERE id > ?1 ORDER BY id LIMIT ?2", [id, most], runs)
    }

    /// The connection of this id as [`Store::connections_after`] would give it, if it is there.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn connection_now(&self, id: i64, runs: &[Run]) -> Result<Option<Connection>, StoreError> {
        Ok(self.some("SELECT * FROM connection WHERE id = ?1 LIMIT ?2", [id, 1], runs)?.pop())
    }

    /// Whether a connection has ended, or is not there any more.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn is_over(&self, id: i64) -> Result<bool, StoreError> {
        let read = || {
            let mut find =
                self.db.prepare_cached("SELECT closed IS NOT NULL FROM connection WHERE id = ?1")?;
            find.query_row([id], |row| row.get(0)).optional()
        };
        Ok(read().map_err(|source| self.error(source))?.unwrap_or(true))
    }

    /// The questions to DNS with higher ids than this one, with their ids, in this order, at most so many.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn lookups_after(&self, id: i64, most: usize) -> Result<Vec<(i64, Lookup)>, StoreError> {
        let read = || {
            if !self.db.table_exists(None, "lookup")? {
                return Ok(Vec::new());
            }
            let mut processes = ProcessReader::new(&self.db)?;
            let mut statement =
                self.db.prepare_cached("SELECT * FROM lookup WHERE id > ?1 ORDER BY id LIMIT ?2")?;
            let mut rows = statement.query([id, i64::try_from(most).unwrap_or(i64::MAX)])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push((row.get("id")?, lookup(row, &mut processes)?));
            }
            Ok(all)
        };
        read().map_err(|source| self.error(source))
    }

    fn some(&self, sql: &str, values: [i64; 2], runs: &[Run]) -> Result<Vec<Connection>, StoreError> {
        let ends: HashMap<i64, Option<Timestamp>> = runs.iter().map(|run| (run.id, run.cut())).collect();
        let read = || {
            let hits = Hits::new(&self.db)?;
            let mut found = self.db.prepare_cached(sql)?;
            let columns = StoreColumns::of_statement(&found)?;
            let mut completer = Completer::new(&self.db, &hits, None)?;
            let mut rows = found.query(values)?;
            let mut some = Vec::new();
            while let Some(row) = rows.next()? {
                let mut one = completer.begin(row, &columns)?;
                one.connection.cut_off_at(ends.get(&one.run).copied().flatten());
                some.push(one);
            }
            completer.complete(&mut some)?;
            Ok(some.into_iter().map(|one| one.connection).collect())
        };
        read().map_err(|source| self.error(source))
    }
}
