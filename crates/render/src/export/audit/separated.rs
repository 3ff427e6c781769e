//! The audit as comma-separated values.

use std::io::{self, Write};

use super::figures::{COLUMNS, FigureColumn};
use super::{Audit, Group, GroupBy};
use crate::export::columns;
use crate::export::csv::{cell, fact};

/// Writes one line a group, after a line with the names of the columns. There is no line of totals: a spreadsheet that
/// adds up would count everything twice.
///
/// # Errors
/// The writer's.
pub fn write(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let names = |by: &GroupBy| match by {
        GroupBy::Process => columns::of_process(None).map(|(name, _)| name.into()).collect(),
        by => vec![by.name().to_owned()],
    };
    let mut head: Vec<String> = audit.by.iter().flat_map(names).collect();
    for prefix in ["", "tcp_", "udp_"] {
        head.extend(COLUMNS.map(|(name, _)| format!("{prefix}{name}")));
    }
    writeln!(out, "{}", head.join(","))?;
    for group in &audit.groups {
        writeln!(out, "{}", cells(&audit.by, group).join(","))?;
    }
    Ok(())
}

fn cells(by: &[GroupBy], group: &Group) -> Vec<String> {
    let of = |(by, text): (&GroupBy, String)| match by {
        GroupBy::Process => {
            columns::of_process(group.process.as_deref()).map(|(_, cell)| fact(&cell)).collect()
        }
        _ => vec![cell(&text)],
    };
    let mut cells: Vec<String> = by.iter().zip(group.key_texts()).flat_map(of).collect();
    let split = &group.figures;
    for figures in [&split.all, &split.tcp, &split.udp] {
        cells.extend(COLUMNS.map(|(_, figure): FigureColumn| figure(figures).to_string()));
    }
    cells
}
