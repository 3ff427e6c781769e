//! `connmon report`

use std::io::{self, Write};
use std::path::Path;

use super::{CommandError, Outcome, done, stdout, summarise, write_file};
use crate::cli::{self, ReportFormat};
use crate::config::choice;
use crate::daemon::now;
use crate::enrich::geo::Geo;
use crate::report::{Options, html};
use crate::store::Store;
use crate::summary::Summary;

/// Makes a report.
///
/// # Errors
/// The store cannot be read, or the file cannot be written.
pub fn run(args: cli::Report) -> Result<Outcome, CommandError> {
    let choice = choice(&args.source, now())?;
    let ReportFormat::Html = args.format;
    let everything = choice.selection.is_everything();
    let summary = summarise(&Store::open(&args.source.db)?, choice)?;
    let empty = summary.totals.figures.connections == 0 && !everything;
    if args.out == Path::new("-") {
        let mut out = stdout();
        write_page(&summary, &mut out)?;
        return done(out, empty);
    }
    write_html(&summary, &args.out)?;
    let _ = writeln!(io::stderr(), "report: {}", args.out.display());
    Ok(if empty { Outcome::NothingMatched } else { Outcome::Done })
}

/// Writes the page of a summary into a file.
pub(super) fn write_html(summary: &Summary, path: &Path) -> Result<(), CommandError> {
    write_file(path, |out| write_page(summary, out))
}

fn write_page(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    // No time of making: equal stores give equal reports.
    html::write(summary, &Options::new(&Geo::embedded()), out)
}
