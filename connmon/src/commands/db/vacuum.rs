//! `connmon db vacuum`

use super::super::{CommandError, Outcome};
use super::{say, shown};
use crate::cli::DbStore;
use connmon_analysis::format::bytes;
use connmon_store::{Store, open_alone};

/// Makes the file of a store as small as it can be.
///
/// # Errors
/// Somebody records into it, or there is no room.
pub fn run(args: &DbStore) -> Result<Outcome, CommandError> {
    let size = || -> Result<u64, CommandError> { Ok(args.db.metadata()?.len()) };
    drop(Store::open(&args.db)?);
    let before = size()?;
    open_alone(&args.db)?.vacuum()?;
    say(&format!("{}: {} before, {} now", shown(&args.db), bytes(before), bytes(size()?)));
    Ok(Outcome::Done)
}
