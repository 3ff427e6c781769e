//! Everything of one row.

use super::columns::{remote, symbol};
use super::list::{RowContent, RowKey};
use super::sums::{DestinationSum, ProcessSum, TrafficSum};
use super::text::{count, rate, sanitized, size};
use super::view::View;
use connmon_analysis::format::{clock, duration};
use connmon_record::{Connection, Container, End, Process, Proto, Service, Timestamp, Untrusted, Zone};
use connmon_render::export::show;

/// Connections of a row that are named.
const NAMED: usize = 200;

/// The lines; the first is the title.
pub(super) fn lines(view: &View) -> Vec<String> {
    let Some(row) = view.chosen() else { return vec!["It no longer exists.".into()] };
    match (&row.content, &row.key) {
        (RowContent::Connection, RowKey::Connection(id)) => connection(view, *id),
        (RowContent::Process(sum), _) => process(view, sum),
        (RowContent::Place(place), _) => destination(view, place),
        (RowContent::TimelineRow(timeline_row), _) => {
            let ids: Vec<i64> = view
                .items
                .fitting()
                .filter(|(_, item)| item.connection.remote.ip == timeline_row.ip)
                .map(|(id, _)| id)
                .collect();
            let mut lines = vec![format!("address {}", timeline_row.ip)];
            // Of the connections that are listed, whether or not they moved something in the time shown.
            let sum = |of: fn(&Connection) -> u64| {
                ids.iter().filter_map(|id| view.items.get(*id)).map(|item| of(&item.connection)).sum()
            };
            lines.push(format!("  {:<12} {}", "sent", size(sum(Connection::tx_bytes))));
            lines.push(format!("  {:<12} {}", "received", size(sum(Connection::rx_bytes))));
            connections(view, &ids, &mut lines);
            lines
        }
        (RowContent::Socket(socket), _) => {
            let usual = Service::name_of(socket.proto, socket.local.port).unwrap_or("no usual service");
            vec![
                format!("listening: {} {}", socket.proto, socket.local),
                format!("  {:<12} port {}, {usual}", "service", socket.local.port),
                format!("  {:<12} {} {}", "process", socket.pid, sanitized(&socket.comm)),
            ]
        }
        _ => Vec::new(),
    }
}

/// As `connmon show` has it, and the rates.
fn connection(view: &View, id: i64) -> Vec<String> {
    let Some(item) = view.items.get(id) else { return vec!["It no longer exists.".into()] };
    let mut text = Vec::new();
    // Writing into memory does not fail.
    let _ = show::write_text(&item.connection, view.live().run(), &Zone::UTC, &mut text);
    let mut lines: Vec<String> = String::from_utf8_lossy(&text)
        .lines()
        .map(|line| sanitized(line).replace(['\u{a0}', '\u{202f}'], " "))
        .collect();
    let moving = if item.rate.sum() < 0.5 {
        "nothing in the last 5 seconds".to_owned()
    } else {
        format!("sends {} receives {}", none(rate(item.rate.tx)), none(rate(item.rate.rx)))
    };
    lines.insert(1.min(lines.len()), format!("  {:<12} {moving}", "now"));
    lines
}

fn none(rate: String) -> String {
    if rate.is_empty() { "nothing,".into() } else { rate }
}

fn figures(sum: &TrafficSum, lines: &mut Vec<String>) {
    let mut line = |name: &str, value: String| lines.push(format!("  {name:<12} {value}"));
    let failed =
        if sum.figures.failed > 0 { format!(", {} failed", sum.figures.failed) } else { String::new() };
    line("connections", format!("{}, {} open{failed}", sum.figures.connections, sum.figures.open));
    line("sent", format!("{} {}", size(sum.figures.tx_bytes), rate(sum.rate.tx)));
    line("received", format!("{} {}", size(sum.figures.rx_bytes), rate(sum.rate.rx)));
}

fn process(view: &View, sum: &ProcessSum) -> Vec<String> {
    let mut lines = Vec::new();
    match &sum.process {
        Some(process) => about(process, &mut lines),
        None => lines.push("connections whose process is unknown".into()),
    }
    figures(&sum.sum, &mut lines);
    lines.push(format!("  {:<12} {}", "addresses", sum.remotes.len()));
    connections(view, &sum.sum.ids, &mut lines);
    lines
}

fn about(process: &Process, lines: &mut Vec<String>) {
    lines.push(format!("process {} {}", process.id.pid, sanitized(&process.comm)));
    let none = Untrusted::default();
    let user = process.user.as_ref().map_or("no name".into(), sanitized);
    let container = process.place.container.as_ref().map(Container::title);
    let parents: Vec<String> =
        process.ancestors().map(|parent| format!("{} {}", sanitized(&parent.comm), parent.id.pid)).collect();
    for (name, value) in [
        ("executable", &process.exe),
        ("command", &process.cmdline),
        ("folder", &process.cwd),
        ("user", &format!("{user} ({})", process.uid).into()),
        ("started", &format!("{} UTC", clock(process.started)).into()),
        ("started by", &parents.join(", ").into()),
        ("unit", process.place.unit.as_ref().unwrap_or(&none)),
        ("container", container.as_ref().unwrap_or(&none)),
    ] {
        if !value.is_empty() {
            lines.push(format!("  {name:<12} {}", sanitized(value)));
        }
    }
}

fn destination(view: &View, place: &DestinationSum) -> Vec<String> {
    let list = |texts: Vec<String>| texts.join(", ");
    let mut lines = vec![format!("{} {}", sanitized(&place.title), sanitized(&place.country))];
    figures(&place.sum, &mut lines);
    let port = |(proto, port): &(Proto, u16)| match Service::name_of(*proto, *port) {
        Some(name) => format!("{name} ({port})"),
        None => format!("{proto} {port}"),
    };
    let captured = |texts: &std::collections::BTreeSet<Untrusted>| {
        list(texts.iter().map(|text| sanitized(text).into_owned()).collect())
    };
    for (name, value) in [
        ("addresses", list(place.remotes.iter().take(20).map(ToString::to_string).collect())),
        ("names", captured(&place.names)),
        ("processes", captured(&place.processes)),
        ("services", list(place.services.iter().map(port).collect())),
    ] {
        if !value.is_empty() {
            lines.push(format!("  {name:<12} {value}"));
        }
    }
    connections(view, &place.sum.ids, &mut lines);
    lines
}

/// Connections, the newest first.
fn connections(view: &View, ids: &[i64], lines: &mut Vec<String>) {
    lines.push(String::new());
    let all = ids.len() as u64;
    lines.push(match all > NAMED as u64 {
        true => format!("The newest {NAMED} of {}:", count(all, "connection", "connections")),
        false => format!("{}, the newest first:", count(all, "connection", "connections")),
    });
    let now = view.live().now();
    for item in ids.iter().rev().take(NAMED).filter_map(|id| view.items.get(*id)) {
        let connection = &item.connection;
        let owner =
            connection.owner.as_ref().map_or_else(String::new, |owner| sanitized(&owner.comm).into_owned());
        let until = connection.known_end().unwrap_or(now);
        lines.push(format!(
            "  {} {} {} {owner} {} {}  sent {} received {}  {}, {}",
            clock(connection.opened),
            symbol(item.state(now)),
            connection.direction.arrow(),
            remote(view, item, 60),
            connection.proto,
            size(item.figures.tx_bytes),
            size(item.figures.rx_bytes),
            lasted(connection, until),
            End::words_of(connection.end),
        ));
    }
}

fn lasted(connection: &Connection, until: Timestamp) -> String {
    duration(connection.lasted_ns(until)).replace('\u{a0}', " ")
}

/// The row in two lines, below the table.
pub(super) fn strip(view: &View) -> [String; 2] {
    let Some(row) = view.chosen() else { return Default::default() };
    let (RowKey::Connection(id), RowContent::Connection) = (&row.key, &row.content) else {
        return match &row.content {
            RowContent::Process(sum) => process_strip(sum),
            RowContent::Place(place) => {
                let names: Vec<_> = place.names.iter().map(sanitized).collect();
                let by: Vec<_> = place.processes.iter().map(sanitized).collect();
                [
                    format!("{} — {}", sanitized(&place.title), names.join(", ")),
                    format!("used by {}", by.join(", ")),
                ]
            }
            _ => Default::default(),
        };
    };
    let Some(item) = view.items.get(*id) else { return Default::default() };
    let connection = &item.connection;
    let name = connection.host().map(|name| format!(" {}", sanitized(name))).unwrap_or_default();
    let place = connection.place.as_deref().map(|place| place.network()).unwrap_or_default();
    let label =
        connection.label.as_ref().map(|label| format!(" · label {}", sanitized(label))).unwrap_or_default();
    let hits = if connection.hits.is_empty() { "" } else { " · MATCHES AN INDICATOR" };
    let until = connection.known_end().unwrap_or(view.live().now());
    let first = format!(
        "{} {} {} {}{name} · {} {} {}{label}{hits}",
        connection.proto,
        connection.local,
        connection.direction.arrow(),
        connection.remote,
        End::words_of(connection.end),
        if !connection.is_open() { "after" } else { "for" },
        lasted(connection, until),
    );
    let command = connection.owner.as_ref().map_or_else(String::new, |owner| {
        let command = if owner.cmdline.is_empty() { &owner.comm } else { &owner.cmdline };
        format!("{} {}", owner.id.pid, sanitized(command))
    });
    let place = if place.is_empty() { String::new() } else { format!(" · {}", sanitized(&place)) };
    [first, format!("{command}{place}")]
}

fn process_strip(sum: &ProcessSum) -> [String; 2] {
    let Some(process) = &sum.process else { return Default::default() };
    let unit = process.place.unit.as_ref().map(|unit| format!(" · {}", sanitized(unit))).unwrap_or_default();
    let container =
        process.place.container.as_ref().map(|c| format!(" · {}", sanitized(&c.title()))).unwrap_or_default();
    let addresses = count(sum.remotes.len() as u64, "address", "addresses");
    [
        format!("{} · {addresses}{unit}{container}", sanitized(&process.exe)),
        sanitized(&process.cmdline).into_owned(),
    ]
}
