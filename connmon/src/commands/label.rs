//! `connmon label`

use std::io::{Write, stderr};

use super::progress_line::ProgressLine;
use super::{CommandError, Outcome, outcome};
use crate::cli;
use crate::clock::now;
use crate::config::{ConfigError, File, FileError};
use connmon_analysis::format::{count, grouped};
use connmon_filter::rules::Rules;
use connmon_record::Untrusted;
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
    let store = Store::open(&args.db)?.watched_by(ProgressLine::new("labelling").watch());
    let runs: Vec<i64> = store.runs()?.into_iter().map(|run| run.id).collect();
    editor.put_rules(&runs, rules.iter())?;
    let labels: Vec<&Untrusted> = rules.iter().map(|rule| &rule.label).collect();
    let (mut connections, mut labelled) = (0, 0);
    // Some are read, and then written: while it reads, SQLite could not use its log anew, and that would grow by all that is written.
    store.for_each_label(rules, |some| {
        connections += some.len() as u64;
        labelled += some.iter().filter(|one| one.rule.is_some()).count() as u64;
        let changes: Vec<_> = some.iter().filter(|one| !one.is_known).collect();
        for piece in changes.chunks(AT_ONCE) {
            let name = |place: usize| labels.get(place).map(|label| (*label).clone());
            let piece: Vec<_> = piece.iter().map(|one| (one.id, one.rule.and_then(name))).collect();
            editor.put_labels(&piece)?;
        }
        Ok::<(), CommandError>(())
    })?;
    drop(store);
    let of = count(connections, "connection", "connections");
    let _ = writeln!(
        stderr(),
        "{} of {of} now {} a label",
        grouped(labelled),
        if labelled == 1 { "has" } else { "have" }
    );
    Ok(outcome((labelled == 0).then_some("no connections have a label")))
}
