//! Reading: runs and connections in an interval, in the order in which they were opened.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection as Database, OptionalExtension, Row, params_from_iter};

use super::columns::StoreColumns;
use super::geo::LocationReader;
use super::labels::{self, Hits};
use super::{Store, StoreError, filter, names, processes, runs};
use connmon_filter::{Filter, KNOWN_END};
use connmon_record::{Connection, Matching, Process, Run, STEP_NS, Step, Timestamp};

impl Store {
    /// All recordings, oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>, StoreError> {
        runs::runs(&self.db, self.going_on).map_err(|source| self.error(source))
    }

    /// Calls `each` with the number of its run for each connection that was open at some moment of the interval and fits
    /// the filter, in the order of their ids. Each has all its bytes, and [`Connection::between`] leaves those of an interval.
    ///
    /// # Errors
    /// The store cannot be read, or `each` fails.
    pub fn for_each<E: From<StoreError>>(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        filter: &Filter,
        mut each: impl FnMut(i64, Connection) -> Result<(), E>,
    ) -> Result<(), E> {
        let error = |source| E::from(self.error(source));
        let filter = filter::condition(&self.db, filter, 3).map_err(error)?;
        let processes = processes::read(&self.db).map_err(error)?;
        // Both come in the order of the connections' ids, so one pass over each is enough.
        let mut connections = self
            .db
            .prepare(&format!(
                "SELECT c.*, e.* FROM connection c JOIN endpoint e ON e.id = c.remote_id
                    WHERE (?1 IS NULL OR coalesce({KNOWN_END}, ?1) >= ?1) AND (?2 IS NULL OR c.opened < ?2)
                    AND {} ORDER BY c.id",
                filter.text
            ))
            .map_err(error)?;
        let mut traffic = self
            .db
            .prepare(
                "SELECT connection_id, process_id, tx_bytes, rx_bytes, tx_calls, rx_calls, bucket
                    FROM traffic ORDER BY connection_id, process_id, bucket",
            )
            .map_err(error)?;
        let ends: HashMap<i64, Option<Timestamp>> =
            self.runs()?.into_iter().map(|run| (run.id, run.cut())).collect();
        let mut traffic = traffic.query([]).map_err(error)?;
        let mut share = traffic.next().map_err(error)?.map(step_row).transpose().map_err(error)?;
        let interval =
            [since, until].map(|time| time.map_or(SqlValue::Null, |time| SqlValue::Integer(time.0)));
        let values = params_from_iter(interval.into_iter().chain(filter::values(filter)));
        let columns = StoreColumns::of_statement(&connections).map_err(error)?;
        let mut rows = connections.query(values).map_err(error)?;
        let mut places = LocationReader::default();
        let mut names = names::NameReader::of_all(&self.db).map_err(error)?;
        let hits = Hits::of_all(&self.db).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            let run = columns.run_id.get(row).map_err(error)?;
            let mut connection = connection(row, &columns, &processes, &mut places).map_err(error)?;
            connection.cut_off_at(ends.get(&run).copied().flatten());
            while let Some(((id, process, figures), start)) = share {
                if id > connection.id {
                    break;
                }
                if let (true, Some(process)) = (id == connection.id, processes.get(&process)) {
                    let share = connection.add_share(process, figures);
                    add_step(&mut connection, share, start, figures);
                }
                share = traffic.next().map_err(error)?.map(step_row).transpose().map_err(error)?;
            }
            let endpoint = columns.remote_id.get(row).map_err(error)?;
            names.complete(&mut connection, endpoint, &processes).map_err(error)?;
            connection.hits = hits.of_connection(&self.db, connection.id).map_err(error)?;
            each(run, connection)?;
        }
        Ok(self.is_as_it_was()?)
    }

    /// How many connections match any list of indicators, and how many each.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn matching(&self) -> Result<(u64, Matching), StoreError> {
        labels::matching(&self.db).map_err(|source| self.error(source))
    }

    /// The numbers that a query gives, in its column `id` or else its first one.
    ///
    /// # Errors
    /// It is no query, gives no numbers, or would change something.
    pub fn ids_of(&self, sql: &str) -> Result<HashSet<i64>, StoreError> {
        let read = || {
            let mut statement = self.db.prepare(sql)?;
            if !statement.readonly() || statement.column_count() == 0 {
                return Err(rusqlite::Error::InvalidQuery);
            }
            let column = statement.column_index("id").unwrap_or(0);
            let ids = statement.query_map([], |row| row.get::<_, i64>(column))?;
            ids.collect::<rusqlite::Result<HashSet<i64>>>()
        };
        read().map_err(|error| StoreError::Query(error.to_string()))
    }

    /// The remote addresses of connections opened before a time; `None` if there was none, so that nothing can be said of what
    /// is new.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn remotes_before(&self, time: Timestamp) -> Result<Option<HashSet<IpAddr>>, StoreError> {
        let read = || {
            let mut statement = self.db.prepare(
                "SELECT DISTINCT e.ip FROM connection c JOIN endpoint e ON e.id = c.remote_id WHERE c.opened < ?1",
            )?;
            let texts = statement.query_map([time.0], |row| row.get::<_, String>(0))?;
            texts.collect::<rusqlite::Result<Vec<String>>>()
        };
        let texts: Vec<String> = read().map_err(|source| self.error(source))?;
        Ok((!texts.is_empty()).then(|| texts.iter().filter_map(|text| text.parse().ok()).collect()))
    }

    /// The connection of this id, with the number of its run; `None` if there is none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn connection(&self, id: i64) -> Result<Option<(i64, Connection)>, StoreError> {
        let found = Hits::new(&self.db).and_then(|hits| connection_with_run(&self.db, &hits, id));
        let mut found = found.map_err(|source| self.error(source))?;
        if let Some((run, connection)) = &mut found
            && !self.going_on
        {
            let run = self.runs()?.into_iter().find(|one| one.id == *run);
            connection.cut_off_at(run.and_then(|run| run.cut()));
        }
        Ok(found)
    }
}

/// A connection with its processes, and the number of its run.
pub(super) fn connection_with_run(
    db: &Database,
    hits: &Hits,
    id: i64,
) -> rusqlite::Result<Option<(i64, Connection)>> {
    let Some((run, mut connection, processes)) = without_traffic(db, hits, id)? else { return Ok(None) };
    let mut shares = db.prepare_cached(
        "SELECT connection_id, process_id, sum(tx_bytes), sum(rx_bytes), sum(tx_calls), sum(rx_calls)
            FROM traffic WHERE connection_id = ?1 GROUP BY process_id ORDER BY process_id",
    )?;
    for share in shares.query_map([id], share_row)? {
        let (_, process, figures) = share?;
        if let Some(process) = processes.get(&process) {
            connection.add_share(process, figures);
        }
    }
    Ok(Some((run, connection)))
}

/// The same with what it moved by time; `ends` tells when recordings that are over ended.
pub(super) fn connection_with_steps(
    db: &Database,
    hits: &Hits,
    id: i64,
    ends: &HashMap<i64, Option<Timestamp>>,
) -> rusqlite::Result<Option<(i64, Connection)>> {
    let Some((run, mut connection, processes)) = without_traffic(db, hits, id)? else { return Ok(None) };
    connection.cut_off_at(ends.get(&run).copied().flatten());
    let mut steps = db.prepare_cached(
        "SELECT connection_id, process_id, tx_bytes, rx_bytes, tx_calls, rx_calls, bucket
            FROM traffic WHERE connection_id = ?1 ORDER BY process_id, bucket",
    )?;
    for step in steps.query_map([id], step_row)? {
        let ((_, process, figures), start) = step?;
        if let Some(process) = processes.get(&process) {
            let share = connection.add_share(process, figures);
            add_step(&mut connection, share, start, figures);
        }
    }
    Ok(Some((run, connection)))
}

type ProcessesById = HashMap<i64, Arc<Process>>;

/// The number of its run, a connection with everything but what it moved, and its processes.
fn without_traffic(
    db: &Database,
    hits: &Hits,
    id: i64,
) -> rusqlite::Result<Option<(i64, Connection, ProcessesById)>> {
    let mut used = db.prepare_cached(
        "SELECT owner_id FROM connection WHERE id = ?1 AND owner_id IS NOT NULL
            UNION SELECT process_id FROM traffic WHERE connection_id = ?1
            UNION SELECT process_id FROM connection_name WHERE connection_id = ?1 AND process_id IS NOT NULL",
    )?;
    let used: Vec<i64> = used.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let processes = processes::with_ancestors(db, &used)?;
    let mut found = db.prepare_cached(
        "SELECT c.*, e.* FROM connection c JOIN endpoint e ON e.id = c.remote_id WHERE c.id = ?1",
    )?;
    let columns = StoreColumns::of_statement(&found)?;
    let read = |row: &Row<'_>| {
        let connection = connection(row, &columns, &processes, &mut LocationReader::default())?;
        Ok((columns.run_id.get(row)?, columns.remote_id.get(row)?, connection))
    };
    let Some((run, endpoint, mut connection)) = found.query_row([id], read).optional()? else {
        return Ok(None);
    };
    names::NameReader::of_one(db, id, endpoint)?.complete(&mut connection, endpoint, &processes)?;
    connection.hits = hits.of_connection(db, id)?;
    Ok(Some((run, connection, processes)))
}

type TrafficCounts = [u64; 4];

fn share_row(row: &Row<'_>) -> rusqlite::Result<(i64, i64, TrafficCounts)> {
    let figure = |index| row.get::<_, i64>(index).map(|figure| figure as u64);
    Ok((row.get(0)?, row.get(1)?, [figure(2)?, figure(3)?, figure(4)?, figure(5)?]))
}

/// With the start of its step.
fn step_row(row: &Row<'_>) -> rusqlite::Result<((i64, i64, TrafficCounts), Timestamp)> {
    Ok((share_row(row)?, Timestamp(row.get::<_, i64>(6)?.saturating_mul(1_000_000_000))))
}

/// Adds what was moved in a step. Earlier versions could put it into the step beside the connection's first or last one.
fn add_step(
    connection: &mut Connection,
    share: usize,
    start: Timestamp,
    [tx_bytes, rx_bytes, tx_calls, rx_calls]: TrafficCounts,
) {
    let last = connection.known_end().map_or(start, |end| start.min(end.step()));
    let start = last.max(connection.opened.step());
    connection.steps.push(Step { start, length: STEP_NS, share, tx_bytes, rx_bytes, tx_calls, rx_calls });
}

fn connection(
    row: &Row<'_>,
    of: &StoreColumns,
    processes: &HashMap<i64, Arc<Process>>,
    places: &mut LocationReader,
) -> rusqlite::Result<Connection> {
    // Names, traffic and hits are in tables of their own.
    Ok(Connection {
        id: of.id.get(row)?,
        facts: of.facts(row)?,
        owner: of.owner_id.get::<Option<i64>>(row)?.and_then(|id| processes.get(&id).cloned()),
        country: of.country.get(row)?,
        place: places.location_of(row, of.remote_id.get(row)?)?,
        label: of.label.newer::<String>(row)?.map(Into::into),
        ..Connection::default()
    })
}
