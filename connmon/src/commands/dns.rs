//! `connmon dns`

use std::io::{self, Write};

use super::{CommandError, Outcome, done, settle, stdout, terminal_width};
use crate::cli::{self, LookupFormat};
use crate::clock::now;
use crate::config::{interval, zone};
use connmon_analysis::{Completeness, Selection};
use connmon_render::export::completeness::write_essentials;
use connmon_render::export::lookups;

/// Prints the questions to DNS of an interval.
///
/// # Errors
/// The store cannot be read, or a time not be understood.
pub fn run(args: &cli::Dns) -> Result<Outcome, CommandError> {
    let zone = zone(args.local);
    let now = now();
    let (since, until) = interval(&args.since, &args.until, now, &zone)?;
    let store = settle::open(&args.db)?;
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
    out.flush()?;
    // What was asked is answered; what the answer lacks is for whoever reads it.
    let selection = Selection { since, until, now: Some(now), ..Selection::default() };
    let completeness = Completeness::from_runs(&store.runs()?, &selection);
    let _ = write_essentials(&completeness, terminal_width(), &mut io::stderr().lock());
    done(out, (count == 0).then_some("no DNS query was recorded in this period"))
}
