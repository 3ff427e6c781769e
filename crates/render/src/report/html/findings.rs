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
pub(in super::super) struct Section {
    /// How many there are of each severity, for the head: its name and its number.
    pub(in super::super) counts: Vec<(&'static str, String)>,
    /// Above "info", and not acknowledged.
    pub(in super::super) loud: Vec<FindingLine>,
    /// The others.
    pub(in super::super) quiet: Vec<FindingLine>,
    pub(in super::super) quiet_words: String,
    /// What has to be known to read them.
    pub(in super::super) notes: Vec<String>,
}

/// An entry: a finding, or several of one kind and program.
pub(in super::super) struct FindingLine {
    pub(in super::super) severity: &'static str,
    pub(in super::super) title: &'static str,
    pub(in super::super) id: String,
    /// What the page's query language calls it: the ids of all, and number and name of the detector.
    pub(in super::super) names: String,
    pub(in super::super) what: Shown,
    pub(in super::super) more: String,
    pub(in super::super) from: When,
    /// Where it is another second.
    pub(in super::super) to: Option<When>,
    pub(in super::super) same_day: bool,
    pub(in super::super) connections: String,
    pub(in super::super) package: Option<Shown>,
    pub(in super::super) context: Vec<String>,
    pub(in super::super) figures: Vec<(String, String)>,
    pub(in super::super) innocent: &'static [&'static str],
    pub(in super::super) refuted_by: &'static [&'static str],
    pub(in super::super) acknowledged: Option<String>,
    /// Pictures of the first of them.
    pub(in super::super) times: Option<Markup>,
    pub(in super::super) intervals: Option<Markup>,
    pub(in super::super) filter: Shown,
    /// Whether the filter can be asked: it has no characters that cannot be shown.
    pub(in super::super) can_ask: bool,
}

impl Section {
    pub(in super::super) fn new(found: &Found) -> Self {
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

    pub(in super::super) fn is_empty(&self) -> bool {
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
            names: names(folded),
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

/// What a filter may call them.
fn names(folded: &Folded<'_>) -> String {
    let name = folded.first.detector_name();
    let ids = folded.all().map(|finding| finding.id.as_str());
    ids.chain([&*folded.first.detector, name]).collect::<Vec<_>>().join(" ")
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
