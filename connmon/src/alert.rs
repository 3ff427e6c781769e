//! Alerts: findings and connections that somebody is told of while a recording goes on. They are delivered by a process of their own, `connmon alert run`,
//! which reads the store and has no right that the recorder has; so the recorder need neither start programs nor talk to anybody.

pub mod deliver;
pub mod desktop;
pub mod journal;
pub mod limit;
pub mod pending;
pub mod webhook;

use std::borrow::Cow;
use std::path::PathBuf;

use connmon_detect::{Finding, Policy, Severity};
use connmon_filter::Filter;
use connmon_record::{Connection, ConnectionId, display_safe};
use connmon_render::export::{connections, words_of};
use connmon_render::findings::{FindingObject, title};
use serde::{Deserialize, Serialize};

use limit::Limit;

/// What is told, how often at most, and to whom.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub about: About,
    /// How often at most.
    pub limit: Limit,
    /// To whom.
    pub targets: Vec<Target>,
}

/// What an alert is about.
#[derive(Clone, Debug)]
pub enum About {
    /// Findings of detectors, by their numbers or names, or by the ids of findings; all if there are none. The least severity.
    Findings(Vec<String>, Severity),
    /// A rule of the user's own, which the recorder looks after.
    Policy(Policy),
    /// Connections.
    Connections(Filter),
}

/// What somebody is told of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum News {
    /// A finding.
    Finding(Box<Finding>),
    /// A connection that a filter selects.
    Connection(Box<Selected>),
}

/// A connection that a filter selects, as it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Selected {
    /// Its number in the store, as people write it.
    pub id: String,
    /// Who talked to whom and how much, made safe to show.
    pub words: String,
    /// The path of the executable, made safe to show.
    pub exe: String,
    /// The name of the other end, made safe to show.
    pub host: Option<String>,
    /// The filter.
    pub filter: String,
    /// As an export has it.
    pub object: serde_json::Value,
}

/// To whom an alert goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// systemd's journal, with fields.
    Journal,
    /// The system log, `/dev/log`.
    Syslog,
    /// A notification in the session in which this runs.
    Desktop,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<FindingObject<'a>>,
    /// The connection, as an export has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<&'a serde_json::Value>,
    /// Findings, or connections, of this alert that were held back since the last message, because there were too many.
    pub held_back: u64,
}

impl Alert {
    /// Whether the alert is about a finding.
    pub fn is_about(&self, finding: &Finding) -> bool {
        if finding.acknowledged.is_some() {
            return false;
        }
        let name = finding.detector_name();
        let is_named = |wanted: &String| {
            [&*finding.detector, name, &finding.id].iter().any(|one| wanted.eq_ignore_ascii_case(one))
        };
        match &self.about {
            About::Findings(wanted, least) => {
                finding.severity >= *least && (wanted.is_empty() || wanted.iter().any(is_named))
            }
            About::Policy(policy) => {
                let rule = finding.figure("rule");
                finding.detector == "D14" && rule.is_some_and(|rule| policy.is_named(rule))
            }
            About::Connections(_) => false,
        }
    }

    /// The rule that the recorder has to look after.
    pub fn into_policy(self) -> Option<Policy> {
        match self.about {
            About::Policy(policy) => Some(policy),
            About::Findings(..) | About::Connections(_) => None,
        }
    }
}

impl<'a> Message<'a> {
    /// The message of what somebody is told of.
    pub fn new(alert: &'a str, host: &'a str, news: &'a News, held_back: u64) -> Self {
        let more = match held_back {
            0 => String::new(),
            n => format!(" ({n} more were held back)"),
        };
        let text = match news {
            News::Finding(finding) => {
                let severity = finding.severity.name().to_uppercase();
                format!("{severity} {}: {}{more}", title(finding), news.words())
            }
            News::Connection(_) => format!("{}{more}", news.words()),
        };
        let (finding, connection) = match news {
            News::Finding(finding) => (Some((&**finding).into()), None),
            News::Connection(selected) => (None, Some(&selected.object)),
        };
        Self { alert, host, text, finding, connection, held_back }
    }

    /// One line of JSON, without its end.
    pub fn to_json(&self) -> String {
        // Of maps with texts as keys nothing can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl News {
    /// The id of a finding, or the number of a connection.
    pub fn id(&self) -> &str {
        match self {
            Self::Finding(finding) => &finding.id,
            Self::Connection(selected) => &selected.id,
        }
    }

    /// What was seen, made safe to show.
    pub fn words(&self) -> Cow<'_, str> {
        match self {
            Self::Finding(finding) => finding.what.shown(),
            Self::Connection(selected) => Cow::Borrowed(&selected.words),
        }
    }
}

impl Selected {
    /// A connection that this filter selects.
    pub fn new(connection: &Connection, filter: &Filter) -> Self {
        let owner = connection.owner.as_deref();
        Self {
            id: ConnectionId(connection.id).to_string(),
            words: words_of(connection),
            exe: owner.map(|owner| owner.exe.shown().into_owned()).unwrap_or_default(),
            host: connection.host().map(|host| host.shown().into_owned()),
            filter: display_safe(filter.text()).into_owned(),
            object: connections::object(connection),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Journal => f.write_str("journal"),
            Self::Syslog => f.write_str("syslog"),
            Self::Desktop => f.write_str("desktop"),
            Self::Stdout => f.write_str("stdout"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Command(words, _) => write!(f, "command:{}", words.join(" ")),
            // What follows the host may be a secret.
            Self::Webhook(url) => f.write_str(webhook::place_of(url)),
        }
    }
}
