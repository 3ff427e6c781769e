//! `connmon geo status`

use std::io::Write;

use serde::Serialize;

use super::open;
use crate::cli::{self, TextFormat};
use crate::commands::{CommandError, Outcome, done, stdout, terminal_width};
use connmon_analysis::{GeoNotes, ShownDatabase};
use connmon_enrich::geo::{Database, GeoError};
use connmon_record::display_safe;
use connmon_render::export::text::write_wrapped;

#[derive(Serialize)]
struct Status {
    databases: Vec<Line>,
    words: Vec<String>,
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    about: ShownDatabase,
    file: Option<String>,
}

/// Lists the databases in the order in which they are asked.
///
/// # Errors
/// One of them cannot be read, or is damaged.
pub fn run(args: cli::StatusArgs) -> Result<Outcome, CommandError> {
    let geo = open(args.databases)?;
    if args.verify {
        geo.databases().iter().try_for_each(verify)?;
    }
    let notes = GeoNotes::of_databases(&geo.about());
    let line = |(database, about): (&Database, ShownDatabase)| {
        let file = database.file().map(|file| display_safe(&file.display().to_string()).into_owned());
        Line { about, file }
    };
    let databases = geo.databases().iter().zip(notes.databases).map(line).collect();
    let status = Status { databases, words: notes.words };
    let mut out = stdout();
    match args.format {
        TextFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &status).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        TextFormat::Text => write(&status, &mut out)?,
    }
    done(out, None)
}

fn verify(database: &Database) -> Result<(), GeoError> {
    database.verify().map_err(|why| {
        let file = database.file().map(|file| file.display().to_string()).unwrap_or_default();
        GeoError::File(file, format!("it is damaged ({why})"))
    })
}

fn write(status: &Status, out: &mut impl Write) -> std::io::Result<()> {
    let room = terminal_width();
    writeln!(out, "geo databases, in order of precedence\n")?;
    for (number, line) in (1..).zip(&status.databases) {
        let about = &line.about;
        let date = if about.date.is_empty() { "no date" } else { &about.date };
        writeln!(out, "{number}  {}  {date}  {}", about.name, about.kind)?;
        write_wrapped("   from    ", line.file.as_deref().unwrap_or(&about.source), room, out)?;
        let licence = about.licence.as_deref().unwrap_or("unknown: see the file's source");
        write_wrapped("   licence ", licence, room, out)?;
        if let Some(attribution) = &about.attribution {
            write_wrapped("   credit  ", attribution, room, out)?;
        }
    }
    writeln!(out)?;
    for sentence in &status.words {
        write_wrapped("· ", sentence, room, out)?;
    }
    Ok(())
}
