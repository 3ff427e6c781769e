//! `connmon label`

use std::collections::HashMap;
use std::io::{Write, stderr};

use super::{CommandError, Outcome, outcome};
use crate::cli;
use crate::clock::now;
use crate::config::{ConfigError, File, FileError};
use connmon_analysis::format::{count, grouped};
use connmon_filter::rules::Rules;
use connmon_filter::{Filter, FilterRow};
use connmon_record::{Timestamp, Untrusted};
use connmon_store::{Editor, Store};
use connmon_system::owner;

/// Labels that are written in one transaction, so that a recording that goes on meanwhile has its turn.
const AT_ONCE: usize = 4096;

/// Labels the connections of a store anew.
///
/// # Errors
/// The configuration has no rules, or the store cannot be written.
pub fn run(args: &cli::LabelArgs) -> Result<Outcome, CommandError> {
    let File { path, rules, .. } = File::load(args.config.as_deref(), now())?;
    if rules.is_empty() {
        let error = path.map_or(FileError::None, FileError::NoRules);
        return Err(ConfigError::from(error).into());
    }
    owner::act(&args.db, || label(args, &rules))?
}

/// By these rules.
fn label(args: &cli::LabelArgs, rules: &Rules) -> Result<Outcome, CommandError> {
    let mut editor = Editor::open(&args.db)?;
    let store = Store::open(&args.db)?;
    let flushed: HashMap<i64, Timestamp> =
        store.runs()?.into_iter().map(|run| (run.id, run.last_flush)).collect();
    let runs: Vec<i64> = flushed.keys().copied().collect();
    editor.put_rules(&runs, rules.iter())?;
    let labels: Vec<&str> = rules.iter().map(|rule| rule.label.raw()).collect();
    // Kept until everything is read: while it reads, SQLite could not use its log anew, and that would grow by all that is written.
    let mut changes: Vec<(i64, Option<u32>)> = Vec::new();
    let (mut connections, mut labelled) = (0, 0);
    store.for_each(None, None, &Filter::default(), |run, connection| {
        let watched = flushed.get(&run).copied().unwrap_or(connection.opened);
        let label = rules.label(&FilterRow::from_connection(&connection, watched)).map(Untrusted::raw);
        connections += 1;
        labelled += u64::from(label.is_some());
        if label != connection.label.as_ref().map(Untrusted::raw) {
            let place = label.and_then(|label| labels.iter().position(|one| *one == label));
            changes.push((connection.id, place.and_then(|place| u32::try_from(place).ok())));
        }
        Ok::<(), CommandError>(())
    })?;
    for piece in changes.chunks(AT_ONCE) {
        let name = |place: u32| labels.get(place as usize).map(|label| (*label).to_owned());
        let piece: Vec<_> = piece.iter().map(|(id, place)| (*id, place.and_then(name))).collect();
        editor.put_labels(&piece)?;
    }
    let of = count(connections, "connection", "connections");
    let _ = writeln!(
        stderr(),
        "{} of {of} now {} a label",
        grouped(labelled),
        if labelled == 1 { "has" } else { "have" }
    );
    Ok(outcome((labelled == 0).then_some("no connections have a label")))
}
