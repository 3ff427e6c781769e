//! `connmon db prune`

use std::time::Duration;

use super::super::{CommandError, Outcome, settle};
use super::{confirm, say, shown};
use crate::cli::DbPrune;
use crate::clock::now;
use crate::config::{self, ConfigError};
use connmon_analysis::format::{bytes, count};
use connmon_filter::Filter;
use connmon_store::{Policy, Progress, open_alone};

/// Prunes details of a store.
///
/// # Errors
/// An option cannot be read, somebody records into the store, or it cannot be written.
pub fn run(args: DbPrune) -> Result<Outcome, CommandError> {
    let now = now();
    let keep = args.keep.iter().map(|keep| Filter::parse(keep, now)).collect::<Result<_, _>>();
    let keep = keep.map_err(ConfigError::from)?;
    let policy = Policy { keep, ..config::retention(&args.retention)? };
    // What is sealed and has no rows yet is pruned as well.
    drop(settle::open(&args.change.store.db)?);
    let mut store = open_alone(&args.change.store.db)?;
    let path = shown(&args.change.store.db);
    confirm(args.change.yes, &format!("This deletes details of old connections in {path}, whose sums stay"))?;
    let (mut pruned, mut began) = (0, now);
    let end = store.prune_all(&policy, now, |so_far| {
        pruned = so_far;
        let ended = crate::clock::now();
        Duration::from_nanos(ended.0.saturating_sub(std::mem::replace(&mut began, ended).0).unsigned_abs())
    })?;
    say(&format!("details of {} pruned", count(pruned, "connection", "connections")));
    if let (Progress::Full, Some(most)) = (end, policy.max_bytes) {
        say(&format!(
            "{path} still has more than {}: the rest is of open connections, or is to be kept",
            bytes(most)
        ));
    }
    Ok(Outcome::Done)
}
