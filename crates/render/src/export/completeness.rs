//! How complete the record is, as every format says it: the counters for programs, the words for people.

use std::io::{self, Write};

use serde::Serialize;

use super::text::write_wrapped;
use connmon_analysis::format::count;
use connmon_analysis::{ClockStepRow, Level, Statement, Verdict, Window};
use connmon_record::Gap;

/// The counters of loss and what they mean.
#[derive(Serialize)]
pub struct CompletenessFields {
    complete: bool,
    lost_events: u64,
    lost_connections: u64,
    lost_processes: u64,
    unattributed_bytes: Unattributed,
    map_full: u64,
    read_errors: u64,
    malformed: u64,
    probe_misses: u64,
    names_missed: u64,
    evicted: u64,
    aggregated_sockets: u64,
    reconciliation: ReconciliationFields,
    /// The time that was asked for, what of it was recorded, and, as gaps, what was not.
    asked: Option<Window>,
    recorded: Vec<Window>,
    gaps: Vec<GapRow>,
    clock_steps: Vec<ClockStepRow>,
    /// Connections whose details were pruned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned: Option<PrunedFields>,
    words: Vec<String>,
}

#[derive(Serialize)]
struct Unattributed {
    tx: u64,
    rx: u64,
}

#[derive(Serialize)]
struct ReconciliationFields {
    compared: u64,
    equal: u64,
    tx_undelivered_bytes: u64,
    rx_unread_bytes: u64,
    unexplained: u64,
}

#[derive(Serialize)]
struct PrunedFields {
    until: String,
    connections: u64,
    tx_bytes: u64,
    rx_bytes: u64,
}

#[derive(Serialize)]
struct GapRow {
    from: String,
    to: String,
    reason: String,
}

impl CompletenessFields {
    /// What the counters mean, a sentence each.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }
}

impl From<&connmon_analysis::Completeness> for CompletenessFields {
    fn from(completeness: &connmon_analysis::Completeness) -> Self {
        let counters = &completeness.counters;
        let r = &counters.reconciliation;
        let gap = |gap: &Gap| GapRow {
            from: gap.from.to_string(),
            to: gap.to.to_string(),
            reason: gap.reason.shown().into_owned(),
        };
        Self {
            complete: completeness.is_complete(),
            lost_events: counters.lost_events,
            lost_connections: counters.lost_connections,
            lost_processes: counters.lost_processes,
            unattributed_bytes: Unattributed {
                tx: counters.unattributed_tx_bytes,
                rx: counters.unattributed_rx_bytes,
            },
            map_full: counters.map_full,
            read_errors: counters.read_errors,
            malformed: counters.malformed,
            probe_misses: counters.probe_misses,
            names_missed: counters.names_missed,
            evicted: counters.evicted,
            aggregated_sockets: counters.aggregated_sockets,
            reconciliation: ReconciliationFields {
                compared: r.compared,
                equal: r.equal,
                tx_undelivered_bytes: r.tx_undelivered_bytes,
                rx_unread_bytes: r.rx_unread_bytes,
                unexplained: r.unexplained,
            },
            asked: completeness.coverage.asked,
            recorded: completeness.coverage.recorded.clone(),
            gaps: completeness.coverage.gaps.iter().map(gap).collect(),
            clock_steps: completeness.clock_steps.iter().map(ClockStepRow::from).collect(),
            pruned: completeness.pruned.as_ref().map(|pruned| PrunedFields {
                until: pruned.until.to_string(),
                connections: pruned.connections,
                tx_bytes: pruned.tx_bytes,
                rx_bytes: pruned.rx_bytes,
            }),
            words: completeness.statements.iter().map(Statement::words).collect(),
        }
    }
}

/// Writes in one sentence how complete the record is, with the first thing that is missing.
///
/// # Errors
/// The writer's.
pub fn write_verdict(
    completeness: &connmon_analysis::Completeness,
    room: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let losses: Vec<_> = completeness.statements.iter().filter(|one| one.level == Level::Loss).collect();
    let mark = match completeness.verdict {
        Verdict::Complete => "✓ ",
        Verdict::Unfinished | Verdict::CutOff => "· ",
        Verdict::Partial | Verdict::Pruned | Verdict::Excerpt | Verdict::Incomplete | Verdict::Nothing => {
            "! "
        }
    };
    let words = completeness.sentence();
    let first = losses.first().map(|loss| format!(" {}", loss.text)).unwrap_or_default();
    let more = completeness.statements.len() - losses.len().min(1);
    let rest = match more {
        0 => String::new(),
        n => format!(" {}: --explain.", count(n as u64, "more note", "more notes")),
    };
    write_wrapped(mark, &format!("{words}{first}{rest}"), room, out)
}

/// Writes the statements for reading, in lines of at most `room` columns.
///
/// # Errors
/// The writer's.
pub fn write_words(
    completeness: &connmon_analysis::Completeness,
    room: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_statements(&completeness.statements, room, out)
}

/// Writes only what is missing, and what was recorded.
///
/// # Errors
/// The writer's.
pub fn write_essentials(
    completeness: &connmon_analysis::Completeness,
    room: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_statements(&completeness.essentials(), room, out)
}

fn write_statements(statements: &[Statement], room: usize, out: &mut dyn Write) -> io::Result<()> {
    for statement in statements {
        let mark = match statement.level {
            Level::Loss => "! ",
            Level::Note => "· ",
            Level::Good => "✓ ",
        };
        write_wrapped(mark, &statement.text, room, out)?;
        if let Some(advice) = &statement.advice {
            write_wrapped("  ", advice, room, out)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use connmon_analysis::{Completeness, Selection};

    use super::*;

    const HOSTILE: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/hostile.json"));

    /// A store may come from anybody.
    #[test]
    fn reasons_of_gaps_are_made_safe() {
        for case in serde_json::from_str::<Vec<serde_json::Value>>(HOSTILE).unwrap() {
            let mut run = connmon_fixtures::run(1, 0);
            let (from, to) = (run.started, run.known_end());
            run.gaps = vec![Gap { from, to, reason: case["text"].as_str().unwrap().into() }];
            let completeness = Completeness::from_runs(&[run], &Selection::default());
            let fields = serde_json::to_value(CompletenessFields::from(&completeness)).unwrap();
            assert_eq!(fields["gaps"][0]["reason"], case["shown"], "{}", case["name"]);
        }
    }
}
