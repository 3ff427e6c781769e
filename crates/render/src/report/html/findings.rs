//! What is worth a look, as the page lists it.

use super::Markup;
use super::view::{Shown, When};
use crate::findings::{figure_words, more_words, notes, title};
use crate::report::svg;
use connmon_analysis::format::{count, grouped};
use connmon_detect::{Finding, Folded, Found, Severity, card, fold};
use connmon_record::{Untrusted, Zone};

/// Entries above "info" that the page lists, and such of "info" or acknowledged ones.
const LINES: usize = 40;
const QUIET: usize = 60;

/// The section; empty without findings.
#[derive(Default)]
pub(super) struct Section {
    /// How many there are of each severity, for the head: its name and its number.
    pub(super) counts: Vec<(&'static str, String)>,
    /// Above "info", and not acknowledged.
    pub(super) loud: Vec<FindingLine>,
    /// The others.
    pub(super) quiet: Vec<FindingLine>,
    pub(super) quiet_words: String,
    /// What has to be known to read them.
    pub(super) notes: Vec<String>,
}

/// An entry: a finding, or several of one kind and program.
pub(super) struct FindingLine {
    pub(super) severity: &'static str,
    pub(super) title: &'static str,
    pub(super) id: String,
    pub(super) what: Shown,
    pub(super) more: String,
    pub(super) from: When,
    /// Where it is another second.
    pub(super) to: Option<When>,
    pub(super) same_day: bool,
    pub(super) connections: String,
    pub(super) package: Option<Shown>,
    pub(super) context: Vec<String>,
    pub(super) figures: Vec<(String, String)>,
    pub(super) innocent: &'static [&'static str],
    pub(super) refuted_by: &'static [&'static str],
    pub(super) acknowledged: Option<String>,
    /// Pictures of the first of them.
    pub(super) times: Option<Markup>,
    pub(super) intervals: Option<Markup>,
    pub(super) filter: Shown,
    /// Whether the filter can be asked: it has no characters that cannot be shown.
    pub(super) can_ask: bool,
}

impl Section {
    pub(super) fn new(found: &Found) -> Self {
        if found.findings.is_empty() {
            return Self::default();
        }
        let of = |severity| found.findings.iter().filter(|one| one.severity == severity).count() as u64;
        let counts = Severity::ALL.into_iter().rev().map(|severity| (severity.name(), of(severity)));
        let is_loud =
            |one: &Folded<'_>| one.first.severity > Severity::Info && one.first.acknowledged.is_none();
        let (loud, quiet): (Vec<_>, Vec<_>) = fold(&found.findings).into_iter().partition(is_loud);
        let mut notes = notes(found);
        let left_out = loud.len().saturating_sub(LINES) + quiet.len().saturating_sub(QUIET);
        if left_out > 0 {
            let more = count(left_out as u64, "further entry is", "further entries are");
            notes.push(format!("{more} not on this page; `connmon findings` lists all."));
        }
        let quiet_findings: usize = quiet.iter().map(|one| 1 + one.others.len()).sum();
        Self {
            counts: counts.filter(|(_, n)| *n > 0).map(|(name, n)| (name, grouped(n))).collect(),
            loud: loud.iter().take(LINES).map(FindingLine::new).collect(),
            quiet_words: count(quiet_findings as u64, "finding", "findings"),
            quiet: quiet.iter().take(QUIET).map(FindingLine::new).collect(),
            notes,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

impl FindingLine {
    fn new(folded: &Folded<'_>) -> Self {
        let finding = folded.first;
        let (first, last) = folded.seen();
        let (from, to) = (When::new(first), When::new(last));
        let card = card(&finding.detector);
        let evidence = folded.evidence();
        let rhythm = finding.rhythm.as_deref();
        Self {
            severity: finding.severity.name(),
            title: title(finding),
            id: finding.id.clone(),
            what: Shown::new(&finding.what),
            more: more_words(folded),
            same_day: from.date == to.date,
            to: (to.date != from.date || to.clock != from.clock).then_some(to),
            from,
            connections: count(folded.connections(), "connection", "connections"),
            package: finding.subject.package.as_ref().map(Shown::new),
            context: finding.context.iter().map(ToString::to_string).collect(),
            figures: finding.figures.iter().map(|figure| figure_words(figure, &Zone::UTC)).collect(),
            innocent: card.map_or(&[], |card| card.innocent),
            refuted_by: card.map_or(&[], |card| card.refuted_by),
            acknowledged: acknowledged(finding),
            times: rhythm.map(|rhythm| Markup(svg::rhythm::times(rhythm))),
            intervals: rhythm.map(|rhythm| Markup(svg::rhythm::intervals(rhythm))),
            can_ask: is_shown_whole(&evidence),
            filter: Shown::new(&evidence),
        }
    }
}

/// Whether a text has only characters that can be shown.
fn is_shown_whole(text: &Untrusted) -> bool {
    *text == *text.shown()
}

/// Who has seen it.
fn acknowledged(finding: &Finding) -> Option<String> {
    let known = finding.acknowledged.as_ref()?;
    let note = known.note.as_ref().map(|note| format!(": {}", note.shown())).unwrap_or_default();
    Some(format!("Seen by {}, {}{note}", known.by.shown(), Zone::UTC.show_seconds(known.time)))
}
