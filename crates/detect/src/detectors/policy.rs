//! D14: the user's own rules: how many connections or bytes of a kind there may be within a time.

use std::collections::{HashMap, VecDeque};

use connmon_filter::{Filter, FilterError, FilterRow, bytes_of};
use connmon_record::{Connection, Timestamp, Untrusted, length};
use serde::{Deserialize, Serialize};

use super::{Detector, Seen};
use crate::card::Card;
use crate::event::Moment;
use crate::evidence::Evidence;
use crate::finding::{Figure, Finding, Severity, Subject, Unit, Value};
use crate::findings::Findings;

/// Parts of a window: it moves on by one of them at a time.
const PARTS: i64 = 60;

pub(crate) static CARD: Card = Card {
    code: "D14",
    name: "policy",
    title: "A rule of your own",
    does: "Counts the connections or the bytes that a filter selects, and tells when they are more within a time than you allow.",
    formula: "`count>100/1h FILTER`, `sum(tx)>1G/1d FILTER`; tx, rx or bytes can be summed. A connection counts with all its bytes \
              when it ends. The window moves on by a sixtieth of its length. The severity is medium; the score is 1 − limit/value, at \
              least 0.1.",
    innocent: &["the limit is too low, or the filter selects more than was meant"],
    refuted_by: &["the connections of the evidence are those that are allowed"],
};

/// A rule of the user's own.
#[derive(Clone, Debug)]
pub struct Policy {
    text: String,
    filter: Filter,
    what: Counted,
    above: u64,
    window_ns: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Connections,
    Sent,
    Received,
    Bytes,
}

/// A rule that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// What is counted, or how much there may be.
    #[error("{0:?} is no limit; write count>100/1h or sum(tx)>1G/1d, then a filter")]
    Limit(String),
    /// The filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
}

impl Policy {
    /// Reads a rule: a limit, a space, and a filter; times in the filter refer to `now`.
    ///
    /// # Errors
    /// It cannot be understood.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, PolicyError> {
        let text = text.trim();
        let (limit, filter) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let wrong = || PolicyError::Limit(limit.to_owned());
        let (what, rest) = limit.split_once('>').ok_or_else(wrong)?;
        let (above, window) = rest.split_once('/').ok_or_else(wrong)?;
        let what = match what {
            "count" => Counted::Connections,
            "sum(tx)" => Counted::Sent,
            "sum(rx)" => Counted::Received,
            "sum(bytes)" => Counted::Bytes,
            _ => return Err(wrong()),
        };
        let above = match what {
            Counted::Connections => above.parse().ok(),
            _ => bytes_of(above).and_then(|bytes| u64::try_from(bytes).ok()),
        };
        let window_ns = length(window).and_then(|window| i64::try_from(window.as_nanos()).ok());
        let window_ns = window_ns.filter(|ns| *ns >= PARTS).ok_or_else(wrong)?;
        let above = above.ok_or_else(wrong)?;
        Ok(Self { text: text.to_owned(), filter: Filter::parse(filter, now)?, what, above, window_ns })
    }

    /// Whether a finding's figure `rule` names this one.
    pub fn is_named(&self, rule: &Value) -> bool {
        matches!(rule, Value::Text(text) if text.raw() == self.text)
    }

    fn value(&self, connection: &Connection) -> u64 {
        match self.what {
            Counted::Connections => 1,
            Counted::Sent => connection.tx_bytes(),
            Counted::Received => connection.rx_bytes(),
            Counted::Bytes => connection.bytes(),
        }
    }
}

/// The state of the detector. The rules themselves are the configuration's.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Policies {
    #[serde(skip)]
    rules: Vec<Policy>,
    counted: HashMap<String, Window>,
}

/// What was counted in each part of a window, and how many connections that were.
#[derive(Default, Serialize, Deserialize)]
struct Window(VecDeque<(i64, u64, u64)>);

impl Policies {
    /// Takes rules in place of those that it had; what was counted by a rule that stays is kept.
    pub(crate) fn set(&mut self, rules: Vec<Policy>) {
        self.counted.retain(|text, _| rules.iter().any(|rule| rule.text == *text));
        self.rules = rules;
    }
}

impl Detector for Policies {
    fn connection(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        if self.rules.is_empty() || seen.moment != Moment::Ended {
            return;
        }
        let row = FilterRow::from_connection(seen.connection, seen.time);
        for rule in self.rules.iter().filter(|rule| rule.filter.fits(&row)) {
            let window = self.counted.entry(rule.text.clone()).or_default();
            let [value, connections] = window.add(rule, seen.time.0, rule.value(seen.connection));
            if value > rule.above {
                tell(seen, rule, window, value, connections, findings);
            }
        }
    }
}

impl Window {
    /// Adds a value; the sum of the window, and the connections in it.
    fn add(&mut self, rule: &Policy, time: i64, value: u64) -> [u64; 2] {
        let part = time.div_euclid((rule.window_ns / PARTS).max(1));
        while self.0.front().is_some_and(|first| first.0 <= part.saturating_sub(PARTS)) {
            self.0.pop_front();
        }
        let room = self.0.len() < PARTS as usize;
        match self.0.iter_mut().rev().find(|one| one.0 == part) {
            Some(one) => {
                one.1 = one.1.saturating_add(value);
                one.2 += 1;
            }
            // A part that is late stands behind the others, and goes with them.
            None if room => self.0.push_back((part, value, 1)),
            None => (),
        }
        self.0.iter().fold([0, 0], |sum, one| [sum[0].saturating_add(one.1), sum[1] + one.2])
    }
}

fn tell(
    seen: &Seen<'_>,
    rule: &Policy,
    window: &Window,
    value: u64,
    connections: u64,
    findings: &mut Findings,
) {
    let id = Finding::id_of(CARD.code, "", [rule.text.as_str()]);
    let evidence = Evidence::default().word(rule.filter.text());
    let mut finding = seen.view.about(&CARD, "", id, Subject::default(), evidence);
    finding.what = format!("more than you allow by `{}`", rule.text).into();
    finding.severity = Severity::Medium;
    finding.score = (1.0 - rule.above as f64 / value as f64).clamp(0.1, 1.0);
    finding.connections = connections;
    let first = window.0.front().map_or(seen.time.0, |one| one.0.saturating_mul(rule.window_ns / PARTS));
    (finding.first, finding.last) = (Timestamp(first), seen.time);
    let unit = if rule.what == Counted::Connections { Unit::Plain } else { Unit::Bytes };
    finding.figures = vec![
        Figure { name: "value".into(), value: Value::Number(value as f64, unit) },
        Figure { name: "limit".into(), value: Value::Number(rule.above as f64, unit) },
        Figure::seconds("window", rule.window_ns as f64 / 1e9),
        Figure::text("rule", Untrusted::from(rule.text.as_str())),
    ];
    findings.put(finding);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let parse = |text: &str| Policy::parse(text, Timestamp(0));
        let rule = parse("sum(tx)>1G/1d proc:restic -public").unwrap();
        assert_eq!(
            (rule.what, rule.above, rule.window_ns),
            (Counted::Sent, 1_000_000_000, 86_400_000_000_000)
        );
        assert_eq!(rule.filter.text(), "proc:restic -public");
        assert!(parse("count>100/1h").unwrap().filter.is_everything());
        for text in ["", "count>x/1h", "count>1", "sum(x)>1/1h", "count>1/soon", "count>1/1h proc:("] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
