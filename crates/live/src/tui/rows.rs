//! The rows of a tab, in their order, and which of them is chosen.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;

use super::app::{App, Tab};
use super::items::Item;
use super::sums::{self, DestinationSum, ProcessSum, TrafficSum};
use super::timeline;
use crate::Listener;
use connmon_analysis::timeline_rows::TimelineRow;
use connmon_record::{Endpoint, ProcessId, Proto, Untrusted};

/// What a row is of: it stays the same wherever the row goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum RowKey {
    Connection(i64),
    Process(Option<ProcessId>),
    Place(String),
    Address(IpAddr),
    Socket(Proto, Endpoint, u32),
}

/// What a row has beside its key.
#[derive(Clone, Debug)]
pub(super) enum RowContent {
    /// It is in the items.
    Connection,
    Process(Box<ProcessSum>),
    Place(Box<DestinationSum>),
    TimelineRow(Box<TimelineRow>),
    Socket(Listener),
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct ListRow {
    pub key: RowKey,
    pub content: RowContent,
}

/// By what rows are in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SortKey {
    #[default]
    Total,
    Rate,
    Sent,
    Received,
    Count,
    Newest,
    Name,
    Remote,
}

impl SortKey {
    /// What a tab can be ordered by, the usual first.
    fn available_in(tab: Tab) -> &'static [Self] {
        match tab {
            Tab::Connections => {
                &[Self::Total, Self::Rate, Self::Sent, Self::Received, Self::Newest, Self::Name, Self::Remote]
            }
            Tab::Processes | Tab::Destinations => {
                &[Self::Total, Self::Rate, Self::Sent, Self::Received, Self::Count, Self::Name]
            }
            Tab::Map => &[Self::Total],
            Tab::Timeline => &[Self::Total, Self::Count, Self::Remote],
            Tab::Listening => &[Self::Remote, Self::Name],
        }
    }

    /// In words.
    pub fn words(self, tab: Tab) -> &'static str {
        match self {
            Self::Total => "total bytes",
            Self::Rate => "rate",
            Self::Sent => "bytes sent",
            Self::Received => "bytes received",
            Self::Count => "connections",
            Self::Newest => "time opened",
            Self::Name if tab == Tab::Destinations => "destination",
            Self::Name => "process",
            Self::Remote if tab == Tab::Listening => "port",
            Self::Remote => "address",
        }
    }

    /// Whether the greatest comes first.
    fn falls(self) -> bool {
        !matches!(self, Self::Name | Self::Remote)
    }
}

/// The order of a tab's rows: the place in what it can be ordered by, and whether it is turned round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SortOrder {
    place: usize,
    reverse: bool,
}

impl SortOrder {
    /// By what.
    pub fn by(self, tab: Tab) -> SortKey {
        let all = SortKey::available_in(tab);
        all[self.place % all.len()]
    }

    /// Whether the greatest comes first.
    pub fn falls(self, tab: Tab) -> bool {
        self.by(tab).falls() != self.reverse
    }

    /// By the next.
    pub fn next(&mut self) {
        *self = Self { place: self.place + 1, reverse: false };
    }

    /// Turned round.
    pub fn turn(&mut self) {
        self.reverse = !self.reverse;
    }
}

/// What rows are put in order by; a text as a person would.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum SortValue {
    Number(u64),
    Text(Untrusted),
    Address(Endpoint),
}

fn weight_of_item(by: SortKey, item: &Item) -> SortValue {
    let connection = &item.connection;
    SortValue::Number(match by {
        SortKey::Total | SortKey::Count => item.figures.bytes(),
        SortKey::Rate => tenths(item.rate.sum()),
        SortKey::Sent => item.figures.tx_bytes,
        SortKey::Received => item.figures.rx_bytes,
        SortKey::Newest => u64::try_from(connection.opened.0).unwrap_or(0),
        SortKey::Name => {
            let owner = connection.owner.as_ref();
            return SortValue::Text(owner.map(|owner| owner.comm.map(str::to_lowercase)).unwrap_or_default());
        }
        SortKey::Remote => return SortValue::Address(connection.remote),
    })
}

fn weight_of_sum(by: SortKey, sum: &TrafficSum, name: Untrusted<&str>) -> SortValue {
    SortValue::Number(match by {
        SortKey::Total => sum.figures.bytes(),
        SortKey::Rate => tenths(sum.rate.sum()),
        SortKey::Sent => sum.figures.tx_bytes,
        SortKey::Received => sum.figures.rx_bytes,
        SortKey::Count => sum.figures.connections,
        SortKey::Newest => sum.ids.last().copied().and_then(|id| u64::try_from(id).ok()).unwrap_or(0),
        SortKey::Name | SortKey::Remote => return SortValue::Text(name.map(str::to_lowercase)),
    })
}

fn tenths(rate: f64) -> u64 {
    (rate * 10.0).round() as u64
}

/// The rows of the tab, in their order.
pub(super) fn collect(app: &App) -> Vec<ListRow> {
    let (by, falls) = (app.sort().by(app.tab), app.sort().falls(app.tab));
    match app.tab {
        Tab::Connections if app.grouped => grouped(app, by, falls),
        Tab::Connections => {
            let weigh =
                |(id, item)| (weight_of_item(by, item), row(RowKey::Connection(id), RowContent::Connection));
            let mut rows: Vec<_> = app.items.fitting().map(weigh).collect();
            // Of what weighs the same, the newest.
            rows.reverse();
            in_order(rows, falls)
        }
        Tab::Processes => in_order(processes(app, by), falls),
        Tab::Destinations => {
            let sums = sums::by_destination(&app.items, app.by).into_iter();
            let weigh = |(key, sum): (String, DestinationSum)| {
                (
                    weight_of_sum(by, &sum.sum, sum.title.borrowed()),
                    row(RowKey::Place(key), RowContent::Place(Box::new(sum))),
                )
            };
            in_order(sums.map(weigh).collect(), falls)
        }
        Tab::Map => Vec::new(),
        Tab::Timeline => {
            let weigh = |timeline_row: TimelineRow| {
                let weight = match by {
                    SortKey::Count => SortValue::Number(timeline_row.figures.connections),
                    SortKey::Remote => SortValue::Address(Endpoint::new(timeline_row.ip, 0)),
                    _ => SortValue::Number(timeline_row.figures.bytes()),
                };
                (
                    weight,
                    row(RowKey::Address(timeline_row.ip), RowContent::TimelineRow(Box::new(timeline_row))),
                )
            };
            in_order(timeline::timeline_rows(app).into_iter().map(weigh).collect(), falls)
        }
        Tab::Listening => {
            let weigh = |socket: &Listener| {
                let weight = match by {
                    SortKey::Name => SortValue::Text(socket.comm.map(str::to_lowercase)),
                    _ => SortValue::Number(socket.local.port.into()),
                };
                let key = RowKey::Socket(socket.proto, socket.local, socket.pid);
                (weight, row(key, RowContent::Socket(socket.clone())))
            };
            in_order(app.live().listeners().iter().map(weigh).collect(), falls)
        }
    }
}

fn row(key: RowKey, what: RowContent) -> ListRow {
    ListRow { key, content: what }
}

fn in_order(mut rows: Vec<(SortValue, ListRow)>, falls: bool) -> Vec<ListRow> {
    if falls {
        rows.sort_by(|(a, _), (b, _)| Reverse(a).cmp(&Reverse(b)));
    } else {
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

fn processes(app: &App, by: SortKey) -> Vec<(SortValue, ListRow)> {
    let sums = sums::by_process(&app.items).into_iter();
    sums.map(|(id, sum)| {
        let weight = weight_of_sum(by, &sum.sum, sum.name());
        (weight, row(RowKey::Process(id), RowContent::Process(Box::new(sum))))
    })
    .collect()
}

/// Each process, and below it the connections that are its own.
fn grouped(app: &App, by: SortKey, falls: bool) -> Vec<ListRow> {
    let mut rows = Vec::new();
    for process in in_order(processes(app, by), falls) {
        let RowContent::Process(sum) = &process.content else { continue };
        let own = sum.process.as_ref().map(|process| process.id);
        let below = sum.sum.ids.iter().rev().filter_map(|id| Some((*id, app.items.get(*id)?)));
        let below = below.filter(|(_, item)| item.connection.owner.as_ref().map(|owner| owner.id) == own);
        let weigh =
            |(id, item)| (weight_of_item(by, item), row(RowKey::Connection(id), RowContent::Connection));
        let below = in_order(below.map(weigh).collect(), falls);
        rows.push(process);
        rows.extend(below);
    }
    rows
}

/// Orders that were frozen: rows stay where they are, new ones come last.
#[derive(Debug, Default)]
pub(super) struct FrozenOrders {
    frozen: bool,
    places: [Option<HashMap<RowKey, usize>>; 6],
}

impl FrozenOrders {
    /// Whether rows stay where they are.
    pub fn frozen(&self) -> bool {
        self.frozen
    }

    /// Freezes, or lets go.
    pub fn turn(&mut self) {
        *self = Self { frozen: !self.frozen, places: Default::default() };
    }

    /// Puts rows where they were.
    pub fn keep(&mut self, tab: Tab, rows: &mut [ListRow]) {
        if !self.frozen {
            return;
        }
        let places = self.places[tab as usize].get_or_insert_default();
        for row in rows.iter() {
            let next = places.len();
            places.entry(row.key.clone()).or_insert(next);
        }
        rows.sort_by_key(|row| places.get(&row.key).copied());
    }
}

/// Which row is chosen. It follows what the row is of, once somebody has chosen.
#[derive(Debug, Default)]
pub(super) struct ListCursor {
    key: Option<RowKey>,
    index: usize,
    offset: usize,
}

impl ListCursor {
    /// The place of the row that is chosen.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The first row that can be seen.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Finds the row again, and shows it. What is not there is gone, unless not all of them are there yet.
    pub fn follow(&mut self, rows: &[ListRow], page: usize, all: bool) {
        if let Some(key) = &self.key {
            match rows.get(self.index).filter(|row| row.key == *key) {
                Some(_) => {}
                None => match rows.iter().position(|row| row.key == *key) {
                    Some(index) => self.index = index,
                    // It is gone: what has its place.
                    None if all => self.key = None,
                    None => {}
                },
            }
        }
        self.index = self.index.min(rows.len().saturating_sub(1));
        let page = page.max(1);
        let last = rows.len().saturating_sub(page);
        self.offset = self.offset.clamp((self.index + 1).saturating_sub(page), self.index).min(last);
    }

    /// Chooses a row by its place.
    pub fn choose(&mut self, index: usize, rows: &[ListRow]) {
        self.index = index.min(rows.len().saturating_sub(1));
        self.key = rows.get(self.index).map(|row| row.key.clone());
    }

    /// Nothing is chosen: the first row, whatever it is.
    pub fn home(&mut self) {
        *self = Self::default();
    }
}
