//! The engine of findings, fed with what is new in a store: by the recorder while it records, and by readers, who go on from where the
//! recorder was. The same rows give the same findings, in however many steps they were read.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::ownership::{Owners, Ownership, owners};
use connmon_detect::{
    Acknowledgement, Changes, Engine, Finding, Policy, Replay, Settings, Severity, StateError, by_rank,
};
use connmon_filter::KnownFinding;
use connmon_record::{Connection, ExeHash, FindingName, Lookup, Process, Run, Timestamp, Untrusted};
use connmon_store::{Acknowledged, FindingRow, RUN_SHIFT, Store, StoreError, Writer};

/// Connections, and questions to DNS, that are read at once.
const AT_ONCE: usize = 1024;
/// How long a connection that goes on is not told of: by then it has its names, as a rule.
const SETTLES_NS: i64 = 500_000_000;

/// How long it is waited for what an executable is.
const EXAMINED_NS: i64 = 3_000_000_000;

/// An engine, and how far it has read a store.
pub struct Follow {
    replay: Replay,
    /// Questions to DNS that were read and not told, with their ids.
    lookups: VecDeque<(i64, Lookup)>,
    /// Acknowledgements that were told, by finding.
    acknowledged: HashMap<String, Timestamp>,
}

impl Follow {
    /// Goes on from what the store has of an earlier one, or else begins; `None` without any recording.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(store: &Store, owners: Owners, policies: Vec<Policy>) -> Result<Option<Self>, StoreError> {
        let kept = store.finding_state()?.map(|state| Replay::restore(&state));
        if let Some(Err(error)) = &kept {
            tell_damage(error);
        }
        let replay = match kept.and_then(Result::ok) {
            Some(replay) => replay,
            None => {
                let Some(began) = store.runs()?.iter().map(|run| run.started).min() else { return Ok(None) };
                Replay::new(Engine::new(Settings::default()), Some(began))
            }
        };
        let replay = replay.with(|engine| engine.with_owners(owners).with_policies(policies));
        Ok(Some(Self { replay, lookups: VecDeque::new(), acknowledged: HashMap::new() }))
    }

    /// Feeds the engine with what is new, at most about so many connections; whether there may be more.
    ///
    /// # Errors
    /// The store cannot be read: then nothing can be said of what was told, and it is to be opened anew.
    pub fn step(&mut self, store: &Store, most: usize) -> Result<bool, StoreError> {
        let runs = store.runs()?;
        let going_on = runs.iter().find(|run| run.going_on);
        let until = settled_until(&runs);
        self.acknowledge(store)?;
        self.tell_ends(store, &runs)?;
        let mut failed = None;
        let mut find = |id: i64| {
            store.connection_now(id, &runs).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                None
            })
        };
        let mut left = most;
        let more = loop {
            let wanted = AT_ONCE.min(left);
            let some = store.connections_after(self.replay.position.connection, wanted, &runs)?;
            let read = some.len();
            let mut young = false;
            for connection in some {
                young = is_young(&connection, going_on, until);
                if young {
                    break;
                }
                self.tell_lookups(store, connection.opened)?;
                self.replay.position.connection = connection.id;
                self.replay.connection(connection, None, &mut find);
            }
            left = left.saturating_sub(read);
            if young || read < wanted {
                break false;
            }
            if left == 0 {
                break true;
            }
        };
        if !more {
            self.tell_lookups(store, until)?;
            self.replay.pass(until, &mut find);
        }
        failed.map_or(Ok(more), Err)
    }

    /// The engine, when all has been read: with what goes on up to now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn finish(mut self, store: &Store) -> Result<Engine, StoreError> {
        let runs = store.runs()?;
        let last = runs.iter().map(Run::known_end).max();
        for id in self.replay.open().clone() {
            match store.connection_now(id, &runs)? {
                Some(connection) => self.replay.ended(connection, last.unwrap_or_default()),
                None => self.replay.gone(id),
            }
        }
        Ok(self.replay.finish(last, &mut |_| None))
    }

    /// The engine.
    pub fn engine(&mut self) -> &mut Engine {
        self.replay.engine()
    }

    /// The latest time that was told.
    pub fn now(&mut self) -> Timestamp {
        self.replay.engine().world().now()
    }

    /// Writes what has become of findings since this was last called, and returns it; with `keep` also what the engine knows, from which the
    /// next one goes on.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn write(&mut self, store: &mut Writer, keep: bool) -> Result<Changes, StoreError> {
        let changes = self.engine().take();
        // Without memory for it, what was kept before stays.
        let state = if keep { self.replay.save().ok() } else { None };
        if !changes.is_empty() || state.is_some() {
            let rows: Vec<_> = changes.findings.iter().map(|(finding, _)| row_of(finding)).collect();
            let gone: Vec<String> = changes.gone.iter().cloned().collect();
            let time = self.now();
            store.put_findings(&rows, &gone, state.as_deref().map(|state| (time, state)))?;
        }
        Ok(changes)
    }

    /// Tells the ends of connections that were open.
    fn tell_ends(&mut self, store: &Store, runs: &[Run]) -> Result<(), StoreError> {
        let is_past = |id: i64| !runs.iter().any(|run| run.going_on && run.id == id >> RUN_SHIFT);
        for id in self.replay.open().clone() {
            if !is_past(id) && !store.is_over(id)? {
                continue;
            }
            match store.connection_now(id, runs)?.map(|connection| (connection.known_end(), connection)) {
                Some((Some(end), connection)) => self.replay.ended(connection, end),
                Some((None, _)) => (),
                None => self.replay.gone(id),
            }
        }
        Ok(())
    }

    /// Tells the questions that were asked up to a time.
    fn tell_lookups(&mut self, store: &Store, until: Timestamp) -> Result<(), StoreError> {
        loop {
            if self.lookups.is_empty() {
                self.lookups = store.lookups_after(self.replay.position.lookup, AT_ONCE)?.into();
            }
            let Some((id, lookup)) = self.lookups.pop_front_if(|(_, lookup)| lookup.time <= until) else {
                return Ok(());
            };
            self.replay.position.lookup = id;
            self.replay.lookup(&lookup);
        }
    }

    /// Tells what was acknowledged since it was last asked.
    fn acknowledge(&mut self, store: &Store) -> Result<(), StoreError> {
        for known in store.acknowledged()? {
            let id = known.finding.shown().into_owned();
            if self.acknowledged.insert(id.clone(), known.time) != Some(known.time) {
                self.replay.engine().acknowledge(&id, acknowledgement(known));
            }
        }
        Ok(())
    }
}

/// Up to when what was opened is known as far as it can be told: connections have their names by then, as a rule.
pub fn settled_until(runs: &[Run]) -> Timestamp {
    let going_on = runs.iter().find(|run| run.going_on);
    going_on.map_or_else(
        || runs.iter().map(Run::known_end).max().unwrap_or_default(),
        |run| Timestamp(run.last_flush.0.saturating_sub(SETTLES_NS)),
    )
}

/// The findings that the recorder has written after a number, and the number that is the last now.
///
/// # Errors
/// The store cannot be read.
pub fn written(store: &Store, number: i64) -> Result<(i64, Vec<Finding>), StoreError> {
    let rows = store.findings_after(number)?;
    let last = rows.last().map_or(number, |(number, _)| *number);
    // What a newer version writes otherwise is not understood.
    Ok((last, rows.iter().filter_map(|(_, text)| serde_json::from_str(text.raw()).ok()).collect()))
}

/// The findings of a store with their evidence, the most severe first.
///
/// # Errors
/// The store cannot be read.
pub fn known_findings(store: &Store) -> Result<Vec<KnownFinding>, StoreError> {
    // Only what is below a named root can be unreadable.
    let packages = Ownership::of(None, &store.runs()?).unwrap_or_default();
    let Some(mut follow) = Follow::open(store, owners(packages), Vec::new())? else { return Ok(Vec::new()) };
    while follow.step(store, usize::MAX)? {}
    let engine = follow.finish(store)?;
    Ok(engine.findings().into_iter().map(known).collect())
}

/// The same, but of a store into which a recorder writes what it has found so far: to look at all that is new takes as long as to read it, and
/// the recorder is at it.
///
/// # Errors
/// The store cannot be read.
pub fn known_so_far(store: &Store) -> Result<Vec<KnownFinding>, StoreError> {
    if !store.has_findings()? || !store.runs()?.iter().any(|run| run.going_on) {
        return known_findings(store);
    }
    let (_, mut findings) = written(store, 0)?;
    findings.sort_by(by_rank);
    Ok(findings.iter().map(known).collect())
}

/// A finding with its evidence.
fn known(finding: &Finding) -> KnownFinding {
    KnownFinding {
        name: Arc::new(FindingName {
            id: finding.id.as_str().into(),
            detector: finding.detector.to_string().into(),
            name: finding.detector_name(),
            severity: finding.severity.name(),
        }),
        evidence: finding.evidence.clone(),
    }
}

/// Whether a connection may not have its names yet, or its executable has not been examined, by whose hash it would be known.
fn is_young(connection: &Connection, going_on: Option<&Run>, until: Timestamp) -> bool {
    let Some(run) = going_on else { return false };
    // One that seems to come from the future tells of a clock that was set, and is not waited for.
    if connection.opened > run.last_flush {
        return false;
    }
    let is_awaited = |owner: &Process| owner.exe_hash == ExeHash::Unknown && !owner.exe.is_empty();
    let examined = run.last_flush.0.saturating_sub(EXAMINED_NS);
    connection.is_open() && connection.opened > until
        || connection.opened.0 > examined && connection.owner.as_deref().is_some_and(is_awaited)
}

fn tell_damage(error: &StateError) {
    tracing::warn!("{error}; findings are made anew from the rows");
}

/// An acknowledgement as the engine has it.
pub fn acknowledgement(known: Acknowledged) -> Acknowledgement {
    let Acknowledged { time, by, note, severity, score, .. } = known;
    // A severity that a newer version may know is taken for the highest.
    let severity = Severity::ALL.into_iter().find(|one| severity == one.name()).unwrap_or(Severity::High);
    Acknowledgement { time, by, note, severity, score }
}

/// A finding as the store keeps it.
pub fn row_of(finding: &Finding) -> FindingRow {
    FindingRow {
        id: finding.id.clone(),
        detector: finding.detector.to_string(),
        severity: finding.severity.name(),
        score: finding.score,
        first: finding.first,
        last: finding.last,
        what: finding.what.clone(),
        filter: finding.evidence.clone(),
        content: Untrusted::from(serde_json::to_string(finding).unwrap_or_default()),
    }
}
