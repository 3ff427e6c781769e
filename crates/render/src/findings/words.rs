//! Findings in words.

use connmon_analysis::format::{bytes, count, duration, grouped};
use connmon_detect::{Figure, Finding, Folded, Found, Severity, Unit, Value, card};
use connmon_record::{Run, Timestamp, Zone};

/// What has to be known to read the findings, a sentence each.
pub fn notes(found: &Found) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(since) = found.learning_since {
        notes.push(format!(
            "Learning since {}: what is new on this host is only told once two weeks are known.",
            since.to_string().get(..10).unwrap_or_default()
        ));
    }
    if found.groups_forgotten > 0 {
        let groups = count(found.groups_forgotten, "pair", "pairs");
        notes.push(format!("{groups} of program and destination had no room and were forgotten, those first that were quiet longest."));
    }
    if found.findings_omitted > 0 {
        let findings = count(found.findings_omitted, "further finding", "further findings");
        notes.push(format!("{findings} had no room."));
    }
    notes
}

/// How many findings there are of each severity, the most severe first: `2 high, 0 medium, 1 low, 7 info`.
pub fn counts<'a>(findings: impl Iterator<Item = &'a Finding> + Clone) -> String {
    let of =
        |severity: Severity| findings.clone().filter(|finding| finding.severity == severity).count() as u64;
    let parts: Vec<String> = Severity::ALL
        .into_iter()
        .rev()
        .map(|severity| format!("{} {}", grouped(of(severity)), severity.name()))
        .collect();
    parts.join(", ")
}

/// The host that findings are about: that of the newest recording.
pub fn host_of(runs: &[Run]) -> String {
    Run::newest(runs).map_or_else(String::new, |run| run.host.shown().into_owned())
}

/// The title of the detector of a finding.
pub fn title(finding: &Finding) -> &'static str {
    card(&finding.detector).map_or("", |card| card.title)
}

/// From when to when, to the second.
pub fn period((first, last): (Timestamp, Timestamp), zone: &Zone) -> String {
    let [from, to] = [first, last].map(|time| zone.show_seconds(time));
    if from == to { from } else { format!("{from} to {to}") }
}

/// How many findings are folded into the first one; empty if it stands alone.
pub fn more_words(folded: &Folded<'_>) -> String {
    match folded.others.len() {
        0 => String::new(),
        1 => "and another one of this kind and program".to_owned(),
        more => format!("and {} more of this kind and program", grouped(more as u64)),
    }
}

/// A figure in words: its name, and its value.
pub fn figure_words(figure: &Figure, zone: &Zone) -> (String, String) {
    let value = match &figure.value {
        Value::Number(number, Unit::Score | Unit::Measure) => format!("{number:.3}"),
        Value::Number(number, Unit::Bytes) => bytes(*number as u64),
        Value::Number(number, Unit::Seconds) => duration((*number * 1e9) as u64),
        Value::Number(number, Unit::Plain) => grouped(*number as u64),
        Value::Text(text) => text.shown().into_owned(),
        Value::Time(time) => zone.show_seconds(*time),
    };
    (figure.name.replace('_', " "), value)
}
