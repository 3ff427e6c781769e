//! `connmon baseline`

use std::io::{self, Write};

use super::progress_line::ProgressLine;
use super::{CommandError, Outcome, done, outcome, settle, stdout, write_file};
use crate::cli;
use crate::clock::now;
use crate::config::{Choice, choice, share};
use connmon_analysis::Completeness;
use connmon_analysis::baseline::{Baseline, SteadyRemote};
use connmon_analysis::format::{count, duration};
use connmon_filter::{Filter, Networks};
use connmon_record::display_safe;
use connmon_store::StoreError;

/// Prints the remote addresses that were connected for a large part of the time, as a list for `--filter-file`.
///
/// # Errors
/// The store cannot be read, or an option not be understood.
pub fn run(args: &cli::BaselineArgs) -> Result<Outcome, CommandError> {
    let at_least = share(&args.at_least)?;
    let Choice { selection, filter } = choice(&args.source, now())?;
    let store =
        settle::open(&args.source.db)?.watched_by(ProgressLine::new("looking for what is steady").watch());
    let runs = store.runs()?;
    let mut baseline = Baseline::new(&runs, &selection);
    let filter = if runs.iter().all(|run| run.set_back_ns() == 0) {
        // Names and networks are read of those only that can be in the answer.
        let mut candidates = baseline.candidates(at_least);
        store.for_each_time([selection.since, selection.until], &filter, |time| {
            candidates.add(time.run, time.remote, time.opened, time.end);
        })?;
        let remotes = candidates.finish().into_iter().map(|number| store.remote(number));
        let remotes = Networks::of_addresses(remotes.collect::<Result<Vec<_>, _>>()?);
        filter.and(Filter::of_remotes(remotes, true, "steady".into()))
    } else {
        filter
    };
    store.for_each(selection.since, selection.until, &filter, |run, connection| {
        let names = connection.names.iter().filter(|name| name.is_of_remote());
        baseline.add(run, &connection, names.map(|name| &name.name));
        Ok::<(), StoreError>(())
    })?;
    let recorded = duration(baseline.recorded());
    let steady = baseline.finish(at_least);
    let nothing = steady.is_empty().then_some("no remote address is connected that long");
    let lacks = Completeness::from_runs(&runs, &selection).essentials();
    let lacks: String =
        lacks.iter().map(|statement| format!("# {}\n", display_safe(&statement.words()))).collect();
    let head = format!(
        "# Remote addresses that were connected at least {} of {recorded}\n{lacks}",
        percent(at_least)
    );
    if let Some(path) = &args.out {
        write_file(path, |out| write(&head, &steady, out))?;
        return Ok(outcome(nothing));
    }
    let mut out = stdout();
    write(&head, &steady, &mut out)?;
    done(out, nothing)
}

fn write(head: &str, steady: &[SteadyRemote], out: &mut impl Write) -> io::Result<()> {
    out.write_all(head.as_bytes())?;
    for SteadyRemote { ip, share, connections, names } in steady {
        let names: String = names.iter().map(|name| format!(", {}", name.shown())).collect();
        let connections = count(*connections, "connection", "connections");
        let line = format!("{ip}  # {} of the time, {connections}{names}", percent(*share));
        writeln!(out, "{}", display_safe(&line))?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    // Rounded down, so that 100 % means always.
    let tenths = (share * 1000.0).floor() / 10.0;
    if tenths.fract() == 0.0 { format!("{tenths:.0} %") } else { format!("{tenths:.1} %") }
}
