//! `connmon db backup`

use super::super::{CommandError, Outcome};
use super::{say, shown};
use crate::cli::DbBackup;
use connmon_store::backup;

/// Copies a store.
///
/// # Errors
/// It cannot be read, something is where the copy is to be, or it cannot be written.
pub fn run(args: &DbBackup) -> Result<Outcome, CommandError> {
    backup(&args.store.db, &args.to)?;
    say(&format!("{} is a copy of {}", shown(&args.to), shown(&args.store.db)));
    Ok(Outcome::Done)
}
