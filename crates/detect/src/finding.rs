//! A finding: what, why, the connections, what would explain it, and what would refute it.

use std::borrow::Cow;
use std::net::IpAddr;

use connmon_filter::{Filter, FilterError};
use connmon_record::untrusted::exact;
use connmon_record::{Timestamp, Untrusted};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::rhythm::Rhythm;

/// How much a finding is worth a look, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Good to know: what an ordinary host shows too.
    Info,
    /// Worth a look some time.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Self; 4] = [Self::Info, Self::Low, Self::Medium, Self::High];

    /// The name, for people and in machine output.
    pub fn name(self) -> &'static str {
        connmon_filter::SEVERITIES[self as usize]
    }

    /// The inverse of [`Severity::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }

    /// The severity that is so many steps above [`Severity::Info`], from none to three.
    pub(crate) fn above_info(steps: i32) -> Self {
        Self::ALL[steps.clamp(0, 3) as usize]
    }
}

/// Whom a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// SHA-256 of the executable, where known.
    pub sha256: Option<Box<str>>,
    /// Path of the executable, empty where unknown.
    #[serde(serialize_with = "exact")]
    pub exe: Untrusted,
    /// The kernel's name of the process.
    #[serde(serialize_with = "exact")]
    pub comm: Untrusted,
    /// The package that the executable belongs to, where known.
    #[serde(serialize_with = "exact")]
    pub package: Option<Untrusted>,
    /// The name of the other end, where it is known.
    #[serde(serialize_with = "exact")]
    pub host: Option<Untrusted>,
    /// The number and organisation of the network of the other end, where no name is known.
    #[serde(serialize_with = "exact")]
    pub network: Option<Untrusted>,
    /// An address of the other end.
    pub address: Option<IpAddr>,
}

/// The unit of a [`Value`] that is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// A number without a unit.
    Plain,
    /// A number from 0 to 1.
    Score,
    /// A number with decimals, which can be below 0.
    Measure,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
}

/// A figure's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// A number.
    Number(f64, Unit),
    /// A text that was captured.
    Text(#[serde(serialize_with = "exact")] Untrusted),
    /// A point in time.
    Time(Timestamp),
}

/// One of the reasons of a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The name, as in machine output: `interval_median`.
    pub name: Cow<'static, str>,
    /// The value.
    pub value: Value,
}

impl Figure {
    /// A number without a unit.
    pub(crate) fn count(name: &'static str, value: impl Into<u64>) -> Self {
        Self { name: name.into(), value: Value::Number(value.into() as f64, Unit::Plain) }
    }

    /// A number from 0 to 1.
    pub(crate) fn score(name: &'static str, value: f64) -> Self {
        Self { name: name.into(), value: Value::Number(value, Unit::Score) }
    }

    /// Seconds.
    pub(crate) fn seconds(name: &'static str, value: f64) -> Self {
        Self { name: name.into(), value: Value::Number(value, Unit::Seconds) }
    }

    /// Captured text.
    pub(crate) fn text(name: &'static str, value: impl Into<Untrusted>) -> Self {
        Self { name: name.into(), value: Value::Text(value.into()) }
    }
}

/// Who has seen a finding, and said so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// When.
    pub time: Timestamp,
    /// Who.
    #[serde(serialize_with = "exact")]
    pub by: Untrusted,
    /// Why, if that was said.
    #[serde(serialize_with = "exact")]
    pub note: Option<Untrusted>,
    /// The severity that the finding had then.
    pub severity: Severity,
    /// The score that the finding had then.
    pub score: f64,
}

/// Something worth a look. It is never a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The number of the detector, a dash, and ten hexadecimal digits: the same for the same detector and key.
    pub id: String,
    /// The number of the detector, such as `D1`.
    pub detector: Cow<'static, str>,
    /// Which of the things the detector looks for.
    pub aspect: Cow<'static, str>,
    /// Whom it is about.
    pub subject: Subject,
    /// How much it is worth a look.
    pub severity: Severity,
    /// From 0 to 1: what ranks findings of a severity.
    pub score: f64,
    /// What was seen, in a sentence, with captured text in it.
    #[serde(serialize_with = "exact")]
    pub what: Untrusted,
    /// Why: the figures, with the parts of the score.
    pub figures: Vec<Figure>,
    /// When the first of its connections was opened.
    pub first: Timestamp,
    /// When the last of them was seen.
    pub last: Timestamp,
    /// The number of its connections, as far as it was counted.
    pub connections: u64,
    /// The filter that selects its connections, with captured text in it.
    #[serde(serialize_with = "exact")]
    pub evidence: Untrusted,
    /// What raised or lowered its severity, in words.
    pub context: Vec<Cow<'static, str>>,
    /// Since when the engine learns, while it does: what is called new may only be new to it.
    pub learning_since: Option<Timestamp>,
    /// Who has seen it, and said so.
    pub acknowledged: Option<Acknowledgement>,
    /// When its connections were opened, where that is what it is about.
    pub rhythm: Option<Box<Rhythm>>,
}

impl Finding {
    /// A finding without words and figures.
    pub(crate) fn new(
        detector: &'static str,
        aspect: &'static str,
        subject: Subject,
        evidence: Untrusted,
    ) -> Self {
        Self {
            id: String::new(),
            detector: detector.into(),
            aspect: aspect.into(),
            subject,
            severity: Severity::Info,
            score: 0.0,
            what: Untrusted::default(),
            figures: Vec::new(),
            first: Timestamp::default(),
            last: Timestamp::default(),
            connections: 0,
            evidence,
            context: Vec::new(),
            learning_since: None,
            acknowledged: None,
            rhythm: None,
        }
    }

    /// The id of a finding: of its detector, what was looked for, and the parts of its key.
    pub(crate) fn id_of<'a>(detector: &str, aspect: &str, key: impl IntoIterator<Item = &'a str>) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            // With its length before it, so that no two keys are the same text.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        [detector, aspect].into_iter().for_each(&mut add);
        key.into_iter().for_each(add);
        let digest = hash.finalize();
        format!("{detector}-{}", connmon_record::hex(&digest[..5]))
    }

    /// Whether it is more than it was when somebody was told of it, or acknowledged it.
    pub fn is_beyond(&self, severity: Severity, score: f64) -> bool {
        self.severity > severity || self.score > score + 0.1
    }

    /// The filter that selects its connections, as it can be asked.
    ///
    /// # Errors
    /// It cannot be read: it is of another version.
    pub fn filter(&self, now: Timestamp) -> Result<Filter, FilterError> {
        Filter::parse(self.evidence.raw(), now)
    }

    /// The figure of this name.
    pub fn figure(&self, name: &str) -> Option<&Value> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| &figure.value)
    }
}

/// A finding about nothing, to try how findings are told.
pub fn test_finding(now: Timestamp) -> Finding {
    let subject = Subject { exe: "/usr/bin/connmon".into(), comm: "connmon".into(), ..Subject::default() };
    Finding {
        id: "D14-0000000000".to_owned(),
        severity: Severity::Info,
        what: "This is a test: nothing was found".into(),
        first: now,
        last: now,
        ..Finding::new("D14", "", subject, "proc:connmon".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_where_the_parts_differ() {
        let id = |key: &[&str]| Finding::id_of("D1", "", key.iter().copied());
        assert_eq!(id(&["a", "b"]), id(&["a", "b"]));
        assert_ne!(id(&["a", "b"]), id(&["ab", ""]));
        assert_ne!(id(&["a", "b"]), id(&["b", "a"]));
        assert!(id(&["a"]).starts_with("D1-") && id(&["a"]).len() == 13);
    }
}
