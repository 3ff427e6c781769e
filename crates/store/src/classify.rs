//! Labels and hits, given while recording. A connection is classified each time that something of it was written, so what is
//! stored is always the judgement of its last state; and again when a hash of one of its executables comes later.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::{Transaction, params};

use super::labels::Hits;
use super::totals::Totals;
use super::{RUN_SHIFT, labels, read};
use connmon_filter::FilterRow;
use connmon_filter::ioc::Lists;
use connmon_filter::rules::Rules;
use connmon_record::rows::Batch;
use connmon_record::{Connection, ExeHash, Hit, Name, Untrusted};

/// Processes that wait for their hash, and connections that wait for those of their processes, at most.
const MOST_WAITING: usize = 65_536;

/// A connection that was found to match an indicator.
#[derive(Clone, Debug)]
pub struct NewHit {
    /// The connection, as it is now.
    pub connection: Connection,
    /// The indicators that it matches.
    pub hit: Hit,
}

/// What was found out of connections while a batch was written, by their rows: what the batch itself does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Classification {
    /// Labels that changed; `None` where one was taken away.
    pub labels: Vec<(i64, Option<Untrusted<Arc<str>>>)>,
    /// Matches of indicators.
    pub hits: Vec<(i64, Hit)>,
    /// Connections that the recording's filter did not keep.
    pub left_out: Vec<i64>,
    /// What remote addresses are called whatever the connection, of those that this recording met for the first time or
    /// learnt a name of.
    pub names: Vec<(IpAddr, Name)>,
}

impl Classification {
    /// Adds those of a later batch.
    pub(super) fn extend(&mut self, later: Self) {
        self.labels.extend(later.labels);
        self.hits.extend(later.hits);
        self.left_out.extend(later.left_out);
        self.names.extend(later.names);
    }
}

/// Classifies the connections of a recording.
#[derive(Default)]
pub(super) struct Classifier {
    rules: Rules,
    lists: Lists,
    list_ids: Vec<i64>,
    /// Processes without a hash, and the connections that they have used.
    waiting: HashMap<i64, HashSet<i64>>,
    pairs: usize,
    /// There were more than can be remembered: at the end everything is classified once more.
    forgot: bool,
    totals: Totals,
}

impl Classifier {
    pub(super) fn new(rules: Rules, lists: Lists) -> Self {
        Self { rules, lists, ..Self::default() }
    }

    /// Whether there is nothing to classify by.
    pub(super) fn is_idle(&self) -> bool {
        self.rules.is_empty() && self.lists.is_empty()
    }

    /// Classifies by something else from now on. Connections that wait for a hash go on to wait.
    pub(super) fn replace(&mut self, rules: Rules, lists: Lists) {
        (self.rules, self.lists) = (rules, lists);
        self.totals = Totals::default();
    }

    /// Forgets what a transaction that was undone may have added.
    pub(super) fn after_failure(&mut self) {
        self.totals = Totals::default();
    }

    /// Notes by what a recording classifies.
    pub(super) fn begin(&mut self, db: &Transaction<'_>, run: i64, batch: &Batch) -> rusqlite::Result<()> {
        self.waiting.clear();
        self.totals = Totals::default();
        (self.pairs, self.forgot) = (0, false);
        self.note(db, run, batch)
    }

    /// The same for a recording that goes on.
    pub(super) fn note(&mut self, db: &Transaction<'_>, run: i64, batch: &Batch) -> rusqlite::Result<()> {
        labels::put_rules(db, run, self.rules.iter())?;
        self.list_ids.clear();
        for list in self.lists.abouts() {
            let id = labels::put_list(db, list)?;
            labels::put_checked(db, run, id, batch.time)?;
            self.list_ids.push(id);
        }
        Ok(())
    }

    /// Classifies what a batch has changed, and gives what matches indicators for the first time.
    pub(super) fn classify_batch(
        &mut self,
        db: &Transaction<'_>,
        run: i64,
        batch: &Batch,
        fresh: &mut HashMap<i64, Connection>,
        verdicts: &mut Classification,
    ) -> rusqlite::Result<Vec<NewHit>> {
        let (base, known) = (run << RUN_SHIFT, Hits::new(db)?);
        let mut news = Vec::new();
        let mut changed = self.changed(batch);
        self.totals.take(base, batch);
        changed.extend(renamed(db, base, batch)?);
        for row in changed {
            // What was told for the first time need not be read back, unless the end of the recording is its end.
            if batch.ended {
                fresh.remove(&row);
            }
            match fresh.get_mut(&row) {
                Some(connection) => {
                    self.classify_connection(db, &known, batch, connection, &mut news, verdicts)?
                }
                None => self.classify_stored(db, &known, base | row, batch, &mut news, verdicts)?,
            }
        }
        if batch.ended && self.forgot {
            let mut ids = db.prepare("SELECT id FROM connection WHERE run_id = ?1 ORDER BY id")?;
            let ids: Vec<i64> = ids.query_map([run], |row| row.get(0))?.collect::<Result<_, _>>()?;
            for id in ids {
                self.classify_stored(db, &known, id, batch, &mut news, verdicts)?;
            }
        }
        self.totals.forget(base, batch);
        Ok(news)
    }

    /// Classifies a connection by what the store has of it.
    fn classify_stored(
        &mut self,
        db: &Transaction<'_>,
        known: &Hits,
        id: i64,
        batch: &Batch,
        news: &mut Vec<NewHit>,
        verdicts: &mut Classification,
    ) -> rusqlite::Result<()> {
        let shares = self.totals.shares_of(db, id)?;
        let Some(mut connection) = read::connection_with_shares(db, known, id, shares)? else {
            return Ok(());
        };
        self.classify_connection(db, known, batch, &mut connection, news, verdicts)
    }

    fn classify_connection(
        &self,
        db: &Transaction<'_>,
        known: &Hits,
        batch: &Batch,
        connection: &mut Connection,
        news: &mut Vec<NewHit>,
        verdicts: &mut Classification,
    ) -> rusqlite::Result<()> {
        let id = connection.id;
        let row = id & ((1 << RUN_SHIFT) - 1);
        connection.cut_off_at(batch.ended.then_some(batch.time));
        if !self.lists.is_empty() {
            let mut hits = Vec::new();
            for found in self
                .lists
                .matches(&FilterRow::from_connection(connection, batch.time), connection.remote.port)
            {
                let hit = Hit {
                    indicator: found.indicator,
                    kind: found.kind,
                    list: found.about.clone(),
                    time: batch.time,
                };
                if labels::put_hit(db, id, self.list_ids[found.list], &hit)? {
                    hits.push(hit);
                }
            }
            connection.hits.extend(hits.iter().cloned());
            verdicts.hits.extend(hits.iter().map(|hit| (row, hit.clone())));
            if !hits.is_empty() {
                // With the ancestors of its processes.
                let told = read::connection_with_run(db, known, id)?
                    .map_or_else(|| connection.clone(), |(_, told)| told);
                news.extend(hits.into_iter().map(|hit| NewHit { connection: told.clone(), hit }));
            }
        }
        if !self.rules.is_empty() {
            let label =
                self.rules.label(&FilterRow::from_connection(connection, batch.time)).map(Untrusted::shared);
            if label != connection.label {
                labels::put_label(db, id, label.as_ref().map(Untrusted::raw))?;
                verdicts.labels.push((row, label.clone()));
                connection.label = label;
            }
        }
        Ok(())
    }

    /// The connections that are to be classified: those that a batch tells of, and those that waited for what it tells.
    fn changed(&mut self, batch: &Batch) -> BTreeSet<i64> {
        let mut changed: BTreeSet<i64> = batch.over.iter().copied().collect();
        for row in &batch.processes {
            if row.process.exe_hash != ExeHash::Unknown {
                let late = self.waiting.remove(&row.row).unwrap_or_default();
                self.pairs -= late.len();
                changed.extend(late);
            } else if self.waiting.len() < MOST_WAITING {
                self.waiting.entry(row.row).or_default();
            } else {
                self.forgot = true;
            }
        }
        let owners = batch.connections.iter().map(|row| (row.row, row.owner));
        let users = batch.traffic.iter().map(|row| (row.connection, Some(row.process)));
        changed.extend(batch.names.iter().map(|row| row.connection));
        changed.extend(batch.observed.iter().map(|(connection, _)| *connection));
        for (connection, process) in owners.chain(users) {
            changed.insert(connection);
            let Some(users) = process.and_then(|process| self.waiting.get_mut(&process)) else { continue };
            if self.pairs < MOST_WAITING {
                self.pairs += usize::from(users.insert(connection));
            } else {
                self.forgot |= !users.contains(&connection);
            }
        }
        changed
    }
}

/// The connections of a recording to addresses of which reverse DNS has told the names.
fn renamed(db: &Transaction<'_>, base: i64, batch: &Batch) -> rusqlite::Result<Vec<i64>> {
    let told = batch.reverse.iter().flat_map(|(_, all)| all).filter(|(_, names)| !names.is_empty());
    let mut rows = Vec::new();
    for (ip, _) in told {
        // Each address is told of once, at most twenty a second.
        let mut find = db.prepare_cached(
            "SELECT id - ?1 FROM connection WHERE id BETWEEN ?1 AND ?1 + ?2
                AND remote_id = (SELECT id FROM endpoint WHERE ip = ?3)",
        )?;
        let found =
            find.query_map(params![base, (1_i64 << RUN_SHIFT) - 1, ip.to_string()], |row| row.get(0))?;
        rows.extend(found.collect::<Result<Vec<i64>, _>>()?);
    }
    Ok(rows)
}
