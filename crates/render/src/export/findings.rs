//! Findings: for people, the most severe first, and for programs.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::completeness::CompletenessFields;
use super::text::write_wrapped;
use connmon_analysis::Completeness;
use connmon_analysis::format::{bytes, count, duration, grouped};
use connmon_detect::{Card, Figure, Finding, Severity, Unit, Value, card};
use connmon_record::{Timestamp, Untrusted, Zone};

/// What is known beside the findings themselves.
pub struct Context<'a> {
    /// Since when the engine learns, while it does.
    pub learning_since: Option<Timestamp>,
    /// Groups that were forgotten, and findings that had no room.
    pub dropped: [u64; 2],
    /// How complete the record is.
    pub completeness: &'a Completeness,
}

impl Context<'_> {
    /// What has to be known to read the findings, a sentence each.
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(since) = self.learning_since {
            words.push(format!(
                "Learning since {}: what is new on this host is only told once two weeks are known.",
                since.to_string().get(..10).unwrap_or_default()
            ));
        }
        let [groups, findings] = self.dropped;
        if groups > 0 {
            let groups = count(groups, "pair", "pairs");
            words.push(format!("{groups} of program and destination had no room and were forgotten, those first that were quiet longest."));
        }
        if findings > 0 {
            words.push(format!("{} had no room.", count(findings, "further finding", "further findings")));
        }
        words
    }
}

/// Writes findings for reading, in lines of at most `room` columns.
///
/// # Errors
/// The writer's.
pub fn write_text(
    findings: &[&Finding],
    context: &Context<'_>,
    zone: &Zone,
    room: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    for finding in findings {
        write_one(finding, zone, room, out)?;
        writeln!(out)?;
    }
    let of =
        |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    let parts = Severity::ALL
        .into_iter()
        .rev()
        .map(|severity| format!("{} {}", grouped(of(severity)), severity.name()));
    let parts: Vec<String> = parts.collect();
    let all = count(findings.len() as u64, "finding", "findings");
    let sentence = format!(
        "{all}: {}. None is a verdict; `connmon findings explain` says what each detector does.",
        parts.join(", ")
    );
    write_wrapped("", &sentence, room, out)?;
    for words in context.words() {
        write_wrapped("· ", &words, room, out)?;
    }
    Ok(())
}

fn write_one(finding: &Finding, zone: &Zone, room: usize, out: &mut impl Write) -> io::Result<()> {
    let title = card(&finding.detector).map_or("", |card| card.title);
    writeln!(out, "{:<7} {}  {title}", finding.severity.name().to_uppercase(), finding.id)?;
    write_wrapped("  ", &finding.what.shown(), room, out)?;
    let period = format!("{} to {}", zone.show(finding.first), zone.show(finding.last));
    let connections = count(finding.connections, "connection", "connections");
    write_wrapped("  seen     ", &format!("{period}, {connections}"), room, out)?;
    if let Some(package) = &finding.subject.package {
        write_wrapped("  package  ", &package.shown(), room, out)?;
    }
    if !finding.figures.is_empty() {
        let figures: Vec<String> = finding.figures.iter().map(|figure| words_of(figure, zone)).collect();
        write_wrapped("  why      ", &figures.join(", "), room, out)?;
    }
    if !finding.context.is_empty() {
        write_wrapped("  context  ", &finding.context.join("; "), room, out)?;
    }
    writeln!(out, "  filter   {}", finding.evidence.shown())?;
    if let Some(known) = &finding.acknowledged {
        let note = known.note.as_ref().map(|note| format!(": {}", note.shown())).unwrap_or_default();
        let sentence = format!("{}, {}{note}", known.by.shown(), zone.show(known.time));
        write_wrapped("  seen by  ", &sentence, room, out)?;
    }
    Ok(())
}

/// A figure in words: `interval median 1 min 00 s`.
fn words_of(figure: &Figure, zone: &Zone) -> String {
    let name = figure.name.replace('_', " ");
    let value = match &figure.value {
        Value::Number(number, Unit::Score | Unit::Measure) => format!("{number:.3}"),
        Value::Number(number, Unit::Bytes) => bytes(*number as u64),
        Value::Number(number, Unit::Seconds) => duration((*number * 1e9) as u64),
        Value::Number(number, Unit::Plain) => grouped(*number as u64),
        Value::Text(text) => text.shown().into_owned(),
        Value::Time(time) => zone.show(*time),
    };
    format!("{name} {value}")
}

#[derive(Serialize)]
struct FindingsObject<'a> {
    findings: Vec<FindingObject<'a>>,
    learning_since: Option<String>,
    groups_forgotten: u64,
    findings_omitted: u64,
    words: Vec<String>,
    completeness: CompletenessFields,
}

#[derive(Serialize)]
struct FindingObject<'a> {
    id: &'a str,
    detector: &'a str,
    name: &'static str,
    aspect: &'a str,
    severity: &'static str,
    score: f64,
    what: Cow<'a, str>,
    exe: Cow<'a, str>,
    comm: Cow<'a, str>,
    sha256: Option<&'a str>,
    package: Option<Cow<'a, str>>,
    host: Option<Cow<'a, str>>,
    network: Option<Cow<'a, str>>,
    address: Option<String>,
    first: String,
    last: String,
    connections: u64,
    figures: Map<String, Json>,
    context: &'a [Cow<'static, str>],
    filter: Cow<'a, str>,
    innocent: &'static [&'static str],
    refuted_by: &'static [&'static str],
    learning_since: Option<String>,
    acknowledged: Option<AcknowledgedObject<'a>>,
}

#[derive(Serialize)]
struct AcknowledgedObject<'a> {
    time: String,
    by: Cow<'a, str>,
    note: Option<Cow<'a, str>>,
}

impl<'a> From<&'a Finding> for FindingObject<'a> {
    fn from(finding: &'a Finding) -> Self {
        let card = card(&finding.detector);
        let subject = &finding.subject;
        let shown = |text: &'a Option<Untrusted>| text.as_ref().map(Untrusted::shown);
        let figure = |figure: &Figure| (figure.name.to_string(), json_of(&figure.value));
        Self {
            id: &finding.id,
            detector: &finding.detector,
            name: card.map_or("", |card| card.name),
            aspect: &finding.aspect,
            severity: finding.severity.name(),
            score: finding.score,
            what: finding.what.shown(),
            exe: subject.exe.shown(),
            comm: subject.comm.shown(),
            sha256: subject.sha256.as_deref(),
            package: shown(&subject.package),
            host: shown(&subject.host),
            network: shown(&subject.network),
            address: subject.address.map(|ip| ip.to_string()),
            first: finding.first.to_string(),
            last: finding.last.to_string(),
            connections: finding.connections,
            figures: finding.figures.iter().map(figure).collect(),
            context: &finding.context,
            filter: finding.evidence.shown(),
            innocent: card.map_or(&[], |card| card.innocent),
            refuted_by: card.map_or(&[], |card| card.refuted_by),
            learning_since: finding.learning_since.map(|time| time.to_string()),
            acknowledged: finding.acknowledged.as_ref().map(|known| AcknowledgedObject {
                time: known.time.to_string(),
                by: known.by.shown(),
                note: shown(&known.note),
            }),
        }
    }
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Number(number, Unit::Plain | Unit::Bytes) => (*number as u64).into(),
        Value::Number(number, Unit::Score | Unit::Measure | Unit::Seconds) => (*number).into(),
        Value::Text(text) => text.shown().into(),
        Value::Time(time) => time.to_string().into(),
    }
}

/// Writes one JSON object.
///
/// # Errors
/// The writer's.
pub fn write_json(findings: &[&Finding], context: &Context<'_>, out: &mut impl Write) -> io::Result<()> {
    let object = FindingsObject {
        findings: findings.iter().map(|finding| FindingObject::from(*finding)).collect(),
        learning_since: context.learning_since.map(|time| time.to_string()),
        groups_forgotten: context.dropped[0],
        findings_omitted: context.dropped[1],
        words: context.words(),
        completeness: context.completeness.into(),
    };
    serde_json::to_writer(&mut *out, &object)?;
    writeln!(out)
}

/// Writes what a detector does.
///
/// # Errors
/// The writer's.
pub fn write_card(card: &Card, room: usize, out: &mut impl Write) -> io::Result<()> {
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
