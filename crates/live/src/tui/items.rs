//! The connections as they are shown: made again only when something of them has changed.

use std::collections::BTreeMap;

use crate::rate_window::{Rate, WINDOW};
use crate::state::{Changes, LiveState};
use connmon_analysis::groups::GroupFigures;
use connmon_filter::{Filter, FilterRow};
use connmon_record::{AddressKind, Connection, Service, Timestamp, service_of};

/// A connection that is not older than this is new, nanoseconds.
const NEW: i64 = 5_000_000_000;

/// One connection.
#[derive(Debug)]
pub(super) struct Item {
    /// All of it.
    pub connection: Connection,
    /// Its bytes.
    pub figures: GroupFigures,
    /// How fast it is, as of the last look.
    pub rate: Rate,
    /// What it is for.
    pub service: Service,
    /// The kind of its remote address.
    pub kind: AddressKind,
    /// Whether it fits the filter.
    pub fits: bool,
    /// When something of it last changed.
    told: Timestamp,
}

impl Item {
    fn from_live(live: &LiveState, id: i64, filter: &Filter) -> Option<Self> {
        let connection = live.connection(id)?;
        let fits = fits(filter, &connection, live.now());
        Some(Self {
            figures: GroupFigures::from_connection(&connection),
            rate: Rate::default(),
            service: service_of(&connection),
            kind: AddressKind::of_address(connection.remote.ip),
            fits,
            told: live.now(),
            connection,
        })
    }

    /// Whether it lasts.
    pub fn open(&self) -> bool {
        self.connection.is_open()
    }

    /// How it stands, in one symbol: that of the timeline, or `!` for what failed.
    pub fn state(&self, now: Timestamp) -> ItemState {
        match self.connection.end {
            Some(_) if self.connection.has_failed() => ItemState::Failed,
            Some(_) => ItemState::Closed,
            None if now.0 - self.connection.opened.0 < NEW && !self.connection.preexisting => ItemState::New,
            None => ItemState::Open,
        }
    }
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ItemState {
    /// Opened a moment ago.
    New,
    /// Lasts.
    Open,
    /// Ended.
    Closed,
    /// Never came about, or broke.
    Failed,
}

fn fits(filter: &Filter, connection: &Connection, now: Timestamp) -> bool {
    filter.is_everything() || filter.fits(&FilterRow::from_connection(connection, now))
}

/// All that are remembered, by their ids in the store.
#[derive(Debug, Default)]
pub(super) struct Items {
    items: BTreeMap<i64, Item>,
    /// When those that are open were last compared with the filter: how long they last is part of it.
    filtered_at: Timestamp,
    /// Only those that last are wanted.
    pub open_only: bool,
}

impl Items {
    /// Makes all of them anew.
    pub fn rebuild(&mut self, live: &LiveState, filter: &Filter) {
        self.items = live.ids().filter_map(|id| Some((id, Item::from_live(live, id, filter)?))).collect();
    }

    /// Takes in what an update has changed.
    pub fn apply_changes(&mut self, live: &LiveState, changes: &Changes, filter: &Filter) {
        if changes.reset {
            self.items.clear();
        }
        for id in &changes.connections {
            match Item::from_live(live, *id, filter) {
                Some(item) => self.items.insert(*id, item),
                None => self.items.remove(id),
            };
        }
        for id in &changes.gone {
            self.items.remove(id);
        }
    }

    /// Compares all of them with another filter.
    pub fn apply_filter(&mut self, filter: &Filter, now: Timestamp) {
        for item in self.items.values_mut() {
            item.fits = fits(filter, &item.connection, now);
        }
    }

    /// Looks at what changes with time alone.
    pub fn refresh(&mut self, live: &LiveState, filter: &Filter) {
        let now = live.now();
        let judge = !filter.is_everything() && now.0 - self.filtered_at.0 >= 1_000_000_000;
        if judge {
            self.filtered_at = now;
        }
        for (id, item) in &mut self.items {
            let moving = now.0 - item.told.0 < WINDOW;
            item.rate = if moving { live.rate(*id) } else { Rate::default() };
            if judge && item.open() {
                item.fits = fits(filter, &item.connection, now);
            }
        }
    }

    /// Those that fit, in the order of their ids.
    pub fn fitting(&self) -> impl Iterator<Item = (i64, &Item)> {
        let wanted = |item: &Item| item.fits && (item.open() || !self.open_only);
        self.items.iter().filter(move |(_, item)| wanted(item)).map(|(id, item)| (*id, item))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// How many fit, open or not.
    pub fn fit(&self) -> usize {
        self.items.values().filter(|item| item.fits).count()
    }

    /// How many would fit another filter.
    pub fn count(&self, filter: &Filter, now: Timestamp) -> u64 {
        self.items.values().filter(|item| fits(filter, &item.connection, now)).count() as u64
    }

    /// One of them.
    pub fn get(&self, id: i64) -> Option<&Item> {
        self.items.get(&id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }
}
