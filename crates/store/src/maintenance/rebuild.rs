//! A store whose rows are made anew from its segments. That is done in a copy beside it, which then takes its place: whatever ends it
//! before, the store is as it was.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::{Debt, StoreError, Writer};
use super::copy::{Copy, leave};
use connmon_record::Run;

/// What the rows have that is not of the segments: labels, and matches of indicators. Of the connections that a filter took out there
/// is none.
const KEEP: &str = "
    CREATE TEMP TABLE kept_label AS SELECT id, label FROM connection WHERE label IS NOT NULL;
    CREATE TEMP TABLE kept_hit AS SELECT * FROM hit;";
const PUT_BACK: &str = "
    UPDATE connection SET label = k.label FROM temp.kept_label k WHERE k.id = connection.id;
    INSERT OR IGNORE INTO hit SELECT k.* FROM temp.kept_hit k JOIN connection c ON c.id = k.connection_id;
    DROP TABLE temp.kept_label;
    DROP TABLE temp.kept_hit;";

/// A store that is being rebuilt.
pub struct Rebuild {
    /// Keeps others from recording into it.
    original: Writer,
    place: PathBuf,
    copy: Copy,
}

impl Rebuild {
    /// Copies a store that nobody records into; the copy is what is to be worked on.
    ///
    /// # Errors
    /// There is no store, somebody records into it, or there is no room for a copy.
    pub fn begin(path: &Path) -> Result<(Self, Writer), StoreError> {
        let original = super::open_alone(path)?;
        let place = original.path.clone();
        let copy = Copy::new(&place, &place)?;
        let writer = Writer::open(copy.path())?;
        let kept = writer.db.execute_batch(KEEP);
        kept.map_err(|source| writer.path_error(source))?;
        Ok((Self { original, place, copy }, writer))
    }

    /// Puts the copy in the place of the store.
    ///
    /// # Errors
    /// It cannot be written, or another program reads the store; the store is as it was then.
    pub fn finish(self, writer: Writer) -> Result<(), StoreError> {
        let Self { original, place, copy } = self;
        let put_back = writer.db.execute_batch(PUT_BACK);
        put_back.map_err(|source| writer.path_error(source))?;
        drop(leave(writer)?);
        let synced = fs::File::open(copy.path()).and_then(|file| file.sync_all());
        synced.map_err(|error| StoreError::Disk(place.clone(), error))?;
        let lock = leave(original)?;
        let renamed = copy.rename(&place);
        drop(lock);
        renamed
    }
}

impl Writer {
    /// The recordings.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>, StoreError> {
        super::super::runs::runs(&self.db, false).map_err(|source| self.path_error(source))
    }

    /// Deletes the rows of a recording, of which all segments are there; what is to be made of them. `None` where it is not so, and
    /// the rows stay.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn forget_rows(&mut self, run: i64) -> Result<Option<Debt>, StoreError> {
        if !self.begin_anew(run, None)? {
            return Ok(None);
        }
        Ok(self.debts()?.into_iter().find(|debt| debt.run == run))
    }
}
