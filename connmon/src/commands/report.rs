//! `connmon report`

mod compare;

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::findings::{Part, found};
use super::progress_line::ProgressLine;
use super::{
    CommandError, NO_CONNECTION, Outcome, done, export, outcome, settle, stdout, write_file, write_file_with,
};
use crate::cli::{self, Redact, ReportFormat, chosen};
use crate::clock::now;
use crate::config::{Choice, choice, location};
use connmon_analysis::redact::{Redaction, Redactor};
use connmon_analysis::timeline_rows::TimelineRows;
use connmon_analysis::{Builder, DEFAULT_CONNECTION_CAP, Selection, Summary, Window};
use connmon_detect::Found;
use connmon_filter::Filter;
use connmon_record::{Connection, HostLocation, Timestamp};
use connmon_render::export::Out;
use connmon_render::report::payload::{DEFAULT_ROWS, Payload};
use connmon_render::report::svg::{self, Frame};
use connmon_render::report::{PictureOptions, html, json, text};
use connmon_store::{CellDetail, InCells, Store, StoreError};

/// Cells of a timeline in text, and in a picture.
const CELLS: [usize; 2] = [80, 360];

/// Makes a report.
///
/// # Errors
/// The store cannot be read, or the file cannot be written.
pub fn run(args: cli::ReportArgs) -> Result<Outcome, CommandError> {
    if !args.compare.is_empty() || args.daily {
        return compare::run(&args);
    }
    let mut choice = choice(&args.source, now())?;
    if let Some(sql) = &args.sql {
        // The head and the manifest say what was asked.
        let filter = std::mem::take(&mut choice.selection.filter);
        choice.selection.filter = format!("{filter} SQL: {sql}").trim_start().to_owned();
    }
    let home = args.location.as_deref().map(location).transpose()?;
    let store = settle::open(&args.source.db)?.watched_by(ProgressLine::new("reading").watch());
    let only = args.sql.as_deref().map(|sql| store.ids_of(sql)).transpose()?;
    let everything = choice.selection.is_everything() && only.is_none();
    let what = redaction(&args.redact);
    let format = chosen(args.format, args.out.as_deref())?;
    let out = target(&args, format);
    if format == ReportFormat::Csv {
        let count = to(&out, |out| export::write_csv(&store, &choice, only.as_ref(), what, out))?;
        return Ok(outcome((count == 0 && !everything).then_some(NO_CONNECTION)));
    }
    let Choice { selection, filter } = choice;
    let mut redactor = Redactor::new(what);
    let has_findings = matches!(format, ReportFormat::Html | ReportFormat::Json | ReportFormat::Txt);
    let read = Read {
        only,
        takes_all: !what.is_anything(),
        rows: (format == ReportFormat::Html).then_some(args.rows),
        names: format == ReportFormat::Json,
        cells: match format {
            ReportFormat::Txt => Some(CELLS[0]),
            ReportFormat::SvgTimeline => Some(CELLS[1]),
            _ => None,
        },
    };
    let (summary, payload, timeline_rows) = read.all(&store, (selection.clone(), &filter), &mut redactor)?;
    let empty = summary.totals.figures.connections == 0 && !everything;
    let found = if has_findings {
        // Questions to DNS are not redacted, and are of no choice of connections.
        let lookups = filter.is_everything() && read.only.is_none() && !what.is_anything();
        // What the recorder knows of all before is at hand; to read all before anew would take longer than all else.
        let is_known = lookups && selection.until.is_none() && store.finding_state()?.is_some();
        let since = selection.since.filter(|_| !is_known);
        let part = Part { since, until: selection.until, filter: &filter, lookups };
        found(&store, &args.source.db, &selection, part, |connection| {
            let is_wanted = read.only.as_ref().is_none_or(|only| only.contains(&connection.id));
            is_wanted.then(|| redactor.connection(connection))
        })
        .map(Some)?
    } else {
        None
    };
    let (mut found, _other) = found.unzip();
    found.iter_mut().for_each(|found| redact_names(found, what));
    let options = PictureOptions {
        title: args.title,
        case: args.case,
        operator: args.operator,
        redacted: what.words(),
        found: found.unwrap_or_default(),
        ..options(&summary, home)
    };
    let step = timeline_rows.as_ref().map_or(0, TimelineRows::step_ns);
    let timeline_rows = timeline_rows.map(TimelineRows::finish).unwrap_or_default();
    let mut payload = payload;
    to(&out, |out| {
        match (format, payload.take()) {
            (ReportFormat::Html, Some(payload)) => html::write(&summary, payload, &options, out)?,
            (ReportFormat::SvgMap, _) => {
                writeln!(out, "{}", svg::map(&summary, &options, Frame::Standalone))?
            }
            (ReportFormat::SvgTimeline, _) => writeln!(out, "{}", svg::timeline(&summary, &timeline_rows))?,
            (ReportFormat::SvgHilbert, _) => writeln!(out, "{}", svg::hilbert(&summary))?,
            (ReportFormat::SvgBars, _) => writeln!(out, "{}", svg::bars(&summary))?,
            (ReportFormat::Txt, _) => text::write(&summary, &options.found, &timeline_rows, step, out)?,
            (ReportFormat::Json, _) => {
                let command_line = |id| store.command_line(id).map_err(io::Error::other);
                json::write(&summary, &options, &command_line, out)?;
            }
            (ReportFormat::Csv | ReportFormat::Html, _) => {}
        }
        Ok(())
    })?;
    Ok(outcome(empty.then_some(NO_CONNECTION)))
}

/// Where a report goes.
fn target(args: &cli::ReportArgs, format: ReportFormat) -> PathBuf {
    let usual = || PathBuf::from("connmon-report").with_extension(format.extension());
    args.out.clone().unwrap_or_else(usual)
}

/// Writes to a file, or to standard output for `-`.
fn to<T>(out: &Path, write: impl FnOnce(Out<'_>) -> Result<T, CommandError>) -> Result<T, CommandError> {
    if out == Path::new("-") {
        let mut stdout = stdout();
        let result = write(&mut stdout)?;
        done(stdout, None)?;
        return Ok(result);
    }
    let result = write_file_with(out, |file| write(file))?;
    let _ = writeln!(io::stderr(), "report: {}", out.display());
    Ok(result)
}

/// What is to be taken out.
fn redaction(redact: &[Redact]) -> Redaction {
    let has = |one| redact.contains(&one);
    Redaction { users: has(Redact::Users), cmdline: has(Redact::Cmdline), internal: has(Redact::Internal) }
}

/// Takes out who has seen findings, and what they said, if anything is taken out.
fn redact_names(found: &mut Found, what: Redaction) {
    let known = found.findings.iter_mut().filter_map(|finding| finding.acknowledged.as_mut());
    known.filter(|_| what.is_anything()).for_each(|known| {
        (known.by, known.note) = ("somebody".into(), None);
    });
}

/// Writes the page of everything in the store at `db` into a file.
pub(super) fn write_html(store: &Store, db: &Path, path: &Path) -> Result<(), CommandError> {
    let rows = Some(DEFAULT_ROWS);
    let read = Read { only: None, takes_all: true, rows, names: false, cells: None };
    let Choice { selection, filter } = Choice::default();
    let mut nothing = Redactor::new(Redaction::default());
    let (summary, payload, _) = read.all(store, (selection.clone(), &filter), &mut nothing)?;
    let part = Part { since: None, until: None, filter: &filter, lookups: true };
    let (found, _other) = found(store, db, &selection, part, Some)?;
    // There are rows.
    let payload = payload.unwrap_or_else(|| Payload::new(&[], 0));
    let options = PictureOptions { found, ..options(&summary, None) };
    write_file(path, |out| html::write(&summary, payload, &options, out))
}

/// What is read of a store, and how.
struct Read {
    /// Only these connections.
    only: Option<HashSet<i64>>,
    /// Whether connections are shown as they are.
    takes_all: bool,
    /// Connections that the page carries, if a page is to be made.
    rows: Option<usize>,
    /// Whether names are wanted of all remote addresses, and not of those only that a page lists.
    names: bool,
    /// Cells of a timeline, if one is wanted.
    cells: Option<usize>,
}

impl Read {
    /// What the page shows, the connections that it carries, and the timeline, from one reading of the store.
    fn all(
        &self,
        store: &Store,
        (selection, filter): (Selection, &Filter),
        redactor: &mut Redactor,
    ) -> Result<(Summary, Option<Payload>, Option<TimelineRows>), StoreError> {
        let (since, until) = (selection.since, selection.until);
        let runs: Vec<_> = store.runs()?.into_iter().map(|run| redactor.run(run)).collect();
        let window =
            Window::covering(&runs, &selection).unwrap_or(Window { from: Timestamp(0), to: Timestamp(1) });
        let mut timeline_rows = self.cells.map(|cells| TimelineRows::new(window, cells));
        let mut payload = self.rows.map(|rows| Payload::new(&runs, rows));
        // Only a page shows connections by themselves.
        let shown = if self.rows.is_some() { DEFAULT_CONNECTION_CAP } else { 0 };
        let mut builder = Builder::new(runs, redactor.selection(selection), shown);
        // Timelines show each connection, and what is left out or written differently is in no sums.
        let cells = if timeline_rows.is_none() && self.takes_all(filter) {
            let most =
                payload.as_ref().map_or([0; 2], |payload| payload.enough().map(|rows| rows.max(shown)));
            store.add_cells(since, until, &mut builder, CellDetail { most, names: self.names })?
        } else {
            InCells::default()
        };
        let passed = cells.rows.saturating_sub(cells.shown.len() as u64);
        payload.iter_mut().for_each(|payload| payload.count(passed));
        store.for_each_but(&cells.unread, since, until, filter, |run, connection: Connection| {
            if self.only.as_ref().is_none_or(|only| only.contains(&connection.id)) {
                let connection = redactor.connection(connection.between(since, until));
                payload.iter_mut().for_each(|payload| payload.add(run, &connection));
                timeline_rows.iter_mut().for_each(|timeline_rows| timeline_rows.add(&connection));
                if cells.shown.contains(&connection.id) {
                    builder.offer(run, connection);
                } else {
                    builder.add(run, connection);
                }
            }
            Ok::<(), StoreError>(())
        })?;
        let mut summary = builder.finish();
        store.describe(&mut summary, &cells)?;
        Ok((summary, payload, timeline_rows))
    }

    /// Whether nothing is left out of an interval, and everything shown as it is.
    fn takes_all(&self, filter: &Filter) -> bool {
        self.only.is_none() && self.takes_all && filter.is_everything()
    }
}

/// `home` is where the host stands, if not where its recording says. No time of making: equal stores give equal
/// reports.
fn options(summary: &Summary, home: Option<HostLocation>) -> PictureOptions {
    let recorded = PictureOptions::for_summary(summary);
    PictureOptions { home: home.or(recorded.home), ..recorded }
}
