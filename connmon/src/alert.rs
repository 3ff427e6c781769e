//! Alerts: findings that somebody is told of while a recording goes on. They are delivered by a process of their own, `connmon alert run`,
//! which reads the store and has no right that the recorder has; so the recorder need neither start programs nor talk to anybody.

pub mod deliver;
pub mod journal;
pub mod limit;
pub mod pending;
pub mod webhook;

use std::path::PathBuf;

use connmon_detect::{Finding, Policy, Severity};
use connmon_render::findings::{FindingObject, title};
use serde::Serialize;

use limit::Limit;

/// What is told, how often at most, and to whom.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// Numbers or names of detectors; all if there are none.
    pub detectors: Vec<String>,
    /// The least severity.
    pub severity: Severity,
    /// A rule of the user's own, which the recorder looks after.
    pub policy: Option<Policy>,
    /// How often at most.
    pub limit: Limit,
    /// To whom.
    pub targets: Vec<Target>,
}

/// To whom an alert goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// systemd's journal, with fields.
    Journal,
    /// The system log, `/dev/log`.
    Syslog,
    /// Standard output, as a line of JSON.
    Stdout,
    /// A file that lines of JSON are added to.
    File(PathBuf),
    /// A program, without a shell, as this user if it is started by root; the alert is its standard input.
    Command(Vec<String>, String),
    /// An address that the alert is sent to by HTTP.
    Webhook(String),
}

/// What is delivered.
#[derive(Serialize)]
pub struct Message<'a> {
    /// The name of the alert.
    pub alert: &'a str,
    /// The host that was recorded.
    pub host: &'a str,
    /// In a sentence.
    pub text: String,
    /// The finding, made safe to show.
    pub finding: FindingObject<'a>,
    /// Findings of this alert that were held back since the last message, because there were too many.
    pub held_back: u64,
}

impl Alert {
    /// Whether the alert is about a finding.
    pub fn is_about(&self, finding: &Finding) -> bool {
        if finding.acknowledged.is_some() {
            return false;
        }
        if let Some(policy) = &self.policy {
            return finding.detector == "D14"
                && finding.figure("rule").is_some_and(|rule| policy.is_named(rule));
        }
        let name = finding.detector_name();
        let is_named = |wanted: &String| {
            [&*finding.detector, name, &finding.id].iter().any(|one| wanted.eq_ignore_ascii_case(one))
        };
        finding.severity >= self.severity
            && (self.detectors.is_empty() || self.detectors.iter().any(is_named))
    }
}

impl<'a> Message<'a> {
    /// The message of a finding.
    pub fn new(alert: &'a str, host: &'a str, finding: &'a Finding, held_back: u64) -> Self {
        let more = match held_back {
            0 => String::new(),
            n => format!(" ({n} more were held back)"),
        };
        let text = format!(
            "{} {}: {}{more}",
            finding.severity.name().to_uppercase(),
            title(finding),
            finding.what.shown()
        );
        Self { alert, host, text, finding: finding.into(), held_back }
    }

    /// One line of JSON, without its end.
    pub fn to_json(&self) -> String {
        // Of maps with texts as keys nothing can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Journal => f.write_str("journal"),
            Self::Syslog => f.write_str("syslog"),
            Self::Stdout => f.write_str("stdout"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Command(words, _) => write!(f, "command:{}", words.join(" ")),
            // What follows the host may be a secret.
            Self::Webhook(url) => f.write_str(webhook::place_of(url)),
        }
    }
}
