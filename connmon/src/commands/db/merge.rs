//! `connmon db merge`

use super::super::{CommandError, Outcome};
use super::{confirm, say, shown};
use crate::cli::DbMerge;
use connmon_analysis::format::count;
use connmon_store::{Store, merge};

/// Adds another store to a store.
///
/// # Errors
/// Somebody records into the store, it has recordings of the other one already, or one of both cannot be read or written.
pub fn run(args: &DbMerge) -> Result<Outcome, CommandError> {
    let (to, other) = (&args.change.store.db, &args.other);
    for path in [to, other] {
        drop(Store::open(path)?);
    }
    confirm(args.change.yes, &format!("This adds everything in {} to {}", shown(other), shown(to)))?;
    let merged = merge(to, other)?;
    say(&format!(
        "{} with {} added to {}",
        count(merged.recordings, "recording", "recordings"),
        count(merged.connections, "connection", "connections"),
        shown(to)
    ));
    if merged.segments > 0 {
        // Each segment says which one it follows, and there is one chain in a store.
        say(&format!(
            "{} of {} stay there: keep it for `connmon verify` and `connmon replay`, which have nothing of it in {}",
            count(merged.segments, "segment", "segments"),
            shown(other),
            shown(to)
        ));
    }
    Ok(Outcome::Done)
}
