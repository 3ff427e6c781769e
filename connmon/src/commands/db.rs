//! `connmon db`

mod backup;
mod check;
mod merge;
mod prune;
mod rebuild;
mod reset;
mod restore;
mod stats;
mod vacuum;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use super::{CommandError, Outcome};
use crate::cli::{DbCommand, DbCommands as Args};
use connmon_record::display_safe;
use connmon_system::owner;

/// A store as a whole: what it consists of, copies of it, less of it.
///
/// # Errors
/// The store cannot be read or written, somebody records into it, or what cannot be undone was not confirmed.
pub fn run(args: Args) -> Result<Outcome, CommandError> {
    match args.command {
        DbCommand::Stats(args) => stats::run(&args),
        DbCommand::Check(args) => check::run(&args),
        DbCommand::Prune(args) => owner::act(&args.change.store.db.clone(), || prune::run(args))?,
        DbCommand::Rebuild(args) => owner::act(&args.store.db, || rebuild::run(&args))?,
        DbCommand::Vacuum(args) => owner::act(&args.db, || vacuum::run(&args))?,
        DbCommand::Reset(args) => owner::act(&args.store.db, || reset::run(&args))?,
        DbCommand::Backup(args) => backup::run(&args),
        DbCommand::Restore(args) => owner::act(&args.change.store.db, || restore::run(&args))?,
        DbCommand::Merge(args) => owner::act(&args.change.store.db, || merge::run(&args))?,
    }
}

/// Asks on the terminal whether that is wanted which cannot be undone; without a terminal `--yes` must say so.
fn confirm(yes: bool, what: &str) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    let what = display_safe(what);
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(CommandError::Unconfirmed(what.into_owned()));
    }
    let _ = write!(io::stderr(), "{what}. This cannot be undone. Go on? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CommandError::Declined),
    }
}

/// Says what was done.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", display_safe(line));
}

/// The name of a store for people.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
