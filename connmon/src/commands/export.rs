//! `connmon export`

use std::collections::HashSet;
use std::io::{self, BufWriter, IsTerminal, Write};

use super::progress_line::ProgressLine;
use super::{CommandError, NO_CONNECTION, Outcome, done, outcome, settle, terminal_width, write_file_with};
use crate::cli::{self, ExportFormat, chosen};
use crate::clock::now;
use crate::config::{Choice, choice};
use crate::follow::known_so_far;
use connmon_analysis::redact::{Redaction, Redactor};
use connmon_analysis::{Completeness, GeoNotes, HostInternalFinder};
use connmon_filter::{Evidence, FilterRow};
use connmon_record::{Connection, Run, Timestamp};
use connmon_render::export::completeness::write_words;
use connmon_render::export::connections::Jsonl;
use connmon_render::export::csv::Csv;
use connmon_render::export::ecs::Ecs;
use connmon_render::export::ocsf::Ocsf;
use connmon_render::export::parquet::Parquet;
use connmon_render::export::timesketch::Timesketch;
use connmon_render::export::{Closing, Out, Sink, zeek};
use connmon_store::Store;

/// Prints every connection, and how complete that is.
///
/// # Errors
/// The store cannot be read, or a time not be understood.
pub fn run(args: cli::Export) -> Result<Outcome, CommandError> {
    let choice = choice(&args.source, now())?;
    let format = chosen(args.format, args.out.as_deref())?;
    if format == ExportFormat::Parquet && args.out.is_none() && io::stdout().is_terminal() {
        return Err(CommandError::Terminal("parquet"));
    }
    let store = settle::open(&args.source.db)?;
    let evidence = Evidence::new(known_so_far(&store)?, now());
    let line = if args.out.is_some() { ProgressLine::new } else { ProgressLine::beside_output };
    let store = store.watched_by(line("exporting").watch());
    let nothing = |count| (count == 0 && !choice.selection.is_everything()).then_some(NO_CONNECTION);
    match &args.out {
        Some(path) => {
            let count = write_file_with(path, |out| write(&store, &evidence, &choice, format, out))?;
            Ok(outcome(nothing(count)))
        }
        None => {
            let mut out = BufWriter::with_capacity(1 << 16, io::stdout());
            let count = write(&store, &evidence, &choice, format, &mut out)?;
            done(out, nothing(count))
        }
    }
}

fn write(
    store: &Store,
    evidence: &Evidence,
    Choice { selection, filter }: &Choice,
    format: ExportFormat,
    out: Out<'_>,
) -> Result<u64, CommandError> {
    let runs = store.runs()?;
    let mut sink = sink(format, &mut *out, &runs)?;
    let (mut count, mut inexact, mut preexisting) = (0, 0, 0);
    let (mut moved, mut own) = ([0_u64; 2], HostInternalFinder::default());
    store.for_each(selection.since, selection.until, filter, |run, mut connection: Connection| {
        let part = selection.part_of(connection.clone());
        own.add(&part);
        let within = [part.tx_bytes(), part.rx_bytes()];
        connection.within = selection.is_interval().then_some(within);
        moved = [0, 1].map(|way| moved[way].saturating_add(within[way]));
        count += 1;
        inexact += u64::from(connection.inexact.is_some());
        preexisting += u64::from(connection.preexisting);
        let run = runs.iter().find(|candidate| candidate.id == run);
        let last = run.map_or(Timestamp(i64::MAX), |run| run.last_flush);
        let findings = evidence.findings_of(&FilterRow::from_connection(&connection, last));
        connection.findings = findings;
        sink.connection(run, &connection).map_err(CommandError::from)
    })?;
    // Read last: what was lost until now is in it.
    let runs = store.runs()?;
    let mut completeness = Completeness::from_runs(&runs, selection);
    completeness.note_connections(inexact, preexisting);
    completeness.note_own(own.finish());
    let geo = GeoNotes::from_runs(&runs);
    sink.finish(&Closing { completeness: &completeness, geo: &geo, runs: &runs, connections: count, moved })?;
    out.flush()?;
    if matches!(format, ExportFormat::Csv | ExportFormat::ZeekJson) {
        // The rows are for a program; what they lack is for whoever runs it.
        let stderr = &mut io::stderr().lock();
        for sentence in &geo.words {
            let _ = writeln!(stderr, "{sentence}");
        }
        let _ = write_words(&completeness, terminal_width(), stderr);
    }
    Ok(count)
}

/// Writes these connections as CSV, without what is to be taken out; how many there were.
pub(super) fn write_csv(
    store: &Store,
    Choice { selection, filter }: &Choice,
    only: Option<&HashSet<i64>>,
    what: Redaction,
    out: Out<'_>,
) -> Result<u64, CommandError> {
    let mut sink = Csv::new(out)?;
    let mut redactor = Redactor::new(what);
    let mut count = 0;
    store.for_each(selection.since, selection.until, filter, |_, connection: Connection| {
        if only.is_none_or(|only| only.contains(&connection.id)) {
            count += 1;
            sink.connection(None, &redactor.connection(connection))?;
        }
        Ok::<(), CommandError>(())
    })?;
    Ok(count)
}

/// What writes a format.
fn sink<'a>(format: ExportFormat, out: Out<'a>, runs: &[Run]) -> io::Result<Box<dyn Sink + 'a>> {
    Ok(match format {
        ExportFormat::Jsonl => Box::new(Jsonl(out)),
        ExportFormat::Csv => Box::new(Csv::new(out)?),
        ExportFormat::Ecs => Box::new(Ecs(out)),
        ExportFormat::Ocsf => Box::new(Ocsf(out)),
        ExportFormat::Zeek => Box::new(zeek::Tsv::new(out, runs)?),
        ExportFormat::ZeekJson => Box::new(zeek::Json(out)),
        ExportFormat::Timesketch => Box::new(Timesketch(out)),
        ExportFormat::Parquet => Box::new(Parquet::new(out)?),
    })
}
