//! Findings as JSON.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::words::notes;
use connmon_detect::{Figure, Finding, Found, Unit, Value, card};
use connmon_record::Untrusted;

/// All findings, and what has to be known to read them.
#[derive(Serialize)]
pub struct FindingsObject<'a> {
    findings: Vec<FindingObject<'a>>,
    learning_since: Option<String>,
    groups_forgotten: u64,
    findings_omitted: u64,
    words: Vec<String>,
}

impl<'a> From<&'a Found> for FindingsObject<'a> {
    fn from(found: &'a Found) -> Self {
        Self {
            findings: found.findings.iter().map(FindingObject::from).collect(),
            learning_since: found.learning_since.map(|time| time.to_string()),
            groups_forgotten: found.groups_forgotten,
            findings_omitted: found.findings_omitted,
            words: notes(found),
        }
    }
}

/// A finding, made safe to show.
#[derive(Serialize)]
pub struct FindingObject<'a> {
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
    rhythm: Option<RhythmObject<'a>>,
}

#[derive(Serialize)]
struct RhythmObject<'a> {
    from: String,
    to: String,
    starts: &'a [u16],
    median: f64,
    intervals: &'a [u16],
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
            rhythm: finding.rhythm.as_ref().map(|rhythm| RhythmObject {
                from: rhythm.from.to_string(),
                to: rhythm.to.to_string(),
                starts: &rhythm.starts,
                median: rhythm.median,
                intervals: &rhythm.intervals,
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
