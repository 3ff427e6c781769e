//! Cells under each other.

use std::io::{self, Write};

use crate::export::text::{elide, pad, width};

/// Between two columns.
const GAP: usize = 2;
/// A name is never cut shorter than this.
const LEAST: usize = 12;

/// How a column looks.
#[derive(Clone)]
pub(super) struct TableColumn {
    head: String,
    number: bool,
    /// Whether text that is too long is shortened; a table has one such column.
    name: bool,
}

impl TableColumn {
    pub(super) fn number(head: &str) -> Self {
        Self { head: head.into(), number: true, name: false }
    }

    pub(super) fn text(head: &str) -> Self {
        Self { head: head.into(), number: false, name: false }
    }

    pub(super) fn name(head: &str) -> Self {
        Self { head: head.into(), number: false, name: true }
    }
}

/// Rows below their heads.
pub(super) struct TextTable {
    columns: Vec<TableColumn>,
    widths: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    pub(super) fn new(columns: Vec<TableColumn>) -> Self {
        let widths = columns.iter().map(|column| width(&column.head)).collect();
        Self { columns, widths, rows: Vec::new() }
    }

    pub(super) fn push(&mut self, row: Vec<String>) {
        for (widest, cell) in self.widths.iter_mut().zip(&row) {
            *widest = (*widest).max(width(cell));
        }
        self.rows.push(row);
    }

    /// What the longest name needs.
    pub(super) fn name_width(&self) -> usize {
        self.parts(true).sum()
    }

    /// What is left for names in lines of `room` columns.
    pub(super) fn name_room(&self, room: usize) -> usize {
        let gaps = GAP * self.columns.len().saturating_sub(1);
        room.saturating_sub(self.parts(false).sum::<usize>() + gaps)
    }

    fn parts(&self, name: bool) -> impl Iterator<Item = usize> {
        self.columns
            .iter()
            .zip(&self.widths)
            .filter(move |(column, _)| column.name == name)
            .map(|(_, width)| *width)
    }

    pub(super) fn write(&self, room: usize, out: &mut dyn Write) -> io::Result<()> {
        let names = self.name_width().min(self.name_room(room).max(LEAST));
        let head: Vec<String> = self.columns.iter().map(|column| column.head.clone()).collect();
        for row in std::iter::once(&head).chain(&self.rows) {
            let cells: Vec<String> = std::iter::zip(&self.columns, &self.widths)
                .zip(row)
                .map(|((column, width), cell)| match column.name {
                    true => pad(&elide(cell, names), names, false),
                    false => pad(cell, *width, column.number),
                })
                .collect();
            writeln!(out, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}
