//! Reading: runs and connections in an interval, in the order in which they were opened.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection as Database, OptionalExtension, params_from_iter};

use super::blocks::{self, IdRange, Wanted};
use super::columns::StoreColumns;
use super::complete::Completer;
use super::labels::{self, Hits};
use super::reading::Reading;
use super::row::json;
use super::stretches::Instead;
use super::totals::Shares;
use super::{Store, StoreError, filter, runs};
use connmon_filter::{Condition, Filter, KNOWN_END};
use connmon_record::{Connection, Matching, Run, Timestamp};

/// The number of the first parameter of a filter's condition.
const FIRST: usize = 3;
/// Connections that are read by one statement.
const PIECE: usize = if cfg!(test) { 2 * AT_ONCE } else { 1024 * AT_ONCE };
/// Connections that are read before what they have in other tables is.
const AT_ONCE: usize = 1024;

/// Which rows of connections an answer is made of.
pub(super) struct Chosen {
    /// What follows `SELECT c.*`.
    pub(super) from: String,
    values: Vec<SqlValue>,
    ranges: Vec<IdRange>,
    /// How far times can lie outside of the interval, because the clock was set back.
    pub(super) back: i64,
    /// The ids that there can be, for telling how far it is.
    wide: Option<Extent>,
}

/// How many ids there are, and how many have been passed.
struct Extent {
    ranges: Vec<IdRange>,
    all: i64,
    passed: i64,
}

impl Chosen {
    /// The values of the parameters.
    pub(super) fn parameters(&self) -> impl Iterator<Item = SqlValue> {
        self.values.iter().cloned().chain([SqlValue::Text(json(&self.ranges))])
    }

    /// Leaves what is behind an id.
    pub(super) fn go_on_after(&mut self, last: i64) {
        self.ranges.retain_mut(|(first, end)| {
            *first = (*first).max(last.saturating_add(1));
            *first <= *end
        });
    }
}

impl Extent {
    fn length(ranges: &[IdRange]) -> i64 {
        ranges.iter().fold(0, |all: i64, (first, last)| all.saturating_add(last - first).saturating_add(1))
    }

    /// Of these ranges, what lies within the others. Both are in ascending order.
    fn new(ranges: &[IdRange], within: &[IdRange]) -> Self {
        let mut both = Vec::new();
        let mut rest = within;
        for &(first, last) in ranges {
            while rest.first().is_some_and(|one| one.1 < first) {
                rest = &rest[1..];
            }
            let met = rest.iter().take_while(|one| one.0 <= last);
            both.extend(met.map(|one| (first.max(one.0), last.min(one.1))));
        }
        // From the last to the first, so that those that are passed are taken off at the end.
        both.reverse();
        Self { all: Self::length(&both), ranges: both, passed: 0 }
    }

    /// The part that is passed with this id.
    fn at(&mut self, id: i64) -> f64 {
        while let Some(range) = self.ranges.pop_if(|range| range.1 <= id) {
            self.passed += range.1 - range.0 + 1;
        }
        let within = self.ranges.last().map_or(0, |range| (id - range.0 + 1).max(0));
        (self.passed + within) as f64 / self.all.max(1) as f64
    }
}

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
        each: impl FnMut(i64, Connection) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_each_but(&Instead::default(), since, until, filter, each)
    }

    /// The same, without connections that the answer has in sums.
    ///
    /// # Errors
    /// As [`Store::for_each`].
    pub fn for_each_but<E: From<StoreError>>(
        &self,
        instead: &Instead,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        filter: &Filter,
        mut each: impl FnMut(i64, Connection) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut failed = None;
        self.visit(instead, [since, until], filter, &mut |run, connection| {
            failed = each(run, connection).err();
            if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// The same, until `each` wants no more. Not generic: it is compiled once, and here.
    fn visit(
        &self,
        instead: &Instead,
        [since, until]: [Option<Timestamp>; 2],
        filter: &Filter,
        each: &mut dyn FnMut(i64, Connection) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let error = |source| self.error(source);
        let runs = self.runs()?;
        let mut chosen = self.choose(instead, [since, until], filter, &runs).map_err(error)?;
        // The ranges are in order, and so are the connections of each.
        let mut connections = self.db.prepare(&format!("SELECT c.* {}", chosen.from)).map_err(error)?;
        let ends: HashMap<i64, Option<Timestamp>> = runs.into_iter().map(|run| (run.id, run.cut())).collect();
        let columns = StoreColumns::of_statement(&connections).map_err(error)?;
        let hits = Hits::new(&self.db).map_err(error)?;
        let mut completer = Completer::new(&self.db, &hits, Some([since, until]))
            .and_then(|completer| completer.with_sums_outside(chosen.back))
            .map_err(error)?;
        let mut some = Vec::with_capacity(AT_ONCE);
        // While one statement goes on, SQLite cannot use its log anew, and that grows by all that is recorded meanwhile.
        loop {
            let mut rows = connections.query(params_from_iter(chosen.parameters())).map_err(error)?;
            let (mut count, mut last) = (0, i64::MAX);
            while count < PIECE {
                while let Some(row) = rows.next().map_err(error)? {
                    let mut one = completer.begin(row, &columns).map_err(error)?;
                    one.connection.cut_off_at(ends.get(&one.run).copied().flatten());
                    some.push(one);
                    if some.len() == AT_ONCE {
                        break;
                    }
                }
                let Some(newest) = some.last() else { break };
                last = newest.connection.id;
                count += some.len();
                completer.complete(&mut some).map_err(error)?;
                for Reading { run, connection, .. } in some.drain(..) {
                    let is_wanted = chosen.back == 0 || connection.was_within(since, until);
                    if is_wanted && each(run, connection).is_break() {
                        return Ok(());
                    }
                }
                self.tell(&mut chosen, last);
            }
            if count < PIECE {
                break;
            }
            chosen.go_on_after(last);
        }
        self.tell_end();
        self.is_as_it_was()
    }

    /// Which rows an answer is made of.
    pub(super) fn choose(
        &self,
        instead: &Instead,
        [since, until]: [Option<Timestamp>; 2],
        filter: &Filter,
        runs: &[Run],
    ) -> rusqlite::Result<Chosen> {
        let condition = filter::condition(&self.db, filter, FIRST)?;
        let back = runs.iter().map(Run::set_back_ns).max().unwrap_or(0);
        let [first, end] = [
            since.map(|since| Timestamp(since.0.saturating_sub(back))),
            until.map(|until| Timestamp(until.0.saturating_add(back))),
        ];
        let ranges = self.ranges(first, end, filter, &condition)?;
        let ranges = instead.rest_of(ranges.unwrap_or_else(|| vec![(i64::MIN, i64::MAX)]));
        let from = format!(
            "FROM json_each(?{}) range
                CROSS JOIN connection c ON c.id BETWEEN range.value ->> 0 AND range.value ->> 1
                WHERE (?1 IS NULL OR coalesce({KNOWN_END}, ?1) >= ?1) AND (?2 IS NULL OR c.opened < ?2)
                AND {}",
            FIRST + condition.values.len(),
            condition.text
        );
        let interval = [first, end].map(|time| time.map_or(SqlValue::Null, |time| SqlValue::Integer(time.0)));
        let values = interval.into_iter().chain(filter::values(&condition)).collect();
        let wide = match &self.watch {
            Some(_) => Some(Extent::new(&ranges, &blocks::extents(&self.db)?)),
            None => None,
        };
        Ok(Chosen { from, values, ranges, back, wide })
    }

    /// Tells whoever watches that it has been read up to this id.
    pub(super) fn tell(&self, chosen: &mut Chosen, last: i64) {
        if let (Some(watch), Some(wide)) = (&self.watch, &mut chosen.wide) {
            watch(wide.at(last));
        }
    }

    /// Tells whoever watches that all has been read.
    pub(super) fn tell_end(&self) {
        self.watch.iter().for_each(|watch| watch(1.0));
    }

    /// The ids among which the connections of an answer are; `None` for all.
    fn ranges(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        filter: &Filter,
        condition: &Condition,
    ) -> rusqlite::Result<Option<Vec<IdRange>>> {
        if !blocks::has_blocks(&self.db)? {
            return Ok(None);
        }
        let (from, to) = filter.interval();
        let wanted = Wanted {
            since: since.max(from),
            until: [until, to].into_iter().flatten().min(),
            remotes: filter::remotes(&self.db, condition, FIRST)?,
        };
        wanted.ranges(&self.db)
    }

    /// The number of connections that match any list of indicators, and the number for each list.
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

/// A connection with everything that is known of it, and the number of its run. `ends` tells when recordings that are over ended.
pub(super) fn connection_with_steps(
    db: &Database,
    hits: &Hits,
    id: i64,
    ends: &HashMap<i64, Option<Timestamp>>,
) -> rusqlite::Result<Option<(i64, Connection)>> {
    read_one(db, hits, (id, Some([None, None])), |run| ends.get(&run).copied().flatten())
}

/// A connection with its processes, and the number of its run. It does not say when it moved its bytes.
pub(super) fn connection_with_run(
    db: &Database,
    hits: &Hits,
    id: i64,
) -> rusqlite::Result<Option<(i64, Connection)>> {
    read_one(db, hits, (id, None), |_| None)
}

/// The same, of a connection of which it is known what it has moved.
pub(super) fn connection_with_shares(
    db: &Database,
    hits: &Hits,
    id: i64,
    shares: &Shares,
) -> rusqlite::Result<Option<Connection>> {
    let mut found = db.prepare_cached("SELECT * FROM connection WHERE id = ?1")?;
    let columns = StoreColumns::of_statement(&found)?;
    let mut completer = Completer::new(db, hits, None)?;
    let Some(mut one) = found.query_row([id], |row| completer.begin(row, &columns)).optional()? else {
        return Ok(None);
    };
    completer.complete_one(&mut one, shares)?;
    Ok(Some(one.connection))
}

/// A connection, with those of its steps that are wanted; `end` tells when a recording ended.
fn read_one(
    db: &Database,
    hits: &Hits,
    (id, steps): (i64, Option<[Option<Timestamp>; 2]>),
    end: impl FnOnce(i64) -> Option<Timestamp>,
) -> rusqlite::Result<Option<(i64, Connection)>> {
    let mut found = db.prepare_cached("SELECT * FROM connection WHERE id = ?1")?;
    let columns = StoreColumns::of_statement(&found)?;
    let mut completer = Completer::new(db, hits, steps)?;
    let Some(mut one) = found.query_row([id], |row| completer.begin(row, &columns)).optional()? else {
        return Ok(None);
    };
    one.connection.cut_off_at(end(one.run));
    completer.complete(std::slice::from_mut(&mut one))?;
    Ok(Some((one.run, one.connection)))
}
