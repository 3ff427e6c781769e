//! Bytes per process: a table for people, CSV, JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::csv::cell;
use crate::model::{Gap, Process, display_safe};
use crate::summary::format::{bytes, grouped};
use crate::summary::{Figures, Level, ProcessRow, Summary};

#[derive(Serialize)]
struct Audit<'a> {
    completeness: Completeness<'a>,
    totals: Totals,
    processes: Vec<Row>,
}

#[derive(Serialize)]
struct Completeness<'a> {
    complete: bool,
    lost_events: u64,
    lost_connections: u64,
    lost_processes: u64,
    unattributed_bytes: Unattributed,
    map_full: u64,
    read_errors: u64,
    malformed: u64,
    probe_misses: u64,
    reconciliation: Reconciliation,
    gaps: Vec<GapRow>,
    statements: Vec<&'a str>,
}

#[derive(Serialize)]
struct Unattributed {
    tx: u64,
    rx: u64,
}

#[derive(Serialize)]
struct Reconciliation {
    compared: u64,
    equal: u64,
    tx_undelivered_bytes: u64,
    rx_unread_bytes: u64,
    unexplained: u64,
}

#[derive(Serialize)]
struct GapRow {
    from: String,
    to: String,
    reason: String,
}

#[derive(Serialize)]
struct Totals {
    processes: u64,
    remotes: u64,
    #[serde(flatten)]
    figures: Part,
}

#[derive(Serialize)]
struct Row {
    pid: u32,
    start: String,
    comm: String,
    exe: String,
    cmdline: String,
    uid: u32,
    user: Option<String>,
    ppid: u32,
    #[serde(flatten)]
    figures: Part,
    tcp: Part,
    udp: Part,
}

#[derive(Serialize)]
struct Part {
    connections: u64,
    tx_bytes: u64,
    rx_bytes: u64,
}

impl From<Figures> for Part {
    fn from(figures: Figures) -> Self {
        Self { connections: figures.connections, tx_bytes: figures.tx_bytes, rx_bytes: figures.rx_bytes }
    }
}

/// Writes one JSON object.
///
/// # Errors
/// The writer's.
pub fn write_json(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    let counters = &summary.completeness.counters;
    let r = &counters.reconciliation;
    let audit = Audit {
        completeness: Completeness {
            complete: summary.is_complete(),
            lost_events: counters.lost_events,
            lost_connections: counters.lost_connections,
            lost_processes: counters.lost_processes,
            unattributed_bytes: Unattributed {
                tx: counters.unattributed_tx_bytes,
                rx: counters.unattributed_rx_bytes,
            },
            map_full: counters.map_full,
            read_errors: counters.read_errors,
            malformed: counters.malformed,
            probe_misses: counters.probe_misses,
            reconciliation: Reconciliation {
                compared: r.compared,
                equal: r.equal,
                tx_undelivered_bytes: r.tx_undelivered_bytes,
                rx_unread_bytes: r.rx_unread_bytes,
                unexplained: r.unexplained,
            },
            gaps: summary.completeness.gaps.iter().map(gap).collect(),
            statements: summary
                .completeness
                .statements
                .iter()
                .map(|statement| statement.text.as_str())
                .collect(),
        },
        totals: Totals {
            processes: summary.totals.processes,
            remotes: summary.totals.remotes,
            figures: summary.totals.figures.into(),
        },
        processes: summary.processes.iter().map(row).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &audit)?;
    out.write_all(b"\n")
}

fn gap(gap: &Gap) -> GapRow {
    GapRow { from: gap.from.to_string(), to: gap.to.to_string(), reason: gap.reason.clone() }
}

fn row(row: &ProcessRow) -> Row {
    let safe = |text: &str| display_safe(text).into_owned();
    let process = &row.process;
    Row {
        pid: process.id.pid,
        start: process.started.to_string(),
        comm: safe(&process.comm),
        exe: safe(&process.exe),
        cmdline: safe(&process.cmdline),
        uid: process.uid,
        user: process.user.as_deref().map(safe),
        ppid: process.ppid,
        figures: row.figures.into(),
        tcp: row.tcp.into(),
        udp: row.udp.into(),
    }
}

/// Writes one line a process, after a line with the names of the columns.
///
/// # Errors
/// The writer's.
pub fn write_csv(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "pid,start,comm,exe,cmdline,uid,user,connections,tx_bytes,rx_bytes,tcp_tx_bytes,tcp_rx_bytes,udp_tx_bytes,udp_rx_bytes"
    )?;
    for row in &summary.processes {
        let process = &row.process;
        writeln!(
            out,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            process.id.pid,
            process.started,
            cell(&process.comm),
            cell(&process.exe),
            cell(&process.cmdline),
            process.uid,
            cell(process.user.as_deref().unwrap_or_default()),
            row.figures.connections,
            row.figures.tx_bytes,
            row.figures.rx_bytes,
            row.tcp.tx_bytes,
            row.tcp.rx_bytes,
            row.udp.tx_bytes,
            row.udp.rx_bytes,
        )?;
    }
    Ok(())
}

/// Writes a table for reading, with the totals and the completeness statement below it.
///
/// # Errors
/// The writer's.
pub fn write_table(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    let head = ["PID", "PROCESS", "USER", "CONNECTIONS", "SENT", "RECEIVED"].map(String::from);
    let cells = |pid: String, name: String, user: String, figures: &Figures| {
        [pid, name, user, grouped(figures.connections), bytes(figures.tx_bytes), bytes(figures.rx_bytes)]
    };
    let mut rows = vec![head];
    for row in &summary.processes {
        let process = &row.process;
        let user =
            process.user.as_deref().map_or_else(|| process.uid.to_string(), |user| display_safe(user).into());
        rows.push(cells(process.id.pid.to_string(), name(process), user, &row.figures));
    }
    if summary.unowned.connections > 0 {
        rows.push(cells("-".into(), "(no process)".into(), "-".into(), &summary.unowned));
    }
    let figures = &summary.totals.figures;
    rows.push(cells(String::new(), "total".into(), String::new(), figures));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4, 5].map(width);
    for [pid, name, user, connections, sent, received] in &rows {
        writeln!(
            out,
            "{pid:>a$}  {name:<b$}  {user:<c$}  {connections:>d$}  {sent:>e$}  {received:>f$}",
            a = widths[0],
            b = widths[1],
            c = widths[2],
            d = widths[3],
            e = widths[4],
            f = widths[5],
        )?;
    }
    writeln!(out)?;
    for statement in &summary.completeness.statements {
        let mark = match statement.level {
            Level::Loss => '!',
            Level::Note => '·',
            Level::Good => '✓',
        };
        writeln!(out, "{mark} {}", statement.text)?;
        if let Some(advice) = &statement.advice {
            writeln!(out, "  {advice}")?;
        }
    }
    Ok(())
}

fn name(process: &Process) -> String {
    let name = if process.exe.is_empty() { format!("[{}]", process.comm) } else { process.exe.clone() };
    let name = display_safe(&name);
    // Long paths are cut on the left: the end tells programs apart.
    let excess = name.chars().count().saturating_sub(48);
    if excess == 0 {
        name.into_owned()
    } else {
        format!("…{}", name.chars().skip(excess + 1).collect::<String>())
    }
}
