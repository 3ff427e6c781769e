//! `connmon audit`

use super::{CommandError, Outcome, done, stdout, summarise};
use crate::cli::{self, TableFormat};
use crate::config::selection;
use crate::daemon::now;
use crate::export::audit;
use crate::store::Store;

/// Prints bytes and connections per process.
///
/// # Errors
/// The store cannot be read, or a time not be understood.
pub fn run(args: cli::Audit) -> Result<Outcome, CommandError> {
    let selection = selection(&args.source, now())?;
    let everything = selection.is_everything();
    let summary = summarise(&Store::open(&args.source.db)?, selection)?;
    let mut out = stdout();
    match args.format {
        TableFormat::Table => audit::write_table(&summary, &mut out)?,
        TableFormat::Csv => audit::write_csv(&summary, &mut out)?,
        TableFormat::Json => audit::write_json(&summary, &mut out)?,
    }
    done(out, summary.totals.figures.connections == 0 && !everything)
}
