//! Judging a store afterwards: labels and hits are written while others may read and record.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::acknowledged::{self, Acknowledged};
use super::{StoreError, labels, place, schema, write};
use connmon_record::{Hit, IndicatorList, Rule, Timestamp, Untrusted};
use connmon_system::files;

/// A store opened for changing what is said about its connections, never the connections themselves.
pub struct Editor {
    db: Connection,
    path: PathBuf,
    /// Keeps recorders out while a store was migrated; after `db`, as in [`super::Writer`].
    _file: File,
}

impl Editor {
    /// Opens an existing store, and brings it to the newest schema.
    ///
    /// # Errors
    /// It does not exist, is another program's, newer, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing(path.into()));
        }
        if !path.is_file() {
            return Err(StoreError::Foreign(path.into()));
        }
        let sqlite = |source| StoreError::sqlite(path, source);
        let place = files::place_of(path).map_err(|error| StoreError::Untrusted(path.into(), error))?;
        let mut file = place::open(&place)?;
        let mut db = place::connect(&place, &file)?;
        schema::check(&db, path)?;
        if schema::is_old(&db, path)? {
            // Not under the hands of a recorder, which may be of an older version.
            file = write::lock(path, file)?;
            schema::migrate(&mut db, path)?;
        }
        db.pragma_update(None, "foreign_keys", true).map_err(sqlite)?;
        super::set_up(&db).map_err(sqlite)?;
        db.pragma_update(None, "journal_size_limit", write::MAX_LOG).map_err(sqlite)?;
        Ok(Self { db, path: path.into(), _file: file })
    }

    /// Writes the rules of recordings, in place of those that they had.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put_rules<'a>(
        &mut self,
        runs: &[i64],
        rules: impl Iterator<Item = &'a Rule> + Clone,
    ) -> Result<(), StoreError> {
        self.change(|db| runs.iter().try_for_each(|run| labels::put_rules(db, *run, rules.clone())))
    }

    /// Writes the labels of connections, or that they have none.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put_labels(&mut self, labels: &[(i64, Option<Untrusted>)]) -> Result<(), StoreError> {
        self.change(|db| {
            labels
                .iter()
                .try_for_each(|(id, label)| labels::put_label(db, *id, label.as_ref().map(Untrusted::raw)))
        })
    }

    /// Writes lists that recordings are compared with at `time`, and gives their ids.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put_lists<'a>(
        &mut self,
        runs: &[i64],
        lists: impl Iterator<Item = &'a IndicatorList>,
        time: Timestamp,
    ) -> Result<Vec<i64>, StoreError> {
        self.change(|db| {
            let mut ids = Vec::new();
            for list in lists {
                let id = labels::put_list(db, list)?;
                runs.iter().try_for_each(|run| labels::put_checked(db, *run, id, time))?;
                ids.push(id);
            }
            Ok(ids)
        })
    }

    /// Writes hits, each with its connection and the id of its list; those that are known stay as they are.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put_hits(&mut self, hits: &[(i64, i64, Hit)]) -> Result<(), StoreError> {
        // A recording with a filter may have taken a connection out meanwhile.
        let there = "SELECT EXISTS (SELECT 1 FROM connection WHERE id = ?1)";
        self.change(|db| {
            for (connection, list, hit) in hits {
                if db.prepare_cached(there)?.query_row([connection], |row| row.get(0))? {
                    labels::put_hit(db, *connection, *list, hit)?;
                }
            }
            Ok(())
        })
    }

    /// Notes that somebody has seen a finding, in place of what was noted of it.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn acknowledge(&mut self, known: &Acknowledged) -> Result<(), StoreError> {
        self.change(|db| acknowledged::put(db, known))
    }

    fn change<T>(
        &mut self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let path = &self.path;
        let run = || {
            let transaction = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let done = change(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        let done = run();
        done.map_err(|source| StoreError::from_sqlite(path, &self.db, source))
    }
}
