//! `connmon db restore`

use super::super::{CommandError, Outcome};
use super::{confirm, say, shown};
use crate::cli::DbRestore;
use connmon_store::{Store, restore};

/// Puts a copy of a store in its place.
///
/// # Errors
/// Somebody records into the store, the copy is none or is damaged, or the place cannot be written.
pub fn run(args: &DbRestore) -> Result<Outcome, CommandError> {
    let (from, to) = (&args.from, &args.change.store.db);
    drop(Store::open(from)?);
    if to.exists() {
        confirm(args.change.yes, &format!("This replaces everything in {} by {}", shown(to), shown(from)))?;
    }
    restore(from, to)?;
    say(&format!("{} is now as {}", shown(to), shown(from)));
    Ok(Outcome::Done)
}
