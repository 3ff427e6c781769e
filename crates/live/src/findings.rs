//! What is worth a look, as a recorder tells its viewers.

use connmon_detect::{Engine, Finding, Found, Severity};
use connmon_record::Timestamp;
use serde::{Deserialize, Serialize};

/// Findings that viewers are told at most, the most severe; the store has all.
const MOST: usize = 200;

/// The first findings, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveFindings {
    /// Those that nobody has acknowledged first, and of these the most severe.
    pub findings: Vec<Finding>,
    /// How many of each severity nobody has acknowledged, the least first.
    pub counts: [u64; 4],
    /// Since when the engine learns, while it does.
    pub learning_since: Option<Timestamp>,
}

impl LiveFindings {
    /// What an engine has found.
    pub fn of_engine(engine: &Engine) -> Self {
        let all = engine.findings();
        let of = |severity: Severity| {
            all.iter().filter(|one| one.severity == severity && one.acknowledged.is_none()).count() as u64
        };
        Self {
            counts: Severity::ALL.map(of),
            findings: all.into_iter().take(MOST).cloned().collect(),
            learning_since: engine.learning_since(),
        }
    }

    /// Those above "info" that nobody has acknowledged.
    pub fn loud(&self) -> impl Iterator<Item = &Finding> {
        let is_loud = |one: &&Finding| one.severity > Severity::Info && one.acknowledged.is_none();
        self.findings.iter().filter(is_loud)
    }

    /// How many there are above "info", in words; empty without any.
    pub fn words(&self) -> String {
        let parts = Severity::ALL.into_iter().zip(self.counts).skip(1).rev();
        let parts = parts
            .filter(|(_, count)| *count > 0)
            .map(|(severity, count)| format!("{count} {}", severity.name()));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// The same, as reports take it.
    pub fn found(&self) -> Found {
        let all: u64 = self.counts.iter().sum();
        Found {
            findings: self.findings.clone(),
            learning_since: self.learning_since,
            groups_forgotten: 0,
            findings_omitted: all.saturating_sub(self.findings.len() as u64),
        }
    }
}
