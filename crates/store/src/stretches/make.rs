//! Making the sums of stretches, in small steps.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::{Connection as Database, OptionalExtension, Transaction, params};

use super::super::columns::StoreColumns;
use super::super::complete::Completer;
use super::super::labels::Hits;
use super::super::reading::Reading;
use super::super::{RUN_SHIFT, sums};
use super::cells::{self, Cells};
use super::{LEAST, State, ids, of_connection, time};
use connmon_analysis::groups::sums::{SumPart, sums_of};
use connmon_record::Timestamp;

/// The minimum age of the last connection of a stretch: by then most of its connections have ended.
const SETTLED: i64 = 600_000_000_000;
/// The minimum time since the end of a connection that is added to the sums of its stretch.
const OVER: i64 = 60_000_000_000;
/// After so long it is looked again for what there is to do.
const PAUSE: i64 = 60_000_000_000;
/// Of the connections that are in no sum, so many are looked at for each that may be added in a step.
const LOOKS: usize = 16;

/// Makes the sums of a store's stretches.
#[derive(Default)]
pub(crate) struct Summer {
    under_way: Option<UnderWay>,
    /// Up to which connection it was looked for those that are over by now; `None` if that is not due.
    after: Option<i64>,
    next: Timestamp,
}

/// A stretch whose sums are being made.
struct UnderWay {
    stretch: i64,
    /// The next connection.
    next: i64,
    sums: sums::Sums,
    cells: Cells,
    /// When the first of its connections was opened, and the last one ended.
    time: (i64, i64),
    /// The addresses of this host that were known when it began.
    here: HashSet<IpAddr>,
}

impl Summer {
    /// Does a step of so many connections, in a transaction; whether there is more to do at once. `now` is the time of what was
    /// written last, into the recording `run`.
    pub(crate) fn step(
        &mut self,
        db: &mut Database,
        (run, now): (i64, Timestamp),
        rows: usize,
    ) -> rusqlite::Result<bool> {
        // Tests make sums in many steps.
        let rows = if cfg!(test) { rows.min(3) } else { rows };
        let transaction = db.transaction()?;
        if let Some(under_way) = self.under_way.take() {
            self.under_way = under_way.go_on(&transaction, rows)?;
        } else if let Some(after) = self.after {
            self.after = add_rest(&transaction, after, now, rows)?;
        } else if now < self.next && self.next.0.saturating_sub(now.0) <= PAUSE {
            return Ok(false);
        } else if cells::sweep(&transaction, rows)? || forget_wrong(&transaction)? {
            // Before the sums are made anew.
        } else if let Some(stretch) = candidate(&transaction, run, now)? {
            self.under_way = Some(UnderWay::begin(&transaction, stretch)?);
        } else {
            self.next = Timestamp(now.0.saturating_add(PAUSE));
            self.after = Some(i64::MIN);
        }
        transaction.commit()?;
        Ok(true)
    }

    /// Looks for stretches that are due at once.
    pub(crate) fn look_again(&mut self) {
        self.next = Timestamp::default();
    }
}

/// Forgets the sums of a stretch that a recorder left when it ended, or that are not right any more; whether there was one.
fn forget_wrong(db: &Database) -> rusqlite::Result<bool> {
    let mut find = db.prepare_cached("SELECT id FROM stretch WHERE state IN (0, 3) LIMIT 1")?;
    let found: Option<i64> = find.query_row([], |row| row.get(0)).optional()?;
    found.map_or(Ok(()), |stretch| super::forget(db, stretch))?;
    Ok(found.is_some())
}

/// A stretch that has no sums yet and is complete.
fn candidate(db: &Database, run: i64, now: Timestamp) -> rusqlite::Result<Option<i64>> {
    let mut runs = db.prepare_cached("SELECT id FROM run ORDER BY id")?;
    let runs = runs.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut ends = db.prepare_cached(
        "SELECT (SELECT min(id) FROM connection WHERE id BETWEEN ?1 AND ?2),
            (SELECT max(id) FROM connection WHERE id BETWEEN ?1 AND ?2)",
    )?;
    let mut of = |range: (i64, i64)| {
        ends.query_row([range.0, range.1], |row| {
            Ok(Option::zip(row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
        })
    };
    let mut known = db.prepare_cached("SELECT EXISTS (SELECT 1 FROM stretch WHERE id = ?1)")?;
    let mut opened = db.prepare_cached("SELECT opened FROM connection WHERE id = ?1")?;
    for one in runs {
        let Some((first, last)) = of((one << RUN_SHIFT, ((one + 1) << RUN_SHIFT) - 1))? else { continue };
        for stretch in of_connection(first)..=of_connection(last) {
            if known.query_row([stretch], |row| row.get(0))? {
                continue;
            }
            let is_last = stretch == of_connection(last);
            let Some((first, last)) = of(ids(stretch))? else { continue };
            if is_last && one == run || last - first + 1 < LEAST {
                continue;
            }
            let opened = opened.query_row([last], |row| row.get::<_, i64>(0)).optional()?;
            if one != run || time(opened).0.saturating_add(SETTLED) <= now.0 {
                return Ok(Some(stretch));
            }
        }
    }
    Ok(None)
}

impl UnderWay {
    fn begin(db: &Transaction<'_>, stretch: i64) -> rusqlite::Result<Self> {
        let (first, last) = ids(stretch);
        // What changes meanwhile finds it.
        db.execute(
            "INSERT INTO stretch (id, state, first, last, locals, processes)
                SELECT ?1, ?2, 0, 0, coalesce(max(id), 0), ?3 FROM stretch_local",
            params![stretch, State::InProgress as i64, i64::MAX],
        )?;
        db.execute(
            "INSERT INTO stretch_rest SELECT id FROM connection WHERE id BETWEEN ?1 AND ?2 AND closed IS NULL",
            [first, last],
        )?;
        Ok(Self {
            stretch,
            next: first,
            sums: sums::Sums::new(),
            cells: Cells::default(),
            time: (i64::MAX, i64::MIN),
            here: super::locals(db)?,
        })
    }

    /// Takes in the next connections; nothing if these were the last, or it is not to go on.
    fn go_on(mut self, db: &Transaction<'_>, rows: usize) -> rusqlite::Result<Option<Self>> {
        let in_progress = db
            .prepare_cached("SELECT state = ?2 FROM stretch WHERE id = ?1")?
            .query_row([self.stretch, State::InProgress as i64], |row| row.get(0))
            .optional()?;
        if in_progress != Some(true) {
            return Ok(None);
        }
        let (next, last) = (self.next, ids(self.stretch).1);
        let of =
            "id BETWEEN ?1 AND ?2 AND NOT EXISTS (SELECT 1 FROM stretch_rest r WHERE r.connection_id = c.id)
            ORDER BY id LIMIT ?3";
        let taken = self.take_in(db, of, params![next, last, rows as i64])?;
        if taken == rows || self.cells.write_some(db, self.stretch, rows)? {
            return Ok(Some(self));
        }
        let all = ids(self.stretch);
        self.write(db, all)?;
        Ok(None)
    }

    /// Writes the sums, which are of connections with ids in this range.
    fn write(self, db: &Transaction<'_>, (first, last): (i64, i64)) -> rusqlite::Result<()> {
        let Self { stretch, sums, cells, time, .. } = self;
        if !sums::add_to_stretch(db, stretch, &sums)? {
            return super::give_up(db, &[ids(stretch).0]);
        }
        cells.write(db, stretch)?;
        let mut put = db.prepare_cached(
            "UPDATE stretch SET first = iif(state = ?2, min(first, ?3), ?3), last = iif(state = ?2, max(last, ?4), ?4),
                processes = max(iif(state = ?2, processes, 0),
                    coalesce((SELECT max(owner_id) FROM connection WHERE id BETWEEN ?5 AND ?6), 0),
                    coalesce((SELECT max(process_id) FROM traffic WHERE connection_id BETWEEN ?5 AND ?6), 0)),
                state = ?2 WHERE id = ?1",
        )?;
        put.execute(params![stretch, State::Summed as i64, time.0, time.1, first, last])?;
        Ok(())
    }

    /// Adds up connections that are over; gives how many they are.
    fn take_in(
        &mut self,
        db: &Transaction<'_>,
        of: &str,
        values: impl rusqlite::Params,
    ) -> rusqlite::Result<usize> {
        let mut find = db.prepare_cached(&format!("SELECT * FROM connection c WHERE {of}"))?;
        let columns = StoreColumns::of_statement(&find)?;
        // Of matches of indicators the sums say nothing.
        let hits = Hits::none();
        let mut completer = Completer::new(db, &hits, Some([None, None]))?;
        let mut some: Vec<Reading> = Vec::new();
        let mut rows = find.query(values)?;
        while let Some(row) = rows.next()? {
            some.push(completer.begin(row, &columns)?);
        }
        completer.complete(&mut some)?;
        let processes = completer.processes.ids();
        let mut put = db.prepare_cached("INSERT OR IGNORE INTO stretch_local (ip) VALUES (?1)")?;
        let mut met = HashSet::new();
        for Reading { connection, remote, .. } in &some {
            let local = connection.local.ip;
            if !local.is_unspecified() && !local.is_multicast() && met.insert(local) {
                put.execute([local.to_string()])?;
            }
            let end = connection.known_end().unwrap_or(connection.opened);
            self.time = (self.time.0.min(connection.opened.0), self.time.1.max(end.0));
            // Where the clock was set back, it can have moved bytes before it was opened, and after it ended.
            for step in &connection.steps {
                if step.start < connection.opened.step() {
                    self.time.0 = self.time.0.min(step.start.0);
                }
                self.time.1 = self.time.1.max(step.start.0);
            }
            self.next = connection.id + 1;
            self.cells.take(connection, remote.id, |process| {
                processes.get(&Arc::as_ptr(process)).copied().unwrap_or(0)
            });
            sums_of(connection, &self.here, |key, figures| {
                // All of a stretch is in an answer, or none of it.
                if key.part != SumPart::Carried {
                    *self.sums.entry(key).or_default() += figures;
                }
            });
        }
        Ok(some.len())
    }
}

/// Adds connections to the sums of their stretches that were open when these were made, and are over by now; gives after which to
/// go on, if there are more.
fn add_rest(db: &Transaction<'_>, after: i64, now: Timestamp, rows: usize) -> rusqlite::Result<Option<i64>> {
    let mut look = db.prepare_cached(
        "SELECT connection_id FROM stretch_rest WHERE connection_id > ?1 ORDER BY connection_id LIMIT ?2",
    )?;
    let looks = rows * LOOKS;
    let rest = look.query_map([after, looks as i64], |row| row.get(0))?;
    let rest = rest.collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut is_over = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM connection WHERE id = ?1 AND closed < ?2)
            AND EXISTS (SELECT 1 FROM stretch WHERE id = ?3 AND state = ?4)",
    )?;
    let before = now.0.saturating_sub(OVER);
    let (mut added, mut next) = (0, None);
    let here = super::locals(db)?;
    for id in &rest {
        next = Some(*id);
        let stretch = of_connection(*id);
        if !is_over.query_row(params![id, before, stretch, State::Summed as i64], |row| row.get(0))? {
            continue;
        }
        let mut one = UnderWay {
            stretch,
            next: *id,
            sums: sums::Sums::new(),
            cells: Cells::default(),
            time: (i64::MAX, i64::MIN),
            here: here.clone(),
        };
        one.take_in(db, "id = ?1", [id])?;
        one.write(db, (*id, *id))?;
        db.prepare_cached("DELETE FROM stretch_rest WHERE connection_id = ?1")?.execute([id])?;
        added += 1;
        if added == rows {
            return Ok(next);
        }
    }
    Ok(next.filter(|_| rest.len() == looks))
}
