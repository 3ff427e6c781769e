//! The sums that stay of connections whose details were pruned: writing, reading, and making months of days.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use rusqlite::{Connection as Database, OptionalExtension, Row, Transaction, params, params_from_iter};

use super::super::{Store, StoreError};
use connmon_analysis::groups::sums::{
    SUM_COLUMNS, SumFigures, SumKey, SumOwner, SumPart, SumPeriod, TrafficSum,
};
use connmon_record::{Proto, display_safe};

/// So many different owners have sums of their own; later ones are summed up by user and country.
const MAX_OWNERS: i64 = 100_000;
/// What stands for the others.
const OTHERS: &str = "(others)";

/// The columns of figures.
static FIGURES: LazyLock<String> = LazyLock::new(|| SUM_COLUMNS.join(", "));

/// Adds sums to those that are there. Sums stop at the highest number that the store can keep.
pub fn add(db: &Transaction<'_>, sums: &BTreeMap<SumKey, SumFigures>) -> rusqlite::Result<()> {
    for (key, figures) in sums {
        add_to(db, key, owner_id(db, &key.owner)?, *figures)?;
    }
    Ok(())
}

fn add_to(db: &Database, key: &SumKey, owner: i64, mut figures: SumFigures) -> rusqlite::Result<()> {
    let id = params![key.period.day, key.period.month, key.part as i64, key.proto.0, owner];
    let known = format!(
        "SELECT {} FROM traffic_sum WHERE day = ?1 AND month = ?2 AND part = ?3 AND proto = ?4 AND owner_id = ?5",
        *FIGURES
    );
    if let Some(known) = db.prepare_cached(&known)?.query_row(id, |row| figures_at(row, 0)).optional()? {
        figures += known;
    }
    let put = format!(
        "INSERT OR REPLACE INTO traffic_sum (day, month, part, proto, owner_id, {}) VALUES (?1, ?2, ?3, ?4, ?5{})",
        *FIGURES,
        (0..SUM_COLUMNS.len()).map(|column| format!(", ?{}", column + 6)).collect::<String>()
    );
    let own = [key.period.day, i64::from(key.period.month), key.part as i64, key.proto.0.into(), owner];
    let numbers = figures.numbers().map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    db.prepare_cached(&put)?.execute(params_from_iter(own.into_iter().chain(numbers)))?;
    Ok(())
}

fn owner_id(db: &Database, owner: &SumOwner) -> rusqlite::Result<i64> {
    let find = |owner: &SumOwner| {
        let SumOwner { exe, user, unit, container, country, own } = owner;
        db.prepare_cached(
            "SELECT id FROM sum_owner
                WHERE exe = ?1 AND user = ?2 AND unit = ?3 AND container = ?4 AND country = ?5 AND own = ?6",
        )?
        .query_row(params![exe, user, unit, container, country, own], |row| row.get::<_, i64>(0))
        .optional()
    };
    let mut owner = owner.clone();
    if let Some(id) = find(&owner)? {
        return Ok(id);
    }
    let owners: Option<i64> = db.query_row("SELECT max(id) FROM sum_owner", [], |row| row.get(0))?;
    if owners.is_some_and(|owners| owners >= MAX_OWNERS) {
        for text in [&mut owner.exe, &mut owner.unit, &mut owner.container] {
            OTHERS.clone_into(text);
        }
        if let Some(id) = find(&owner)? {
            return Ok(id);
        }
    }
    let SumOwner { exe, user, unit, container, country, own } = owner;
    db.prepare_cached(
        "INSERT INTO sum_owner (exe, user, unit, container, country, own) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![exe, user, unit, container, country, own])?;
    Ok(db.last_insert_rowid())
}

/// Adds a day's sums to those of its month, the oldest day first, if its month ended before the day `before`; whether there was one.
pub(super) fn fold(db: &Transaction<'_>, before: i64) -> rusqlite::Result<bool> {
    let oldest = "SELECT min(day) FROM traffic_sum WHERE month = 0";
    let Some(day) = db.query_row(oldest, [], |row| row.get::<_, Option<i64>>(0))? else { return Ok(false) };
    let period = SumPeriod { day, month: false };
    let month = period.whole_month();
    if SumPeriod::of_time(month.end()).day > before {
        return Ok(false);
    }
    for (key, owner, figures) in read(db, "WHERE s.month = 0 AND s.day = ?1", params![day])? {
        let part = match key.part {
            SumPart::Within | SumPart::Month => SumPart::Within,
            // Of those that were open on other days, the month does not tell.
            SumPart::Carried if day != month.day => continue,
            other => other,
        };
        add_to(db, &SumKey { period: month, part, ..key }, owner, figures)?;
    }
    db.execute("DELETE FROM traffic_sum WHERE month = 0 AND day = ?1", [day])?;
    Ok(true)
}

type Found = Vec<(SumKey, i64, SumFigures)>;

fn read(db: &Database, which: &str, values: impl rusqlite::Params) -> rusqlite::Result<Found> {
    let mut statement = db.prepare_cached(&query(which))?;
    let rows = statement.query_map(values, |row| Ok((key(row)?, row.get(4)?, figures_at(row, 11)?)))?;
    rows.filter_map(|row| match row {
        Ok((Some(key), owner, figures)) => Some(Ok((key, owner, figures))),
        Ok((None, ..)) => None,
        Err(error) => Some(Err(error)),
    })
    .collect()
}

fn query(which: &str) -> String {
    let figures: Vec<String> = SUM_COLUMNS.iter().map(|name| format!("s.{name}")).collect();
    format!(
        "SELECT s.day, s.month, s.part, s.proto, s.owner_id, o.exe, o.user, o.unit, o.container, o.country, o.own, {}
            FROM traffic_sum s JOIN sum_owner o ON o.id = s.owner_id {which}
            ORDER BY s.day, s.month, s.part, s.proto, s.owner_id",
        figures.join(", ")
    )
}

/// `None` for a part that a newer version may have written.
fn key(row: &Row<'_>) -> rusqlite::Result<Option<SumKey>> {
    let text = |column| row.get::<_, String>(column).map(|text| display_safe(&text).into_owned());
    let owner = SumOwner {
        exe: text(5)?,
        user: text(6)?,
        unit: text(7)?,
        container: text(8)?,
        country: text(9)?,
        own: row.get(10)?,
    };
    let period = SumPeriod { day: row.get(0)?, month: row.get(1)? };
    let part = SumPart::from_number(row.get(2)?);
    Ok(part.map(|part| SumKey {
        period,
        part,
        proto: Proto(row.get(3).unwrap_or_default()),
        owner: Arc::new(owner),
    }))
}

fn figures_at(row: &Row<'_>, first: usize) -> rusqlite::Result<SumFigures> {
    let mut numbers = [0; SUM_COLUMNS.len()];
    for (place, number) in (first..).zip(&mut numbers) {
        *number = row.get::<_, i64>(place)?.cast_unsigned();
    }
    Ok(SumFigures::from_numbers(numbers))
}

impl Store {
    /// Calls `each` for each sum that stays of pruned connections, in the order of their periods. A store from before there were
    /// sums has none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn for_each_sum(&self, mut each: impl FnMut(&SumKey, &SumFigures)) -> Result<(), StoreError> {
        let mut read = || {
            if !self.db.table_exists(None, "traffic_sum")? {
                return Ok(());
            }
            let mut statement = self.db.prepare(&query(""))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if let Some(key) = key(row)? {
                    each(&key, &figures_at(row, 11)?);
                }
            }
            Ok(())
        };
        read().map_err(|source| self.error(source))
    }

    /// All sums, in the order of their periods.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn sums(&self) -> Result<Vec<TrafficSum>, StoreError> {
        let mut all = Vec::new();
        self.for_each_sum(|key, figures| all.push((key.clone(), *figures)))?;
        Ok(all)
    }
}
