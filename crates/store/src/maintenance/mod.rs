//! Operations on a whole store, for `connmon db`.

mod check;
mod copy;
mod merge;
mod rebuild;
mod stats;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::{StoreError, Writer};

pub use copy::{backup, reset, restore};
pub use merge::{Merged, merge};
pub use rebuild::Rebuild;
pub use stats::{StoreStats, TableStats};

/// Opens an existing store alone, so that nobody records into it meanwhile, and brings it to the newest schema.
///
/// # Errors
/// There is none, somebody records into it, or it cannot be written.
pub fn open_alone(path: &Path) -> Result<Writer, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing(path.into()));
    }
    Writer::open(path)
}

impl Writer {
    /// Makes the file as small as it can be; afterwards pages that are freed can be handed back one by one. It takes as much room
    /// again as the store has while it lasts.
    ///
    /// # Errors
    /// There is no room, or another program reads the store.
    pub fn vacuum(&mut self) -> Result<(), StoreError> {
        let work = || {
            self.db.pragma_update(None, "auto_vacuum", "incremental")?;
            self.db.execute_batch("VACUUM")?;
            self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        };
        let done = work();
        done.map_err(|source| self.after_failure(source))
    }
}
