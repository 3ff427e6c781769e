//! The connections as they are shown: made again only when something of them has changed.

use std::collections::BTreeMap;

use crate::board::{Board, Changes};
use crate::meter::{Rate, WINDOW};
use connmon_analysis::groups::Figures;
use connmon_filter::{Filter, Row};
use connmon_record::{AddressKind, Connection, Direction, Service, Timestamp, service_of};

/// A connection that is not older than this is new, nanoseconds.
const NEW: i64 = 5_000_000_000;

/// One connection.
#[derive(Debug)]
pub(super) struct Item {
    /// All of it.
    pub connection: Connection,
    /// Its bytes.
    pub figures: Figures,
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
    fn of(board: &Board, id: i64, filter: &Filter) -> Option<Self> {
        let connection = board.connection(id)?;
        let fits = fits(filter, &connection, board.now());
        Some(Self {
            figures: Figures::of(&connection),
            rate: Rate::default(),
            service: service_of(&connection),
            kind: AddressKind::of(connection.remote.ip),
            fits,
            told: board.now(),
            connection,
        })
    }

    /// Whether it lasts.
    pub fn open(&self) -> bool {
        self.connection.is_open()
    }

    /// How it stands, in one symbol: that of the timeline, or `!` for what failed.
    pub fn state(&self, now: Timestamp) -> State {
        match self.connection.end {
            Some(_) if self.connection.has_failed() => State::Failed,
            Some(_) => State::Closed,
            None if now.0 - self.connection.opened.0 < NEW && !self.connection.preexisting => State::New,
            None => State::Open,
        }
    }
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Opened a moment ago.
    New,
    /// Lasts.
    Open,
    /// Ended.
    Closed,
    /// Never came about, or broke.
    Failed,
}

/// An arrow from this host's side.
pub(super) fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Out => "→",
        Direction::In => "←",
        Direction::Unknown => "↔",
    }
}

fn fits(filter: &Filter, connection: &Connection, now: Timestamp) -> bool {
    filter.is_everything() || filter.fits(&Row::of(connection, now))
}

/// All that are remembered, by their ids in the store.
#[derive(Debug, Default)]
pub(super) struct Items {
    items: BTreeMap<i64, Item>,
    /// When those that are open were last compared with the filter: how long they last is part of it.
    judged: Timestamp,
    /// Only those that last are wanted.
    pub open_only: bool,
}

impl Items {
    /// Makes all of them anew.
    pub fn rebuild(&mut self, board: &Board, filter: &Filter) {
        self.items = board.ids().filter_map(|id| Some((id, Item::of(board, id, filter)?))).collect();
    }

    /// Takes in what an update has changed.
    pub fn take(&mut self, board: &Board, changes: &Changes, filter: &Filter) {
        if changes.reset {
            self.items.clear();
        }
        for id in &changes.connections {
            match Item::of(board, *id, filter) {
                Some(item) => self.items.insert(*id, item),
                None => self.items.remove(id),
            };
        }
        for id in &changes.gone {
            self.items.remove(id);
        }
    }

    /// Compares all of them with another filter.
    pub fn judge(&mut self, filter: &Filter, now: Timestamp) {
        for item in self.items.values_mut() {
            item.fits = fits(filter, &item.connection, now);
        }
    }

    /// Looks at what changes with time alone.
    pub fn look(&mut self, board: &Board, filter: &Filter) {
        let now = board.now();
        let judge = !filter.is_everything() && now.0 - self.judged.0 >= 1_000_000_000;
        if judge {
            self.judged = now;
        }
        for (id, item) in &mut self.items {
            let moving = now.0 - item.told.0 < WINDOW;
            item.rate = if moving { board.rate(*id) } else { Rate::default() };
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
    pub fn all(&self) -> impl Iterator<Item = &Item> {
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
