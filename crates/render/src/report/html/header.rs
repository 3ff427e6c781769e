//! The head of the page: what was recorded, whether absence can be trusted, and the figures.

use std::borrow::Cow;

use super::view::{Shown, When};
use crate::report::PictureOptions;
use connmon_analysis::format;
use connmon_analysis::{GeoNotes, Level, Summary};
use connmon_record::{Run, Untrusted};

/// So many gaps are listed one by one.
const GAPS: usize = 100;

pub(super) struct Interval {
    pub(super) from: When,
    pub(super) to: When,
    pub(super) same_day: bool,
    pub(super) length: String,
}

pub(super) struct HeaderFact {
    pub(super) name: &'static str,
    pub(super) value: Shown,
    pub(super) mono: bool,
}

pub(super) struct VerdictLine {
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) answer: &'static str,
    pub(super) meaning: &'static str,
    pub(super) statements: Vec<StatementLine>,
}

pub(super) struct StatementLine {
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) text: Shown,
    pub(super) advice: Shown,
}

pub(super) struct GapLine {
    pub(super) from: When,
    pub(super) to: When,
    pub(super) reason: Shown,
}

pub(super) struct RunLine {
    pub(super) id: i64,
    pub(super) host: Shown,
    pub(super) from: When,
    pub(super) to: Option<When>,
    pub(super) backend: Shown,
    pub(super) kernel: Shown,
    pub(super) boot: Shown,
}

pub(super) struct Figure {
    pub(super) class: &'static str,
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) unit: &'static str,
    pub(super) sub: String,
}

/// The distinct values of the recordings, in order.
fn distinct(summary: &Summary, of: impl Fn(&Run) -> &Untrusted) -> Vec<Cow<'_, str>> {
    let values = summary.runs.iter().map(of).filter(|value| !value.is_empty());
    let mut values: Vec<Cow<'_, str>> = values.map(Untrusted::shown).collect();
    values.sort_unstable();
    values.dedup();
    values
}

pub(super) fn hosts(summary: &Summary) -> Shown {
    match distinct(summary, |run| &run.host).as_slice() {
        [] => Shown::new("no recording"),
        hosts => Shown::new(&hosts.join(", ")),
    }
}

pub(super) fn interval(summary: &Summary) -> Option<Interval> {
    let window = summary.window?;
    let (from, to) = (When::new(window.from), When::new(window.to));
    Some(Interval { same_day: from.date == to.date, from, to, length: format::duration(window.nanos()) })
}

pub(super) fn facts(summary: &Summary, geo: &GeoNotes) -> Vec<HeaderFact> {
    let mut facts = Vec::new();
    let mut fact = |name, value: &str, mono| facts.push(HeaderFact { name, value: Shown::new(value), mono });
    let one_or_many = |values: Vec<Cow<'_, str>>| values.join(", ");
    fact("Kernel", &one_or_many(distinct(summary, |run| &run.kernel)), true);
    fact("Backend", &one_or_many(distinct(summary, |run| &run.backend)), false);
    fact(
        "Recorded by",
        &format!("connmon {}", one_or_many(distinct(summary, |run| &run.tool_version))),
        false,
    );
    fact("Probe object", &short(&distinct(summary, |run| &run.object_sha256), 16), true);
    fact("Boot", &short(&distinct(summary, |run| &run.boot_id), 13), true);
    let only_countries = geo.databases.iter().all(|database| database.registered_only);
    fact(if only_countries { "Countries from" } else { "Places from" }, &geo.names(), false);
    if !summary.selection.filter.is_empty() {
        fact("Filter", &summary.selection.filter, true);
    }
    fact("Indicators", &summary.indicators.words().unwrap_or_default(), false);
    for (name, time) in [("Since", summary.selection.since), ("Until", summary.selection.until)] {
        if let Some(time) = time {
            fact(name, &format!("{} {} UTC", format::date(time), format::clock(time)), false);
        }
    }
    facts.retain(|fact| !fact.value.is_empty());
    facts
}

/// What the person who makes the report states about it, and the host if the title does not name it.
pub(super) fn case(options: &PictureOptions, summary: &Summary) -> Vec<HeaderFact> {
    let host = options.title.as_ref().map(|_| hosts(summary).to_string());
    let taken_out = Some(&options.redacted).filter(|words| !words.is_empty());
    let facts = [
        ("Host", host.as_ref()),
        ("Case", options.case.as_ref()),
        ("Made by", options.operator.as_ref()),
        ("Redacted", taken_out),
    ];
    let known = facts.into_iter().filter_map(|(name, value)| Some((name, value?)));
    known.map(|(name, value)| HeaderFact { name, value: Shown::new(value), mono: false }).collect()
}

/// The beginnings of long identifiers.
fn short(values: &[Cow<'_, str>], length: usize) -> String {
    let cut = |value: &Cow<'_, str>| match value.char_indices().nth(length) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value.to_string(),
    };
    values.iter().map(cut).collect::<Vec<_>>().join(", ")
}

pub(super) fn backend_notes(summary: &Summary) -> Vec<Shown> {
    let mut notes: Vec<&Untrusted> = summary.runs.iter().flat_map(|run| &run.backend_notes).collect();
    notes.sort_unstable();
    notes.dedup();
    notes.into_iter().map(Shown::new).collect()
}

pub(super) fn verdict(summary: &Summary) -> VerdictLine {
    let (class, sign, answer, meaning) = match summary.completeness.verdict {
        connmon_analysis::Verdict::Complete if summary.completeness.inexact > 0 => (
            "good",
            "✓",
            "Yes, but some byte counts may be too low.",
            "Connections of this period that are not in this report did not happen, within the limits under Method; those whose bytes \
             may be incomplete say why.",
        ),
        connmon_analysis::Verdict::Complete => (
            "good",
            "✓",
            "Yes: nothing was lost.",
            "Network activity of this period that is not in this report did not happen, within the limits under Method.",
        ),
        connmon_analysis::Verdict::Unfinished => (
            "open",
            "…",
            "Yes, up to the last record.",
            "Nothing is known to be missing, but the recording has no end: it goes on, or was killed.",
        ),
        connmon_analysis::Verdict::CutOff => (
            "open",
            "…",
            "Yes, up to the last record.",
            "Nothing is known to be missing, but the recording was killed or crashed: its last seconds may not be here.",
        ),
        connmon_analysis::Verdict::Partial => (
            "bad",
            "!",
            "Not for all of this time.",
            "Nothing is known to be lost where it was recorded, but not all of this time was: see below.",
        ),
        connmon_analysis::Verdict::Pruned => (
            "bad",
            "!",
            "Not for all of this time.",
            "Nothing is known to have been lost, but details of a part of this time were pruned since: see below.",
        ),
        connmon_analysis::Verdict::Excerpt => (
            "bad",
            "!",
            "The store has more than this page.",
            "Nothing is known to be lost, but what is not on this page may have happened: only the store has everything.",
        ),
        connmon_analysis::Verdict::Incomplete => (
            "bad",
            "!",
            "No: records are missing.",
            "Everything in this report happened, but more may have happened: the list below says what is missing.",
        ),
        connmon_analysis::Verdict::Nothing => (
            "bad",
            "!",
            "There is no record of this time.",
            "Nothing can be said of what happened: that nothing is shown here does not mean that nothing was.",
        ),
    };
    let line = |statement: &connmon_analysis::Statement| {
        let (class, sign) = match statement.level {
            Level::Loss => ("bad", "!"),
            Level::Note => ("note", "i"),
            Level::Good => ("good", "✓"),
        };
        let advice = Shown::new(statement.advice.as_deref().unwrap_or_default());
        StatementLine { class, sign, text: Shown::new(&statement.text), advice }
    };
    let statements = summary.completeness.statements.iter().map(line).collect();
    VerdictLine { class, sign, answer, meaning, statements }
}

pub(super) fn gaps(summary: &Summary) -> Vec<GapLine> {
    let gaps = &summary.completeness.coverage.gaps;
    let line = |gap: &connmon_record::Gap| GapLine {
        from: When::new(gap.from),
        to: When::new(gap.to),
        reason: Shown::new(&gap.reason),
    };
    if gaps.len() < 2 { Vec::new() } else { gaps.iter().take(GAPS).map(line).collect() }
}

pub(super) fn more_gaps(summary: &Summary) -> String {
    match summary.completeness.coverage.gaps.len().saturating_sub(GAPS) {
        0 => String::new(),
        n => format!("and {} more", format::grouped(n as u64)),
    }
}

/// The recordings one by one, if there are several.
pub(super) fn runs(summary: &Summary) -> Vec<RunLine> {
    let line = |run: &Run| RunLine {
        id: run.id,
        host: Shown::new(&run.host),
        from: When::new(run.started),
        to: run.ended.map(When::new),
        backend: Shown::new(&run.backend),
        kernel: Shown::new(&run.kernel),
        boot: Shown::new(&short(&[run.boot_id.shown()], 8)),
    };
    if summary.runs.len() < 2 { Vec::new() } else { summary.runs.iter().map(line).collect() }
}

pub(super) fn figures(summary: &Summary) -> Vec<Figure> {
    let totals = &summary.totals;
    let bytes = |class, label, n: u64| {
        let (value, unit) = format::bytes_parts(n);
        Figure { class, label, value, unit, sub: format::count(n, "byte", "bytes") }
    };
    let number =
        |label, n: u64, sub: String| Figure { class: "", label, value: format::grouped(n), unit: "", sub };
    let failed = match totals.figures.failed {
        0 => "none failed".to_owned(),
        n => format!("{} failed", format::grouped(n)),
    };
    let unnamed = match summary.unowned.connections {
        0 => "all identified".to_owned(),
        n => format!("{} without one", format::count(n, "connection", "connections")),
    };
    let inbound = match totals.figures.inbound {
        0 => "no inbound connections".to_owned(),
        n => format::count(n, "inbound connection", "inbound connections"),
    };
    let open = format!("{} still open", format::grouped(totals.figures.open));
    let unknown = summary.countries.iter().find(|row| row.code.is_none()).map_or(0, |row| row.remotes);
    let place = match unknown {
        0 => "every public address located".to_owned(),
        n => format!("{} without one", format::count(n, "address", "addresses")),
    };
    vec![
        bytes("tx", "Sent", totals.figures.tx_bytes),
        bytes("rx", "Received", totals.figures.rx_bytes),
        number("Connections", totals.figures.connections, format!("{failed}, {open}")),
        number("Processes", totals.processes, unnamed),
        number("Remote addresses", totals.remotes, inbound),
        number("Countries", totals.countries, place),
    ]
}
