//! `connmon export`

use std::io::{self, Write};

use super::{CommandError, Outcome, done, stdout, terminal_width, write_file};
use crate::cli::{self, ExportFormat};
use crate::config::{Choice, choice};
use crate::daemon::now;
use crate::export::completeness::write_words;
use crate::export::connections;
use crate::model::Connection;
use crate::store::Store;
use crate::summary::{Completeness, GeoNotes, Window};

/// Prints every connection, and how complete that is.
///
/// # Errors
/// The store cannot be read, or a time not be understood.
pub fn run(args: cli::Export) -> Result<Outcome, CommandError> {
    let choice = choice(&args.source, now())?;
    let store = Store::open(&args.source.db)?;
    match &args.out {
        Some(path) => {
            let mut read = Ok(0);
            write_file(path, |out| {
                read = write(&store, &choice, args.format, out);
                match &read {
                    Err(CommandError::Output(error)) => Err(io::Error::from(error.kind())),
                    Err(error) => Err(io::Error::other(error.to_string())),
                    Ok(_) => Ok(()),
                }
            })?;
            read.map(|_| Outcome::Done)
        }
        None => {
            let mut out = stdout();
            let count = write(&store, &choice, args.format, &mut out)?;
            done(out, count == 0 && !choice.selection.is_everything())
        }
    }
}

fn write(
    store: &Store,
    Choice { selection, filter }: &Choice,
    format: ExportFormat,
    out: &mut impl Write,
) -> Result<u64, CommandError> {
    if format == ExportFormat::Csv {
        connections::write_csv_head(out)?;
    }
    let (mut count, mut inexact, mut preexisting) = (0, 0, 0);
    store.for_each(selection.since, selection.until, filter, |_, connection: Connection| {
        count += 1;
        inexact += u64::from(connection.inexact.is_some());
        preexisting += u64::from(connection.preexisting);
        match format {
            ExportFormat::Jsonl => connections::write_json(&connection, out)?,
            ExportFormat::Csv => connections::write_csv(&connection, out)?,
        }
        Ok::<(), CommandError>(())
    })?;
    // Read last: what was lost until now is in it.
    let runs = store.runs()?;
    let mut completeness = Completeness::of(&runs, Window::of(&runs, selection), selection);
    completeness.note_connections(inexact, preexisting);
    let geo = GeoNotes::of(&runs);
    match format {
        ExportFormat::Jsonl => connections::write_json_trailer(&completeness, &geo, runs.len(), count, out)?,
        ExportFormat::Csv => {
            out.flush()?;
            // The rows are for a program; what they lack is for whoever runs it.
            let stderr = &mut io::stderr().lock();
            for sentence in &geo.words {
                let _ = writeln!(stderr, "{sentence}");
            }
            let _ = write_words(&completeness, terminal_width(), stderr);
        }
    }
    Ok(count)
}
