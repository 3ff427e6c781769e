//! What nothing refers to any more: processes and remote addresses. Nothing in the store leads from them to what refers to them (that
//! would cost recording more than it is worth), so all that refers to something is looked through, step by step, and what is not met
//! then is deleted. What comes meanwhile is met before each step that deletes.

use std::collections::HashMap;

use rusqlite::{Connection as Database, Transaction, params};

use super::super::{RUN_SHIFT, segments};
use super::PruneTarget;

/// Rows that are looked through for each row that may be deleted: that is how much faster it is.
const FASTER: usize = 16;

/// A set of ids, most of which come one after the other.
#[derive(Default)]
struct Ids(HashMap<i64, Box<[u64; 1024]>>);

impl Ids {
    fn insert(&mut self, id: i64) {
        let page = self.0.entry(id >> 16).or_insert_with(|| Box::new([0; 1024]));
        let bit = (id & 0xffff) as usize;
        page[bit / 64] |= 1 << (bit % 64);
    }

    fn contains(&self, id: i64) -> bool {
        let bit = (id & 0xffff) as usize;
        self.0.get(&(id >> 16)).is_some_and(|page| page[bit / 64] >> (bit % 64) & 1 == 1)
    }
}

/// A table that refers to processes or remote addresses: what is asked of it, from one id of its rows to another.
struct Referrer {
    query: &'static str,
    /// The ids of its rows.
    last: &'static str,
    /// The column with remote addresses, if the table has one.
    remotes: Option<usize>,
}

const REFERRERS: [Referrer; 4] = [
    Referrer {
        query: "SELECT id, owner_id, remote_id FROM connection WHERE id > ?1 ORDER BY id LIMIT ?2",
        last: "SELECT max(id) FROM connection",
        remotes: Some(2),
    },
    Referrer {
        // Never a part of a connection's.
        query: "SELECT connection_id, process_id FROM traffic WHERE connection_id > ?1 AND connection_id <=
            (SELECT max(connection_id) FROM (SELECT connection_id FROM traffic WHERE connection_id > ?1
                ORDER BY connection_id LIMIT ?2)) ORDER BY connection_id",
        last: "SELECT max(connection_id) FROM traffic",
        remotes: None,
    },
    Referrer {
        query: "SELECT rowid, process_id FROM connection_name WHERE rowid > ?1 ORDER BY rowid LIMIT ?2",
        last: "SELECT max(rowid) FROM connection_name",
        remotes: None,
    },
    Referrer {
        query: "SELECT id, process_id FROM lookup WHERE id > ?1 ORDER BY id LIMIT ?2",
        last: "SELECT max(id) FROM lookup",
        remotes: None,
    },
];

/// The search.
#[derive(Default)]
pub(super) struct Unused {
    processes: Ids,
    remotes: Ids,
    /// Up to where each table has been looked through.
    met: [i64; REFERRERS.len()],
    /// Everything has been met once.
    deleting: bool,
    /// Before which process and after which address it is looked for what to delete.
    before_process: Option<i64>,
    after_remote: i64,
    processes_done: bool,
}

impl Unused {
    /// Does a step; whether it was the last one.
    pub(super) fn step(&mut self, target: &mut PruneTarget<'_>, rows: usize) -> rusqlite::Result<bool> {
        if !self.deleting {
            self.deleting = self.meet(target.db, rows * FASTER)?;
            return Ok(false);
        }
        // What comes while it is recorded: none of it refers to a process that the recorder has forgotten.
        while !self.meet(target.db, rows * FASTER)? {}
        // To look whether anything refers to a row is what was just done, and the other way takes a look at everything for each row.
        target.db.pragma_update(None, "foreign_keys", false)?;
        let done = self.delete(target, rows);
        target.db.pragma_update(None, "foreign_keys", true)?;
        done
    }

    /// Looks through so many rows that refer to something; whether there are no more.
    fn meet(&mut self, db: &Database, rows: usize) -> rusqlite::Result<bool> {
        let mut left = rows;
        for (referrer, met) in REFERRERS.iter().zip(&mut self.met) {
            let last: Option<i64> = db.prepare_cached(referrer.last)?.query_row([], |row| row.get(0))?;
            while last.is_some_and(|last| last > *met) {
                let mut statement = db.prepare_cached(referrer.query)?;
                let mut found = statement.query(params![*met, left as i64])?;
                let (mut seen, mut at) = (0, *met);
                while let Some(row) = found.next()? {
                    at = row.get(0)?;
                    seen += 1;
                    if let Some(process) = row.get(1)? {
                        self.processes.insert(process);
                    }
                    if let Some(column) = referrer.remotes {
                        self.remotes.insert(row.get(column)?);
                    }
                }
                *met = at;
                if seen >= left {
                    return Ok(false);
                }
                left -= seen;
                if seen == 0 {
                    break;
                }
            }
        }
        Ok(true)
    }

    fn delete(&mut self, target: &mut PruneTarget<'_>, rows: usize) -> rusqlite::Result<bool> {
        let base = target.run << RUN_SHIFT;
        // What segments without rows refer to is not known yet.
        let debts = segments::debts(target.db)?;
        let indebted: Vec<i64> = debts.iter().map(|debt| debt.run).filter(|run| *run != target.run).collect();
        let PruneTarget { db, living, endpoints, .. } = target;
        let transaction = db.transaction()?;
        if !self.processes_done {
            // From the youngest on: a parent is older than its children, and stays with them.
            let mut statement = transaction.prepare_cached(
                "SELECT id, parent_id FROM process WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
            )?;
            let before = self.before_process.unwrap_or(i64::MAX);
            let found: Vec<(i64, Option<i64>)> = statement
                .query_map(params![before, rows as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            drop(statement);
            for (id, parent) in &found {
                let may_be_referred_to =
                    (*id >= base && living.contains(&(id - base))) || indebted.contains(&(id >> RUN_SHIFT));
                if self.processes.contains(*id) || may_be_referred_to {
                    parent.iter().for_each(|parent| self.processes.insert(*parent));
                } else {
                    transaction.prepare_cached("DELETE FROM process WHERE id = ?1")?.execute([id])?;
                }
            }
            self.before_process = found.last().map(|(id, _)| *id);
            self.processes_done = found.len() < rows;
            transaction.commit()?;
            return Ok(false);
        }
        let (done, deleted) = self.delete_remotes(&transaction, rows)?;
        transaction.commit()?;
        if deleted {
            endpoints.clear();
        }
        Ok(done)
    }

    /// Whether there are no more to look at, and whether some were deleted.
    fn delete_remotes(&mut self, db: &Transaction<'_>, rows: usize) -> rusqlite::Result<(bool, bool)> {
        let mut statement =
            db.prepare_cached("SELECT id FROM endpoint WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let found: Vec<i64> = statement
            .query_map(params![self.after_remote, rows as i64], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut deleted = false;
        for id in found.iter().filter(|id| !self.remotes.contains(**id)) {
            db.prepare_cached("DELETE FROM endpoint_name WHERE endpoint_id = ?1")?.execute([id])?;
            db.prepare_cached("DELETE FROM endpoint WHERE id = ?1")?.execute([id])?;
            deleted = true;
        }
        self.after_remote = found.last().copied().unwrap_or(self.after_remote);
        Ok((found.len() < rows, deleted))
    }
}
