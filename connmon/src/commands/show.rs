//! `connmon show`

use std::io::Write;

use super::{CommandError, Outcome, done, settle, stdout};
use crate::cli::{self, TextFormat};
use crate::config::zone;
use connmon_render::export::show;

/// Prints everything that is known of one connection.
///
/// # Errors
/// The store cannot be read, or has no such connection.
pub fn run(args: &cli::Show) -> Result<Outcome, CommandError> {
    let store = settle::open(&args.db)?;
    let Some((run, connection)) = store.connection(args.id.0)? else {
        return Err(CommandError::NoConnection(args.id, args.db.display().to_string()));
    };
    let run = store.runs()?.into_iter().find(|candidate| candidate.id == run);
    let mut out = stdout();
    match args.format {
        TextFormat::Text => show::write_text(&connection, run.as_ref(), &zone(args.local), &mut out)?,
        TextFormat::Json => {
            show::write_json(&connection, run.as_ref(), &mut out)?;
            writeln!(out)?;
        }
    }
    done(out, None)
}
