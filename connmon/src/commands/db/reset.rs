//! `connmon db reset`

use super::super::{CommandError, Outcome};
use super::{confirm, say, shown};
use crate::cli::DbChange;
use connmon_store::{Store, reset};

/// Deletes everything that is in a store.
///
/// # Errors
/// Somebody records into it, it is no store, or it cannot be written.
pub fn run(args: &DbChange) -> Result<Outcome, CommandError> {
    let path = &args.store.db;
    let recordings = Store::open(path)?.runs()?.len();
    confirm(args.yes, &format!("This deletes {recordings} recordings in {}", shown(path)))?;
    reset(path)?;
    say(&format!("{} is empty", shown(path)));
    Ok(Outcome::Done)
}
