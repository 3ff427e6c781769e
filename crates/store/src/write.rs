//! Writing: one recorder at a time.

mod anew;
pub(super) mod findings;
mod moved;
mod prune;
mod segments;

use std::collections::{HashMap, HashSet};
use std::fs::{File, TryLockError};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Statement, Transaction, params};

use super::blocks::BlockWriter;
use super::classify::{Classification, Classifier, NewHit};
use super::columns::{self, PUT_CONNECTION};
use super::names::{AddressNameReader, AddressNameWriter};
use super::new_connections::NewConnections;
use super::retention::{Policy, Pruner};
use super::stretches::{self, Summer};
use super::{
    RUN_SHIFT, StoreError, geo, interfaces, names, place, processes, recording_filter, runs, schema,
};
use anew::LOST_END;
use connmon_filter::Filter;
use connmon_filter::ioc::Lists;
use connmon_filter::rules::Rules;
use connmon_record::frame::Start;
use connmon_record::rows::{Batch, ConnectionRow, TrafficRow};
use connmon_record::{ClockStep, Gap, LateRead, LossCounters, Run, Timestamp};
use connmon_system::files;
use segments::ChainEnd;

/// Remote addresses whose ids are remembered; beyond, the table is asked again.
const MAX_ENDPOINTS: usize = 262_144;

/// The number of attempts to become the only recorder, and the pause between them.
const LOOKS: u32 = 10;
const LOOK: Duration = Duration::from_millis(20);

/// Whether a recorder writes into the store at this place, and the file that was asked: to close it would give back the locks
/// that SQLite has on it in this process, so it is kept as long as those, see `Writer::alone`.
pub(super) fn is_taken(path: &Path) -> (bool, Option<File>) {
    let Ok(file) = File::open(path) else { return (false, None) };
    let taken = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    if !taken {
        // Else no recorder could begin while this one reads.
        let _ = file.unlock();
    }
    (taken, Some(file))
}

/// Bytes that the log beside the file keeps once it has been written into it, however large it was.
pub(super) const MAX_LOG: i64 = 64 << 20;

/// Traffic, added to what is there.
const PUT_TRAFFIC: &str = "INSERT INTO traffic (connection_id, process_id, bucket, tx_bytes, rx_bytes, tx_calls, rx_calls)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT DO UPDATE SET tx_bytes = tx_bytes + excluded.tx_bytes, rx_bytes = rx_bytes + excluded.rx_bytes,
            tx_calls = tx_calls + excluded.tx_calls, rx_calls = rx_calls + excluded.rx_calls";

/// A store opened for recording.
pub struct Writer {
    pub(super) db: Connection,
    pub(super) path: PathBuf,
    pub(super) run: i64,
    /// The run is in the store already, because its segments are.
    pub(super) begun: bool,
    /// The end of the chain of segments; `None` if no segments are written.
    pub(super) chain: Option<ChainEnd>,
    pub(super) endpoints: HashMap<IpAddr, i64>,
    of_addresses: AddressNameWriter,
    filter: Filter,
    left_out: u64,
    classify: Classifier,
    /// Whether rules or lists have changed and the store does not have them yet.
    changed: bool,
    fresh: NewConnections,
    blocks: BlockWriter,
    news: Vec<NewHit>,
    verdicts: Classification,
    /// The processes of the run that later batches may refer to, by their rows.
    pub(super) living: HashSet<i64>,
    pub(super) pruner: Pruner,
    pub(super) summer: Summer,
    pub(super) policy: Policy,
    /// The time of what was written last.
    pub(super) latest: Timestamp,
    /// Keeps other recorders out while it lives; after `db`, because to close any descriptor of the file gives back SQLite's
    /// locks on it (sqlite.org/howtocorrupt.html, 2.2).
    pub(super) alone: Option<File>,
}

impl Writer {
    /// Opens or creates a store.
    ///
    /// # Errors
    /// It is another program's, newer, being recorded into, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if path.is_dir() {
            return Err(StoreError::Folder(path.into()));
        }
        let place = files::place_of(path).map_err(|error| StoreError::Untrusted(path.into(), error))?;
        let file = place::open(&place)?;
        let file = lock(path, file)?;
        let mut writer = Self::begin(place::connect(&place, &file)?, &place)?;
        writer.alone = Some(file);
        Ok(writer)
    }

    /// A writer into a database that is open.
    pub(super) fn begin(mut db: Connection, path: &Path) -> Result<Self, StoreError> {
        let sqlite = |source| StoreError::sqlite(path, source);
        if db.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).is_ok_and(|pages| pages == 0) {
            // Only an empty file can be made so: pages that are freed can be handed back.
            db.pragma_update(None, "auto_vacuum", "incremental").map_err(sqlite)?;
        }
        schema::migrate(&mut db, path)?;
        db.pragma_update(None, "journal_mode", "wal").map_err(sqlite)?;
        // In WAL mode a committed transaction survives a crash of this program; a power failure can take the last ones,
        // but cannot damage the file (sqlite.org/pragma.html#pragma_synchronous).
        db.pragma_update(None, "synchronous", "normal").map_err(sqlite)?;
        db.pragma_update(None, "journal_size_limit", MAX_LOG).map_err(sqlite)?;
        db.pragma_update(None, "foreign_keys", true).map_err(sqlite)?;
        super::set_up(&db).map_err(sqlite)?;
        Ok(Self {
            db,
            path: path.into(),
            run: 0,
            begun: false,
            chain: None,
            endpoints: HashMap::new(),
            of_addresses: AddressNameWriter::default(),
            filter: Filter::default(),
            left_out: 0,
            classify: Classifier::default(),
            changed: false,
            fresh: NewConnections::default(),
            blocks: BlockWriter::default(),
            news: Vec::new(),
            verdicts: Classification::default(),
            living: HashSet::new(),
            pruner: Pruner::default(),
            summer: Summer::default(),
            policy: Policy::default(),
            latest: Timestamp::default(),
            alone: None,
        })
    }

    /// The same, but only connections that fit are kept; the others are counted. Call it before the first batch.
    #[must_use]
    pub fn with_recording_filter(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }

    /// The same, but connections are labelled by `rules` and compared with `lists`. Call it before the first batch.
    #[must_use]
    pub fn with_classifier(self, rules: Rules, lists: Lists) -> Self {
        Self { classify: Classifier::new(rules, lists), ..self }
    }

    /// Connections are labelled by `rules` and compared with `lists` from the next batch on: each one when something of it changes.
    pub fn judge_by(&mut self, rules: Rules, lists: Lists) {
        self.classify.replace(rules, lists);
        // Places of addresses may have changed with it: each is met as if for the first time.
        self.endpoints.clear();
        self.changed = true;
    }

    /// The matches of indicators that were found since the last call.
    pub fn take_news(&mut self) -> Vec<NewHit> {
        std::mem::take(&mut self.news)
    }

    /// The labels and hits found while writing since the last call.
    pub fn take_verdicts(&mut self) -> Classification {
        std::mem::take(&mut self.verdicts)
    }

    /// The recording as the store has it; `None` before the first batch.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn about(&self) -> Result<Option<Run>, StoreError> {
        let found = runs::runs(&self.db, true).map(|runs| runs.into_iter().find(|run| run.id == self.run));
        found.map_err(|source| StoreError::sqlite(&self.path, source))
    }

    /// Connections that the filter did not keep.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Writes a batch, all of it or nothing.
    ///
    /// # Errors
    /// The disk is full, and so on; nothing of the batch is stored then.
    pub fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let result = self.write_batch(batch);
        result.map_err(|source| self.after_failure(source))
    }

    /// Forgets the facts from earlier batches.
    pub(super) fn forget_batches(&mut self) {
        self.endpoints.clear();
        self.blocks = BlockWriter::default();
        self.fresh = NewConnections::default();
        self.living.clear();
        self.left_out = 0;
    }

    /// What failed, once all is as it was before.
    pub(super) fn after_failure(&mut self, source: rusqlite::Error) -> StoreError {
        // The transaction is undone, and with it new endpoints and blocks.
        self.endpoints.clear();
        self.blocks = BlockWriter::default();
        self.classify.after_failure();
        let error = StoreError::from_sqlite(&self.path, &self.db, source);
        // Where undoing it failed as well, it is still open, and the next one could not begin.
        if !self.db.is_autocommit() {
            let _ = self.db.execute_batch("ROLLBACK");
        }
        error
    }

    /// The database, for reading back what was written.
    #[cfg(test)]
    pub(super) fn into_database(self) -> Connection {
        self.db
    }

    /// The number of the run that is being written.
    pub fn run(&self) -> i64 {
        self.run
    }

    fn write_batch(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        let time = batch.time;
        if let Some(start) = &batch.start {
            // Where segments are written it began with them.
            if !self.begun {
                self.run = begin_run(&transaction, start)?;
            }
            if !self.filter.is_everything() {
                recording_filter::begin(&transaction, self.run, &self.filter)?;
            }
            if !self.classify.is_idle() {
                self.classify.begin(&transaction, self.run, batch)?;
            }
        } else if self.changed {
            self.classify.note(&transaction, self.run, batch)?;
        }
        let run = self.run;
        let mut verdicts = Classification::default();
        geo::put_run(&transaction, run, batch)?;
        if let Some((time, hosts)) = &batch.hosts {
            self.of_addresses = AddressNameWriter::new(hosts, *time);
            // Each address is met as if for the first time.
            self.endpoints.clear();
        }
        let base = run << RUN_SHIFT;
        for row in &batch.processes {
            processes::put(&transaction, run, base, row)?;
        }
        // Once a batch: to find a statement again by its text costs a tenth of running it.
        let mut connection = transaction.prepare_cached(&PUT_CONNECTION)?;
        let mut relocated = Vec::new();
        for row in &batch.connections {
            let remote = match self.endpoints.get(&row.remote.ip) {
                Some(id) => *id,
                None => {
                    if self.endpoints.len() >= MAX_ENDPOINTS {
                        self.endpoints.clear();
                    }
                    let (id, changed) = geo::put_endpoint(&transaction, row)?;
                    relocated.extend(changed.then_some(id));
                    self.of_addresses.put(&transaction, id, row.remote.ip)?;
                    let names = AddressNameReader::new(&transaction)?.get(id)?;
                    verdicts.names.extend(names.into_iter().map(|name| (row.remote.ip, name)));
                    self.endpoints.insert(row.remote.ip, id);
                    id
                }
            };
            put_connection(&mut connection, run, base, remote, row)?;
            self.blocks.note(base | row.row, row.opened.0, remote, row.closed.is_none());
        }
        drop(connection);
        stretches::note_remotes(&transaction, &relocated)?;
        batch.over.iter().for_each(|row| self.blocks.forget(base | row));
        self.blocks.write(&transaction)?;
        let mut traffic = transaction.prepare_cached(PUT_TRAFFIC)?;
        for row in &batch.traffic {
            put_traffic(&mut traffic, base, row)?;
        }
        drop(traffic);
        let changed = batch.connections.iter().map(|row| row.row);
        let changed =
            changed.chain(batch.traffic.iter().map(|row| row.connection)).chain(batch.over.iter().copied());
        stretches::note_changes(
            &transaction,
            (base, base | ((1 << RUN_SHIFT) - 1)),
            changed.map(|row| base | row),
        )?;
        names::put(&transaction, run, base, batch)?;
        verdicts.names.extend(names::reverse_names(batch));
        for sample in &batch.interfaces {
            interfaces::put(&transaction, run, sample)?;
        }
        for step in &batch.clock_steps {
            put_clock_step(&transaction, run, step)?;
        }
        for late in &batch.late_reads {
            put_late_read(&transaction, run, late)?;
        }
        for gap in &batch.gaps {
            put_gap(&transaction, run, gap)?;
        }
        if let Some(completeness) = &batch.completeness {
            put_completeness(&transaction, run, completeness)?;
        }
        transaction
            .prepare_cached(
                "UPDATE run SET last_flush = ?2, ended = iif(?3, ?2, ended),
                    indexed = coalesce(?4, indexed) WHERE id = ?1",
            )?
            .execute(params![run, time.0, batch.ended, batch.segment.map(|number| number as i64)])?;
        if let Some(state) = &batch.checkpoint {
            super::segments::put_checkpoint(&transaction, run, batch.segment.unwrap_or(0), state)?;
        }
        // Before the filter, which can ask for labels and indicators.
        let mut news = Vec::new();
        if !self.classify.is_idle() || !self.filter.is_everything() {
            let mut fresh = self.fresh.assemble(&transaction, run, batch, &self.endpoints)?;
            #[cfg(test)]
            super::new_connections::check(&transaction, &fresh)?;
            if !self.classify.is_idle() {
                news = self.classify.classify_batch(&transaction, run, batch, &mut fresh, &mut verdicts)?;
            }
            if !self.filter.is_everything() {
                verdicts.left_out =
                    recording_filter::remove_unwanted(&transaction, run, &self.filter, batch, &fresh)?;
            }
        }
        if !self.filter.is_everything() {
            super::segments::forget_excluded(&transaction, run, batch.ended)?;
        }
        transaction.commit()?;
        if batch.start.is_some() {
            self.living.clear();
        }
        self.latest = time;
        self.living.extend(batch.processes.iter().map(|row| row.row));
        for row in &batch.past_processes {
            self.living.remove(row);
        }
        self.changed = false;
        self.left_out += verdicts.left_out.len() as u64;
        self.news.extend(news);
        self.verdicts.extend(verdicts);
        Ok(())
    }
}

/// Takes the lock that one program has that records or migrates.
pub(super) fn lock(path: &Path, file: File) -> Result<File, StoreError> {
    // flock(2), which SQLite does not use. Where a file system has none, recording goes on without. A reader that looks whether
    // somebody records has it for a moment.
    for again in (0..LOOKS).rev() {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if again > 0 => std::thread::sleep(LOOK),
            Err(TryLockError::WouldBlock) => return Err(StoreError::Taken(path.into())),
            _ => break,
        }
    }
    Ok(file)
}

pub(super) fn begin_run(db: &Transaction<'_>, start: &Start) -> rusqlite::Result<i64> {
    let time = start.started();
    // What a recorder that did not end in order left: from its last flush until now there is no record.
    let unfinished: Option<(i64, i64)> = db
        .query_row("SELECT id, last_flush FROM run WHERE ended IS NULL ORDER BY id DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let notes = serde_json::to_string(&connmon_record::Exactly(&start.backend_notes)).unwrap_or_default();
    db.execute(
        "INSERT INTO run (host, boot_id, kernel, tool_version, object_sha256, backend, backend_notes, clock_offset_ns,
            started, last_flush) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
        params![
            start.host.raw(),
            start.boot_id.raw(),
            start.kernel.raw(),
            start.tool_version.raw(),
            start.object_sha256.raw(),
            start.backend.raw(),
            notes,
            start.clock_offset_ns,
            time.0
        ],
    )?;
    let run = db.last_insert_rowid();
    if let Some((previous, last_flush)) = unfinished {
        let reason = format!(
            "{LOST_END}{previous} is not in the store: a crash, a kill, a power loss, or a store that could not be \
             written"
        );
        // Where the clock is not right yet it may seem to be over before it begins.
        let from = Timestamp(last_flush);
        put_gap(db, run, &Gap { from, to: time.max(from), reason: reason.into() })?;
        db.execute("UPDATE run SET ended = last_flush WHERE ended IS NULL AND id < ?1", [run])?;
    }
    Ok(run)
}

fn put_gap(db: &Transaction<'_>, run: i64, gap: &Gap) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO gap (run_id, started, ended, reason) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![run, gap.from.0, gap.to.0, gap.reason.raw()])?;
    Ok(())
}

fn put_clock_step(db: &Transaction<'_>, run: i64, step: &ClockStep) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO clock_step (run_id, time, clock_before, clock_after, effect) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![run, step.time.0, step.from.0, step.to.0, step.effect.name()])?;
    Ok(())
}

fn put_late_read(db: &Transaction<'_>, run: i64, late: &LateRead) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO late_read (run_id, started, ended) VALUES (?1, ?2, ?3)")?
        .execute(params![run, late.from.0, late.to.0])?;
    Ok(())
}

fn put_connection(
    put: &mut Statement<'_>,
    run: i64,
    base: i64,
    remote: i64,
    row: &ConnectionRow,
) -> rusqlite::Result<()> {
    let owner = row.owner.map(|owner| base | owner);
    columns::put(put, [&(base | row.row), &run, &row.proto.0, &remote, &owner], &row.facts)
}

fn put_traffic(put: &mut Statement<'_>, base: i64, row: &TrafficRow) -> rusqlite::Result<()> {
    put.execute(params![
        base | row.connection,
        base | row.process,
        row.bucket,
        row.tx_bytes as i64,
        row.rx_bytes as i64,
        row.tx_calls as i64,
        row.rx_calls as i64
    ])?;
    Ok(())
}

fn put_completeness(db: &Transaction<'_>, run: i64, c: &LossCounters) -> rusqlite::Result<()> {
    let r = &c.reconciliation;
    let counts = [
        c.lost_events,
        c.lost_connections,
        c.lost_processes,
        c.unattributed_tx_bytes,
        c.unattributed_rx_bytes,
        c.map_full,
        c.read_errors,
        c.malformed,
        c.probe_misses,
        r.compared,
        r.equal,
        r.tx_undelivered_bytes,
        r.rx_unread_bytes,
        r.unexplained,
        c.names_missed,
        c.evicted,
        c.aggregated_sockets,
    ];
    let values = std::iter::once(run).chain(counts.into_iter().map(|count| count as i64));
    db.prepare_cached(
        "UPDATE run SET lost_events = ?2, lost_connections = ?3, lost_processes = ?4, unattributed_tx_bytes = ?5,
            unattributed_rx_bytes = ?6, map_full = ?7, read_errors = ?8, malformed = ?9, probe_misses = ?10,
            rec_compared = ?11, rec_equal = ?12, rec_tx_undelivered = ?13, rec_rx_unread = ?14, rec_unexplained = ?15,
            names_missed = ?16, evicted = ?17, aggregated_sockets = ?18
            WHERE id = ?1",
    )?
    .execute(rusqlite::params_from_iter(values))?;
    Ok(())
}
