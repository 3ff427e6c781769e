//! Findings for the tools of a security team, a format a file.

pub mod ecs;
pub mod ocsf;
pub mod stix;

use connmon_detect::{Finding, Severity, card};
use connmon_record::Run;

/// The host that findings are about: that of the newest recording.
fn host_of(runs: &[Run]) -> String {
    let newest = runs.iter().max_by_key(|run| (run.started, run.id));
    newest.map_or_else(String::new, |run| run.host.shown().into_owned())
}

/// The name of the detector, as in the query language.
fn name_of(finding: &Finding) -> &'static str {
    card(&finding.detector).map_or("", |card| card.name)
}

/// The score as a whole number of percent.
fn percent(finding: &Finding) -> u64 {
    (finding.score.clamp(0.0, 1.0) * 100.0).round() as u64
}

/// From 1 for "info" to 4 for "high", as OCSF has it.
fn level(severity: Severity) -> u64 {
    1 + severity as u64
}
