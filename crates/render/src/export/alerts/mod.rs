//! Findings for the tools of a security team, a format a file.

pub mod ecs;
pub mod ocsf;
pub mod stix;

use connmon_detect::{Finding, Severity};

/// The score as a whole number of percent.
fn percent(finding: &Finding) -> u64 {
    (finding.score.clamp(0.0, 1.0) * 100.0).round() as u64
}

/// From 1 for "info" to 4 for "high", as OCSF has it.
fn level(severity: Severity) -> u64 {
    1 + severity as u64
}
