//! The events of a store, in order of time and in bounded memory.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use connmon_detect::{Engine, Replay};
use connmon_filter::Filter;
use connmon_record::{Connection, Lookup, Run, Timestamp};
use connmon_store::{Store, StoreError};

/// Questions to DNS that are read ahead.
const AHEAD: usize = 1024;

/// Questions to DNS, in order of time, which another thread reads.
struct Lookups {
    from: Receiver<Lookup>,
    next: Option<Lookup>,
}

impl Lookups {
    /// Tells those that came before a time.
    fn pass(&mut self, time: Timestamp, replay: &mut Replay) {
        while let Some(lookup) = self.next.take().or_else(|| self.from.recv().ok()) {
            if lookup.time > time {
                self.next = Some(lookup);
                return;
            }
            replay.lookup(&lookup);
        }
    }
}

/// What of a store an engine is fed with.
pub(crate) struct Part<'a> {
    /// From when on, if what came before is not to be known either.
    pub(crate) since: Option<Timestamp>,
    /// Up to when.
    pub(crate) until: Option<Timestamp>,
    /// Which connections.
    pub(crate) filter: &'a Filter,
    /// Whether questions to DNS are of it, which are of no choice of connections.
    pub(crate) lookups: bool,
}

impl Part<'_> {
    /// Whether it is all of the store.
    pub(crate) fn is_everything(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.lookups && self.filter.is_everything()
    }
}

/// Feeds an engine with a part of a store. `other` is the same store, opened once more, which reads the questions and is given back: to
/// close a file gives back what locks this process has on it. Connections are fed as `change` makes them; of those that it leaves out
/// nothing is told.
///
/// # Errors
/// The store cannot be read.
pub(super) fn feed(
    (store, other): (&Store, Store),
    runs: &[Run],
    part: &Part<'_>,
    engine: Engine,
    mut change: impl FnMut(Connection) -> Option<Connection>,
) -> Result<(Engine, Store), StoreError> {
    let &Part { since, until, filter, lookups: with_lookups } = part;
    let began = runs.iter().map(|run| run.started).min();
    let mut replay = Replay::new(engine, began.map(|began| since.map_or(began, |since| since.max(began))));
    let last = runs.iter().map(Run::known_end).max();
    let (to, from) = sync_channel(AHEAD);
    let mut lookups = Lookups { from, next: None };
    let read = move || {
        let mut done = Ok(());
        if with_lookups {
            done = other.for_each_lookup(since, until, |lookup| {
                // Nobody listens any more where connections cannot be read.
                let _ = to.send(lookup);
                Ok::<(), StoreError>(())
            });
        }
        (done, other)
    };
    let other = thread::scope(|scope| {
        let reader = scope.spawn(read);
        let connections = store.for_each(since, until, filter, |run, connection| {
            let Some(connection) = change(connection) else { return Ok(()) };
            lookups.pass(connection.opened, &mut replay);
            let run = runs.iter().rev().find(|one| one.id == run);
            let last = run.map_or(connection.opened, Run::known_end);
            replay.connection(connection, Some(last), &mut |_| None);
            Ok::<(), StoreError>(())
        });
        lookups.pass(Timestamp(i64::MAX), &mut replay);
        drop(lookups);
        let (lookups, other) = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
        connections.and(lookups).map(|()| other)
    })?;
    let until = last.map(|last| until.map_or(last, |until| until.min(last)));
    Ok((replay.finish(until, &mut |_| None), other))
}
