//! Reads the sums of stretches for an answer, and says which connections must be read besides.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::{Connection as Database, OptionalExtension};

use super::super::blocks::IdRange;
use super::super::{Store, StoreError, labels, sums};
use super::{State, has_remote, ids, pieces};
use connmon_analysis::cells::{CellFigures, Counted};
use connmon_analysis::groups::sums::Summed;
use connmon_record::{IndicatorList, Matching, Timestamp};

/// Connections that an answer need not read: it has them in sums, or they cannot be in it.
#[derive(Default)]
pub struct Instead {
    /// Their stretches, in ascending order.
    stretches: Vec<i64>,
    /// Connections of these that are in no sum, in ascending order.
    rest: Vec<i64>,
    /// All but these, in ascending order.
    only: Option<Vec<i64>>,
}

impl Instead {
    /// Those in sums of these stretches but these, all in ascending order.
    pub(super) fn of(rest: Vec<i64>, stretches: Vec<i64>) -> Self {
        Self { stretches, rest, only: None }
    }

    /// Reads these as well.
    pub(super) fn read_too(&mut self, some: &HashSet<i64>) {
        self.rest.extend(some);
        self.rest.sort_unstable();
    }

    /// All but these, which are in ascending order.
    pub(crate) fn all_but(only: Vec<i64>) -> Self {
        Self { only: Some(only), ..Self::default() }
    }

    /// The ids that are left of these ranges, which are in ascending order.
    pub(crate) fn rest_of(&self, ranges: Vec<IdRange>) -> Vec<IdRange> {
        if let Some(only) = &self.only {
            return only.chunk_by(|a, b| a + 1 == *b).map(|near| (near[0], near[near.len() - 1])).collect();
        }
        if self.stretches.is_empty() {
            return ranges;
        }
        let mut stretches = self.stretches.iter().map(|one| ids(*one)).peekable();
        let mut rest = self.rest.iter().copied().peekable();
        let mut left = Vec::new();
        for (mut first, last) in ranges {
            while first <= last {
                while stretches.next_if(|stretch| stretch.1 < first).is_some() {}
                while rest.next_if(|id| *id < first).is_some() {}
                let until = stretches.peek().map_or(last, |stretch| last.min(stretch.0.saturating_sub(1)));
                if first <= until {
                    left.push((first, until));
                    first = match until.checked_add(1) {
                        Some(next) => next,
                        None => break,
                    };
                    continue;
                }
                // Within a stretch.
                let until = stretches.peek().map_or(last, |stretch| last.min(stretch.1));
                while let Some(id) = rest.next_if(|id| *id <= until) {
                    match left.last_mut().filter(|range| range.1.checked_add(1) == Some(id)) {
                        Some(range) => range.1 = id,
                        None => left.push((id, id)),
                    }
                }
                first = until + 1;
            }
        }
        left
    }
}

impl Store {
    /// What the store knows the sums of, of the connections that lie between two times, and which connections need not be read
    /// then. A store without sums gives none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn summed(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<(Summed, Instead), StoreError> {
        let read = || {
            if !self.db.table_exists(Some("main"), "stretch")? {
                return Ok(Default::default());
            }
            // All of it as it was at one moment.
            let transaction = self.db.unchecked_transaction()?;
            let stretches = usable(&transaction, since, until)?;
            let rest = rest(&transaction, &stretches)?;
            let locals = if stretches.is_empty() { HashSet::new() } else { super::locals(&transaction)? };
            let instead = Instead::of(rest, stretches);
            let summed = Summed {
                sums: sums::of_stretches(&transaction, &instead.stretches)?,
                locals,
                matching: matching(&transaction, &instead)?,
            };
            Ok((summed, instead))
        };
        read().map_err(|source| self.error(source))
    }
}

/// The connections of stretches that are in no sum.
pub(super) fn rest(db: &Database, stretches: &[i64]) -> rusqlite::Result<Vec<i64>> {
    let mut find = db.prepare(
        "SELECT connection_id FROM stretch_rest WHERE connection_id BETWEEN ?1 AND ?2 ORDER BY connection_id",
    )?;
    let mut rest = Vec::new();
    for stretch in stretches {
        let (first, last) = ids(*stretch);
        for id in find.query_map([first, last], |row| row.get(0))? {
            rest.push(id?);
        }
    }
    Ok(rest)
}

/// The stretches that lie between two times, and of which it is known where the other ends of their connections are.
pub(super) fn usable(
    db: &Database,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> rusqlite::Result<Vec<i64>> {
    let mut all = db.prepare(
        "SELECT id, locals FROM stretch WHERE state = ?1 AND (?2 IS NULL OR first >= ?2) AND (?3 IS NULL OR last < ?3)
            ORDER BY id",
    )?;
    let values = (State::Summed as i64, since.map(|since| since.0), until.map(|until| until.0));
    let all = all.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let all = all.collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
    // Addresses of this host that are remote ones as well.
    let mut locals = db.prepare("SELECT id, ip FROM stretch_local ORDER BY id")?;
    let locals = locals.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut find = db.prepare("SELECT id FROM endpoint WHERE ip = ?1")?;
    let mut here: Vec<(i64, i64)> = Vec::new();
    for local in locals {
        let (id, ip): (i64, String) = local?;
        let is_loopback = ip.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if let Some(endpoint) = find.query_row([ip], |row| row.get(0)).optional()?
            && !is_loopback
        {
            here.push((id, endpoint));
        }
    }
    let mut usable = Vec::new();
    for (stretch, known) in all {
        let later: HashSet<i64> =
            here.iter().filter(|(id, _)| *id > known).map(|(_, endpoint)| *endpoint).collect();
        if later.is_empty() || !has_remote(db, stretch, &later)? {
            usable.push(stretch);
        }
    }
    Ok(usable)
}

/// The number of connections in sums that match any list of indicators, and the number for each list.
pub(super) fn matching(db: &Database, instead: &Instead) -> rusqlite::Result<(u64, Matching)> {
    let known: HashMap<i64, Arc<IndicatorList>> = labels::known_lists(db)?;
    let mut find = db.prepare(
        "SELECT DISTINCT connection_id, list_id FROM hit WHERE connection_id BETWEEN ?1 AND ?2
            AND NOT EXISTS (SELECT 1 FROM stretch_rest r WHERE r.connection_id = hit.connection_id)
            ORDER BY connection_id, list_id",
    )?;
    let (mut any, mut each, mut before) = (0, Matching::new(), None);
    for stretch in &instead.stretches {
        let (first, last) = ids(*stretch);
        let mut rows = find.query([first, last])?;
        while let Some(row) = rows.next()? {
            let (connection, list): (i64, i64) = (row.get(0)?, row.get(1)?);
            let Some(list) = known.get(&list) else { continue };
            any += u64::from(before.replace(connection) != Some(connection));
            *each.entry(list.clone()).or_default() += 1;
        }
    }
    Ok((any, each))
}

/// The bytes of the connections in the cells of a stretch, sent and received.
fn of_cells(db: &Database, stretch: i64) -> rusqlite::Result<(i64, i64)> {
    let mut sums = (0_i64, 0_i64);
    pieces::read(db, stretch, |key, CellFigures { figures, .. }| {
        if key.counted != Counted::Process {
            sums.0 = sums.0.saturating_add_unsigned(figures.tx_bytes);
            sums.1 = sums.1.saturating_add_unsigned(figures.rx_bytes);
        }
        Ok(())
    })?;
    Ok(sums)
}

/// The stretches whose sums are not the bytes of their connections, a sentence each.
pub(crate) fn faults(db: &Database) -> rusqlite::Result<Vec<String>> {
    if !db.table_exists(Some("main"), "stretch")? {
        return Ok(Vec::new());
    }
    let mut wrong = db.prepare(
        "SELECT id FROM stretch WHERE id = ?1 AND
            (SELECT coalesce(sum(tx_bytes), 0), coalesce(sum(rx_bytes), 0) FROM stretch_sum WHERE stretch_id = ?1) <>
            (SELECT coalesce(sum(tx_bytes), 0), coalesce(sum(rx_bytes), 0) FROM traffic
                WHERE connection_id BETWEEN ?2 AND ?3 AND connection_id NOT IN (SELECT connection_id FROM stretch_rest))",
    )?;
    let with_cells = pieces::are_kept(db)?;
    let mut sums = db.prepare(
        "SELECT coalesce(sum(tx_bytes), 0), coalesce(sum(rx_bytes), 0) FROM stretch_sum WHERE stretch_id = ?1
            AND EXISTS (SELECT 1 FROM stretch WHERE id = ?1 AND cell_rows IS NOT NULL)",
    )?;
    let mut faults = Vec::new();
    for stretch in usable(db, None, None)? {
        let (first, last) = ids(stretch);
        if wrong.exists([stretch, first, last])? {
            faults.push(format!("the sums of connections {first} to {last} are not what these moved"));
        }
        let sums = sums.query_row([stretch], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if with_cells && sums != of_cells(db, stretch)? {
            faults.push(format!("the cells of connections {first} to {last} are not what their sums say"));
        }
    }
    Ok(faults)
}
