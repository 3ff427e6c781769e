//! `connmon db check`

use std::io::Write;

use serde::Serialize;

use super::super::{CommandError, Outcome, done, stdout};
use crate::cli::{DbShow, TextFormat};
use connmon_record::display_safe;
use connmon_store::Store;

#[derive(Serialize)]
struct Output {
    path: String,
    ok: bool,
    faults: Vec<String>,
}

/// Checks a store.
///
/// # Errors
/// It cannot be read at all, or something is wrong with it.
pub fn run(args: &DbShow) -> Result<Outcome, CommandError> {
    let faults = Store::open(&args.store.db)?.check()?;
    let faults: Vec<String> = faults.iter().map(|fault| display_safe(fault).into_owned()).collect();
    let path = display_safe(&super::shown(&args.store.db)).into_owned();
    let mut out = stdout();
    let wrong = !faults.is_empty();
    match args.format {
        TextFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &Output { path, ok: !wrong, faults })
                .map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        TextFormat::Text if wrong => faults.iter().try_for_each(|fault| writeln!(out, "{fault}"))?,
        TextFormat::Text => writeln!(out, "{path}: nothing is wrong")?,
    }
    done(out, None)?;
    Ok(if wrong {
        Outcome::Nothing("something is wrong with this store; keep it, and record into another one")
    } else {
        Outcome::Done
    })
}
