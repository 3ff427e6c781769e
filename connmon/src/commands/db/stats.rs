//! `connmon db stats`

use std::io::Write;

use serde::Serialize;

use super::super::{CommandError, Outcome, done, stdout};
use crate::cli::{DbShow, TextFormat};
use connmon_analysis::format::{bytes, count, grouped};
use connmon_record::{Run, display_safe};
use connmon_store::{Debt, Store, StoreStats};

#[derive(Serialize)]
struct Output {
    path: String,
    schema: i32,
    file_bytes: u64,
    used_bytes: u64,
    log_bytes: u64,
    hands_back: bool,
    recorded_into: bool,
    oldest: Option<String>,
    newest: Option<String>,
    /// Segments that have no rows yet, and their bytes.
    debt: DebtFields,
    tables: Vec<TableRow>,
    recordings: Vec<RunRow>,
}

#[derive(Serialize)]
struct DebtFields {
    segments: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct TableRow {
    name: String,
    rows: u64,
    bytes: Option<u64>,
}

#[derive(Serialize)]
struct RunRow {
    run: i64,
    host: String,
    started: String,
    ended: Option<String>,
    pruned_until: Option<String>,
    pruned_connections: u64,
}

/// Shows what a store consists of.
///
/// # Errors
/// It cannot be read.
pub fn run(args: &DbShow) -> Result<Outcome, CommandError> {
    let store = Store::open(&args.store.db)?;
    let (stats, runs, debts) = (store.stats()?, store.runs()?, store.debts()?);
    let output = output(&super::shown(&args.store.db), &stats, &runs, &debts);
    let mut out = stdout();
    match args.format {
        TextFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &output).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        TextFormat::Text => write_text(&output, &mut out)?,
    }
    done(out, None)
}

fn output(path: &str, stats: &StoreStats, runs: &[Run], debts: &[Debt]) -> Output {
    let table = |table: &connmon_store::TableStats| TableRow {
        name: display_safe(&table.name).into_owned(),
        rows: table.rows,
        bytes: table.bytes,
    };
    let run = |run: &Run| RunRow {
        run: run.id,
        host: run.host.shown().into_owned(),
        started: run.started.to_string(),
        ended: run.ended.map(|time| time.to_string()),
        pruned_until: run.pruned.map(|pruned| pruned.until.to_string()),
        pruned_connections: run.pruned.map_or(0, |pruned| pruned.connections),
    };
    Output {
        path: display_safe(path).into_owned(),
        schema: stats.schema,
        file_bytes: stats.file_bytes,
        used_bytes: stats.used_bytes,
        log_bytes: stats.log_bytes,
        hands_back: stats.hands_back,
        recorded_into: stats.recorded_into,
        oldest: stats.oldest.map(|time| time.to_string()),
        newest: stats.newest.map(|time| time.to_string()),
        debt: DebtFields {
            segments: debts.iter().map(Debt::segments).sum(),
            bytes: debts.iter().map(|debt| debt.bytes).sum(),
        },
        tables: stats.tables.iter().map(table).collect(),
        recordings: runs.iter().map(run).collect(),
    }
}

fn write_text(output: &Output, out: &mut impl Write) -> std::io::Result<()> {
    let time = |time: &Option<String>| time.clone().unwrap_or_else(|| "-".into());
    let state = if output.recorded_into { ", being recorded into" } else { "" };
    writeln!(out, "{}: schema {}{state}", output.path, output.schema)?;
    let free = output.file_bytes.saturating_sub(output.used_bytes);
    writeln!(out, "file      {}, of which {} free", bytes(output.file_bytes), bytes(free))?;
    writeln!(out, "log       {}", bytes(output.log_bytes))?;
    writeln!(out, "details   from {} to {}", time(&output.oldest), time(&output.newest))?;
    let DebtFields { segments, bytes: of } = output.debt;
    writeln!(out, "debt      {} without rows, {}", count(segments, "segment", "segments"), bytes(of))?;
    if !output.hands_back {
        writeln!(out, "freed space is used again, but handed back only by `connmon db vacuum`")?;
    }
    writeln!(out)?;
    writeln!(out, "{:<18}{:>16}{:>12}", "TABLE", "ROWS", "SIZE")?;
    for table in &output.tables {
        let size = table.bytes.map_or_else(|| "-".into(), bytes);
        writeln!(out, "{:<18}{:>16}{size:>12}", table.name, grouped(table.rows))?;
    }
    writeln!(out)?;
    for run in &output.recordings {
        let pruned = run.pruned_until.as_ref().map_or_else(String::new, |until| {
            format!("; {} pruned, up to {until}", count(run.pruned_connections, "connection", "connections"))
        });
        writeln!(
            out,
            "recording {} of {}: {} to {}{pruned}",
            run.run,
            run.host,
            run.started,
            time(&run.ended)
        )?;
    }
    Ok(())
}
