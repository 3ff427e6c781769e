//! "Is this record complete?": the loss counters of all recordings, merged, and said in words.

mod coverage;
mod words;

use super::selection::{Selection, Window};
use crate::model::{self, Gap, Run};

/// Whether what is not in the record did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every counter of losses is zero, and the whole window was recorded.
    Complete,
    /// Nothing is known to be missing, but a recording has no end: it runs, or connmon was killed.
    Unfinished,
    /// Something is missing; the statements say what.
    Incomplete,
    /// There is no recording at all.
    Nothing,
}

/// How much a statement matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is missing or wrong.
    Loss,
    /// Nothing is missing, but this is needed to read the figures rightly.
    Note,
    /// Checked and in order.
    Good,
}

/// One sentence about the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// How much it matters.
    pub level: Level,
    /// What is the case, and what follows from it.
    pub text: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Statement {
    /// Everything it says, on one line.
    pub fn words(&self) -> String {
        match &self.advice {
            Some(advice) => format!("{} {advice}", self.text),
            None => self.text.clone(),
        }
    }
}

/// What is missing from a selection of recordings.
#[derive(Clone, Debug)]
pub struct Completeness {
    /// The answer in one word.
    pub verdict: Verdict,
    /// The sums of all recordings' counters, over their whole length.
    pub counters: model::Completeness,
    /// Intervals of the window without a record, oldest first.
    pub gaps: Vec<Gap>,
    /// Recordings without an end.
    pub unfinished: Vec<i64>,
    /// The sentences, what matters most first.
    pub statements: Vec<Statement>,
}

impl Completeness {
    /// Merges what the recordings say of themselves.
    pub fn of(runs: &[Run], window: Option<Window>, selection: &Selection) -> Self {
        let counters =
            runs.iter().fold(model::Completeness::default(), |sum, run| merged(sum, &run.completeness));
        let gaps = window.map_or_else(Vec::new, |window| coverage::gaps(runs, window, selection));
        let unfinished: Vec<i64> = runs.iter().filter(|run| run.ended.is_none()).map(|run| run.id).collect();
        let verdict = if runs.is_empty() {
            Verdict::Nothing
        } else if words::losses(&counters).next().is_some()
            || words::left_out(runs).next().is_some()
            || !gaps.is_empty()
        {
            Verdict::Incomplete
        } else if !unfinished.is_empty() {
            Verdict::Unfinished
        } else {
            Verdict::Complete
        };
        let mut this = Self { verdict, counters, gaps, unfinished, statements: Vec::new() };
        this.statements = words::statements(&this, runs, selection);
        this
    }

    /// The state of the last recording alone, from the gap before it to its end.
    pub fn of_last(runs: &[Run]) -> Option<(&Run, Self)> {
        let last = runs.iter().max_by_key(|run| (run.started, run.id))?;
        let alone = std::slice::from_ref(last);
        let mut window = Window::of(alone, &Selection::default())?;
        window.from = last.gaps.iter().map(|gap| gap.from).fold(window.from, Ord::min);
        Some((last, Self::of(alone, Some(window), &Selection::default())))
    }

    /// Adds what only the connections can tell.
    pub fn note_connections(&mut self, inexact: u64, preexisting: u64) {
        self.statements.extend(words::connections(inexact, preexisting));
        self.statements.sort_by_key(|statement| statement.level);
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.verdict == Verdict::Complete
    }
}

fn merged(mut sum: model::Completeness, one: &model::Completeness) -> model::Completeness {
    // Taken apart by name, so that a new counter cannot be forgotten here.
    let model::Completeness {
        lost_events,
        lost_connections,
        lost_processes,
        unattributed_tx_bytes,
        unattributed_rx_bytes,
        map_full,
        read_errors,
        malformed,
        probe_misses,
        names_missed,
        evicted,
        reconciliation,
    } = one;
    let model::Reconciliation { compared, equal, tx_undelivered_bytes, rx_unread_bytes, unexplained } =
        reconciliation;
    let total = &mut sum.reconciliation;
    for (into, from) in [
        (&mut sum.lost_events, lost_events),
        (&mut sum.lost_connections, lost_connections),
        (&mut sum.lost_processes, lost_processes),
        (&mut sum.unattributed_tx_bytes, unattributed_tx_bytes),
        (&mut sum.unattributed_rx_bytes, unattributed_rx_bytes),
        (&mut sum.map_full, map_full),
        (&mut sum.read_errors, read_errors),
        (&mut sum.malformed, malformed),
        (&mut sum.probe_misses, probe_misses),
        (&mut sum.names_missed, names_missed),
        (&mut sum.evicted, evicted),
        (&mut total.compared, compared),
        (&mut total.equal, equal),
        (&mut total.tx_undelivered_bytes, tx_undelivered_bytes),
        (&mut total.rx_unread_bytes, rx_unread_bytes),
        (&mut total.unexplained, unexplained),
    ] {
        *into = into.saturating_add(*from);
    }
    sum
}
