//! The events of a store, in order of time and in bounded memory.

use std::collections::BTreeMap;

use connmon_detect::{Engine, Event};
use connmon_filter::Filter;
use connmon_record::{Connection, Run, Timestamp};
use connmon_store::{Store, StoreError};

/// Connections that are remembered until their end comes. Beyond, the one that ends first is told early: about 64 MiB.
const MOST: usize = 65_536;

/// Connections that were opened and whose end was not told yet, in order of their ends.
#[derive(Default)]
struct Ends {
    waiting: BTreeMap<(Timestamp, i64), (Connection, Option<Timestamp>)>,
}

impl Ends {
    /// Adds a connection; `last` is up to when it is known to last, if it has not ended.
    fn add(&mut self, connection: Connection, last: Timestamp, engine: &mut Engine) {
        let end = connection.known_end();
        let lasts = end.is_none().then_some(last);
        self.waiting.insert((end.unwrap_or(last), connection.id), (connection, lasts));
        if self.waiting.len() > MOST
            && let Some((_, first)) = self.waiting.pop_first()
        {
            tell(&first, engine);
        }
    }

    /// Tells the ends of all that have ended by a time.
    fn pass(&mut self, time: Timestamp, engine: &mut Engine) {
        while let Some(first) = self.waiting.first_entry().filter(|first| first.key().0 <= time) {
            tell(&first.remove(), engine);
        }
    }
}

fn tell((connection, lasts): &(Connection, Option<Timestamp>), engine: &mut Engine) {
    engine.feed(match lasts {
        Some(last) => Event::Lasts(connection, *last),
        None => Event::Ended(connection),
    });
}

/// Feeds an engine with what a store has, up to a time.
///
/// # Errors
/// The store cannot be read.
pub(super) fn feed(
    store: &Store,
    runs: &[Run],
    until: Option<Timestamp>,
    filter: &Filter,
    engine: &mut Engine,
) -> Result<(), StoreError> {
    if let Some(first) = runs.iter().map(|run| run.started).min() {
        engine.feed(Event::Recording(first));
    }
    let mut ends = Ends::default();
    store.for_each(None, until, filter, |run, connection| {
        ends.pass(connection.opened, engine);
        engine.feed(Event::Opened(&connection));
        let run = runs.iter().rev().find(|one| one.id == run);
        let last = run.map_or(connection.opened, Run::known_end).max(connection.opened);
        ends.add(connection, last, engine);
        Ok::<(), StoreError>(())
    })?;
    ends.pass(Timestamp(i64::MAX), engine);
    if let Some(last) = runs.iter().map(Run::known_end).max() {
        engine.advance(until.map_or(last, |until| until.min(last)));
    }
    Ok(())
}
