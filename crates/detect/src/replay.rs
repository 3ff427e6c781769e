//! Connections as they were opened, in: an engine's events in order of time, out.

use std::collections::{BTreeMap, BTreeSet};

use connmon_record::{Connection, HOUR_NS, Lookup, Timestamp};

use crate::engine::Engine;
use crate::event::Event;
use crate::position::{Pending, Position};
use crate::state::StateError;

/// Connections that are remembered until their end comes. Beyond, the one that ends first is told early: about 64 MiB.
const MOST: usize = 65_536;
/// Hours that are told at most when time leaps.
const LEAP: i64 = 62 * 24;

/// How an open connection is found again, by its id.
pub type Find<'a> = &'a mut dyn FnMut(i64) -> Option<Connection>;

/// Feeds an engine with connections in the order in which they were opened. At each full hour it tells which of them last, and has found
/// what is due: so the events depend on the connections, and not on when these were given.
pub struct Replay {
    engine: Engine,
    /// Connections whose end is known and was not told yet, in order of their ends; of those that are not over, up to when they last.
    ending: BTreeMap<(Timestamp, i64), (Connection, bool)>,
    /// Connections whose end is not known.
    open: BTreeSet<i64>,
    /// The hour up to which was told, in nanoseconds since 1970.
    hour: Option<i64>,
    /// How far its store has been read; whoever reads it keeps this.
    pub position: Position,
}

impl Replay {
    /// Into `engine`; `began` is when the first recording did.
    pub fn new(mut engine: Engine, began: Option<Timestamp>) -> Self {
        began.into_iter().for_each(|began| engine.feed(Event::Recording(began)));
        Self::resume(engine, Pending::default())
    }

    /// Goes on where another one was.
    fn resume(engine: Engine, pending: Pending) -> Self {
        let Pending { position, open, hour } = pending;
        Self { engine, ending: BTreeMap::new(), open, hour, position }
    }

    /// The present state, so that [`Replay::restore`] goes on from it.
    ///
    /// # Errors
    /// There is no memory.
    pub fn save(&self) -> Result<Vec<u8>, StateError> {
        let ending = self.ending.keys().map(|(_, id)| *id);
        let open = self.open.iter().copied().chain(ending).collect();
        self.engine.save_with(&Pending { position: self.position, open, hour: self.hour })
    }

    /// One that goes on from a state. Connections that were open or about to end then are open.
    ///
    /// # Errors
    /// The state is another version's, or damaged.
    pub fn restore(state: &[u8]) -> Result<Self, StateError> {
        let (engine, pending) = Engine::restore_with(state)?;
        Ok(Self::resume(engine, pending))
    }

    /// The same with another engine, which is made of its own.
    #[must_use]
    pub fn with(self, change: impl FnOnce(Engine) -> Engine) -> Self {
        Self { engine: change(self.engine), ..self }
    }

    /// The engine.
    pub fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// The connections whose end is not known.
    pub fn open(&self) -> &BTreeSet<i64> {
        &self.open
    }

    /// Takes the next connection. One that has not ended lasts until `last`; where that is not known yet, [`Replay::ended`] tells later.
    pub fn connection(&mut self, connection: Connection, last: Option<Timestamp>, find: Find<'_>) {
        self.pass(connection.opened, find);
        self.engine.feed(Event::Opened(&connection));
        let last = last.map(|last| last.max(connection.opened));
        match (connection.known_end(), last) {
            (Some(end), _) => self.ending.insert((end, connection.id), (connection, true)),
            (None, Some(last)) => self.ending.insert((last, connection.id), (connection, false)),
            (None, None) => {
                self.open.insert(connection.id);
                None
            }
        };
        if self.ending.len() > MOST
            && let Some(((time, _), first)) = self.ending.pop_first()
        {
            self.tell(time, &first);
        }
    }

    /// Takes an open connection that has ended, or lasts until `last`.
    pub fn ended(&mut self, connection: Connection, last: Timestamp) {
        self.open.remove(&connection.id);
        let end = connection.known_end();
        self.ending.insert((end.unwrap_or(last), connection.id), (connection, end.is_some()));
    }

    /// Forgets an open connection that is not there any more.
    pub fn gone(&mut self, id: i64) {
        self.open.remove(&id);
    }

    /// Takes a question to DNS that was asked before the next connection was opened.
    pub fn lookup(&mut self, lookup: &Lookup) {
        self.engine.feed(Event::Lookup(lookup));
    }

    /// Tells the ends of all that have ended by a time, and what lasts at each hour before it.
    pub fn pass(&mut self, time: Timestamp, find: Find<'_>) {
        let full = time.0.div_euclid(HOUR_NS) * HOUR_NS;
        let mut hour = self.hour.unwrap_or(full).max(full.saturating_sub(LEAP * HOUR_NS));
        loop {
            let next = hour.saturating_add(HOUR_NS);
            let first = self.ending.first_entry().filter(|first| first.key().0.0 <= time.0.min(next));
            if let Some(first) = first {
                let ((time, _), first) = first.remove_entry();
                self.tell(time, &first);
            } else if next <= time.0 {
                self.last_until(Timestamp(next), find);
                hour = next;
            } else {
                break;
            }
        }
        self.hour = Some(hour.max(self.hour.unwrap_or(hour)));
    }

    /// The engine, when all has been told; by `until` what is due is found.
    pub fn finish(mut self, until: Option<Timestamp>, find: Find<'_>) -> Engine {
        until.into_iter().for_each(|until| self.pass(until, find));
        while let Some(((time, _), first)) = self.ending.pop_first() {
            self.tell(time, &first);
        }
        until.into_iter().for_each(|until| self.engine.advance(until));
        self.engine
    }

    /// Tells all that last at an hour.
    fn last_until(&mut self, hour: Timestamp, find: Find<'_>) {
        let Self { engine, ending, open, .. } = self;
        let mut known: BTreeMap<i64, &Connection> = BTreeMap::new();
        known.extend(ending.values().map(|(connection, _)| (connection.id, connection)));
        let ids: BTreeSet<i64> = known.keys().chain(open.iter()).copied().collect();
        for id in ids {
            match known.get(&id) {
                Some(connection) => engine.feed(Event::Lasts(connection, hour)),
                None => find(id).iter().for_each(|one| engine.feed(Event::Lasts(one, hour))),
            }
        }
        engine.advance(hour);
    }

    /// Tells that a connection ended, or lasts, at a time.
    fn tell(&mut self, time: Timestamp, (connection, is_over): &(Connection, bool)) {
        self.engine.feed(if *is_over { Event::Ended(connection) } else { Event::Lasts(connection, time) });
    }
}
