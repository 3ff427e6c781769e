//! The report as plain text: a timeline row for each remote address, and statistics.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;

use unicode_width::UnicodeWidthStr;

use crate::findings::{counts, more_words, notes, period, title};
use connmon_analysis::format::{bytes, clock, count, date, duration, grouped};
use connmon_analysis::timeline_rows::{TimelineCell, TimelineRow};
use connmon_analysis::{RemoteRow, Summary};
use connmon_detect::{Folded, Found, Severity, fold};
use connmon_record::{Service, Untrusted, Zone, display_safe};

/// What is known of each address.
type Rows<'a> = HashMap<IpAddr, RemoteRow<'a>>;

/// So many of the busiest are listed at the end.
const TOP: usize = 10;

/// Writes the report.
///
/// # Errors
/// The writer's.
pub fn write(
    summary: &Summary,
    found: &Found,
    timeline_rows: &[TimelineRow],
    step_ns: u64,
    out: &mut dyn Write,
) -> io::Result<()> {
    head(summary, step_ns, out)?;
    findings(found, out)?;
    let rows: Rows<'_> = summary.remotes.iter().map(|row| (row.ip, row)).collect();
    let names: Vec<String> = timeline_rows.iter().map(|timeline_row| name(&rows, timeline_row)).collect();
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0).min(48);
    for (timeline_row, name) in timeline_rows.iter().zip(&names) {
        let cells: String = timeline_row.cells.iter().map(|cell| cell.symbol()).collect();
        let room = " ".repeat(widest.saturating_sub(name.width()));
        writeln!(out, "{name}{room}  {cells}  [{}]", about(&rows, timeline_row))?;
    }
    statistics(summary, &rows, timeline_rows, out)?;
    completeness(summary, out)
}

fn head(summary: &Summary, step_ns: u64, out: &mut dyn Write) -> io::Result<()> {
    let mut hosts: Vec<&Untrusted> = summary.runs.iter().map(|run| &run.host).collect();
    hosts.dedup();
    writeln!(out, "connmon report of {}", Untrusted::joined(hosts, ", ").shown())?;
    if let Some(window) = summary.window {
        writeln!(
            out,
            "{} {} to {} {} UTC, {}; one character is {}",
            date(window.from),
            clock(window.from),
            date(window.to),
            clock(window.to),
            duration(window.nanos()),
            duration(step_ns)
        )?;
    }
    if !summary.selection.filter.is_empty() {
        writeln!(out, "filter: {}", display_safe(&summary.selection.filter))?;
    }
    let legend = [
        TimelineCell::New,
        TimelineCell::Active,
        TimelineCell::Listen,
        TimelineCell::Closed,
        TimelineCell::Empty,
    ]
    .map(TimelineCell::symbol);
    let [new, active, listen, closed, empty] = legend;
    writeln!(out, "\n{new} new  {active} active  {listen} listen  {closed} closed  {empty} none\n")
}

/// The first findings above "info", a line each.
pub(super) fn findings(found: &Found, out: &mut dyn Write) -> io::Result<()> {
    if found.findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "Worth a look, never a verdict: {}", counts(found.findings.iter()))?;
    let loud = |one: &Folded<'_>| one.first.severity > Severity::Info && one.first.acknowledged.is_none();
    for one in fold(&found.findings).iter().filter(|one| loud(one)).take(TOP) {
        let finding = one.first;
        let more = more_words(one);
        let space = if more.is_empty() { "" } else { " " };
        writeln!(
            out,
            "  {:<6} {}  {}: {}{space}{more} ({}, {})",
            finding.severity.name(),
            finding.id,
            title(finding),
            finding.what.shown(),
            count(one.connections(), "connection", "connections"),
            period(one.seen(), &Zone::UTC)
        )?;
    }
    for note in notes(found) {
        writeln!(out, "  {note}")?;
    }
    writeln!(out)
}

/// The address, and a name of it.
fn name(rows: &Rows<'_>, timeline_row: &TimelineRow) -> String {
    let name = rows.get(&timeline_row.ip).and_then(RemoteRow::name);
    name.map_or_else(
        || timeline_row.ip.to_string(),
        |name| format!("{} {}", timeline_row.ip, display_safe(name)),
    )
}

/// Country, network, state and ports.
fn about(rows: &Rows<'_>, timeline_row: &TimelineRow) -> String {
    let mut parts = Vec::new();
    if let Some(row) = rows.get(&timeline_row.ip) {
        parts.extend(row.country.map(|code| display_safe(code).into_owned()));
        let network = row.location.map(|location| location.network()).unwrap_or_default();
        parts.extend((!network.is_empty()).then(|| display_safe(&network).into_owned()));
        parts.push(if timeline_row.open { "ACTIVE" } else { "CLOSED" }.to_owned());
        let ports: Vec<String> = row
            .services
            .iter()
            .filter(|(_, port)| *port > 0)
            .map(|&(proto, port)| match Service::name_of(proto, port) {
                Some(name) => format!("{port} {name}"),
                None => port.to_string(),
            })
            .collect();
        parts.extend((!ports.is_empty()).then(|| format!("port {}", ports.join(", "))));
    }
    parts.join(" | ")
}

fn statistics(
    summary: &Summary,
    rows: &Rows<'_>,
    timeline_rows: &[TimelineRow],
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "\nStatistics")?;
    for timeline_row in timeline_rows {
        let Some(row) = rows.get(&timeline_row.ip) else { continue };
        writeln!(
            out,
            "  {}: first seen {} {}, last {} {}, open {:.0} % of the time, {}{}, {} sent, {} received",
            timeline_row.ip,
            date(row.first_seen),
            clock(row.first_seen),
            date(row.last_seen),
            clock(row.last_seen),
            timeline_row.share() * 100.0,
            count(timeline_row.figures.connections, "connection", "connections"),
            if timeline_row.figures.failed > 0 {
                format!(" ({} failed)", grouped(timeline_row.figures.failed))
            } else {
                String::new()
            },
            bytes(timeline_row.figures.tx_bytes),
            bytes(timeline_row.figures.rx_bytes)
        )?;
    }
    writeln!(out, "\nMost active, by the time something was open")?;
    let mut ranked: Vec<&TimelineRow> = timeline_rows.iter().collect();
    ranked.sort_by(|a, b| b.share().total_cmp(&a.share()).then(b.figures.bytes().cmp(&a.figures.bytes())));
    for (place, timeline_row) in ranked.into_iter().take(TOP).enumerate() {
        writeln!(
            out,
            "  {:2}. {} {:.0} %, {}",
            place + 1,
            name(rows, timeline_row),
            timeline_row.share() * 100.0,
            bytes(timeline_row.figures.bytes())
        )?;
    }
    let figures = &summary.totals.figures;
    writeln!(
        out,
        "\n{} of {} to {}: {} sent, {} received",
        count(figures.connections, "connection", "connections"),
        count(summary.totals.processes, "process", "processes"),
        count(summary.totals.remotes, "address", "addresses"),
        bytes(figures.tx_bytes),
        bytes(figures.rx_bytes)
    )
}

fn completeness(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    for statement in &summary.completeness.statements {
        writeln!(out, "{}", display_safe(&statement.text))?;
    }
    Ok(())
}
