//! `connmon report --compare`

use std::path::{Path, PathBuf};

use super::{Read, redaction, target, to};
use crate::cli::{self, ReportFormat, chosen};
use crate::clock::now;
use crate::commands::{CommandError, Outcome, settle};
use crate::config::{Choice, choice, interval, zone};
use connmon_analysis::compare::SummaryComparison;
use connmon_analysis::redact::Redactor;
use connmon_analysis::{Selection, Summary};
use connmon_render::report::compare;

/// Compares two stores, or two intervals of one.
///
/// # Errors
/// A store cannot be read, an interval not be understood, or there is no such format.
pub(super) fn run(args: &cli::ReportArgs) -> Result<Outcome, CommandError> {
    let format = chosen(args.format, args.out.as_deref())?;
    let write = match format {
        ReportFormat::Html => compare::html,
        ReportFormat::Txt => compare::text,
        ReportFormat::Json => compare::json,
        _ => return Err(CommandError::CompareFormat),
    };
    let [before, after] = args.compare.as_slice() else { return Err(CommandError::CompareFormat) };
    let sides = [summary(args, before)?, summary(args, after)?];
    let comparison = SummaryComparison::between(&sides[0], &sides[1]);
    to(&target(args, format), |out| Ok(write(&comparison, [before, after], out)?))?;
    Ok(Outcome::Done)
}

/// The summary of one side.
fn summary(args: &cli::ReportArgs, side: &str) -> Result<Summary, CommandError> {
    let mut chosen = choice(&args.source, now())?;
    let db: PathBuf = match side.split_once("..").filter(|_| !Path::new(side).is_file()) {
        Some((from, to)) => {
            let time = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let now = now();
            let (since, until) = interval(&time(from), &time(to), now, &zone(args.source.local))?;
            chosen.selection = Selection::new(since, until, chosen.selection.filter, now);
            args.source.db.clone()
        }
        None => side.into(),
    };
    let what = redaction(&args.redact);
    let read = Read { only: None, takes_all: !what.is_anything(), rows: None, names: true, cells: None };
    let Choice { selection, filter } = chosen;
    let (summary, ..) = read.all(&settle::open(&db)?, (selection, &filter), &mut Redactor::new(what))?;
    Ok(summary)
}
