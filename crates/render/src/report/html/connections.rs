//! The list of single connections.

use std::collections::HashMap;

use super::places::{network, place};
use super::tables::name;
use super::view::{Amount, Label, Shown, When};
use crate::report::payload::Written;
use connmon_analysis::format;
use connmon_analysis::{SelectedConnection, Summary};
use connmon_record::{AddressKind, Connection, End, Rule, Untrusted};

pub(super) struct List {
    pub(super) note: String,
    pub(super) rows: Vec<Line>,
}

pub(super) struct Line {
    pub(super) opened: When,
    pub(super) process: Shown,
    pub(super) pid: String,
    pub(super) others: String,
    pub(super) other_names: Shown,
    pub(super) direction: &'static str,
    pub(super) arrow: &'static str,
    pub(super) proto: String,
    pub(super) local: String,
    pub(super) remote: String,
    /// The best name of the other end, or nothing.
    pub(super) host: Shown,
    pub(super) place: Shown,
    pub(super) network: Shown,
    pub(super) tx: Amount,
    pub(super) rx: Amount,
    pub(super) lasted: String,
    pub(super) end: &'static str,
    pub(super) end_class: &'static str,
    pub(super) remarks: Vec<Shown>,
    pub(super) label: Option<Label>,
}

pub(super) fn list(summary: &Summary) -> List {
    let list = &summary.connections;
    let note = if list.is_cut() {
        format!(
            "{} of {}: the {} with the most bytes and the newest of the others, oldest first. With scripts on, the \
             page shows the others too.",
            format::grouped(list.rows.len() as u64),
            format::grouped(list.total),
            format::grouped(list.by_bytes as u64),
        )
    } else {
        "All connections, oldest first.".to_owned()
    };
    let mut rules: HashMap<(i64, Untrusted<&str>), &Rule> = HashMap::new();
    for run in &summary.runs {
        // Of several rules with one label, the first says how it looks.
        run.rules.iter().rev().for_each(|rule| {
            rules.insert((run.id, rule.label.borrowed()), rule);
        });
    }
    let rows = summary.connections.rows.iter().map(|kept| {
        let label = kept.connection.label.as_ref();
        let label = label.map(|label| Label::new(label, rules.get(&(kept.run, label.borrowed())).copied()));
        Line { label, ..line(kept) }
    });
    List { note, rows: rows.collect() }
}

/// What is missing from the data, said at the top of the page.
pub(super) fn cut(written: Written) -> String {
    if written.rows == written.total {
        return String::new();
    }
    format!(
        "This file has {} of {} connections: half of them for their bytes, and of the others the newest. The figures and \
         tables of the page count all of them; what a filter shows counts those in the file. `--rows` puts more \
         into it.",
        format::grouped(written.rows),
        format::grouped(written.total),
    )
}

/// Why the figures of a connection are to be read with care.
fn remarks(c: &Connection) -> Vec<Shown> {
    let early = c.preexisting.then_some("opened before the recording");
    let inexact = c.inexact.as_deref().filter(|why| Some(*why) != early);
    let hits = c.hits.iter().map(|hit| format!("{} is on {}", hit.indicator.shown(), hit.list.name.shown()));
    early.into_iter().chain(inexact).map(Shown::new).chain(hits.map(|hit| Shown::new(&hit))).collect()
}

fn line(kept: &SelectedConnection) -> Line {
    let c: &Connection = &kept.connection;
    let owner = c.owner.as_ref();
    let others: Vec<String> = c
        .traffic
        .iter()
        .map(|share| &share.process)
        .filter(|process| owner.is_none_or(|owner| owner.id != process.id))
        .map(|process| format!("{} ({})", name(process), process.id.pid))
        .collect();
    let (arrow, direction) = (c.direction.arrow(), c.direction.name());
    Line {
        opened: When::new(c.opened),
        process: owner.map_or_else(|| Shown::new("unknown"), |owner| name(owner)),
        pid: owner.map_or_else(String::new, |owner| owner.id.pid.to_string()),
        others: match others.len() {
            0 => String::new(),
            1 => "and another process".into(),
            n => format!("and {n} other processes"),
        },
        other_names: Shown::new(&others.join(", ")),
        direction,
        arrow,
        proto: c.proto.to_string(),
        local: c.local.to_string(),
        remote: c.remote.to_string(),
        host: c.host().map(Shown::new).unwrap_or_default(),
        place: place(AddressKind::of_address(c.remote.ip), c.country.as_deref(), c.place.as_deref()),
        network: network(c.place.as_deref()),
        tx: Amount::new(c.tx_bytes()),
        rx: Amount::new(c.rx_bytes()),
        lasted: c.known_end().map_or_else(String::new, |end| format::duration(c.lasted_ns(end))),
        end: End::words_of(c.end),
        end_class: if c.has_failed() { "bad" } else { "" },
        remarks: remarks(c),
        label: None,
    }
}
