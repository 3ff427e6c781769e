//! What the columns of each tab are, and what stands in them.

use ratatui::style::Style;

use super::app::{App, Tab};
use super::items::{Item, State, arrow};
use super::rows::{By, Key, Listed, What};
use super::style::bars;
use super::sums::{self, PlaceSum, ProcessSum, Sum};
use super::text::{age, cut_middle, number, rate, size, tame};
use crate::Listener;
use connmon_analysis::lanes;
use connmon_record::{AddressKind, country_of};
use connmon_record::{Direction, Service, display_safe};

/// What a column tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
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
pub(super) struct Column {
    pub what: Tells,
    pub title: &'static str,
    /// Narrower than this it is left out.
    pub least: u16,
    /// It never needs more.
    pub most: u16,
    /// How it shares in what is left.
    pub weight: u16,
    /// Figures stand at the right.
    pub right: bool,
    /// The greatest is left out first.
    pub rank: u8,
    /// What orders by it.
    pub sort: Option<By>,
}

const fn text(what: Tells, title: &'static str, least: u16, most: u16, rank: u8) -> Column {
    Column { what, title, least, most, weight: 1, right: false, rank, sort: None }
}

const fn figure(what: Tells, title: &'static str, width: u16, rank: u8) -> Column {
    Column { what, title, least: width, most: width, weight: 0, right: true, rank, sort: None }
}

const fn by(column: Column, sort: By) -> Column {
    Column { sort: Some(sort), ..column }
}

const fn much(column: Column) -> Column {
    Column { weight: 3, ..column }
}

const SENT: Column = by(figure(Tells::Sent, "Sent", 8, 2), By::Sent);
const RECEIVED: Column = by(figure(Tells::Received, "Received", 9, 1), By::Received);
const RATE: Column = by(figure(Tells::Rate, "Now", 10, 3), By::Rate);
const COUNTRY: Column = text(Tells::Country, "Country", 7, 14, 7);

/// The columns of the tab.
pub(super) fn columns(app: &App) -> Vec<Column> {
    let (small, wide) = (app.width_now < 80, app.width_now >= 110);
    match app.tab {
        Tab::Connections => {
            let mut columns = vec![
                text(Tells::State, "", 3, 3, 0),
                by(text(Tells::Process, "Process", if small { 10 } else { 12 }, 22, 0), By::Name),
                by(much(text(Tells::Remote, "Remote", if small { 12 } else { 20 }, 60, 0)), By::Remote),
                text(Tells::Service, "Service", 8, 12, 4),
                if wide { COUNTRY } else { Column { title: "Geo", least: 3, most: 3, ..COUNTRY } },
                SENT,
                RECEIVED,
            ];
            if wide {
                columns.push(by(figure(Tells::RateUp, "Up now", 10, 5), By::Rate));
                columns.push(figure(Tells::RateDown, "Down now", 10, 3));
                columns.push(by(figure(Tells::Age, "Age", 5, 8), By::Newest));
            } else {
                columns.push(RATE);
                columns.push(by(figure(Tells::Age, "Age", 5, 9), By::Newest));
            }
            columns
        }
        Tab::Processes => vec![
            by(text(Tells::Process, "Process", 12, 24, 0), By::Name),
            figure(Tells::Pid, "PID", 7, 5),
            text(Tells::User, "User", 6, 12, 7),
            figure(Tells::Open, "Open", 5, 4),
            by(figure(Tells::Connections, "All", 8, 6), By::Count),
            SENT,
            RECEIVED,
            RATE,
            Column { weight: 0, ..text(Tells::History, "Last minute", 12, 12, 3) },
            much(text(Tells::Command, "Command", 20, 200, 9)),
        ],
        Tab::Destinations => vec![
            by(much(text(Tells::Title, title_of_places(app.by), 16, 50, 0)), By::Name),
            COUNTRY,
            much(text(Tells::Names, "Names", 12, 50, 6)),
            figure(Tells::Remotes, "Addrs", 5, 8),
            by(figure(Tells::Connections, "Conns", 8, 4), By::Count),
            SENT,
            RECEIVED,
            RATE,
            text(Tells::Processes, "Processes", 14, 50, 9),
        ],
        Tab::Listening => vec![
            text(Tells::Proto, "Proto", 5, 5, 2),
            by(figure(Tells::Port, "Port", 6, 0), By::Remote),
            text(Tells::Service, "Service", 8, 14, 3),
            text(Tells::Address, "Address", 12, 40, 1),
            text(Tells::Reach, "Reachable from", 16, 34, 4),
            by(text(Tells::Process, "Process", 12, 30, 0), By::Name),
            figure(Tells::Pid, "PID", 7, 5),
        ],
        Tab::Map | Tab::Timeline => Vec::new(),
    }
}

fn title_of_places(by: sums::By) -> &'static str {
    match by {
        sums::By::Organisation => "Organisation",
        sums::By::Country => "Place",
        sums::By::Address => "Address",
    }
}

/// A cell that is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub what: Tells,
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
pub(super) fn cells(app: &App, row: &Listed, wanted: Wanted) -> Cell {
    match (&row.what, &row.key) {
        (What::Connection, Key::Connection(id)) => {
            app.items.get(*id).map_or_else(Cell::default, |item| of_item(app, item, wanted))
        }
        (What::Process(sum), _) => of_process(app, sum, wanted),
        (What::Place(sum), _) => of_place(app, sum, wanted),
        (What::Socket(socket), _) => of_socket(app, socket, wanted),
        _ => Cell::default(),
    }
}

/// The symbol of a state; [`State::Failed`] has its own.
pub(super) fn symbol(state: State) -> char {
    match state {
        State::New => lanes::Cell::New.symbol(),
        State::Open => lanes::Cell::Active.symbol(),
        State::Closed => lanes::Cell::Closed.symbol(),
        State::Failed => '!',
    }
}

fn of_item(app: &App, item: &Item, Wanted { what, width }: Wanted) -> Cell {
    let theme = app.theme;
    let connection = &item.connection;
    let state = item.state(app.board().now());
    let quiet = if item.open() { Style::new() } else { theme.dim() };
    match what {
        Tells::State => {
            let style = match state {
                State::New => theme.cell(lanes::Cell::New),
                State::Open => theme.cell(lanes::Cell::Active),
                State::Closed => quiet,
                State::Failed => theme.bad(),
            };
            Cell::new(format!("{} {}", symbol(state), arrow(connection.direction)), style)
        }
        Tells::Process => match &connection.owner {
            Some(_) if app.grouped => Cell::new("", quiet),
            Some(owner) => Cell::new(tame(&owner.comm), quiet),
            None if app.grouped => Cell::default(),
            None => Cell::new(sums::NOBODY, theme.dim()),
        },
        Tells::Remote => Cell::new(remote(app, item, width.into()), quiet),
        Tells::Service => Cell::new(service(app, item.service), quiet),
        Tells::Country => Cell::new(country(item, width), quiet),
        Tells::Sent => Cell::new(size(item.figures.tx_bytes), quiet),
        Tells::Received => Cell::new(size(item.figures.rx_bytes), quiet),
        Tells::Rate => Cell::new(rate(item.rate.sum()), theme.moving()),
        Tells::RateUp => Cell::new(rate(item.rate.tx), theme.moving()),
        Tells::RateDown => Cell::new(rate(item.rate.rx), theme.moving()),
        Tells::Age => Cell::new(age(app.board().now().0 - connection.opened.0), quiet),
        _ => Cell::default(),
    }
}

/// The other end: its name or its address, with what cannot be seen in the service's column.
pub(super) fn remote(app: &App, item: &Item, width: usize) -> String {
    let connection = &item.connection;
    let port = connection.remote.port;
    let host = connection.host().filter(|_| app.names).map(|name| tame(name).into_owned());
    let host = host.unwrap_or_else(|| connection.remote.ip.to_string());
    // The port of the other end, unless it is the one that the service's column tells.
    // A caller's port tells nothing.
    let told = port == item.service.port || port == 0 || connection.direction == Direction::In;
    let port = if told || host.contains(':') { String::new() } else { format!(":{port}") };
    format!("{}{port}", cut_middle(&host, width.saturating_sub(port.len())))
}

fn service(app: &App, service: Service) -> String {
    match (service.name.filter(|_| !app.ports), service.port) {
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
        _ => tame(code).into_owned(),
    }
}

fn of_sum(app: &App, sum: &Sum, what: Tells) -> Cell {
    let theme = app.theme;
    match what {
        Tells::Open => number(sum.figures.open).into(),
        Tells::Connections if sum.figures.failed > 0 => Cell::new(
            format!("{} !{}", number(sum.figures.connections), number(sum.figures.failed)),
            theme.note(),
        ),
        Tells::Connections => number(sum.figures.connections).into(),
        Tells::Sent => size(sum.figures.tx_bytes).into(),
        Tells::Received => size(sum.figures.rx_bytes).into(),
        Tells::Rate => Cell::new(rate(sum.rate.sum()), theme.moving()),
        Tells::RateUp => Cell::new(rate(sum.rate.tx), theme.moving()),
        Tells::RateDown => Cell::new(rate(sum.rate.rx), theme.moving()),
        _ => Cell::default(),
    }
}

fn of_process(app: &App, sum: &ProcessSum, Wanted { what, width }: Wanted) -> Cell {
    let theme = app.theme;
    let process = sum.process.as_deref();
    match what {
        Tells::Process => {
            let style = if process.is_some() { theme.bold() } else { theme.dim() };
            Cell::new(tame(sum.name()), style)
        }
        // In the table of connections, above its own.
        Tells::State => Cell::new("", theme.bold()),
        Tells::Remote => {
            let pid = process.map_or_else(String::new, |process| format!("[{}] ", process.id.pid));
            let words = format!(
                "{pid}{} open of {}",
                number(sum.sum.figures.open),
                number(sum.sum.figures.connections)
            );
            Cell::new(words, theme.bold())
        }
        Tells::Pid => process.map_or_else(String::new, |process| process.id.pid.to_string()).into(),
        Tells::User => {
            let user = process.map(|process| match &process.user {
                Some(user) => tame(user).into_owned(),
                None => process.uid.to_string(),
            });
            user.unwrap_or_default().into()
        }
        Tells::History => {
            let mut steps = vec![0; width.into()];
            for id in &sum.sum.ids {
                app.board().history(*id, &mut steps);
            }
            Cell::new(bars(theme, &steps), theme.moving())
        }
        Tells::Command => {
            let command = process
                .map(|process| if process.cmdline.is_empty() { &process.exe } else { &process.cmdline });
            Cell::new(command.map(tame).unwrap_or_default(), theme.dim())
        }
        Tells::Sent | Tells::Received if app.tab == Tab::Connections => {
            Cell { style: theme.bold(), ..of_sum(app, &sum.sum, what) }
        }
        what => of_sum(app, &sum.sum, what),
    }
}

fn of_place(app: &App, place: &PlaceSum, Wanted { what, width }: Wanted) -> Cell {
    match what {
        Tells::Title => Cell::new(tame(&place.title), app.theme.bold()),
        Tells::Country => match country_of(&place.country) {
            Some(country) if country.name.len() <= width.into() => country.name.into(),
            _ => display_safe(&place.country).into_owned().into(),
        },
        Tells::Names => {
            let names: Vec<_> = place.names.iter().map(tame).collect();
            let addresses =
                || place.remotes.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            if names.is_empty() || !app.names { addresses().into() } else { names.join(", ").into() }
        }
        Tells::Remotes => number(place.remotes.len() as u64).into(),
        Tells::Processes => place.processes.iter().map(tame).collect::<Vec<_>>().join(", ").into(),
        what => of_sum(app, &place.sum, what),
    }
}

fn of_socket(app: &App, socket: &Listener, Wanted { what, .. }: Wanted) -> Cell {
    let theme = app.theme;
    let ip = socket.local.ip;
    match what {
        Tells::Proto => socket.proto.name().into(),
        Tells::Port => Cell::new(socket.local.port.to_string(), theme.bold()),
        Tells::Service => Service::name_of(socket.proto, socket.local.port).unwrap_or_default().into(),
        Tells::Address if ip.is_unspecified() => "every address".into(),
        Tells::Address => ip.to_string().into(),
        Tells::Reach => match AddressKind::of(ip) {
            AddressKind::Loopback => Cell::new("this host", theme.dim()),
            AddressKind::LinkLocal => "same link".into(),
            _ => Cell::new("other hosts", theme.note()),
        },
        Tells::Process if socket.comm.is_empty() => Cell::new(sums::NOBODY, theme.dim()),
        Tells::Process => Cell::new(tame(&socket.comm), theme.bold()),
        Tells::Pid if socket.pid > 0 => socket.pid.to_string().into(),
        _ => Cell::default(),
    }
}
