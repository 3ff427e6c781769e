//! `connmon audit`

use std::io::{self, Write};

use super::progress_line::ProgressLine;
use super::{CommandError, NO_CONNECTION, Outcome, done, settle, stdout, terminal_width};
use crate::cli::{self, TableFormat};
use crate::clock::now;
use crate::config::{Choice, choice};
use connmon_analysis::Selection;
use connmon_analysis::format::count;
use connmon_filter::Filter;
use connmon_record::Connection;
use connmon_render::export::audit::{self, Audit, Builder, GroupBy};
use connmon_render::export::completeness::write_words;
use connmon_store::{Instead, StoreError};

/// Prints bytes and connections per process, or per something else.
///
/// # Errors
/// The store cannot be read, or a time not be understood.
pub fn run(args: cli::AuditArgs) -> Result<Outcome, CommandError> {
    let Choice { selection, filter } = choice(&args.source, now())?;
    let audit = read(&args, &selection, &filter)?;
    let mut out = stdout();
    match args.format {
        TableFormat::Table => audit::write_table(&audit, terminal_width(), args.explain, &mut out)?,
        TableFormat::Csv => {
            audit::write_csv(&audit, &mut out)?;
            out.flush()?;
            // The rows are for a program; what they lack is for whoever runs it.
            let stderr = &mut io::stderr().lock();
            if audit.rest.0 > 0 {
                let _ = writeln!(
                    stderr,
                    "{} not shown (--top)",
                    count(audit.rest.0, "more group", "more groups")
                );
            }
            for sentence in audit.geo.words.iter().filter(|_| audit.by.iter().any(|by| by.is_place())) {
                let _ = writeln!(stderr, "{sentence}");
            }
            let _ = write_words(&audit.completeness, terminal_width(), stderr);
        }
        TableFormat::Json => audit::write_json(&audit, &mut out)?,
    }
    let empty = audit.totals.all.connections == 0 && !selection.is_everything();
    done(out, empty.then_some(NO_CONNECTION))
}

fn read(args: &cli::AuditArgs, selection: &Selection, filter: &Filter) -> Result<Audit, CommandError> {
    let store = settle::open(&args.source.db)?.watched_by(ProgressLine::new("adding up").watch());
    let usual = if args.format == TableFormat::Table { GroupBy::Exe } else { GroupBy::Process };
    let by: Vec<GroupBy> = match args.by.as_slice() {
        [] => vec![usual],
        named => named.iter().map(|by| GroupBy::from(*by)).collect(),
    };
    if by.len() > 2 || by.len() == 2 && by[0] == by[1] {
        return Err(CommandError::By);
    }
    let mut builder = Builder::new(&store.runs()?, selection, &by);
    let mut instead = Instead::default();
    if builder.has_sums() {
        let summed;
        (summed, instead) = store.summed(selection.since, selection.until)?;
        builder.add_summed(&summed);
    }
    store.for_each_but(
        &instead,
        selection.since,
        selection.until,
        filter,
        |run, connection: Connection| {
            builder.add(run, connection);
            Ok::<(), StoreError>(())
        },
    )?;
    store.for_each_sum(|key, figures| builder.add_sum(key, figures))?;
    store.for_each_sample(selection.since, selection.until, |run, sample| builder.add_sample(run, sample))?;
    let sort = args.sort.map_or(audit::GroupSort::usual(by[0]), Into::into);
    let top = args.top.map(|top| usize::try_from(top).unwrap_or(usize::MAX));
    Ok(builder.finish(sort, top))
}
