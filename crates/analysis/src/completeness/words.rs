//! The counters as sentences that need no knowledge of the kernel, with what to do about each.

use super::coverage::AHEAD;
use super::{Completeness, Coverage, Level, Statement, Verdict};
use crate::HostInternal;
use crate::format::{self, grouped};
use crate::selection::Selection;
use connmon_record::{ClockEffect, ClockStep, Gap, LateRead, Pruned, Run, Timestamp};

/// So many intervals are named one by one.
const LISTED: usize = 3;
/// The consequence of lost process records.
const NAMELESS: &str =
    " A process without its record may be shown without its program, or as what it or its parent ran before.";
/// The advice for a full ring.
const RING: &str =
    "Record again with a larger “--ring-bytes”, a power of two; 8388608 unless told otherwise.";
/// The advice for a full table.
const TABLE: &str =
    "Record again with a larger “--max-connections”; the kernel reserves about 1100 bytes for each.";
/// The advice if both may have been full.
const BOTH: &str = "Record again with a larger “--max-connections” (about 1100 bytes of kernel memory each), and with a \
                    larger “--ring-bytes” (a power of two).";
/// The advice for skipped probes.
const SKIPPED: &str = "Record with “--backend fentry” where the kernel allows it: it is skipped least. From Linux 6.19 on the \
                       kernel can skip any probe while many processes use the network at once.";
/// The advice for losses that should not occur.
const REPORT: &str = "This is a fault: report it with the output of “connmon doctor”.";

/// Every statement, what matters most first.
pub(super) fn statements(this: &Completeness, runs: &[&Run], selection: &Selection) -> Vec<Statement> {
    let mut all: Vec<Statement> = losses(&this.counters).collect();
    all.extend(left_out(runs));
    all.extend(this.pruned.as_ref().map(pruned));
    all.extend(runs.iter().filter_map(|run| clock(run)));
    all.extend(late(this, selection));
    all.extend(coverage(&this.coverage, selection.is_interval()));
    all.extend(notes(this, runs, selection));
    if this.coverage.asked.is_none() {
        all.push(statement(
            Level::Loss,
            "There is no recording in this database.".into(),
            Some("Run “connmon record” as root first."),
        ));
    }
    all.sort_by_key(|statement| statement.level);
    all
}

fn statement(level: Level, text: String, advice: Option<&str>) -> Statement {
    Statement { level, text, advice: advice.map(str::to_owned) }
}

/// The losses that the counters show.
pub(super) fn losses(c: &connmon_record::LossCounters) -> impl Iterator<Item = Statement> + use<> {
    // Those that arrived and made no sense have a sentence of their own.
    let lost = c.lost_events.saturating_sub(c.malformed);
    let unattributed = c.unattributed_tx_bytes.saturating_add(c.unattributed_rx_bytes);
    let has_missed = c.probe_misses > 0;
    [
        (
            lost,
            format!(
                "{} were lost in the kernel because the buffers were full: {} and {} are missing or lack their end.{}",
                count(lost, "record"),
                count(c.lost_connections, "connection"),
                count(c.lost_processes, "process record"),
                if c.lost_processes > 0 { NAMELESS } else { "" },
            ),
            if c.map_full > 0 { BOTH } else { RING },
        ),
        (
            unattributed,
            format!(
                "{} sent and {} received belong to no recorded connection and are not in the totals.",
                count(c.unattributed_tx_bytes, "byte"),
                count(c.unattributed_rx_bytes, "byte"),
            ),
            match (c.map_full, c.lost_events) {
                (0, _) => RING,
                (_, 0) => TABLE,
                _ => BOTH,
            },
        ),
        (
            c.map_full,
            format!(
                "The kernel's tables were full {}: connections, or some of their bytes, are missing.",
                count(c.map_full, "time")
            ),
            TABLE,
        ),
        (
            c.aggregated_sockets,
            format!(
                "{} {} not recorded one by one, because their users had too many at once: their bytes are in connections that \
                 stand for many and say so.",
                count(c.aggregated_sockets, "socket"),
                if c.aggregated_sockets == 1 { "was" } else { "were" },
            ),
            TABLE,
        ),
        (
            c.read_errors,
            format!(
                "{} of kernel memory failed: some records lack a field, or are missing.",
                count(c.read_errors, "read")
            ),
            REPORT,
        ),
        (c.malformed, format!("{} could not be decoded and are missing.", count(c.malformed, "record")), REPORT),
        (
            c.probe_misses,
            format!(
                "The kernel skipped {}: some bytes are not counted, or it is not known when and why connections ended.",
                count(c.probe_misses, "probe")
            ),
            SKIPPED,
        ),
        (
            c.reconciliation.unexplained,
            format!(
                "The byte counts of {} differ from the kernel's own {}.",
                count(c.reconciliation.unexplained, "connection"),
                if has_missed { "where something was missed, as told above" } else { "for no known reason" }
            ),
            if has_missed { SKIPPED } else { REPORT },
        ),
    ]
    .into_iter()
    .filter(|(number, ..)| *number > 0)
    .map(|(_, text, advice)| statement(Level::Loss, text, Some(advice)))
}

/// The data that recordings left out on purpose.
pub(super) fn left_out<'a>(runs: &'a [&Run]) -> impl Iterator<Item = Statement> + use<'a> {
    let each = runs.iter().filter_map(|run| Some((run.id, run.left_out.as_ref()?)));
    each.filter(|(_, left_out)| left_out.connections > 0).map(|(run, left_out)| {
        let text = format!(
            "Recording {run} kept only connections that match “{}”: {} with {} sent and {} received did not and {} not \
             recorded.",
            left_out.filter.shown(),
            count(left_out.connections, "connection"),
            count(left_out.tx_bytes, "byte"),
            count(left_out.rx_bytes, "byte"),
            if left_out.connections == 1 { "is" } else { "are" },
        );
        statement(Level::Loss, text, Some("Record without a filter to keep everything, and filter when reading."))
    })
}

/// The details that were pruned and are not in this answer.
pub(super) fn pruned(pruned: &Pruned) -> Statement {
    let text = format!("Details of {} were pruned, and are not in this answer.", which(pruned));
    let advice = "“connmon audit --by month” or “--by day”, without a filter, has their sums.";
    statement(Level::Loss, text, Some(advice))
}

/// The details that were pruned and are in the sums, or are not, if only a `part` of the time of some sums is requested.
pub(super) fn sums(pruned: &Pruned, part: bool) -> Statement {
    if part {
        let text = format!(
            "Details of {} were pruned, and sums remain of whole days or months: of those of which only a part is asked for, what was \
             pruned is not in these figures.",
            which(pruned)
        );
        return statement(Level::Loss, text, Some("Choose a time that begins and ends with a day, in UTC."));
    }
    let text = format!(
        "Details of {} were pruned; their sums are in these figures. Names, addresses, ports, labels, indicator matches and process ids \
         of that time are gone.",
        which(pruned)
    );
    statement(Level::Note, text, None)
}

fn which(pruned: &Pruned) -> String {
    format!("{} that had ended by {}", count(pruned.connections, "connection"), short(pruned.until))
}

/// Says that the clock was set while a recording was running.
pub fn clock(run: &Run) -> Option<Statement> {
    let last = run.clock_steps.last()?;
    let way = |ns: i64| if ns < 0 { "back" } else { "forward" };
    let each = run.clock_steps.iter().take(LISTED);
    let each = each.map(|step| {
        let length = format::duration(step.shift_ns().unsigned_abs());
        format!("{} by {length} at {}, to {}", way(step.shift_ns()), short(step.from), short(step.to))
    });
    let each = each.collect::<Vec<_>>().join("; ");
    let times = match run.clock_steps.len() {
        1 => String::new(),
        n if n > LISTED => format!(" {n} times, first"),
        n => format!(" {n} times,"),
    };
    let told = |meaning: &str| {
        format!(
            "The clock of this host was set{times} {each}, while recording {} was running; {meaning}.",
            run.id
        )
    };
    if last.effect != ClockEffect::Told {
        let is_corrected = |step: &&ClockStep| step.effect == ClockEffect::Corrected;
        let corrected = run.clock_steps.iter().filter(is_corrected).count();
        let meaning = match run.clock_steps.len() - corrected {
            0 => "it was not right before, and all times of that recording are by the clock as it was set",
            _ if corrected > 0 => {
                "its times are by the clock as it was at the time, but those from before it was right, which are by the right clock"
            }
            _ => "its times are by the clock as it was at the time",
        };
        return Some(statement(Level::Loss, told(meaning), None));
    }
    let text = told("the times of that recording follow the clock as it was when the recording began");
    let ahead = format::duration(last.ahead().unsigned_abs());
    let advice = match last.ahead().signum() {
        0 => "From then on they agree with the clock again.".to_owned(),
        sign => format!(
            "{} {ahead} {} its times from {} on to get those of the clock.",
            if sign > 0 { "Add" } else { "Subtract" },
            if sign > 0 { "to" } else { "from" },
            short(last.time)
        ),
    };
    Some(statement(Level::Loss, text, Some(&advice)))
}

/// Says that a bound of the requested time is blurred, because the counters were read late then.
fn late(this: &Completeness, selection: &Selection) -> Option<Statement> {
    let bounds = || [selection.since, selection.until].into_iter().flatten();
    let is_blurred = |read: &LateRead| bounds().any(|bound| read.blurs(bound));
    let advice = "Choose a time that is longer by that, to have all of it.";
    late_statement(
        &this.late_reads,
        is_blurred,
        "outside the requested time, or the other way around",
        Some(advice),
    )
}

/// Says which bounds between periods are blurred: those `next` after a time.
pub(super) fn late_periods(
    reads: &[LateRead],
    next: impl Fn(Timestamp) -> Option<Timestamp>,
) -> Option<Statement> {
    let is_blurred = |read: &LateRead| next(read.from).is_some_and(|bound| read.blurs(bound));
    late_statement(reads, is_blurred, "in the period before or after its own", None)
}

fn late_statement(
    reads: &[LateRead],
    is_blurred: impl Fn(&LateRead) -> bool,
    place: &str,
    advice: Option<&str>,
) -> Option<Statement> {
    let blurred = || reads.iter().filter(|read| is_blurred(read));
    let times =
        blurred().take(LISTED).map(|read| format!("from {} to {}", exactly(read.from), exactly(read.to)));
    let times = times.collect::<Vec<_>>().join(", ");
    let more = match blurred().count().saturating_sub(LISTED) {
        0 => String::new(),
        n => format!(", and {n} more times"),
    };
    let text =
        format!("The kernel's counters were read late: what was moved {times}{more} may be counted {place}.");
    (!times.is_empty()).then(|| statement(Level::Note, text, advice))
}

/// Says which time was recorded, and which was not.
pub(super) fn coverage(coverage: &Coverage, is_interval: bool) -> Vec<Statement> {
    gaps(&coverage.gaps).into_iter().chain(recorded(coverage, is_interval)).collect()
}

/// Says which time was not recorded. The future counts as no loss.
fn gaps(gaps: &[Gap]) -> Option<Statement> {
    let first = gaps.first()?;
    let each = gaps.iter().take(LISTED).map(|gap| match gap.reason == AHEAD {
        true => format!("from {} on: {AHEAD}", short(gap.from)),
        false => format!("from {} to {}: {}", short(gap.from), short(gap.to), gap.reason.shown()),
    });
    let each = each.collect::<Vec<_>>().join("; ");
    let text = match gaps.len() {
        1 => format!("Nothing was recorded {each}."),
        n => format!(
            "In {n} intervals nothing was recorded{}, {each}.",
            if n > LISTED { ", the first" } else { "" }
        ),
    };
    let advice = "Activity in that time is not in this record; other logs may have it.";
    Some(statement(Level::Loss, text, Some(advice).filter(|_| gaps.len() > 1 || first.reason != AHEAD)))
}

/// Says which time was recorded.
fn recorded(coverage: &Coverage, is_interval: bool) -> Option<Statement> {
    let asked = coverage.asked?;
    let each = coverage.recorded.iter().take(LISTED);
    let each = each.map(|part| format!("from {} to {}", short(part.from), short(part.to)));
    let each = each.collect::<Vec<_>>().join("; ");
    Some(match coverage.recorded.len() {
        // A recording that has just begun.
        0 if asked.from == asked.to && !is_interval => return None,
        0 => statement(
            Level::Loss,
            "No part of the time that was asked for was recorded.".into(),
            Some("An empty result does not mean that nothing happened then."),
        ),
        1 => statement(Level::Note, format!("Recorded {each}."), None),
        n => {
            let rest = if n > LISTED {
                format!("; and {} more", grouped((n - LISTED) as u64))
            } else {
                String::new()
            };
            statement(Level::Note, format!("Recorded in {n} intervals, {each}{rest}."), None)
        }
    })
}

fn notes(this: &Completeness, runs: &[&Run], selection: &Selection) -> Vec<Statement> {
    let mut notes = Vec::new();
    for run in runs.iter().filter(|run| run.ended.is_none()) {
        let (state, advice) = if run.going_on {
            ("is still being recorded", "What is not written yet will be: ask again later.")
        } else {
            ("did not end in order", "It was killed or crashed; at most its last flush interval is lost.")
        };
        let text = format!("Recording {} {state}; its record reaches to {}.", run.id, short(run.known_end()));
        notes.push(statement(Level::Note, text, Some(advice)));
    }
    for (run, lack) in runs.iter().flat_map(|run| run.lacks().map(|lack| (run.id, lack))) {
        notes.push(statement(Level::Note, format!("In recording {run}, {}.", lack.shown()), None));
    }
    if this.counters.names_missed > 0 {
        let text = format!(
            "{} with possible names could not be read, followed too many others on their connection, or arrived while the \
             buffer was half full: some names may be missing; figures are not affected.",
            count(this.counters.names_missed, "packet")
        );
        notes.push(statement(Level::Note, text, Some(RING)));
    }
    if this.counters.evicted > 0 {
        let text = format!(
            "{} about processes and names had to be evicted early, because a cache was full: some connections may lack a \
             name, a parent or a container; figures are not affected.",
            count(this.counters.evicted, "fact")
        );
        notes.push(statement(Level::Note, text, None));
    }
    let r = &this.counters.reconciliation;
    if r.compared > 0 && r.unexplained == 0 {
        let rest = r.compared.saturating_sub(r.equal);
        let text = if rest == 0 {
            format!(
                "Byte counts checked against the kernel's own: {}, all equal to the byte.",
                count(r.compared, "connection")
            )
        } else {
            format!(
                "Byte counts checked against the kernel's own: {}, {} equal to the byte, {} with an explained difference \
                 ({} sent but never delivered, {} arrived but never read).",
                count(r.compared, "connection"),
                grouped(r.equal),
                grouped(rest),
                count(r.tx_undelivered_bytes, "byte"),
                count(r.rx_unread_bytes, "byte"),
            )
        };
        notes.push(statement(Level::Good, text, None));
    }
    if !matches!(this.verdict, Verdict::Incomplete | Verdict::Nothing) {
        notes.push(statement(
            Level::Good,
            "All loss counters are zero: no record lost, no byte without its connection.".into(),
            None,
        ));
    }
    if !selection.filter.is_empty() {
        notes.push(statement(
            Level::Note,
            "A filter is set: the figures include only matching connections.".into(),
            Some("Remove the filter to see everything."),
        ));
    }
    if selection.is_interval() && this.verdict != Verdict::Nothing {
        let widened = if selection.widened { ", to which the time asked for was widened" } else { "" };
        notes.push(statement(
            Level::Note,
            format!(
                "Only bytes of the chosen time are counted; traffic is kept in steps of {} s{widened}. A connection that reaches \
                 beyond that time counts as one. The counters of losses are \
                 those of whole recordings.",
                connmon_record::STEP_NS / 1_000_000_000
            ),
            None,
        ));
    }
    notes
}

/// Notes on the selected connections.
pub(super) fn connections(inexact: u64, preexisting: u64) -> Vec<Statement> {
    let mut notes = Vec::new();
    if inexact > 0 {
        notes.push(statement(
            Level::Note,
            format!(
                "The byte counts of {} may be incomplete; each connection says why.",
                count(inexact, "connection")
            ),
            None,
        ));
    }
    if preexisting > 0 {
        notes.push(statement(
            Level::Note,
            format!(
                "{} opened before the recording began: earlier bytes are not counted.",
                count(preexisting, "connection")
            ),
            None,
        ));
    }
    notes
}

/// Says which traffic the sums contain twice.
pub(super) fn own(own: HostInternal) -> Option<Statement> {
    let text = format!(
        "{} {} an address of this host at the other end too: where both ends were recorded, each counts, so what passed between \
         them is in the totals twice ({} sent and {} received by these ends).",
        count(own.connections, "connection"),
        if own.connections == 1 { "has" } else { "have" },
        count(own.tx_bytes, "byte"),
        count(own.rx_bytes, "byte"),
    );
    (own.connections > 0).then(|| statement(Level::Note, text, None))
}

/// Says what a live view lacks.
pub(super) fn forgotten(forgotten: u64) -> Option<Statement> {
    let text = format!(
        "{} of this recording {} not shown here: only the store has {}.",
        count(forgotten, "older connection"),
        if forgotten == 1 { "is" } else { "are" },
        if forgotten == 1 { "it" } else { "them" },
    );
    (forgotten > 0).then(|| statement(Level::Loss, text, Some(EVERYTHING)))
}

/// Says what a live view never received.
pub(super) fn unseen(unseen: u64) -> Option<Statement> {
    let text = format!(
        "{} did not reach this view in time: it may show too few connections and bytes; the store has them all.",
        count(unseen, "row"),
    );
    (unseen > 0).then(|| statement(Level::Loss, text, Some(EVERYTHING)))
}

/// The advice for data that only the store has.
const EVERYTHING: &str = "“connmon report” shows everything.";

/// Says what the figures of the wire lack.
pub(super) fn wire(parts: u64, unmeasured: u64) -> impl Iterator<Item = Statement> {
    let of_parts = format!(
        "Packets are counted for whole connections, not by time: the figures of the wire leave out {} with only a part in the \
         chosen time.",
        count(parts, "connection")
    );
    let of_none = format!(
        "The figures of the wire leave out {} without a count of packets: raw, ping and packet sockets, packets whose headers could \
         not be read, or a recording with --no-wire.",
        count(unmeasured, "connection")
    );
    [(parts, of_parts), (unmeasured, of_none)]
        .into_iter()
        .filter(|(connections, _)| *connections > 0)
        .map(|(_, text)| statement(Level::Note, text, None))
}

/// To the second, in UTC.
fn short(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
}

/// To the tenth of a second, in UTC.
fn exactly(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..21).unwrap_or_default())
}

/// A number with its noun.
pub(super) fn count(n: u64, noun: &str) -> String {
    format::count(n, noun, &format!("{noun}s"))
}
