//! A comparison as a page, as text and as JSON; with what is worth a look in its second part it is the digest of a day.

use std::io::{self, Write};

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::html::{Findings, Markup, STYLE};
use super::json::{figures, gaps};
use crate::findings::{FindingObject, notes};
use connmon_analysis::compare::{Change, Difference, SummaryComparison};
use connmon_analysis::format::{bytes, clock, count, date, grouped};
use connmon_analysis::{Completeness, Statement, Verdict};
use connmon_detect::Found;
use connmon_record::{display_safe, json_safe};

/// The largest number of differences of a kind that a page lists, and that a digest does.
const ROWS: usize = 200;
const FEW: usize = 12;

/// What a comparison shows.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// The changes.
    pub comparison: &'a SummaryComparison,
    /// What both sides are called.
    pub names: [&'a String; 2],
    /// For a digest: the host, and what is worth a look.
    pub digest: Option<(&'a str, &'a Found)>,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparisonPage {
    policy: String,
    style: Markup,
    version: &'static str,
    title: String,
    top: Head,
    sides: Vec<Side>,
    sections: Vec<Section>,
}

/// What stands above the differences.
struct Head {
    findings: Findings,
}

/// The heading.
fn title(host: Option<&str>) -> String {
    host.map_or_else(|| "Comparison".to_owned(), |host| format!("Daily digest of {}", display_safe(host)))
}

/// The largest number of differences of a kind that are listed.
fn rows(is_digest: bool) -> usize {
    if is_digest { FEW } else { ROWS }
}

struct Side {
    name: String,
    window: String,
    figures: String,
    /// What to know before anything is concluded; empty where the record is complete.
    caution: String,
}

struct Section {
    title: &'static str,
    note: String,
    rows: Vec<ComparisonRow>,
    rest: String,
}

struct ComparisonRow {
    change: &'static str,
    name: String,
    before: String,
    after: String,
    connections: String,
}

/// Writes the page.
///
/// # Errors
/// The writer's.
pub fn html(compared: &Compared<'_>, out: &mut dyn Write) -> io::Result<()> {
    let &Compared { comparison, names, digest: about } = compared;
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let page = ComparisonPage {
        policy: format!(
            "default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
        ),
        style: Markup(STYLE.to_owned()),
        version: env!("CARGO_PKG_VERSION"),
        title: title(about.map(|(host, _)| host)),
        top: Head { findings: about.map(|(_, found)| Findings::new(found)).unwrap_or_default() },
        sides: sides(comparison, names),
        sections: comparison.sections.iter().map(|one| section(one, rows(about.is_some()))).collect(),
    };
    page.write_into(out)?;
    writeln!(out)
}

fn sides(comparison: &SummaryComparison, names: [&String; 2]) -> Vec<Side> {
    let side = |place: usize| Side {
        name: display_safe(names[place]).into_owned(),
        window: comparison.windows[place].map_or_else(String::new, |window| {
            format!(
                "{} {} to {} {} UTC",
                date(window.from),
                clock(window.from),
                date(window.to),
                clock(window.to)
            )
        }),
        figures: format!(
            "{}, {} sent, {} received{}",
            count(comparison.totals[place].connections, "connection", "connections"),
            bytes(comparison.totals[place].tx_bytes),
            bytes(comparison.totals[place].rx_bytes),
            match comparison.own[place].connections {
                0 => String::new(),
                own => format!(", of which {} with both ends on this host: each end counts", grouped(own)),
            }
        ),
        caution: caution(&comparison.completeness[place]),
    };
    vec![side(0), side(1)]
}

/// What a side's completeness means for a comparison.
fn caution(completeness: &Completeness) -> String {
    let first = match completeness.verdict {
        Verdict::Complete => return String::new(),
        Verdict::Unfinished => "The recording has not ended: what is missing here may still appear.",
        Verdict::CutOff => "The recording did not end in order: its last seconds may be missing here.",
        Verdict::Partial => "Not all of this time was recorded: what is missing here may have been present.",
        Verdict::Pruned => "Details of this time were pruned: what is missing here may have been present.",
        Verdict::Excerpt => "The store has more than this: what is missing here may have been present.",
        Verdict::Incomplete => "Records were lost: what is missing here may have been present.",
        Verdict::Nothing => "There is no record of this time.",
    };
    let covered = completeness.coverage_words();
    [first.to_owned()].into_iter().chain(covered.iter().map(Statement::words)).collect::<Vec<_>>().join(" ")
}

fn section(section: &connmon_analysis::compare::Section, most: usize) -> Section {
    let of = |change| section.differences.iter().filter(|one| one.change == change).count() as u64;
    let rest = section.differences.len().saturating_sub(most);
    Section {
        title: section.title,
        note: format!(
            "{} new, {} grown, {} gone, {} unchanged.",
            grouped(of(Change::New)),
            grouped(of(Change::Grown)),
            grouped(of(Change::Gone)),
            grouped(section.same as u64)
        ),
        rows: section.differences.iter().take(most).map(row).collect(),
        rest: if rest == 0 { String::new() } else { format!("{} more not listed.", grouped(rest as u64)) },
    }
}

fn row(one: &Difference) -> ComparisonRow {
    ComparisonRow {
        change: one.change.name(),
        name: display_safe(&one.name).into_owned(),
        before: bytes(one.before.bytes()),
        after: bytes(one.after.bytes()),
        connections: format!("{} → {}", grouped(one.before.connections), grouped(one.after.connections)),
    }
}

/// Writes it as text.
///
/// # Errors
/// The writer's.
pub fn text(compared: &Compared<'_>, out: &mut dyn Write) -> io::Result<()> {
    let &Compared { comparison, names, digest } = compared;
    if let Some((host, found)) = digest {
        writeln!(out, "{}\n", title(Some(host)))?;
        super::text::findings(found, out)?;
    }
    for (title, side) in ["before", "after "].into_iter().zip(sides(comparison, names)) {
        let caution = if side.caution.is_empty() { String::new() } else { format!(". {}", side.caution) };
        writeln!(out, "{title} {}: {}; {}{caution}", side.name, side.window, side.figures)?;
    }
    for section in comparison.sections.iter().map(|one| section(one, rows(digest.is_some()))) {
        writeln!(out, "\n{}: {}", section.title, section.note)?;
        for row in &section.rows {
            writeln!(
                out,
                "  {:<5}  {}  {} → {}  ({})",
                row.change, row.name, row.before, row.after, row.connections
            )?;
        }
        if !section.rest.is_empty() {
            writeln!(out, "  {}", section.rest)?;
        }
    }
    Ok(())
}

/// Writes it as JSON, with every difference.
///
/// # Errors
/// The writer's.
pub fn json(compared: &Compared<'_>, out: &mut dyn Write) -> io::Result<()> {
    let &Compared { comparison, names, digest } = compared;
    let side = |place: usize| {
        json!({
            "name": names[place],
            "window": comparison.windows[place].map(|window| [window.from.to_string(), window.to.to_string()]),
            "totals": figures(&comparison.totals[place]),
            "complete": comparison.completeness[place].is_complete(),
            "asked": comparison.completeness[place].coverage.asked,
            "recorded": comparison.completeness[place].coverage.recorded,
            "gaps": gaps(&comparison.completeness[place]),
            "completeness": comparison.completeness[place].statements.iter().map(Statement::words).collect::<Vec<_>>(),
        })
    };
    let sections = comparison.sections.iter().map(|section| {
        let differences = section.differences.iter().map(|one| {
            json!({"change": one.change.name(), "name": one.name, "before": figures(&one.before), "after": figures(&one.after)})
        });
        json!({"kind": section.title, "same": section.same, "differences": differences.collect::<Vec<_>>()})
    });
    let mut object = json!({"before": side(0), "after": side(1), "sections": sections.collect::<Vec<_>>()});
    if let Some((host, found)) = digest {
        object["host"] = json!(display_safe(host));
        object["findings"] =
            found.findings.iter().map(|finding| json!(FindingObject::from(finding))).collect();
        object["findings_notes"] = json!(notes(found));
    }
    writeln!(out, "{}", json_safe(&serde_json::to_string_pretty(&object)?))
}
