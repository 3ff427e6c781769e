//! "Is this record complete?": the loss counters of all recordings, merged, and said in words.

mod coverage;
mod words;

use std::borrow::Cow;

use serde::Serialize;

use super::HostInternal;
use super::selection::{Selection, Window};
use connmon_record::{ClockEffect, ClockStep, LateRead, Pruned, Run, Timestamp};

pub use coverage::Coverage;
pub use words::clock as clock_words;

/// Whether what is not in the record did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every counter of losses is zero, and the whole window was recorded.
    Complete,
    /// Nothing is known to be missing, but a recording goes on.
    Unfinished,
    /// Nothing is known to be missing, but a recording did not end in order: what came after its last flush is not here.
    CutOff,
    /// Nothing is known to be missing where it was recorded, but a part of the time that was asked for was not.
    Partial,
    /// Nothing is known to have been missing when it was recorded, but details of a part of this time were pruned since.
    Pruned,
    /// Nothing is known to be missing from the record, but this view of it lacks what only the store has.
    Excerpt,
    /// Something is missing; the statements say what.
    Incomplete,
    /// No part of the time that was asked for was recorded.
    Nothing,
}

impl Verdict {
    /// Whether nothing is known to be missing from what was recorded of the time that was asked for.
    fn is_nothing_missing(self) -> bool {
        matches!(self, Self::Complete | Self::Unfinished | Self::CutOff)
    }

    /// In a sentence.
    fn sentence(self) -> &'static str {
        match self {
            Self::Complete => "This record is complete.",
            Self::Unfinished => "This record is complete so far; a recording has not ended.",
            Self::CutOff => "Nothing is known to be missing, but a recording did not end in order.",
            Self::Partial => "Only a part of the time asked for was recorded.",
            Self::Pruned => "Details of a part of this time were pruned.",
            Self::Excerpt => "The store has more than is shown here.",
            Self::Incomplete => "This record is incomplete.",
            Self::Nothing => "No part of the time asked for was recorded.",
        }
    }
}

/// The weight of a statement.
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
    /// The weight of the statement.
    pub level: Level,
    /// The fact, and its consequence.
    pub text: String,
    /// The advice on what to do.
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

/// When the clock was set: as the recording's times go, and what the clock said before and after.
#[derive(Serialize)]
pub struct ClockStepRow {
    time: String,
    from: String,
    to: String,
    effect: &'static str,
}

impl From<&ClockStep> for ClockStepRow {
    fn from(step: &ClockStep) -> Self {
        Self {
            time: step.time.to_string(),
            from: step.from.to_string(),
            to: step.to.to_string(),
            effect: step.effect.name(),
        }
    }
}

/// The parts that are missing from a selection of recordings.
#[derive(Clone, Debug)]
pub struct Completeness {
    /// The answer in one word.
    pub verdict: Verdict,
    /// The sums of all recordings' counters, over their whole length.
    pub counters: connmon_record::LossCounters,
    /// The parts of the requested time that were recorded, and those that were not.
    pub coverage: Coverage,
    /// When the clock was set while something was recorded.
    pub clock_steps: Vec<ClockStep>,
    /// When the kernel's counters were read late.
    late_reads: Vec<LateRead>,
    /// Recordings without an end.
    pub unfinished: Vec<i64>,
    /// The details that were pruned from the requested time.
    pub pruned: Option<Pruned>,
    /// The verdict if nothing had been pruned.
    with_details: Verdict,
    /// The selected connections whose byte counts may be incomplete.
    pub inexact: u64,
    /// The sentences, what matters most first.
    pub statements: Vec<Statement>,
}

/// Up to when details of any of these recordings may have been pruned.
pub fn pruned_until(runs: &[Run]) -> Timestamp {
    runs.iter().filter_map(|run| Some(run.pruned?.until)).max().unwrap_or(Timestamp(i64::MIN))
}

/// The pruned details of these recordings, if they reached into the requested time.
fn pruned(runs: &[&Run], selection: &Selection) -> Option<Pruned> {
    let reaches = |run: &Run, pruned: &Pruned| {
        selection.since.is_none_or(|since| since < pruned.until)
            && selection.until.is_none_or(|until| until > run.earliest())
    };
    let each = runs.iter().filter_map(|run| run.pruned.filter(|pruned| reaches(run, pruned)));
    each.reduce(|sum, one| Pruned {
        until: sum.until.max(one.until),
        connections: sum.connections.saturating_add(one.connections),
        tx_bytes: sum.tx_bytes.saturating_add(one.tx_bytes),
        rx_bytes: sum.rx_bytes.saturating_add(one.rx_bytes),
    })
}

impl Completeness {
    /// Merges what the recordings say of themselves.
    pub fn from_runs(runs: &[Run], selection: &Selection) -> Self {
        Self::of_time(runs, selection.asked(runs), selection)
    }

    fn of_time(runs: &[Run], asked: Option<Window>, selection: &Selection) -> Self {
        let coverage = Coverage::from_runs(runs, asked, selection);
        // What a recording lost is no matter of a time that it does not reach.
        let reached = |run: &&Run| {
            let is_in =
                |window: Window| run.earliest() <= window.to && (run.going_on || run.latest() >= window.from);
            !selection.is_interval() || asked.is_some_and(is_in)
        };
        let of_time: Vec<&Run> = runs.iter().filter(reached).collect();
        let counters = of_time
            .iter()
            .fold(connmon_record::LossCounters::default(), |sum, run| merged(sum, &run.completeness));
        let unfinished: Vec<i64> =
            of_time.iter().filter(|run| run.ended.is_none()).map(|run| run.id).collect();
        let clock_steps: Vec<ClockStep> =
            of_time.iter().flat_map(|run| run.clock_steps.iter().copied()).collect();
        let late_reads = of_time.iter().flat_map(|run| run.late_reads.iter().copied()).collect();
        let verdict = if runs.is_empty() || (selection.is_interval() && coverage.recorded.is_empty()) {
            Verdict::Nothing
        } else if words::losses(&counters).next().is_some() || words::left_out(&of_time).next().is_some() {
            Verdict::Incomplete
        } else if !coverage.gaps.is_empty()
            || (selection.is_interval() && clock_steps.iter().any(|step| step.effect == ClockEffect::Told))
        {
            // Where times do not follow the clock, those that were asked for are not the record's.
            Verdict::Partial
        } else if of_time.iter().any(|run| run.ended.is_none() && !run.going_on) {
            Verdict::CutOff
        } else if !unfinished.is_empty() {
            Verdict::Unfinished
        } else {
            Verdict::Complete
        };
        let pruned = pruned(&of_time, selection);
        let with_details = verdict;
        let verdict =
            if pruned.is_some() && verdict.is_nothing_missing() { Verdict::Pruned } else { verdict };
        let mut this = Self {
            verdict,
            counters,
            coverage,
            clock_steps,
            late_reads,
            unfinished,
            pruned,
            with_details,
            inexact: 0,
            statements: Vec::new(),
        };
        this.statements = words::statements(&this, &of_time, selection);
        this
    }

    /// The state of the last recording alone, from the gap before it to its end.
    pub fn of_last(runs: &[Run]) -> Option<(&Run, Self)> {
        let last = Run::newest(runs)?;
        let alone = std::slice::from_ref(last);
        let everything = Selection::default();
        let mut asked = everything.asked(alone)?;
        asked.from = last.gaps.iter().map(|gap| gap.from).fold(asked.from, Ord::min);
        Some((last, Self::of_time(alone, Some(asked), &everything)))
    }

    /// The answer in a sentence.
    pub fn sentence(&self) -> Cow<'static, str> {
        match self.verdict {
            Verdict::Complete | Verdict::Unfinished if self.inexact > 0 => {
                let so_far = if self.verdict == Verdict::Complete { "" } else { " so far" };
                let those = words::count(self.inexact, "connection");
                format!(
                    "Every connection is in this record{so_far}; the byte counts of {those} may be too low."
                )
                .into()
            }
            verdict => verdict.sentence().into(),
        }
    }

    /// Adds what only the connections can tell.
    pub fn note_connections(&mut self, inexact: u64, preexisting: u64) {
        self.inexact = self.inexact.saturating_add(inexact);
        self.statements.extend(words::connections(inexact, preexisting));
        self.statements.sort_by_key(|statement| statement.level);
    }

    /// The figures have the sums of what was pruned; of a `part` of that time they cannot have them.
    pub fn note_sums(&mut self, part: bool) {
        let Some(pruned) = &self.pruned else { return };
        let without = words::pruned(pruned);
        let with = words::sums(pruned, part);
        self.statements.iter_mut().filter(|one| **one == without).for_each(|one| one.clone_from(&with));
        if !part && self.verdict == Verdict::Pruned {
            self.verdict = self.with_details;
        }
        self.statements.sort_by_key(|statement| statement.level);
    }

    /// Adds which bounds between periods are blurred, where the figures are by periods: those `next` after a time.
    pub fn note_periods(&mut self, next: impl Fn(Timestamp) -> Option<Timestamp>) {
        self.statements.extend(words::late_periods(&self.late_reads, next));
        self.statements.sort_by_key(|statement| statement.level);
    }

    /// Adds how much is in the sums twice.
    pub fn note_own(&mut self, own: HostInternal) {
        self.statements.extend(words::own(own));
        self.statements.sort_by_key(|statement| statement.level);
    }

    /// Adds what only the store has: connections that a viewer had to forget, and rows that could not be handed on to it.
    pub fn note_elsewhere(&mut self, forgotten: u64, unseen: u64) {
        let statements: Vec<_> =
            words::forgotten(forgotten).into_iter().chain(words::unseen(unseen)).collect();
        if !statements.is_empty() && self.verdict.is_nothing_missing() {
            self.verdict = Verdict::Excerpt;
        }
        self.statements.splice(..0, statements);
    }

    /// Adds that the figures of the wire lack so many connections, because only parts of them are meant, and because nothing is known.
    pub fn note_wire(&mut self, parts: u64, unmeasured: u64) {
        self.statements.extend(words::wire(parts, unmeasured));
        self.statements.sort_by_key(|statement| statement.level);
    }

    /// Says in words which parts of the requested time were recorded, and which were not.
    pub fn coverage_words(&self) -> Vec<Statement> {
        words::coverage(&self.coverage, self.verdict == Verdict::Nothing)
    }

    /// Says what is missing and what was recorded, for a list that has no room for more.
    pub fn essentials(&self) -> Vec<Statement> {
        let losses = self.statements.iter().filter(|one| one.level == Level::Loss).cloned();
        let recorded = self.coverage_words().into_iter().filter(|one| one.level != Level::Loss);
        losses.chain(recorded).collect()
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.verdict == Verdict::Complete
    }
}

fn merged(
    mut sum: connmon_record::LossCounters,
    one: &connmon_record::LossCounters,
) -> connmon_record::LossCounters {
    // Taken apart by name, so that a new counter cannot be forgotten here.
    let connmon_record::LossCounters {
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
        aggregated_sockets,
        reconciliation,
    } = one;
    let connmon_record::Reconciliation {
        compared,
        equal,
        tx_undelivered_bytes,
        rx_unread_bytes,
        unexplained,
    } = reconciliation;
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
        (&mut sum.aggregated_sockets, aggregated_sockets),
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
