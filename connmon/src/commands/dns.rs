//! `connmon dns`

use super::{CommandError, Outcome, done, stdout, zone};
use crate::cli::{self, LookupFormat};
use crate::config::interval;
use crate::daemon::now;
use crate::export::lookups;
use crate::store::Store;

/// Prints the questions to DNS of an interval.
///
/// # Errors
/// The store cannot be read, or a time not be understood.
pub fn run(args: &cli::Dns) -> Result<Outcome, CommandError> {
    let zone = zone(args.local);
    let (since, until) = interval(&args.since, &args.until, now(), &zone)?;
    let store = Store::open(&args.db)?;
    let mut out = stdout();
    let mut count = 0;
    store.for_each_lookup(since, until, |lookup| {
        count += 1;
        match args.format {
            LookupFormat::Text => lookups::write_text(&lookup, &zone, &mut out)?,
            LookupFormat::Jsonl => lookups::write_json(&lookup, &mut out)?,
        }
        Ok::<(), CommandError>(())
    })?;
    done(out, (count == 0).then_some("no DNS query was recorded in this period"))
}
