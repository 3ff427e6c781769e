//! `cargo xtask coverage`: which case is recorded how well, on which kernel and with which backend.
//!
//! The end-to-end test prints a line a case ([`line`]). Each complete run leaves them as a column in
//! `target/coverage`; [`page`] is `docs/coverage.md`, which must say the same of every column that both have.

mod line;
mod page;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::workspace;
use line::Line;
use page::Page;

/// What to do with what was run.
#[derive(clap::Args)]
pub struct Args {
    /// Take what was run last into docs/coverage.md
    #[arg(long)]
    bless: bool,
}

const PAGE: &str = "docs/coverage.md";

/// `cargo xtask coverage`.
pub fn run(args: &Args) -> Result<()> {
    let recorded = recorded()?;
    ensure!(!recorded.is_empty(), "nothing was run: `cargo xtask test --only e2e` makes a column");
    if !args.bless {
        return compare(&recorded);
    }
    let mut page = read()?;
    page.replace_columns(&recorded);
    std::fs::write(path(), page.to_string()).with_context(|| format!("cannot write {PAGE}"))?;
    eprintln!("{PAGE} has what was run");
    Ok(())
}

/// Compares what was run, if anything was, with the page.
pub fn check() -> Result<()> {
    compare(&recorded()?)
}

fn compare(recorded: &[Line]) -> Result<()> {
    let differences = read()?.differences(recorded);
    differences.iter().for_each(|difference| eprintln!("{difference}"));
    ensure!(
        differences.is_empty(),
        "{PAGE} differs from what was run in {} rows; if that is right: `cargo xtask coverage --bless`",
        differences.len()
    );
    Ok(())
}

/// Forgets what was run before.
pub fn clear() -> Result<()> {
    match std::fs::remove_dir_all(dir()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("cannot remove the old columns")
        }
        _ => Ok(()),
    }
}

/// Keeps the column of a complete run, by what the test printed.
pub fn keep(output: &str) -> Result<()> {
    let lines: Vec<Line> = output.lines().filter_map(Line::parse).collect();
    let Some(Line { column, .. }) = lines.first() else { return Ok(()) };
    std::fs::create_dir_all(dir())?;
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let path = dir().join(format!("{}-{}", column.kernel, column.backend));
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// All columns that were kept.
fn recorded() -> Result<Vec<Line>> {
    let mut files: Vec<PathBuf> = match std::fs::read_dir(dir()) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?,
        Err(_) => Vec::new(),
    };
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
        lines.extend(text.lines().filter_map(Line::parse));
    }
    Ok(lines)
}

fn read() -> Result<Page> {
    match std::fs::read_to_string(path()) {
        Ok(text) => Page::parse(&text).context(PAGE),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Page::default()),
        Err(error) => Err(error).context(PAGE),
    }
}

fn path() -> PathBuf {
    workspace::root().join(PAGE)
}

fn dir() -> PathBuf {
    workspace::root().join("target/coverage")
}
