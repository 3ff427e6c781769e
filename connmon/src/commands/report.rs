//! `connmon report`

use std::io::{self, Write};
use std::path::Path;

use super::{CommandError, Outcome, done, stdout, summarise, write_file};
use crate::cli::{self, ReportFormat};
use crate::config::{choice, location};
use crate::daemon::now;
use crate::model::HostLocation;
use crate::report::{Options, html};
use crate::store::Store;
use crate::summary::Summary;

/// Makes a report.
///
/// # Errors
/// The store cannot be read, or the file cannot be written.
pub fn run(args: cli::Report) -> Result<Outcome, CommandError> {
    let choice = choice(&args.source, now())?;
    let home = args.location.as_deref().map(location).transpose()?;
    let ReportFormat::Html = args.format;
    let everything = choice.selection.is_everything();
    let summary = summarise(&Store::open(&args.source.db)?, choice)?;
    let empty = summary.totals.figures.connections == 0 && !everything;
    if args.out == Path::new("-") {
        let mut out = stdout();
        write_page(&summary, home, &mut out)?;
        return done(out, empty);
    }
    write_file(&args.out, |out| write_page(&summary, home, out))?;
    let _ = writeln!(io::stderr(), "report: {}", args.out.display());
    Ok(if empty { Outcome::NothingMatched } else { Outcome::Done })
}

/// Writes the page of a summary into a file.
pub(super) fn write_html(summary: &Summary, path: &Path) -> Result<(), CommandError> {
    write_file(path, |out| write_page(summary, None, out))
}

/// `home` is where the host stands, if not where its recording says.
fn write_page(summary: &Summary, home: Option<HostLocation>, out: &mut impl Write) -> io::Result<()> {
    // No time of making: equal stores give equal reports.
    let recorded = Options::of(summary);
    html::write(summary, &Options { home: home.or(recorded.home), ..recorded }, out)
}
