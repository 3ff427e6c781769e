//! `connmon db rebuild`

use std::io::{IsTerminal, Write, stderr};
use std::path::Path;

use super::super::{CommandError, Outcome};
use super::{confirm, say, shown};
use crate::cli::DbChange;
use crate::config::GeoConfig;
use crate::indexer::Indexer;
use connmon_analysis::format::{count, grouped};
use connmon_enrich::Enricher;
use connmon_store::{Rebuild, Store};

/// Makes the rows of a store anew from its segments.
///
/// # Errors
/// Somebody records into the store, a segment cannot be read, or there is no room; the store is as it was then.
pub fn run(args: &DbChange) -> Result<Outcome, CommandError> {
    let path = &args.store.db;
    drop(Store::open(path)?);
    confirm(args.yes, &format!("This makes all rows in {} anew that segments are there for", shown(path)))?;
    rebuild(path)
}

fn rebuild(path: &Path) -> Result<Outcome, CommandError> {
    let (rebuild, writer) = Rebuild::begin(path)?;
    // Places that the store knows stay.
    let none = GeoConfig { files: Vec::new(), folder: None, location: None };
    let mut indexer = Indexer::new(Enricher::new(super::super::geo::open_databases(&none)?, None), writer);
    let (mut made, mut segments, mut left) = (0_u64, 0, Vec::new());
    for run in indexer.store().runs()? {
        let Some(debt) = indexer.store().forget_rows(run.id)? else {
            left.push(run.id.to_string());
            continue;
        };
        indexer.settle(debt, |number| progress(run.id, number, debt.sealed))?;
        (made, segments) = (made + 1, segments + debt.sealed);
    }
    if stderr().is_terminal() && made > 0 {
        let _ = write!(stderr(), "\r\x1b[K");
    }
    rebuild.finish(indexer.into_store())?;
    say(&format!(
        "rows of {} made anew from {}",
        count(made, "recording", "recordings"),
        count(segments, "segment", "segments")
    ));
    if !left.is_empty() {
        say(&format!(
            "left as they are, because not all of their segments or details are there any more: the rows of {} {}",
            if left.len() == 1 { "recording" } else { "recordings" },
            left.join(", ")
        ));
    }
    Ok(Outcome::Done)
}

/// Shows how far it is, on a terminal.
fn progress(run: i64, number: u64, of: u64) {
    if stderr().is_terminal() {
        let _ = write!(stderr(), "\r\x1b[Krecording {run}: segment {} of {}", grouped(number), grouped(of));
    }
}
