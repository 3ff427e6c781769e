//! Rows that a recording left to be made: one that was killed, or lost its power, between sealing a segment and making its rows.

use std::path::Path;
use std::thread;
use std::time::Duration;

use super::CommandError;
use super::geo::open_databases;
use crate::cli::{DEFAULT_DB, GeoArgs};
use crate::config::GeoConfig;
use crate::indexer::{IndexError, Indexer};
use connmon_enrich::Enricher;
use connmon_filter::rules::Rules;
use connmon_live::attach::connect;
use connmon_live::socket_of;
use connmon_record::Run;
use connmon_store::{Debt, Store, StoreError, Writer};
use connmon_system::owner;

/// How often a reader looks for the rows of a recording that goes on, and the pause between two looks: ten seconds.
const LOOKS: usize = 500;
const PAUSE: Duration = Duration::from_millis(20);

/// Opens a store for reading. What is sealed in it and not in its tables is made into rows first; where that cannot be done, that
/// is told, and the answer is without it.
///
/// # Errors
/// It cannot be read.
pub(super) fn open(path: &Path) -> Result<Store, CommandError> {
    let store = Store::open(path)?;
    if store.is_recorded_into() {
        wait_for_rows(path, &store)?;
        return Ok(store);
    }
    let Some(debt) = store.debts()?.into_iter().next_back() else { return Ok(store) };
    let runs = store.runs()?;
    drop(store);
    if let Err(error) =
        owner::act(path, || settle_of(path, debt, &runs)).map_err(CommandError::from).flatten()
    {
        tracing::warn!(
            "the last part of recording {} is in {} sealed segments, but not in the tables from which this answer comes: {error}",
            debt.run,
            debt.sealed - debt.indexed
        );
    }
    Ok(Store::open(path)?)
}

/// Waits until a recorder has made rows of all that it had sealed when it was asked. It has them made at once while a viewer watches.
fn wait_for_rows(path: &Path, store: &Store) -> Result<(), CommandError> {
    let of = |debts: Vec<Debt>| debts.into_iter().next_back();
    let Some(wanted) = of(store.debts()?) else { return Ok(()) };
    let hurried = connect(&socket_of(path, Path::new(DEFAULT_DB))).ok();
    let missing = || -> Result<u64, StoreError> {
        let debt = of(store.debts()?).filter(|debt| debt.run == wanted.run);
        Ok(debt.map_or(0, |debt| wanted.sealed.saturating_sub(debt.indexed)))
    };
    for _ in 0..LOOKS {
        if missing()? == 0 {
            return Ok(());
        }
        thread::sleep(PAUSE);
        // A viewer that keeps up.
        hurried.iter().for_each(|updates| while updates.try_recv().is_ok() {});
    }
    let missing = missing()?;
    if missing > 0 {
        tracing::warn!(
            "recording {} goes on, and {missing} of its segments are not in the tables from which this answer comes",
            wanted.run
        );
    }
    Ok(())
}

/// By the rules of the recording itself.
fn settle_of(path: &Path, debt: Debt, runs: &[Run]) -> Result<(), CommandError> {
    let store = Writer::open(path)?.with_classifier(rules_of(runs, debt.run), Default::default());
    let places = GeoConfig::try_from(GeoArgs::default())?;
    let mut indexer = Indexer::new(Enricher::new(open_databases(&places)?, places.location), store);
    Ok(indexer.settle(debt, |_| ())?)
}

/// The rules of a recording, as its store has them.
fn rules_of(runs: &[Run], run: i64) -> Rules {
    let rules = runs.iter().find(|one| one.id == run).into_iter().flat_map(|run| &run.rules);
    Rules::from_stored(rules, crate::clock::now())
}

/// Makes the rows before a recording begins. Of a damaged segment there are none, and that is told.
///
/// # Errors
/// The store cannot be read or written.
pub(super) fn settle(indexer: &mut Indexer) -> Result<(), StoreError> {
    for debt in indexer.store().debts()? {
        let segments = debt.sealed - debt.indexed;
        match indexer.settle(debt, |_| ()) {
            Ok(()) => tracing::info!("{segments} segments of recording {} have rows now", debt.run),
            Err(IndexError::Store(error)) => return Err(error),
            Err(error) => tracing::warn!(
                "the last {segments} segments of recording {} have no rows, and none can be made: {error}",
                debt.run
            ),
        }
    }
    Ok(())
}
