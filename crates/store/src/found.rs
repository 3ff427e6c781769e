//! Findings as the store keeps them, read.

use rusqlite::OptionalExtension;

use super::{Store, StoreError};
use connmon_record::Untrusted;

impl Store {
    /// What the engine of findings knew when it was kept last. A store of an earlier version has nothing.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn finding_state(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let read = || {
            if !self.db.table_exists(None, "finding_state")? {
                return Ok(None);
            }
            let mut find = self.db.prepare("SELECT content FROM finding_state")?;
            find.query_row([], |row| row.get(0)).optional()
        };
        read().map_err(|source| self.error(source))
    }

    /// Whether the store keeps findings. One of an earlier version does not until something is recorded into it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn has_findings(&self) -> Result<bool, StoreError> {
        self.db.table_exists(None, "finding").map_err(|source| self.error(source))
    }

    /// The contents of the findings that were written after a number, each with the number that it was written with; all after 0. Numbers
    /// grow.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn findings_after(&self, number: i64) -> Result<Vec<(i64, Untrusted)>, StoreError> {
        if !self.has_findings()? {
            return Ok(Vec::new());
        }
        let read = || {
            let mut all = self.db.prepare_cached(
                "SELECT changed, content FROM finding WHERE changed > ?1 ORDER BY changed, id",
            )?;
            all.query_map([number], |row| Ok((row.get(0)?, Untrusted::from(row.get::<_, String>(1)?))))?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| self.error(source))
    }
}
