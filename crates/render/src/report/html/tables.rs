//! The ranked tables. Each says what it leaves out.

use super::places::{network, place};
use super::view::{Amount, Conns, Flow, Shown, When, country_name};
use connmon_analysis::format;
use connmon_analysis::{GroupFigures, ProcessRow, Program, RemoteRow, Service, Summary};
use connmon_record::{End, Process, Proto, Untrusted};

/// So many names are listed in one cell.
const NAMES: usize = 3;

pub(super) struct Table<T> {
    pub(super) note: String,
    pub(super) rows: Vec<T>,
    pub(super) rest: String,
}

impl<T> Table<T> {
    /// The first `most` of `rows`, of which there are `all`.
    fn new<R>(
        mut rows: impl Iterator<Item = R>,
        all: usize,
        most: usize,
        noun: &str,
        figures: impl Fn(&R) -> GroupFigures,
        line: impl Fn(&R) -> T,
    ) -> Self {
        let shown: Vec<T> = rows.by_ref().take(most).map(|row| line(&row)).collect();
        let rest = (all - shown.len()) as u64;
        let note = if rest == 0 {
            String::new()
        } else {
            let (shown, all) = (format::grouped(shown.len() as u64), format::grouped(all as u64));
            format!("The {shown} {noun} with the most bytes, of {all}.")
        };
        let left: GroupFigures = rows.map(|row| figures(&row)).sum();
        let rest = match rest {
            0 => String::new(),
            n => format!(
                "{} more {noun} with {} are not listed.",
                format::grouped(n),
                format::bytes(left.bytes())
            ),
        };
        Self { note, rows: shown, rest }
    }
}

pub(super) struct ProcessLine {
    pub(super) comm: Shown,
    pub(super) exe: Shown,
    pub(super) cmdline: Shown,
    pub(super) others: Vec<Shown>,
    pub(super) flag: &'static str,
    pub(super) pid: u32,
    pub(super) start: When,
    pub(super) user: Shown,
    pub(super) connections: Conns,
    pub(super) tx: Amount,
    pub(super) rx: Amount,
    pub(super) flow: Flow,
    pub(super) tcp: Amount,
    pub(super) udp: Amount,
    pub(super) remotes: String,
}

pub(super) struct RemoteLine {
    pub(super) ip: String,
    pub(super) names: Shown,
    pub(super) place: Shown,
    pub(super) network: Shown,
    pub(super) services: String,
    pub(super) processes: Shown,
    pub(super) connections: Conns,
    pub(super) tx: Amount,
    pub(super) rx: Amount,
    pub(super) flow: Flow,
    pub(super) first: When,
    pub(super) last: When,
}

pub(super) struct CountryLine {
    pub(super) name: Shown,
    pub(super) code: Shown,
    pub(super) remotes: String,
    pub(super) connections: Conns,
    pub(super) tx: Amount,
    pub(super) rx: Amount,
    pub(super) flow: Flow,
}

pub(super) struct ServiceLine {
    pub(super) port: String,
    pub(super) name: &'static str,
    pub(super) processes: String,
    pub(super) connections: Conns,
    pub(super) tx: Amount,
    pub(super) rx: Amount,
    pub(super) flow: Flow,
}

pub(super) struct EndLine {
    pub(super) words: &'static str,
    pub(super) class: &'static str,
    pub(super) share: String,
    pub(super) count: String,
}

pub(super) fn processes(summary: &Summary, most: usize) -> Table<ProcessLine> {
    let all = &summary.processes;
    let longest = all.get(0).map_or(0, |row| row.figures.bytes());
    let line = |row: &ProcessRow<'_>| {
        let program = row.program;
        let others = row.other_exes.into_iter().flatten();
        ProcessLine {
            comm: name_of(&program.comm, &program.exe),
            exe: Shown::new(&program.exe),
            cmdline: row.command_line.map(Shown::new).unwrap_or_default(),
            others: others.filter(|exe| **exe != program.exe).map(Shown::new).collect(),
            flag: if program.kernel_thread { "kernel" } else { "" },
            pid: row.id.pid,
            start: When::new(row.started),
            user: user(program),
            connections: Conns::new(&row.figures),
            tx: Amount::new(row.figures.tx_bytes),
            rx: Amount::new(row.figures.rx_bytes),
            flow: Flow::new(&row.figures, longest),
            tcp: Amount::new(row.tcp_bytes),
            udp: Amount::new(row.udp_bytes),
            remotes: format::grouped(row.remotes),
        }
    };
    Table::new(all.iter(), all.len(), most, "processes", |row| row.figures, line)
}

/// The kernel's name of a process, or what stands in for it.
pub(super) fn name(process: &Process) -> Shown {
    name_of(&process.comm, &process.exe)
}

fn name_of(comm: &Untrusted, exe: &Untrusted) -> Shown {
    let file = exe.map(|path| path.rsplit('/').next().unwrap_or_default());
    let names = [comm.borrowed(), file, "unnamed".into()];
    names.into_iter().find(|name| !name.is_empty()).map(Shown::new).unwrap_or_default()
}

fn user(program: &Program) -> Shown {
    match &program.user {
        Some(user) => Shown::new(user),
        None => Shown::new(&format!("uid {}", program.uid)),
    }
}

pub(super) fn remotes(summary: &Summary, most: usize) -> Table<RemoteLine> {
    let all = &summary.remotes;
    let longest = all.get(0).map_or(0, |row| row.figures.bytes());
    let line = |row: &RemoteRow<'_>| RemoteLine {
        ip: row.ip.to_string(),
        names: Shown::new(&Untrusted::joined(&row.all_names(), ", ")),
        place: place(row.kind, row.country, row.location),
        network: network(row.location),
        services: services_of(row),
        processes: processes_of(summary, row),
        connections: Conns::new(&row.figures),
        tx: Amount::new(row.figures.tx_bytes),
        rx: Amount::new(row.figures.rx_bytes),
        flow: Flow::new(&row.figures, longest),
        first: When::new(row.first_seen),
        last: When::new(row.last_seen),
    };
    Table::new(all.iter(), all.len(), most, "addresses", |row| row.figures, line)
}

fn services_of(row: &RemoteRow<'_>) -> String {
    let name = |&(proto, port): &(Proto, u16)| match Service::name_of(proto, port) {
        Some(name) => name.to_owned(),
        None if port == 0 => proto.to_string(),
        None => format!("{port}/{proto}"),
    };
    let mut names: Vec<String> = row.services.iter().take(NAMES).map(name).collect();
    if row.services.len() > NAMES {
        names.push("…".into());
    }
    names.join(", ")
}

fn processes_of(summary: &Summary, row: &RemoteRow<'_>) -> Shown {
    let mut names: Vec<String> = Vec::new();
    let mut others = 0;
    for process in row.processes.iter().filter_map(|&place| summary.processes.get(place)) {
        let name = name_of(&process.program.comm, &process.program.exe).to_string();
        if names.contains(&name) {
            continue;
        }
        if names.len() < NAMES { names.push(name) } else { others += 1 }
    }
    let more = if others > 0 { format!(" and {others} more") } else { String::new() };
    Shown::new(&(names.join(", ") + &more))
}

pub(super) fn countries(summary: &Summary) -> Vec<CountryLine> {
    let longest = summary.countries.first().map_or(0, |row| row.figures.bytes());
    let line = |row: &connmon_analysis::CountryRow| CountryLine {
        name: row.code.as_deref().map_or_else(|| Shown::new("unknown"), country_name),
        code: Shown::new(row.code.as_deref().unwrap_or_default()),
        remotes: format::grouped(row.remotes),
        connections: Conns::new(&row.figures),
        tx: Amount::new(row.figures.tx_bytes),
        rx: Amount::new(row.figures.rx_bytes),
        flow: Flow::new(&row.figures, longest),
    };
    summary.countries.iter().map(line).collect()
}

pub(super) fn services(summary: &Summary, most: usize) -> Table<ServiceLine> {
    let longest = summary.services.first().map_or(0, |row| row.figures.bytes());
    let line = |row: &connmon_analysis::ServiceRow| ServiceLine {
        port: if row.port == 0 { row.proto.to_string() } else { format!("{}/{}", row.port, row.proto) },
        name: Service::name_of(row.proto, row.port).unwrap_or_default(),
        processes: format::grouped(row.processes),
        connections: Conns::new(&row.figures),
        tx: Amount::new(row.figures.tx_bytes),
        rx: Amount::new(row.figures.rx_bytes),
        flow: Flow::new(&row.figures, longest),
    };
    let all = &summary.services;
    Table::new(all.iter(), all.len(), most, "ports", |row| row.figures, |row| line(row))
}

pub(super) fn ends(summary: &Summary) -> Vec<EndLine> {
    let most = summary.ends.iter().map(|row| row.connections).max().unwrap_or(0).max(1);
    let line = |row: &connmon_analysis::EndRow| EndLine {
        words: End::words_of(row.end),
        class: if row.end.is_some_and(End::is_error) { "bad" } else { "" },
        share: format!("{:.2}", row.connections as f64 / most as f64 * 100.0),
        count: format::grouped(row.connections),
    };
    summary.ends.iter().map(line).collect()
}
