//! Entries of a list that are not matched: their number for each reason, and their places.

use std::collections::BTreeMap;
use std::fmt;

/// Texts that are remembered; beyond, they are only counted.
const MOST: usize = 100_000;
/// Characters of a text that are remembered.
const LONGEST: usize = 200;

/// A place in a list; each number counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListPosition {
    /// A line of text.
    Line(u64),
    /// A cell of a table: the line in which its row begins, and the column.
    Cell(u64, usize),
    /// One of a kind of things.
    Nth(&'static str, u64),
}

impl fmt::Display for ListPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Cell(line, column) => write!(f, "line {line}, column {column}"),
            Self::Nth(kind, number) => write!(f, "{kind} {number}"),
        }
    }
}

/// A text that is not matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// The place of the entry.
    pub place: ListPosition,
    /// Its beginning, as the list has it: hostile.
    pub text: String,
    /// Why it is not matched.
    pub reason: &'static str,
}

/// Parts of a list that are not matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    reasons: BTreeMap<&'static str, u64>,
    each: Vec<Unmatched>,
}

impl Skipped {
    /// Counts one.
    pub(super) fn add(&mut self, place: ListPosition, text: &str, reason: &'static str) {
        *self.reasons.entry(reason).or_default() += 1;
        if self.each.len() < MOST {
            let text = text.trim().chars().take(LONGEST).collect();
            self.each.push(Unmatched { place, text, reason });
        }
    }

    /// Whether everything is matched.
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The reasons, in alphabetical order, and how many there are of each.
    pub fn reasons(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.reasons.iter().map(|(reason, count)| (*reason, *count))
    }

    /// In words; empty if everything is matched.
    pub fn words(&self) -> String {
        let each: Vec<String> = self.reasons().map(|(reason, count)| format!("{reason} ({count})")).collect();
        each.join(", ")
    }

    /// Each of them in the order of the list, the first hundred thousand.
    pub fn each(&self) -> &[Unmatched] {
        &self.each
    }

    /// The number of entries that are counted but are not among [`Self::each`].
    pub fn more(&self) -> u64 {
        self.reasons.values().sum::<u64>().saturating_sub(self.each.len() as u64)
    }
}
