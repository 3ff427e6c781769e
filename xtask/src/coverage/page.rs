//! The table in Markdown: a row a case, a column for each kernel and backend. It is read back as it is written.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, Result, bail, ensure};

use super::line::{KernelAndBackend, Line, Outcome};

/// The page, as lines; the cases are in the order of the page.
#[derive(Debug, Default, PartialEq)]
pub struct Page(Vec<Line>);

const HEAD: &str = "# What is covered

Written by `cargo xtask coverage --bless`, and checked by `cargo xtask test` against what it ran.

Each row is a case of the traffic zoo (`traffic list` says what it does); each column is a kernel series and a backend.

- ✔ recorded exactly: every byte on the right process and connection
- ≈ recorded, and the record says what it does not know
- – skipped: the kernel lacks what the case is about
";

impl Page {
    /// What a case has in a column.
    fn cell(&self, case: &str, column: &KernelAndBackend) -> Option<&Outcome> {
        self.0.iter().find(|line| line.case == case && line.column == *column).map(|line| &line.outcome)
    }

    fn columns(&self) -> BTreeSet<&KernelAndBackend> {
        self.0.iter().map(|line| &line.column).collect()
    }

    /// Takes these columns instead of what it has for them.
    pub fn replace_columns(&mut self, recorded: &[Line]) {
        let columns: BTreeSet<_> = recorded.iter().map(|line| &line.column).collect();
        let kept = std::mem::take(&mut self.0).into_iter().filter(|line| !columns.contains(&line.column));
        self.0 = recorded.iter().cloned().chain(kept).collect();
    }

    /// Where it differs from what was run, in the columns that both have.
    pub fn differences(&self, recorded: &[Line]) -> Vec<String> {
        let known = self.columns();
        let run = Self(recorded.iter().filter(|line| known.contains(&line.column)).cloned().collect());
        let mut found = Vec::new();
        for column in run.columns() {
            for case in cases([self.0.as_slice(), &run.0].concat().as_slice()) {
                let (page, run) = (self.cell(&case, column), run.cell(&case, column));
                if page != run {
                    let word = |cell: Option<&Outcome>| cell.map_or("nothing".to_owned(), Outcome::to_string);
                    let KernelAndBackend { kernel, backend } = column;
                    found.push(format!("{case} on {kernel} {backend}: {}, run: {}", word(page), word(run)));
                }
            }
        }
        found
    }

    /// Reads the page.
    pub fn parse(text: &str) -> Result<Self> {
        let notes: Vec<(&str, &str)> =
            text.lines().filter_map(|line| line.strip_prefix("[^")?.split_once("]: ")).collect();
        let mut rows = text.lines().filter_map(cells);
        let head = rows.next().context("there is no table")?;
        let columns: Vec<KernelAndBackend> = head.iter().skip(2).filter_map(|name| column(name)).collect();
        ensure!(columns.len() + 2 == head.len(), "the table's head is not as it was written");
        let mut lines = Vec::new();
        for row in rows.skip(1) {
            ensure!(row.len() == head.len(), "a row has other columns than the head: {}", row.join(" | "));
            for case in names(row[0], row[1]) {
                for (cell, column) in row[2..].iter().zip(&columns).filter(|(cell, _)| !cell.is_empty()) {
                    let (case, column, outcome) = (case.clone(), column.clone(), outcome(cell, &notes)?);
                    lines.push(Line { case, column, outcome });
                }
            }
        }
        Ok(Self(lines))
    }
}

/// Every case once, in the order in which they come.
fn cases(lines: &[Line]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    lines.iter().map(|line| &line.case).filter(|case| seen.insert(*case)).cloned().collect()
}

/// The cells of a row of a table.
fn cells(line: &str) -> Option<Vec<&str>> {
    Some(line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect())
}

fn column(name: &str) -> Option<KernelAndBackend> {
    let (kernel, backend) = name.split_once(' ')?;
    Some(KernelAndBackend { kernel: kernel.to_owned(), backend: backend.to_owned() })
}

/// The cases that a row is about.
fn names(name: &str, families: &str) -> Vec<String> {
    let families: Vec<&str> = families.split(", ").filter(|family| !family.is_empty()).collect();
    if families.is_empty() {
        return vec![name.to_owned()];
    }
    families.into_iter().map(|family| format!("{name}-v{family}")).collect()
}

fn outcome(cell: &str, notes: &[(&str, &str)]) -> Result<Outcome> {
    let why = || {
        let key = cell.split_once("[^").and_then(|(_, rest)| rest.strip_suffix(']'));
        let note = notes.iter().find(|(known, _)| Some(*known) == key);
        note.map(|(_, text)| (*text).to_owned()).with_context(|| format!("no footnote for {cell}"))
    };
    Ok(match cell.chars().next() {
        Some('✔') => Outcome::Exact,
        Some('≈') => Outcome::Labelled(why()?),
        Some('–') => Outcome::Skipped(why()?),
        _ => bail!("what is `{cell}`?"),
    })
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns();
        let names = columns.iter().map(|column| format!(" {} {} |", column.kernel, column.backend));
        write!(f, "{HEAD}\n| case | IP |{}\n|---|---|", names.collect::<String>())?;
        writeln!(f, "{}", ":-:|".repeat(columns.len()))?;
        let mut notes: Vec<&str> = Vec::new();
        let cases = cases(&self.0);
        for case in &cases {
            let row = |case: &str| columns.iter().map(|column| self.cell(case, column)).collect::<Vec<_>>();
            let (name, families) = match case.rsplit_once("-v") {
                Some((name, family @ ("4" | "6"))) => {
                    let sibling = format!("{name}-v{}", if family == "4" { 6 } else { 4 });
                    match cases.contains(&sibling) && row(case) == row(&sibling) {
                        true if family == "4" => (name, "4, 6"),
                        true => continue,
                        false => (name, family),
                    }
                }
                _ => (case.as_str(), ""),
            };
            write!(f, "| {name} | {families} |")?;
            for cell in row(case) {
                match cell {
                    None => f.write_str(" |")?,
                    Some(Outcome::Exact) => f.write_str(" ✔ |")?,
                    Some(Outcome::Labelled(why)) => write!(f, " ≈[^{}] |", note(&mut notes, why))?,
                    Some(Outcome::Skipped(why)) => write!(f, " –[^{}] |", note(&mut notes, why))?,
                }
            }
            writeln!(f)?;
        }
        notes.iter().enumerate().try_for_each(|(n, why)| write!(f, "\n[^{}]: {why}\n", n + 1))
    }
}

/// The number of a footnote.
fn note<'a>(notes: &mut Vec<&'a str>, why: &'a str) -> usize {
    let known = notes.iter().position(|note| *note == why).unwrap_or_else(|| {
        notes.push(why);
        notes.len() - 1
    });
    known + 1
}

#[cfg(test)]
mod tests;
