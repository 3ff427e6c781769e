//! What was told, what waits to be told, and why it could not be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use connmon_detect::{Finding, Severity};
use connmon_filter::Filter;
use connmon_record::{Connection, Timestamp};
use connmon_system::files;
use serde::{Deserialize, Serialize};

use super::limit::Sent;
use super::{About, Alert, Message, News, Selected, Target};

/// Messages that wait at most; the oldest are given up, and counted.
const MOST: usize = 1_000;
/// Findings that are remembered at most by each alert.
const REMEMBERED: usize = 20_000;
/// The first pause before a message is tried again, and the longest, in nanoseconds.
const FIRST: i64 = 10_000_000_000;
const LONGEST: i64 = 3_600_000_000_000;

/// What is known between two looks, kept in a file.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The number up to which findings of the store were read.
    pub number: i64,
    /// The time up to which connections of the store were read; `None` if none were.
    pub read_until: Option<Timestamp>,
    /// By alert.
    alerts: BTreeMap<String, Told>,
    waiting: VecDeque<Waiting>,
    /// Messages that were given up, because too many waited.
    pub given_up: u64,
    /// Messages that were delivered.
    pub delivered: u64,
}

#[derive(Default, Serialize, Deserialize)]
struct Told {
    sent: Sent,
    /// Severity and score with which a finding was told.
    findings: BTreeMap<String, (Severity, f64)>,
    /// The connections that were told and are met again, because they last, or ended just now.
    connections: BTreeSet<i64>,
}

/// A message that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// The name of the alert.
    pub alert: String,
    /// The place of the target among those of the alert, and what it is called.
    pub target: (usize, String),
    /// What it is about.
    pub news: News,
    /// Findings, or connections, that were held back before it.
    pub held_back: u64,
    /// How often it was tried, when it is tried next, and why it was not delivered.
    pub tries: u32,
    /// When it is tried next.
    pub next: Timestamp,
    /// Why it was not delivered.
    pub error: Option<String>,
}

impl State {
    /// Reads the state, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn load(path: &Path) -> io::Result<Option<Self>> {
        match files::read_text(path) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps the state.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        files::replace(path, |file| file.write_all(&text))
    }

    /// Notes that findings are known and not to be told, as where alerts begin in a store that has some.
    pub fn pass_over(&mut self, alerts: &[Alert], findings: &[Finding]) {
        for alert in alerts {
            for finding in findings.iter().filter(|finding| alert.is_about(finding)) {
                self.remember(alert, finding);
            }
        }
    }

    /// Takes what is new or changed: what an alert is about and has not told yet waits to be delivered.
    pub fn take(&mut self, alerts: &[Alert], findings: Vec<Finding>, now: Timestamp) {
        for finding in findings {
            for alert in alerts.iter().filter(|alert| alert.is_about(&finding)) {
                let told = self.alerts.entry(alert.name.clone()).or_default();
                let known = told.findings.get(&finding.id);
                if known.is_some_and(|(severity, score)| !finding.is_beyond(*severity, *score)) {
                    continue;
                }
                self.remember(alert, &finding);
                self.tell(alert, now, || News::Finding(Box::new(finding.clone())));
            }
        }
    }

    /// Whether an alert has taken what was there when it began, if it is about connections.
    pub fn has_begun(&self, alert: &Alert) -> bool {
        !matches!(alert.about, About::Connections(_)) || self.alerts.contains_key(&alert.name)
    }

    /// Takes the connections that an alert is about and that were open since some time, which `read` gives: each is told once. Those that
    /// are open at `next` are given again. What an alert meets when it begins is not told. Whether anything has changed.
    ///
    /// # Errors
    /// That of `read`.
    pub fn take_connections<E>(
        &mut self,
        alert: &Alert,
        [next, now]: [Timestamp; 2],
        read: impl FnOnce(&Filter, &mut dyn FnMut(&Connection)) -> Result<(), E>,
    ) -> Result<bool, E> {
        let About::Connections(filter) = &alert.about else { return Ok(false) };
        let begins = !self.has_begun(alert) && self.read_until.is_some();
        let known = self.alerts.get(&alert.name).map(|told| told.connections.clone()).unwrap_or_default();
        let (mut met, mut told) = (BTreeSet::new(), false);
        read(filter, &mut |connection| {
            if connection.known_end().is_none_or(|end| end >= next) {
                met.insert(connection.id);
            }
            if !begins && !known.contains(&connection.id) {
                told = true;
                self.tell(alert, now, || News::Connection(Box::new(Selected::new(connection, filter))));
            }
        })?;
        let changed = told || begins || met != known;
        self.alerts.entry(alert.name.clone()).or_default().connections = met;
        Ok(changed)
    }

    /// Has something wait to be delivered to each target, unless that is more than the limit.
    fn tell(&mut self, alert: &Alert, now: Timestamp, news: impl FnOnce() -> News) {
        let sent = &mut self.alerts.entry(alert.name.clone()).or_default().sent;
        let Some(held_back) = sent.may_send(alert.limit, now) else { return };
        let news = news();
        for (place, target) in alert.targets.iter().enumerate() {
            self.waiting.push_back(Waiting {
                alert: alert.name.clone(),
                target: (place, target.to_string()),
                news: news.clone(),
                held_back,
                tries: 0,
                next: now,
                error: None,
            });
        }
        while self.waiting.len() > MOST {
            self.waiting.pop_front();
            self.given_up += 1;
        }
    }

    fn remember(&mut self, alert: &Alert, finding: &Finding) {
        let told = &mut self.alerts.entry(alert.name.clone()).or_default().findings;
        if told.len() >= REMEMBERED {
            told.pop_first();
        }
        told.insert(finding.id.clone(), (finding.severity, finding.score));
    }

    /// Delivers what is due; whether anything has changed.
    pub fn deliver(
        &mut self,
        alerts: &[Alert],
        host: &str,
        now: Timestamp,
        mut deliver: impl FnMut(&Target, &Message<'_>, &News) -> Result<(), String>,
    ) -> bool {
        let mut changed = false;
        let mut left = VecDeque::new();
        for mut one in std::mem::take(&mut self.waiting) {
            // A clock that was set back must not keep it waiting.
            let is_due = one.next <= now || one.next.0.saturating_sub(now.0) > LONGEST;
            let target = alerts.iter().find(|alert| alert.name == one.alert);
            let target = target.and_then(|alert| alert.targets.get(one.target.0));
            // The configuration has another one at its place.
            let Some(target) = target.filter(|target| target.to_string() == one.target.1) else {
                self.given_up += 1;
                changed = true;
                continue;
            };
            if !is_due {
                left.push_back(one);
                continue;
            }
            changed = true;
            match deliver(target, &Message::new(&one.alert, host, &one.news, one.held_back), &one.news) {
                Ok(()) => self.delivered += 1,
                Err(error) => {
                    let pause = FIRST.saturating_mul(1 << one.tries.min(20)).min(LONGEST);
                    one.tries += 1;
                    one.next = Timestamp(now.0.saturating_add(pause));
                    one.error = Some(error);
                    left.push_back(one);
                }
            }
        }
        self.waiting = left;
        changed
    }

    /// What waits.
    pub fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// Findings, or connections, that an alert has held back.
    pub fn held_back(&self, alert: &str) -> u64 {
        self.alerts.get(alert).map_or(0, |told| told.sent.held_back())
    }
}

/// Where the state is, if no other place is named: beside the store.
pub fn usual_place(db: &Path) -> PathBuf {
    let mut name = db.as_os_str().to_owned();
    name.push("-alerts.json");
    name.into()
}
