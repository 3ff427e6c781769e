//! Connections of which only what their own rows have is wanted: when they were open, or which label they get. Nothing else is read.

use std::collections::HashMap;
use std::net::IpAddr;

use rusqlite::params_from_iter;
use rusqlite::types::Value as SqlValue;

use super::stretches::Instead;
use super::{Store, StoreError, filter};
use connmon_filter::Filter;
use connmon_filter::rules::Rules;
use connmon_record::{Endpoint, Timestamp};

/// Connections that are read by one statement: while it goes on, the log of a recording cannot be used anew.
const PIECE: usize = if cfg!(test) { 3 } else { 1 << 20 };
/// After so many it is told how far it is.
const TOLD: usize = 4096;

/// When a connection was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenTime {
    /// The number of its recording.
    pub run: i64,
    /// The number of its remote address.
    pub remote: i64,
    /// When it was opened.
    pub opened: Timestamp,
    /// Its end, as far as it is known.
    pub end: Option<Timestamp>,
}

/// A connection and its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The connection.
    pub id: i64,
    /// The place of the first rule that fits.
    pub rule: Option<usize>,
    /// It has that label, or none, already.
    pub is_known: bool,
}

impl Store {
    /// Calls `each` with when each connection was open that was so at some moment of the interval and fits the filter, in the
    /// order of their ids.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn for_each_time(
        &self,
        [since, until]: [Option<Timestamp>; 2],
        filter: &Filter,
        mut each: impl FnMut(OpenTime),
    ) -> Result<(), StoreError> {
        let mut read = || {
            let runs = self.runs()?;
            let ends: HashMap<i64, Option<Timestamp>> = runs.iter().map(|run| (run.id, run.cut())).collect();
            let error = |source| self.error(source);
            let mut chosen =
                self.choose(&Instead::default(), [since, until], filter, &runs).map_err(error)?;
            let query = format!("SELECT c.id, c.run_id, c.remote_id, c.opened, c.closed {}", chosen.from);
            let mut times = self.db.prepare(&query).map_err(error)?;
            loop {
                let mut rows = times.query(params_from_iter(chosen.parameters())).map_err(error)?;
                let (mut count, mut last) = (0, 0);
                while let Some(row) = rows.next().map_err(error)? {
                    let value = |column: usize| row.get::<_, i64>(column).map_err(error);
                    let (run, opened) = (value(1)?, Timestamp(value(3)?));
                    let closed = row.get::<_, Option<i64>>(4).map_err(error)?.map(Timestamp);
                    let cut = || ends.get(&run).copied().flatten().map(|end| end.max(opened));
                    (count, last) = (count + 1, value(0)?);
                    each(OpenTime { run, remote: value(2)?, opened, end: closed.or_else(cut) });
                    if count % TOLD == 0 {
                        self.tell(&mut chosen, last);
                    }
                    if count == PIECE {
                        break;
                    }
                }
                if count < PIECE {
                    self.tell_end();
                    return self.is_as_it_was();
                }
                chosen.go_on_after(last);
            }
        };
        read()
    }

    /// The remote address of a number; none at all where a damaged store lacks it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn remote(&self, number: i64) -> Result<IpAddr, StoreError> {
        let mut find =
            self.db.prepare_cached("SELECT ip FROM endpoint WHERE id = ?1").map_err(|e| self.error(e))?;
        let found = find.query_map([number], |row| row.get::<_, String>(0));
        let found = found.and_then(|mut rows| rows.next().transpose()).map_err(|e| self.error(e))?;
        let ip = found.and_then(|ip| ip.parse().ok());
        Ok(ip.map_or(Endpoint::UNSPECIFIED.ip, |ip: IpAddr| ip.to_canonical()))
    }

    /// Which label each connection gets by rules, so many of them at once, in the order of their ids. `each` may write into the
    /// store: no statement goes on meanwhile.
    ///
    /// # Errors
    /// The store cannot be read, or `each` fails.
    pub fn for_each_label<E: From<StoreError>>(
        &self,
        rules: &Rules,
        mut each: impl FnMut(&[Judged]) -> Result<(), E>,
    ) -> Result<(), E> {
        let error = |source| E::from(self.error(source));
        let everything = Filter::default();
        let runs = self.runs()?;
        let mut chosen = self.choose(&Instead::default(), [None, None], &everything, &runs).map_err(error)?;
        let (mut cases, mut values) = (String::new(), chosen.parameters().collect::<Vec<_>>());
        let ranges_at = values.len() - 1;
        let mut names = Vec::new();
        for (place, (rule, filter)) in rules.pairs().enumerate() {
            let condition = filter::condition(&self.db, filter, values.len() + 1).map_err(error)?;
            cases += &format!(" WHEN {} THEN {place}", condition.text);
            values.extend(filter::values(&condition));
            names.push(rule.label.raw());
        }
        let query = format!("SELECT c.id, CASE{cases} END, c.label {}", chosen.from);
        let mut labels = self.db.prepare(&query).map_err(error)?;
        let mut some = Vec::new();
        loop {
            some.clear();
            let mut rows = labels.query(params_from_iter(values.iter())).map_err(error)?;
            while some.len() < PIECE
                && let Some(row) = rows.next().map_err(error)?
            {
                let id = row.get(0).map_err(error)?;
                let rule: Option<i64> = row.get(1).map_err(error)?;
                let rule = rule.and_then(|place| usize::try_from(place).ok());
                let known = row.get_ref(2).and_then(|label| Ok(label.as_str_or_null()?)).map_err(error)?;
                let is_known = known == rule.and_then(|place| names.get(place).copied());
                some.push(Judged { id, rule, is_known });
                if some.len().is_multiple_of(TOLD) {
                    self.tell(&mut chosen, id);
                }
            }
            drop(rows);
            let Some(last) = some.last().map(|one| one.id) else { break };
            each(&some)?;
            if some.len() < PIECE {
                break;
            }
            chosen.go_on_after(last);
            values[ranges_at] = chosen.parameters().last().unwrap_or(SqlValue::Null);
        }
        self.tell_end();
        Ok(self.is_as_it_was()?)
    }
}
