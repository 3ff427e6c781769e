//! Findings: for people, the most severe first, and for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::completeness::CompletenessFields;
use super::text::write_wrapped;
use crate::findings::{FindingsObject, counts, figure_words, more_words, notes, period, title};
use connmon_analysis::Completeness;
use connmon_analysis::format::count;
use connmon_detect::{Card, Folded, Found, fold};
use connmon_record::Zone;

/// Writes findings for reading, in lines of at most `room` columns; with `all`, each by itself, else folded.
///
/// # Errors
/// The writer's.
pub fn write_text(found: &Found, all: bool, zone: &Zone, room: usize, out: &mut dyn Write) -> io::Result<()> {
    let folded: Vec<Folded<'_>> = if all {
        found.findings.iter().map(|first| Folded { first, others: Vec::new() }).collect()
    } else {
        fold(&found.findings)
    };
    let lines = folded.len();
    for one in &folded {
        write_one(one, zone, room, out)?;
        writeln!(out)?;
    }
    let findings = count(found.findings.len() as u64, "finding", "findings");
    let counts = counts(found.findings.iter());
    let folded = match found.findings.len() - lines {
        0 => String::new(),
        _ => " Findings of the same kind and program are one entry here; --all shows each.".to_owned(),
    };
    let sentence = format!(
        "{findings}: {counts}.{folded} None is a verdict; `connmon findings explain` says what each detector does."
    );
    write_wrapped("", &sentence, room, out)?;
    for note in notes(found) {
        write_wrapped("· ", &note, room, out)?;
    }
    Ok(())
}

fn write_one(folded: &Folded<'_>, zone: &Zone, room: usize, out: &mut dyn Write) -> io::Result<()> {
    let finding = folded.first;
    writeln!(out, "{:<7} {}  {}", finding.severity.name().to_uppercase(), finding.id, title(finding))?;
    write_wrapped("  ", &finding.what.shown(), room, out)?;
    let more = more_words(folded);
    if !more.is_empty() {
        write_wrapped("  ", &more, room, out)?;
    }
    let connections = count(folded.connections(), "connection", "connections");
    write_wrapped("  seen     ", &format!("{}, {connections}", period(folded.seen(), zone)), room, out)?;
    if let Some(package) = &finding.subject.package {
        write_wrapped("  package  ", &package.shown(), room, out)?;
    }
    if !finding.figures.is_empty() {
        let words = finding.figures.iter().map(|figure| figure_words(figure, zone));
        let figures: Vec<String> = words.map(|(name, value)| format!("{name} {value}")).collect();
        write_wrapped("  why      ", &figures.join(", "), room, out)?;
    }
    if !finding.context.is_empty() {
        write_wrapped("  context  ", &finding.context.join("; "), room, out)?;
    }
    writeln!(out, "  filter   {}", folded.evidence().shown())?;
    if let Some(known) = &finding.acknowledged {
        let note = known.note.as_ref().map(|note| format!(": {}", note.shown())).unwrap_or_default();
        let sentence = format!("{}, {}{note}", known.by.shown(), zone.show_seconds(known.time));
        write_wrapped("  seen by  ", &sentence, room, out)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct AnswerObject<'a> {
    #[serde(flatten)]
    found: FindingsObject<'a>,
    completeness: CompletenessFields,
}

/// Writes one JSON object.
///
/// # Errors
/// The writer's.
pub fn write_json(found: &Found, completeness: &Completeness, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(
        &mut *out,
        &AnswerObject { found: found.into(), completeness: completeness.into() },
    )?;
    writeln!(out)
}

/// Writes what a detector does.
///
/// # Errors
/// The writer's.
pub fn write_card(card: &Card, room: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}  ({})", card.code, card.title, card.name)?;
    write_wrapped("  does      ", card.does, room, out)?;
    write_wrapped("  formula   ", card.formula, room, out)?;
    for (nth, words) in card.innocent.iter().enumerate() {
        write_wrapped(if nth == 0 { "  innocent  " } else { "            " }, words, room, out)?;
    }
    for (nth, words) in card.refuted_by.iter().enumerate() {
        write_wrapped(if nth == 0 { "  refuted   " } else { "            " }, words, room, out)?;
    }
    Ok(())
}
