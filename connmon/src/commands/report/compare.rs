//! `connmon report --compare` and `--daily`

use std::path::{Path, PathBuf};

use super::{Read, redact_names, redaction, target, to};
use crate::cli::{self, ReportFormat, chosen};
use crate::clock::now;
use crate::commands::findings::{Part, found};
use crate::commands::{CommandError, Outcome, settle};
use crate::config::{Choice, choice, interval, zone};
use connmon_analysis::compare::SummaryComparison;
use connmon_analysis::redact::Redactor;
use connmon_analysis::{Selection, Summary};
use connmon_detect::Found;
use connmon_record::{HOUR_NS, Timestamp};
use connmon_render::findings::host_of;
use connmon_render::report::compare::{self, Compared};

/// Compares two stores, or two intervals of one; or makes the digest of a day.
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
    let days = if args.daily { Some(days(args)?) } else { None };
    let names = days.as_ref().map_or(args.compare.as_slice(), |(names, _)| names);
    let [before, after] = names else { return Err(CommandError::CompareFormat) };
    let sides = [summary(args, before)?, summary(args, after)?];
    let comparison = SummaryComparison::between(&sides[0], &sides[1]);
    let host = host_of(&sides[1].runs);
    let found = days.as_ref().map(|(_, selection)| worth_a_look(args, selection)).transpose()?;
    let digest = found.as_ref().map(|found| (host.as_str(), found));
    let shown = ["24 hours", "24 hours"].map(str::to_owned);
    let names = if args.daily { [&shown[0], &shown[1]] } else { [before, after] };
    let compared = Compared { comparison: &comparison, names, digest };
    to(&target(args, format), |out| Ok(write(&compared, out)?))?;
    Ok(Outcome::Done)
}

/// The day before, and the last day, up to `--until` or now; and the second as a selection.
fn days(args: &cli::ReportArgs) -> Result<([String; 2], Selection), CommandError> {
    let Choice { selection, filter } = choice(&args.source, now())?;
    let until = selection.until.unwrap_or_else(now);
    let before = |hours: i64| Timestamp(until.0.saturating_sub(hours * HOUR_NS));
    let last = Selection::new(Some(before(24)), Some(until), filter.text().to_owned(), until);
    Ok(([format!("{}..{}", before(48), before(24)), format!("{}..{until}", before(24))], last))
}

/// What was seen of findings in the last day.
fn worth_a_look(args: &cli::ReportArgs, selection: &Selection) -> Result<Found, CommandError> {
    let Choice { selection: Selection { until, .. }, filter } = choice(&args.source, now())?;
    let (store, what) = (settle::open(&args.source.db)?, redaction(&args.redact));
    let lookups = filter.is_everything() && !what.is_anything();
    let part = Part { since: None, until, filter: &filter, lookups };
    let mut redactor = Redactor::new(what);
    let (mut found, _other) =
        found(&store, &args.source.db, selection, part, |connection| Some(redactor.connection(connection)))?;
    redact_names(&mut found, what);
    Ok(found)
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
