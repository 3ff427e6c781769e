//! The events of a store, in order of time and in bounded memory.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use connmon_detect::{Engine, Event};
use connmon_filter::Filter;
use connmon_record::{Connection, Lookup, Run, Timestamp};
use connmon_store::{Store, StoreError};

/// Connections that are remembered until their end comes. Beyond, the one that ends first is told early: about 64 MiB.
const MOST: usize = 65_536;

/// Questions to DNS that are read ahead.
const AHEAD: usize = 1024;

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

/// Questions to DNS, in order of time, which another thread reads.
struct Lookups {
    from: Receiver<Lookup>,
    next: Option<Lookup>,
}

impl Lookups {
    /// Tells those that came before a time.
    fn pass(&mut self, time: Timestamp, engine: &mut Engine) {
        while let Some(lookup) = self.next.take().or_else(|| self.from.recv().ok()) {
            if lookup.time > time {
                self.next = Some(lookup);
                return;
            }
            engine.feed(Event::Lookup(&lookup));
        }
    }
}

/// Feeds an engine with what a store has, up to a time. `other` is the same store, opened once more; with a filter, which is of
/// connections, questions to DNS are left out.
///
/// # Errors
/// The store cannot be read.
pub(super) fn feed(
    store: &Store,
    other: Store,
    runs: &[Run],
    until: Option<Timestamp>,
    filter: &Filter,
    engine: &mut Engine,
) -> Result<(), StoreError> {
    if let Some(first) = runs.iter().map(|run| run.started).min() {
        engine.feed(Event::Recording(first));
    }
    let last = runs.iter().map(Run::known_end).max();
    let (to, from) = sync_channel(AHEAD);
    let mut lookups = Lookups { from, next: None };
    let with_lookups = filter.is_everything();
    let read = move || {
        let mut done = Ok(());
        if with_lookups {
            done = other.for_each_lookup(None, until, |lookup| {
                // Nobody listens any more where connections cannot be read.
                let _ = to.send(lookup);
                Ok::<(), StoreError>(())
            });
        }
        (done, other)
    };
    thread::scope(|scope| {
        let reader = scope.spawn(read);
        let mut ends = Ends::default();
        let connections = store.for_each(None, until, filter, |run, connection| {
            ends.pass(connection.opened, engine);
            lookups.pass(connection.opened, engine);
            engine.feed(Event::Opened(&connection));
            let run = runs.iter().rev().find(|one| one.id == run);
            let last = run.map_or(connection.opened, Run::known_end).max(connection.opened);
            ends.add(connection, last, engine);
            Ok::<(), StoreError>(())
        });
        let all = Timestamp(i64::MAX);
        lookups.pass(all, engine);
        ends.pass(all, engine);
        drop(lookups);
        let (lookups, other) = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
        // Not before all is read: to close a file gives back what locks this process has on it.
        drop(other);
        connections.and(lookups)
    })?;
    if let Some(last) = last {
        engine.advance(until.map_or(last, |until| until.min(last)));
    }
    Ok(())
}
