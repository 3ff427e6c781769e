//! What connections have in tables of their own, read for many of them at once: traffic, names, what they were seen to speak,
//! and hits. Neighbours are read together, in one pass over each table; one that is alone is looked up. So it takes time and
//! memory for those that are asked for, whatever else is in the store.

use rusqlite::{CachedStatement, Connection as Database, Row};

use std::collections::HashSet;

use super::buckets::{SECOND, step_of_bucket};
use super::columns::StoreColumns;
use super::labels::Hits;
use super::names::{name, observed};
use super::processes::ProcessReader;
use super::reading::{Along, Reading, ends};
use super::remotes::RemoteReader;
use super::runs;
use super::totals::Shares;
use connmon_record::{Connection, HOUR_NS, STEP_NS, Step, Timestamp, Untrusted};

/// Connections whose ids are not further apart are neighbours: to pass over what lies between costs less than to look up.
const NEAR: i64 = 16;
/// How far outside of an interval a row of traffic can lie whose step reaches into it: an hour's, and one beside the first or last step of a
/// connection.
const MARGIN: i64 = 2 * HOUR_NS;

/// Reads it all.
pub(super) struct Completer<'db> {
    pub(super) processes: ProcessReader<'db>,
    pub(super) remotes: RemoteReader<'db>,
    traffic: CachedStatement<'db>,
    names: CachedStatement<'db>,
    observed: CachedStatement<'db>,
    hits: &'db Hits,
    db: &'db Database,
    /// Recordings whose times follow the clock: what was set back may come before what it follows.
    following: HashSet<i64>,
    /// From when to when the steps are wanted, if any are.
    steps: Option<[Option<Timestamp>; 2]>,
    far: Option<Far<'db>>,
}

/// Traffic far outside of the interval whose steps are wanted. Of it only the sum is read: a connection that is open for a month has
/// ten thousand rows and more, and an hour needs few of them.
struct Far<'db> {
    /// Rows of traffic within, and the sums of all others, whose bucket is NULL.
    rows: CachedStatement<'db>,
    /// The seconds between which steps can be wanted.
    buckets: [i64; 2],
}

impl<'db> Completer<'db> {
    /// With the steps of traffic between two times, or without any.
    pub(super) fn new(
        db: &'db Database,
        hits: &'db Hits,
        steps: Option<[Option<Timestamp>; 2]>,
    ) -> rusqlite::Result<Self> {
        // A connection that is never quiet has thousands a day.
        let (figures, order) = match steps {
            Some(_) => (
                "bucket, tx_bytes, rx_bytes, tx_calls, rx_calls",
                "ORDER BY connection_id, process_id, bucket",
            ),
            None => (
                "NULL, sum(tx_bytes), sum(rx_bytes), sum(tx_calls), sum(rx_calls)",
                "GROUP BY connection_id, process_id ORDER BY connection_id, process_id",
            ),
        };
        Ok(Self {
            processes: ProcessReader::new(db)?,
            remotes: RemoteReader::new(db)?,
            traffic: db.prepare_cached(&format!(
                "SELECT connection_id, process_id, {figures} FROM traffic WHERE connection_id BETWEEN ?1 AND ?2 {order}"
            ))?,
            names: db.prepare_cached(
                "SELECT connection_id, source, name, time, process_id, rowid FROM connection_name
                    WHERE connection_id BETWEEN ?1 AND ?2 ORDER BY connection_id",
            )?,
            observed: db.prepare_cached(
                "SELECT connection_id, service, alpn FROM observed
                    WHERE connection_id BETWEEN ?1 AND ?2 ORDER BY connection_id",
            )?,
            hits,
            db,
            following: runs::following(db)?,
            steps,
            far: None,
        })
    }

    /// Sums up what lies so far outside of the interval that none of its steps can be wanted, where times can be wrong by `back`
    /// nanoseconds because the clock was set back.
    pub(super) fn with_sums_outside(self, back: i64) -> rusqlite::Result<Self> {
        let Some([since, until]) = self.steps.filter(|ends| ends.iter().any(Option::is_some)) else {
            return Ok(self);
        };
        let margin = back.saturating_add(MARGIN);
        let from = since.map_or(i64::MIN, |since| since.0.saturating_sub(margin).div_euclid(SECOND));
        let to = until.map_or(i64::MAX, |until| until.0.saturating_add(margin).div_euclid(SECOND));
        let rows = self.db.prepare_cached(
            "SELECT connection_id, process_id, bucket, tx_bytes, rx_bytes, tx_calls, rx_calls FROM traffic
                WHERE connection_id BETWEEN ?1 AND ?2 AND bucket BETWEEN ?3 AND ?4
                UNION ALL SELECT connection_id, process_id, NULL, sum(tx_bytes), sum(rx_bytes), sum(tx_calls), sum(rx_calls)
                FROM traffic WHERE connection_id BETWEEN ?1 AND ?2 AND bucket NOT BETWEEN ?3 AND ?4
                GROUP BY connection_id, process_id
                ORDER BY connection_id, process_id, bucket",
        )?;
        Ok(Self { far: Some(Far { rows, buckets: [from, to] }), ..self })
    }

    /// A connection with what its row has.
    pub(super) fn begin(&mut self, row: &Row<'_>, of: &StoreColumns) -> rusqlite::Result<Reading> {
        let remote = self.remotes.get(of.remote_id.get(row)?)?;
        let owner = self.processes.maybe(of.owner_id.get(row)?)?;
        let (country, place) = (remote.country.clone(), remote.place.clone());
        let mut connection = Connection::new(of.id.get(row)?, of.facts(row)?, owner, country, place);
        connection.label = of.label.newer::<String>(row)?.map(|label| Untrusted::from(label.as_str()));
        connection.remote.ip = remote.ip;
        Ok(Reading { run: of.run_id.get(row)?, remote, connection })
    }

    /// Completes connections, which are in the order of their ids.
    pub(super) fn complete(&mut self, all: &mut [Reading]) -> rusqlite::Result<()> {
        for near in all.chunk_by_mut(|a, b| b.connection.id - a.connection.id <= NEAR) {
            self.traffic(near)?;
            self.names(near)?;
            self.observed(near)?;
            self.hits.read(self.db, near)?;
        }
        Ok(())
    }

    /// Completes a connection of which it is known what it has moved.
    pub(super) fn complete_one(&mut self, one: &mut Reading, shares: &Shares) -> rusqlite::Result<()> {
        for (process, figures) in shares {
            if let Some(process) = self.processes.get(*process)? {
                one.connection.add_share(&process, *figures);
            }
        }
        let near = std::slice::from_mut(one);
        self.names(near)?;
        self.observed(near)?;
        self.hits.read(self.db, near)
    }

    fn traffic(&mut self, near: &mut [Reading]) -> rusqlite::Result<()> {
        let [first, last] = ends(near);
        let mut rows = match &mut self.far {
            Some(far) if near.iter().any(|one| far.has_some_of(&one.connection)) => {
                far.rows.query([first, last, far.buckets[0], far.buckets[1]])?
            }
            _ => self.traffic.query([first, last])?,
        };
        let mut along = Along(near);
        while let Some(row) = rows.next()? {
            let Some((run, connection)) = along.find_with_run(row.get(0)?) else { continue };
            let Some(process) = self.processes.get(row.get(1)?)? else { continue };
            let bucket: Option<i64> = row.get(2)?;
            let figure = |index| row.get::<_, i64>(index).map(|figure| figure as u64);
            let figures = [figure(3)?, figure(4)?, figure(5)?, figure(6)?];
            let share = connection.add_share(&process, figures);
            let (Some([since, until]), Some(bucket)) = (self.steps, bucket) else { continue };
            let (start, length) = step_of_bucket(bucket);
            // What is told of a recording that follows the clock has the right step.
            let first = if self.following.contains(&run) { start } else { step_of(connection, start) };
            // An hour in which a connection was opened begins with it.
            let opened = connection.opened.step();
            let first =
                if first < opened && opened.0 < first.0.saturating_add(length) { opened } else { first };
            let length = length.saturating_sub(first.0.saturating_sub(start.0)).max(STEP_NS);
            let start = first;
            // One that reaches into the interval says that a part of it may be in it.
            let end = Timestamp(start.0.saturating_add(length));
            if since.is_none_or(|since| end > since) && until.is_none_or(|until| start < until) {
                let [tx_bytes, rx_bytes, tx_calls, rx_calls] = figures;
                connection.steps.push(Step { start, length, share, tx_bytes, rx_bytes, tx_calls, rx_calls });
            }
        }
        Ok(())
    }

    fn names(&mut self, near: &mut [Reading]) -> rusqlite::Result<()> {
        let mut rows = self.names.query(ends(near))?;
        let mut along = Along(&mut *near);
        // The index gives the names of a connection in their own order; they are told in that of their rows.
        let (mut of, mut found) = (None, Vec::new());
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            if of != Some(id) {
                along.put_names(of, &mut found);
                of = Some(id);
            }
            let process = self.processes.maybe(row.get(4)?)?;
            if let Some(name) = name(row, process)? {
                found.push((row.get::<_, i64>(5)?, name));
            }
        }
        along.put_names(of, &mut found);
        for Reading { remote, connection, .. } in near {
            connection.add_names(&remote.names);
        }
        Ok(())
    }

    fn observed(&mut self, near: &mut [Reading]) -> rusqlite::Result<()> {
        let mut rows = self.observed.query(ends(near))?;
        let mut along = Along(near);
        while let Some(row) = rows.next()? {
            if let Some(connection) = along.find(row.get(0)?) {
                connection.observed = Some(observed(row.get(1)?, row.get(2)?));
            }
        }
        Ok(())
    }
}

impl Far<'_> {
    /// Whether the connection can have moved something outside.
    fn has_some_of(&self, connection: &Connection) -> bool {
        let [from, to] = self.buckets.map(|bucket| Timestamp(bucket.saturating_mul(SECOND)));
        connection.opened < from || connection.known_end().is_none_or(|end| end > to)
    }
}

impl Along<'_> {
    fn put_names(&mut self, id: Option<i64>, found: &mut Vec<(i64, connmon_record::Name)>) {
        if let Some(connection) = id.and_then(|id| self.find(id)) {
            found.sort_unstable_by_key(|(rowid, _)| *rowid);
            connection.names.extend(found.drain(..).map(|(_, name)| name));
        }
        found.clear();
    }
}

/// When a step of a connection began. Earlier versions could put traffic into the step beside the connection's first or last one.
fn step_of(connection: &Connection, start: Timestamp) -> Timestamp {
    let last = connection.known_end().map_or(start, |end| start.min(end.step()));
    last.max(connection.opened.step())
}
