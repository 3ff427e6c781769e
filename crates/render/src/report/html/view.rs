//! What the templates print: figures, times, and captured text that has been made safe to show.

use std::fmt;
use std::sync::Arc;

use connmon_analysis::GroupFigures;
use connmon_analysis::format;
use connmon_record::{Rule, Timestamp, Untrusted, country_of, display_safe};

/// Captured text after the sanitiser. The templates escape markup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Shown(String);

impl Shown {
    pub(super) fn new<'a>(captured: impl Into<Untrusted<&'a str>>) -> Self {
        Self(display_safe(captured).into_owned())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number of bytes.
pub(super) struct Amount {
    pub(super) exact: u64,
    pub(super) text: String,
}

impl Amount {
    pub(super) fn new(exact: u64) -> Self {
        let text = if exact == 0 { "0".to_owned() } else { format::bytes(exact) };
        Self { exact, text }
    }

    /// The exact number in groups of three digits, shown below a rounded figure; empty if the figure is exact.
    pub(super) fn grouped(&self) -> String {
        if self.exact < 1000 { String::new() } else { format::grouped(self.exact) }
    }

    /// The exact number in words, for a tooltip.
    pub(super) fn spelled(&self) -> String {
        format::count(self.exact, "byte", "bytes")
    }
}

/// A label, as its rule wants it to be drawn.
pub(super) struct Label {
    pub(super) name: Shown,
    /// For a tooltip.
    pub(super) title: Shown,
    pub(super) color: String,
    pub(super) text: bool,
}

impl Label {
    pub(super) fn new(label: &Untrusted<Arc<str>>, rule: Option<&Rule>) -> Self {
        let color = rule.and_then(|rule| rule.color);
        Self {
            name: Shown::new(label),
            title: match rule {
                Some(rule) => {
                    Shown::new(&Untrusted::joined([&label.map(str::to_owned), &rule.expression], ": "))
                }
                None => Shown::new(label),
            },
            color: color.map_or_else(String::new, |color| color.to_string()),
            text: rule.is_none_or(|rule| rule.text),
        }
    }
}

/// A point in time.
pub(in super::super) struct When {
    pub(in super::super) iso: String,
    pub(in super::super) day: String,
    pub(in super::super) date: String,
    pub(in super::super) clock: String,
}

impl When {
    pub(super) fn new(time: Timestamp) -> Self {
        Self {
            iso: time.to_string(),
            day: format::day(time),
            date: format::date(time),
            clock: format::clock(time),
        }
    }

    /// The time of day with milliseconds.
    pub(super) fn millis(&self) -> &str {
        self.iso.get(11..23).unwrap_or(&self.clock)
    }
}

/// A bar of bytes both ways, in hundredths of the longest bar of its table.
pub(super) struct Flow {
    pub(super) tx: String,
    pub(super) rx: String,
}

impl Flow {
    pub(super) fn new(figures: &GroupFigures, most: u64) -> Self {
        let part = |bytes: u64| bytes as f64 / most.max(1) as f64 * 100.0;
        Self { tx: format!("{:.2}", part(figures.tx_bytes)), rx: format!("{:.2}", part(figures.rx_bytes)) }
    }
}

/// A number of connections.
pub(super) struct Conns {
    pub(super) count: String,
    pub(super) failed: String,
    pub(super) inexact: String,
}

impl Conns {
    pub(super) fn new(figures: &GroupFigures) -> Self {
        let if_any = |n| if n == 0 { String::new() } else { format::grouped(n) };
        Self {
            count: format::grouped(figures.connections),
            failed: if_any(figures.failed),
            inexact: if_any(figures.inexact),
        }
    }
}

/// A country's name, or its code where it has none here.
pub(super) fn country_name(code: &str) -> Shown {
    country_of(code).map_or_else(|| Shown::new(code), |country| Shown::new(country.name))
}
