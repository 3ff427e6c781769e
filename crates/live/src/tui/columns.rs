//! What the columns of each tab are, and what stands in them.

use ratatui::style::Style;

use super::items::{Item, ItemState};
use super::list::{ListRow, RowContent, RowKey, SortKey};
use super::style::bars;
use super::sums::{self, DestinationSum, ProcessSum, TrafficSum};
use super::tab::Tab;
use super::text::{age, cut_middle, number, rate, sanitized, size};
use super::view::View;
use crate::Listener;
use connmon_analysis::timeline_rows;
use connmon_record::{AddressKind, country_of};
use connmon_record::{Direction, Service, display_safe};

/// What a column tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    State,
    Process,
    Pid,
    User,
    Remote,
    Service,
    Country,
    Sent,
    Received,
    Rate,
    RateUp,
    RateDown,
    Age,
    Open,
    Connections,
    Remotes,
    History,
    Command,
    Title,
    Names,
    Processes,
    Proto,
    Address,
    Port,
    Reach,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScreenColumn {
    pub kind: ColumnKind,
    pub title: &'static str,
    /// The smallest width at which it is shown.
    pub least: u16,
    /// It never needs more.
    pub most: u16,
    /// Its share of the width that is left.
    pub weight: u16,
    /// Figures stand at the right.
    pub right: bool,
    /// The column with the highest rank is left out first.
    pub rank: u8,
    /// What orders by it.
    pub sort: Option<SortKey>,
}

const fn text(what: ColumnKind, title: &'static str, least: u16, most: u16, rank: u8) -> ScreenColumn {
    ScreenColumn { kind: what, title, least, most, weight: 1, right: false, rank, sort: None }
}

const fn figure(what: ColumnKind, title: &'static str, width: u16, rank: u8) -> ScreenColumn {
    ScreenColumn { kind: what, title, least: width, most: width, weight: 0, right: true, rank, sort: None }
}

const fn sorted_by(column: ScreenColumn, sort: SortKey) -> ScreenColumn {
    ScreenColumn { sort: Some(sort), ..column }
}

const fn much(column: ScreenColumn) -> ScreenColumn {
    ScreenColumn { weight: 3, ..column }
}

const SENT: ScreenColumn = sorted_by(figure(ColumnKind::Sent, "Sent", 8, 2), SortKey::Sent);
const RECEIVED: ScreenColumn = sorted_by(figure(ColumnKind::Received, "Received", 9, 1), SortKey::Received);
const RATE: ScreenColumn = sorted_by(figure(ColumnKind::Rate, "Now", 10, 3), SortKey::Rate);
const COUNTRY: ScreenColumn = text(ColumnKind::Country, "Country", 7, 14, 7);

/// The columns of the tab.
pub(super) fn columns(view: &View) -> Vec<ScreenColumn> {
    let (small, wide) = (view.width_now < 80, view.width_now >= 110);
    match view.tab {
        Tab::Connections => {
            let mut columns = vec![
                text(ColumnKind::State, "", 3, 3, 0),
                sorted_by(
                    text(ColumnKind::Process, "Process", if small { 10 } else { 12 }, 22, 0),
                    SortKey::Name,
                ),
                sorted_by(
                    much(text(ColumnKind::Remote, "Remote", if small { 12 } else { 20 }, 60, 0)),
                    SortKey::Remote,
                ),
                text(ColumnKind::Service, "Service", 8, 12, 4),
                if wide { COUNTRY } else { ScreenColumn { title: "Geo", least: 3, most: 3, ..COUNTRY } },
                SENT,
                RECEIVED,
            ];
            if wide {
                columns.push(sorted_by(figure(ColumnKind::RateUp, "Up now", 10, 5), SortKey::Rate));
                columns.push(figure(ColumnKind::RateDown, "Down now", 10, 3));
                columns.push(sorted_by(figure(ColumnKind::Age, "Age", 5, 8), SortKey::Newest));
            } else {
                columns.push(RATE);
                columns.push(sorted_by(figure(ColumnKind::Age, "Age", 5, 9), SortKey::Newest));
            }
            columns
        }
        Tab::Processes => vec![
            sorted_by(text(ColumnKind::Process, "Process", 12, 24, 0), SortKey::Name),
            figure(ColumnKind::Pid, "PID", 7, 5),
            text(ColumnKind::User, "User", 6, 12, 7),
            figure(ColumnKind::Open, "Open", 5, 4),
            sorted_by(figure(ColumnKind::Connections, "All", 8, 6), SortKey::Count),
            SENT,
            RECEIVED,
            RATE,
            ScreenColumn { weight: 0, ..text(ColumnKind::History, "Last minute", 12, 12, 3) },
            much(text(ColumnKind::Command, "Command", 20, 200, 9)),
        ],
        Tab::Destinations => vec![
            sorted_by(much(text(ColumnKind::Title, title_of_places(view.by), 16, 50, 0)), SortKey::Name),
            COUNTRY,
            much(text(ColumnKind::Names, "Names", 12, 50, 6)),
            figure(ColumnKind::Remotes, "Addrs", 5, 8),
            sorted_by(figure(ColumnKind::Connections, "Conns", 8, 4), SortKey::Count),
            SENT,
            RECEIVED,
            RATE,
            text(ColumnKind::Processes, "Processes", 14, 50, 9),
        ],
        Tab::Listening => vec![
            text(ColumnKind::Proto, "Proto", 5, 5, 2),
            sorted_by(figure(ColumnKind::Port, "Port", 6, 0), SortKey::Remote),
            text(ColumnKind::Service, "Service", 8, 14, 3),
            text(ColumnKind::Address, "Address", 12, 40, 1),
            text(ColumnKind::Reach, "Reachable from", 16, 34, 4),
            sorted_by(text(ColumnKind::Process, "Process", 12, 30, 0), SortKey::Name),
            figure(ColumnKind::Pid, "PID", 7, 5),
        ],
        Tab::Map | Tab::Timeline => Vec::new(),
    }
}

fn title_of_places(by: sums::DestinationGrouping) -> &'static str {
    match by {
        sums::DestinationGrouping::Organisation => "Organisation",
        sums::DestinationGrouping::Country => "Place",
        sums::DestinationGrouping::Address => "Address",
    }
}

/// A cell that is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct CellSpec {
    pub kind: ColumnKind,
    pub width: u16,
}

/// What stands in a cell.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub text: String,
    pub style: Style,
}

impl Cell {
    fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Style::new())
    }
}

/// What a row has in a column.
pub(super) fn cells(view: &View, row: &ListRow, wanted: CellSpec) -> Cell {
    match (&row.content, &row.key) {
        (RowContent::Connection, RowKey::Connection(id)) => {
            view.items.get(*id).map_or_else(Cell::default, |item| of_item(view, item, wanted))
        }
        (RowContent::Process(sum), _) => of_process(view, sum, wanted),
        (RowContent::Place(sum), _) => of_place(view, sum, wanted),
        (RowContent::Socket(socket), _) => of_socket(view, socket, wanted),
        _ => Cell::default(),
    }
}

/// The symbol of a state; [`ItemState::Failed`] has its own.
pub(super) fn symbol(state: ItemState) -> char {
    match state {
        ItemState::New => timeline_rows::TimelineCell::New.symbol(),
        ItemState::Open => timeline_rows::TimelineCell::Active.symbol(),
        ItemState::Closed => timeline_rows::TimelineCell::Closed.symbol(),
        ItemState::Failed => '!',
    }
}

fn of_item(view: &View, item: &Item, CellSpec { kind: what, width }: CellSpec) -> Cell {
    let theme = view.theme;
    let connection = &item.connection;
    let state = item.state(view.live().now());
    let quiet = if item.open() { Style::new() } else { theme.dim() };
    match what {
        ColumnKind::State => {
            let style = match state {
                ItemState::New => theme.cell(timeline_rows::TimelineCell::New),
                ItemState::Open => theme.cell(timeline_rows::TimelineCell::Active),
                ItemState::Closed => quiet,
                ItemState::Failed => theme.bad(),
            };
            Cell::new(format!("{} {}", symbol(state), connection.direction.arrow()), style)
        }
        ColumnKind::Process => match &connection.owner {
            Some(_) if view.grouped => Cell::new("", quiet),
            Some(owner) => Cell::new(sanitized(&owner.comm), quiet),
            None if view.grouped => Cell::default(),
            None => Cell::new(sums::NOBODY, theme.dim()),
        },
        ColumnKind::Remote => Cell::new(remote(view, item, width.into()), quiet),
        ColumnKind::Service => Cell::new(service(view, item.service), quiet),
        ColumnKind::Country => Cell::new(country(item, width), quiet),
        ColumnKind::Sent => Cell::new(size(item.figures.tx_bytes), quiet),
        ColumnKind::Received => Cell::new(size(item.figures.rx_bytes), quiet),
        ColumnKind::Rate => Cell::new(rate(item.rate.sum()), theme.moving()),
        ColumnKind::RateUp => Cell::new(rate(item.rate.tx), theme.moving()),
        ColumnKind::RateDown => Cell::new(rate(item.rate.rx), theme.moving()),
        ColumnKind::Age => Cell::new(age(view.live().now().0 - connection.opened.0), quiet),
        _ => Cell::default(),
    }
}

/// The other end: its name or its address, with what cannot be seen in the service's column.
pub(super) fn remote(view: &View, item: &Item, width: usize) -> String {
    let connection = &item.connection;
    let port = connection.remote.port;
    let host = connection.host().filter(|_| view.names).map(|name| sanitized(name).into_owned());
    let host = host.unwrap_or_else(|| connection.remote.ip.to_string());
    // The port of the other end, unless it is the one that the service's column tells.
    // A caller's port tells nothing.
    let told = port == item.service.port || port == 0 || connection.direction == Direction::In;
    let port = if told || host.contains(':') { String::new() } else { format!(":{port}") };
    format!("{}{port}", cut_middle(&host, width.saturating_sub(port.len())))
}

fn service(view: &View, service: Service) -> String {
    match (service.name.filter(|_| !view.ports), service.port) {
        (Some(name), _) => name.to_owned(),
        (None, 0) => String::new(),
        (None, port) => port.to_string(),
    }
}

fn country(item: &Item, width: u16) -> String {
    let code = item.connection.country.as_deref().unwrap_or_default();
    if item.kind != AddressKind::Public {
        return if width < 7 { "-".into() } else { item.kind.name().into() };
    }
    match country_of(code) {
        Some(country) if country.name.len() <= width.into() => country.name.to_owned(),
        _ => sanitized(code).into_owned(),
    }
}

fn of_sum(view: &View, sum: &TrafficSum, what: ColumnKind) -> Cell {
    let theme = view.theme;
    match what {
        ColumnKind::Open => number(sum.figures.open).into(),
        ColumnKind::Connections if sum.figures.failed > 0 => Cell::new(
            format!("{} !{}", number(sum.figures.connections), number(sum.figures.failed)),
            theme.note(),
        ),
        ColumnKind::Connections => number(sum.figures.connections).into(),
        ColumnKind::Sent => size(sum.figures.tx_bytes).into(),
        ColumnKind::Received => size(sum.figures.rx_bytes).into(),
        ColumnKind::Rate => Cell::new(rate(sum.rate.sum()), theme.moving()),
        ColumnKind::RateUp => Cell::new(rate(sum.rate.tx), theme.moving()),
        ColumnKind::RateDown => Cell::new(rate(sum.rate.rx), theme.moving()),
        _ => Cell::default(),
    }
}

fn of_process(view: &View, sum: &ProcessSum, CellSpec { kind: what, width }: CellSpec) -> Cell {
    let theme = view.theme;
    let process = sum.process.as_deref();
    match what {
        ColumnKind::Process => {
            let style = if process.is_some() { theme.bold() } else { theme.dim() };
            Cell::new(sanitized(sum.name()), style)
        }
        // In the table of connections, above its own.
        ColumnKind::State => Cell::new("", theme.bold()),
        ColumnKind::Remote => {
            let pid = process.map_or_else(String::new, |process| format!("[{}] ", process.id.pid));
            let words = format!(
                "{pid}{} open of {}",
                number(sum.sum.figures.open),
                number(sum.sum.figures.connections)
            );
            Cell::new(words, theme.bold())
        }
        ColumnKind::Pid => process.map_or_else(String::new, |process| process.id.pid.to_string()).into(),
        ColumnKind::User => {
            let user = process.map(|process| match &process.user {
                Some(user) => sanitized(user).into_owned(),
                None => process.uid.to_string(),
            });
            user.unwrap_or_default().into()
        }
        ColumnKind::History => {
            let mut steps = vec![0; width.into()];
            for id in &sum.sum.ids {
                view.live().history(*id, &mut steps);
            }
            Cell::new(bars(theme, &steps), theme.moving())
        }
        ColumnKind::Command => {
            let command = process
                .map(|process| if process.cmdline.is_empty() { &process.exe } else { &process.cmdline });
            Cell::new(command.map(sanitized).unwrap_or_default(), theme.dim())
        }
        ColumnKind::Sent | ColumnKind::Received if view.tab == Tab::Connections => {
            Cell { style: theme.bold(), ..of_sum(view, &sum.sum, what) }
        }
        what => of_sum(view, &sum.sum, what),
    }
}

fn of_place(view: &View, place: &DestinationSum, CellSpec { kind: what, width }: CellSpec) -> Cell {
    match what {
        ColumnKind::Title => Cell::new(sanitized(&place.title), view.theme.bold()),
        ColumnKind::Country => match country_of(&place.country) {
            Some(country) if country.name.len() <= width.into() => country.name.into(),
            _ => display_safe(&place.country).into_owned().into(),
        },
        ColumnKind::Names => {
            let names: Vec<_> = place.names.iter().map(sanitized).collect();
            let addresses =
                || place.remotes.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            if names.is_empty() || !view.names { addresses().into() } else { names.join(", ").into() }
        }
        ColumnKind::Remotes => number(place.remotes.len() as u64).into(),
        ColumnKind::Processes => place.processes.iter().map(sanitized).collect::<Vec<_>>().join(", ").into(),
        what => of_sum(view, &place.sum, what),
    }
}

fn of_socket(view: &View, socket: &Listener, CellSpec { kind: what, .. }: CellSpec) -> Cell {
    let theme = view.theme;
    let ip = socket.local.ip;
    match what {
        ColumnKind::Proto => socket.proto.name().into(),
        ColumnKind::Port => Cell::new(socket.local.port.to_string(), theme.bold()),
        ColumnKind::Service => Service::name_of(socket.proto, socket.local.port).unwrap_or_default().into(),
        ColumnKind::Address if ip.is_unspecified() => "every address".into(),
        ColumnKind::Address => ip.to_string().into(),
        ColumnKind::Reach => match AddressKind::of_address(ip) {
            AddressKind::Loopback => Cell::new("this host", theme.dim()),
            AddressKind::LinkLocal => "same link".into(),
            _ => Cell::new("other hosts", theme.note()),
        },
        ColumnKind::Process if socket.comm.is_empty() => Cell::new(sums::NOBODY, theme.dim()),
        ColumnKind::Process => Cell::new(sanitized(&socket.comm), theme.bold()),
        ColumnKind::Pid if socket.pid > 0 => socket.pid.to_string().into(),
        _ => Cell::default(),
    }
}
