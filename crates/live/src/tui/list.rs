//! Rows, the orders that they can have, and which of them is chosen.

use std::collections::HashMap;
use std::net::IpAddr;

use super::sums::{DestinationSum, ProcessSum};
use super::tab::Tab;
use crate::Listener;
use connmon_analysis::timeline_rows::TimelineRow;
use connmon_record::{Endpoint, ProcessId, Proto};

/// What a row stands for; this stays the same wherever the row moves.
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

/// The order of a tab's rows: an index in what the tab can be sorted by, and whether the order is reversed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SortOrder {
    place: usize,
    reverse: bool,
}

impl SortOrder {
    /// By what.
    pub fn key_in(self, tab: Tab) -> SortKey {
        let all = SortKey::available_in(tab);
        all[self.place % all.len()]
    }

    /// Whether the greatest comes first.
    pub fn falls(self, tab: Tab) -> bool {
        self.key_in(tab).falls() != self.reverse
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

    /// Finds the chosen row again, and scrolls to it. A row that is not found is gone, unless `all` is false: then it may still come.
    pub fn follow(&mut self, rows: &[ListRow], page: usize, all: bool) {
        if let Some(key) = &self.key {
            match rows.get(self.index).filter(|row| row.key == *key) {
                Some(_) => {}
                None => match rows.iter().position(|row| row.key == *key) {
                    Some(index) => self.index = index,
                    // It is gone: the row that is now in its place is chosen.
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

    /// Drops the choice: the first row is shown as chosen, whichever it is.
    pub fn home(&mut self) {
        *self = Self::default();
    }
}
