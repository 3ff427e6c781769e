//! The audit as a table for reading, with what is to be known of it below.

mod columns;

use std::io::{self, Write};

use super::interfaces::words;
use super::{Audit, Group, GroupBy, GroupFigures, GroupKey};
use crate::export::completeness::{write_verdict, write_words};
use crate::export::text::{elide, write_wrapped};
use columns::{TableColumn, TextTable};
use connmon_analysis::format::{bytes, count, grouped};
use connmon_record::display_safe;

/// Interfaces that are shown one by one.
const INTERFACES: usize = 10;
/// User names are cut here.
const USER: usize = 12;
/// The second of two names is cut here.
const SECOND: usize = 24;

/// Writes a table in lines of at most `room` columns, and below it one line on how complete it is; with `explain`, the interfaces and all
/// notes instead.
///
/// # Errors
/// The writer's.
pub fn write(audit: &Audit, room: usize, explain: bool, out: &mut dyn Write) -> io::Result<()> {
    groups(audit).write(room, out)?;
    writeln!(out)?;
    if explain && audit.comparison.covers.is_some() {
        interfaces(audit).write(room, out)?;
        writeln!(out)?;
    }
    if explain {
        for sentence in words::sentences(&audit.comparison) {
            write_wrapped("· ", &sentence, room, out)?;
        }
    }
    // The licences of the databases require these notes.
    if audit.by.iter().any(|by| by.is_place()) {
        for sentence in &audit.geo.words {
            write_wrapped("· ", sentence, room, out)?;
        }
    }
    if let Some(sentence) = audit.indicators.words() {
        write_wrapped("· ", &sentence, room, out)?;
    }
    if explain {
        write_words(&audit.completeness, room, out)
    } else {
        write_verdict(&audit.completeness, room, out)
    }
}

fn groups(audit: &Audit) -> TextTable {
    let mut columns = Vec::new();
    for by in &audit.by {
        let name = match by {
            GroupBy::Process => "PROCESS".to_owned(),
            by => by.name().to_uppercase(),
        };
        columns.extend((*by == GroupBy::Process).then(|| TableColumn::number("PID")));
        // A table has one column that gives way.
        columns.push(if *by == audit.by[0] { TableColumn::name(&name) } else { TableColumn::text(&name) });
        columns.extend((*by == GroupBy::Process).then(|| TableColumn::text("USER")));
    }
    columns.extend(["CONNECTIONS", "SENT", "RECEIVED", "ON WIRE"].map(TableColumn::number));
    let mut table = TextTable::new(columns);
    let row = |who: Vec<String>, figures: &GroupFigures| {
        let on_wire = match figures.wire_tx_bytes.saturating_add(figures.wire_rx_bytes) {
            0 if figures.wire_unknown > 0 || figures.connections == 0 => "-".into(),
            moved => format!("{}{}", if figures.wire_unknown > 0 { "≥ " } else { "" }, bytes(moved)),
        };
        let moved = [grouped(figures.connections), bytes(figures.tx_bytes), bytes(figures.rx_bytes), on_wire];
        who.into_iter().chain(moved).collect()
    };
    // The first name, and nothing in the other cells.
    let named = |name: String| {
        let cells = audit.by.iter().map(|by| if *by == GroupBy::Process { 3 } else { 1 }).sum();
        let mut who = vec![String::new(); cells];
        who[usize::from(audit.by[0] == GroupBy::Process)] = name;
        who
    };
    for group in &audit.groups {
        let who = audit.by.iter().zip(&group.keys).flat_map(|(by, key)| match by {
            GroupBy::Process => who(group, key),
            by if *by == audit.by[0] => vec![group.label(key)],
            _ => vec![elide(&group.label(key), SECOND)],
        });
        table.push(row(who.collect(), &group.figures.all));
    }
    if audit.rest.0 > 0 {
        table.push(row(named(format!("({} more)", grouped(audit.rest.0))), &audit.rest.1.all));
    }
    table.push(row(named("total".into()), &audit.totals.all));
    table
}

/// PID, name and user of a process.
fn who(group: &Group, key: &GroupKey) -> Vec<String> {
    let Some(process) = &group.process else { return vec!["-".into(), group.key_text(key), "-".into()] };
    let user = match &process.user {
        Some(user) => elide(&display_safe(user), USER),
        None => process.uid.to_string(),
    };
    vec![process.id.pid.to_string(), group.key_text(key), user]
}

/// The interfaces that moved most, and below them what the applications moved.
fn interfaces(audit: &Audit) -> TextTable {
    let comparison = &audit.comparison;
    let numbers = ["SENT", "RECEIVED", "PACKETS SENT", "PACKETS RECEIVED"].map(TableColumn::number);
    let mut table = TextTable::new([vec![TableColumn::name("INTERFACE")], numbers.into()].concat());
    let mut rows: Vec<_> = comparison.interfaces.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.counted.tx_bytes.saturating_add(row.counted.rx_bytes)));
    let quiet = rows.len().saturating_sub(INTERFACES);
    for row in rows.into_iter().take(INTERFACES) {
        let counted = &row.counted;
        table.push(vec![
            display_safe(&counted.name).into_owned(),
            bytes(counted.tx_bytes),
            bytes(counted.rx_bytes),
            grouped(counted.tx_packets),
            grouped(counted.rx_packets),
        ]);
    }
    let blank = String::new;
    if quiet > 0 {
        let more = format!("({} with less)", count(quiet as u64, "interface", "interfaces"));
        table.push(vec![more, blank(), blank(), blank(), blank()]);
    }
    for (name, moved) in [
        ("applications, over loopback", comparison.loopback),
        ("applications, elsewhere", comparison.elsewhere),
    ] {
        table.push(vec![name.into(), bytes(moved.tx_bytes), bytes(moved.rx_bytes), blank(), blank()]);
    }
    table
}
