//! Every scenario in `scenarios/`: connections in, findings out. To add a case, add a file; its format is in docs/findings.md.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod made;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use connmon_detect::{Engine, Finding, Policy, Settings, Severity, Value};
use connmon_record::Timestamp;
use serde::Deserialize;

/// A scenario.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What it shows.
    about: String,
    /// How long the engine learns, if that matters.
    #[serde(default)]
    learning: Option<String>,
    #[serde(default)]
    connections: Vec<made::Series>,
    #[serde(default)]
    lookups: Vec<made::Questions>,
    /// The user's own rules.
    #[serde(default)]
    policies: Vec<String>,
    /// Every finding above "info", and those of "info" that there must be.
    #[serde(default)]
    finding: Vec<Expected>,
    /// Detectors that must find nothing, not even "info".
    #[serde(default)]
    silent: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    detector: String,
    severity: String,
    #[serde(default)]
    aspect: String,
    #[serde(default)]
    exe: Option<String>,
    #[serde(default)]
    host: Option<String>,
    /// The sentence, if that matters.
    #[serde(default)]
    what: Option<String>,
    /// The filter of the evidence, if that matters.
    #[serde(default)]
    evidence: Option<String>,
    /// Figures to three decimals.
    #[serde(default)]
    figures: BTreeMap<String, f64>,
    /// Figures that must not be lower.
    #[serde(default)]
    least: BTreeMap<String, f64>,
}

impl Expected {
    /// What is wrong with a finding; nothing if it is the one.
    fn differs(&self, finding: &Finding) -> Option<String> {
        let is = |name: &str, wanted: &Option<String>, found: &str| {
            wanted
                .as_ref()
                .filter(|wanted| *wanted != found)
                .map(|wanted| format!("{name} is {found}, not {wanted}"))
        };
        let severity = Some(self.severity.clone());
        let host = finding.subject.host.as_ref().map_or("", |host| host.raw());
        let figure = |name: &String| match finding.figure(name) {
            Some(Value::Number(number, _)) => *number,
            other => panic!("{}: {name} is {other:?}", finding.id),
        };
        let figures = self.figures.iter().find(|(name, wanted)| (figure(name) - **wanted).abs() > 0.0005);
        let least = self.least.iter().find(|(name, wanted)| figure(name) < **wanted);
        is("severity", &severity, finding.severity.name())
            .or_else(|| is("exe", &self.exe, finding.subject.exe.raw()))
            .or_else(|| is("host", &self.host, host))
            .or_else(|| is("what", &self.what, finding.what.raw()))
            .or_else(|| is("evidence", &self.evidence, finding.evidence.raw()))
            .or_else(|| figures.map(|(name, wanted)| format!("{name} is {}, not {wanted}", figure(name))))
            .or_else(|| least.map(|(name, wanted)| format!("{name} is {}, below {wanted}", figure(name))))
    }
}

/// What is wrong with the findings of a scenario.
fn faults(scenario: &Scenario) -> Vec<String> {
    let mut settings = Settings::default();
    if let Some(learning) = &scenario.learning {
        settings.learning_ns = made::ns(learning);
    }
    let mut connections = Vec::new();
    for series in &scenario.connections {
        connections.extend(series.connections(connections.len() as i64 + 1));
    }
    let policies = scenario.policies.iter().map(|text| Policy::parse(text, Timestamp(0)).unwrap());
    let mut engine = Engine::new(settings).with_policies(policies.collect());
    let lookups: Vec<_> = scenario.lookups.iter().flat_map(made::Questions::lookups).collect();
    made::feed_with(&mut engine, &connections, &lookups);
    let found = engine.findings();
    let mut faults = Vec::new();
    let mut expected: Vec<&Expected> = scenario.finding.iter().collect();
    for finding in &found {
        let is_it = |one: &&Expected| {
            one.detector == finding.detector && one.aspect == finding.aspect && one.differs(finding).is_none()
        };
        match expected.iter().position(is_it) {
            Some(place) => drop(expected.remove(place)),
            None if finding.severity > Severity::Info => {
                faults.push(format!("not expected: {}", words(finding)))
            }
            None if scenario.silent.iter().any(|code| *code == finding.detector) => {
                faults.push(format!("must be silent: {}", words(finding)));
            }
            None => (),
        }
    }
    for one in expected {
        let near =
            found.iter().filter(|finding| finding.detector == one.detector && finding.aspect == one.aspect);
        let why: Vec<String> = near.filter_map(|finding| one.differs(finding)).collect();
        faults.push(format!("missing: {} {} {}: {why:?}", one.detector, one.aspect, one.severity));
    }
    faults
}

fn words(finding: &Finding) -> String {
    let Finding { detector, aspect, severity, what, figures, .. } = finding;
    let figures: Vec<String> =
        figures.iter().map(|figure| format!("{}={:?}", figure.name, figure.value)).collect();
    format!("{detector} {aspect} {}: {what:?} {}", severity.name(), figures.join(" "))
}

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            all.push(path);
        }
    }
}

#[test]
fn every_scenario_gives_its_findings() {
    let mut all = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"), &mut all);
    all.sort();
    assert!(all.len() > 10, "the scenarios are missing");
    let mut faults = Vec::new();
    for file in all {
        let scenario: Scenario = toml::from_str(&fs::read_to_string(&file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name = file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
        faults.extend(
            self::faults(&scenario).into_iter().map(|fault| format!("{name} ({}): {fault}", scenario.about)),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A scenario that expects too much or too little fails: the test above can.
#[test]
fn a_wrong_scenario_fails() {
    let text = "about = 'x'\n[[connections]]\nexe = '/dev/shm/x'\nhost = 'a.example'\n";
    let scenario: Scenario = toml::from_str(text).unwrap();
    assert_eq!(faults(&scenario).len(), 1, "an odd executable that nobody expects");
    let more = format!("{text}[[finding]]\ndetector = 'D4'\nseverity = 'high'\n");
    assert!(faults(&toml::from_str(&more).unwrap()).is_empty());
    let wrong = more.replace("high", "low");
    assert_eq!(faults(&toml::from_str(&wrong).unwrap()).len(), 2);
}
