//! The audit as a table for reading, with what is to be known of it below.

mod columns;

use std::io::{self, Write};

use super::interfaces::words;
use super::{Audit, By, Figures, Group};
use crate::export::completeness::write_words;
use crate::export::text::write_wrapped;
use crate::model::display_safe;
use crate::summary::format::{bytes, count, grouped};
use columns::{Column, Table};

/// Interfaces that are shown one by one.
const INTERFACES: usize = 10;
/// Names have so much room, or all they need, before exact figures get any.
const ENOUGH: usize = 40;
/// User names are cut here.
const USER: usize = 12;

/// Writes a table in lines of at most `room` columns.
///
/// # Errors
/// The writer's.
pub fn write(audit: &Audit, room: usize, out: &mut impl Write) -> io::Result<()> {
    let exact = groups(audit, true);
    let table =
        if exact.name_room(room) >= exact.name_width().min(ENOUGH) { exact } else { groups(audit, false) };
    table.write(room, out)?;
    writeln!(out)?;
    if audit.comparison.covers.is_some() {
        interfaces(audit).write(room, out)?;
        writeln!(out)?;
    }
    for sentence in words::all(&audit.comparison) {
        write_wrapped("· ", &sentence, room, out)?;
    }
    if audit.by.is_place() {
        for sentence in &audit.geo.words {
            write_wrapped("· ", sentence, room, out)?;
        }
    }
    if let Some(sentence) = audit.indicators.words() {
        write_wrapped("· ", &sentence, room, out)?;
    }
    writeln!(out)?;
    write_words(&audit.completeness, room, out)
}

fn groups(audit: &Audit, exact: bool) -> Table {
    let by_process = audit.by == By::Process;
    let mut columns = match by_process {
        true => vec![Column::number("PID"), Column::name("PROCESS"), Column::text("USER")],
        false => vec![Column::name(&audit.by.name().to_uppercase())],
    };
    columns.push(Column::number("CONNECTIONS"));
    for (human, plain) in [("SENT", "BYTES SENT"), ("RECEIVED", "BYTES RECEIVED")] {
        columns.push(Column::number(human));
        columns.extend(exact.then(|| Column::number(plain)));
    }
    let on_wire: &[&str] = if exact { &["WIRE SENT", "WIRE RECEIVED"] } else { &["ON WIRE"] };
    columns.extend(on_wire.iter().map(|head| Column::number(head)));
    let mut table = Table::new(columns);
    let row = |who: Vec<String>, figures: &Figures| {
        let mut cells = who;
        cells.push(grouped(figures.connections));
        for moved in [figures.tx_bytes, figures.rx_bytes] {
            cells.push(bytes(moved));
            cells.extend(exact.then(|| grouped(moved)));
        }
        let (sent, received) = (figures.wire_tx_bytes, figures.wire_rx_bytes);
        let on_wire = if exact { vec![sent, received] } else { vec![sent.saturating_add(received)] };
        let at_least = if figures.wire_unknown > 0 { "≥ " } else { "" };
        cells.extend(on_wire.into_iter().map(|moved| match moved {
            0 => "-".into(),
            _ => format!("{at_least}{}", bytes(moved)),
        }));
        cells
    };
    let named = |name: String| match by_process {
        true => vec![String::new(), name, String::new()],
        false => vec![name],
    };
    for group in &audit.groups {
        let who = if by_process { who(group) } else { vec![group.label()] };
        table.push(row(who, &group.figures.all));
    }
    if audit.rest.0 > 0 {
        table.push(row(named(format!("({} more)", grouped(audit.rest.0))), &audit.rest.1.all));
    }
    table.push(row(named("total".into()), &audit.totals.all));
    table
}

/// PID, name and user of a process.
fn who(group: &Group) -> Vec<String> {
    let Some(process) = &group.process else { return vec!["-".into(), group.key_text(), "-".into()] };
    let user = match &process.user {
        Some(user) => crate::export::text::elide(&display_safe(user), USER),
        None => process.uid.to_string(),
    };
    vec![process.id.pid.to_string(), group.key_text(), user]
}

/// The interfaces that moved most, and below them what the applications moved.
fn interfaces(audit: &Audit) -> Table {
    let comparison = &audit.comparison;
    let numbers = ["SENT", "RECEIVED", "PACKETS SENT", "PACKETS RECEIVED"].map(Column::number);
    let mut table = Table::new([vec![Column::name("INTERFACE")], numbers.into()].concat());
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
        table.push(vec![name.into(), bytes(moved.tx), bytes(moved.rx), blank(), blank()]);
    }
    table
}
