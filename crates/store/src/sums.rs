//! Sums of connections by day and owner: those that stay when details are pruned, and those of stretches: writing, reading, and
//! making months of days.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use rusqlite::{Connection as Database, OptionalExtension, Row, Transaction, params, params_from_iter};

use super::{Store, StoreError};
use connmon_analysis::groups::sums::{
    OtherEnd, SUM_COLUMNS, SumFigures, SumKey, SumOwner, SumPart, SumPeriod, TrafficSum,
};
use connmon_record::{Proto, display_safe};

/// So many different owners have sums of their own; later ones are summed up by user and country.
const MAX_OWNERS: i64 = 100_000;
/// The value that stands for the remaining combinations.
const OTHERS: &str = "(others)";

/// The columns of figures.
static FIGURES: LazyLock<String> = LazyLock::new(|| SUM_COLUMNS.join(", "));
/// The parameters of figures, behind the five of a row.
static VALUES: LazyLock<String> =
    LazyLock::new(|| (0..SUM_COLUMNS.len()).map(|column| format!(", ?{}", column + 6)).collect());

/// The contributions of pruned connections to each sum.
pub(super) type Sums = BTreeMap<SumKey, SumFigures>;

/// Adds sums to those that are there. Sums stop at the highest number that the store can keep.
pub(super) fn add(db: &Transaction<'_>, sums: &Sums) -> rusqlite::Result<()> {
    for (key, figures) in sums {
        let Owner { id, .. } = owner(db, &key.owner)?;
        add_to(db, key, id, *figures)?;
    }
    Ok(())
}

/// Adds sums to those of a stretch; whether each owner has sums of its own.
pub(super) fn add_to_stretch(db: &Transaction<'_>, stretch: i64, sums: &Sums) -> rusqlite::Result<bool> {
    let known = format!(
        "SELECT {} FROM stretch_sum WHERE stretch_id = ?1 AND day = ?2 AND part = ?3 AND proto = ?4 AND owner_id = ?5",
        *FIGURES
    );
    let put = format!(
        "INSERT OR REPLACE INTO stretch_sum (stretch_id, day, part, proto, owner_id, {}) VALUES (?1, ?2, ?3, ?4, ?5{})",
        *FIGURES, *VALUES
    );
    for (key, figures) in sums {
        let Owner { id, is_itself: true } = owner(db, &key.owner)? else { return Ok(false) };
        put_to(
            db,
            [stretch, key.period.day, key.part as i64, key.proto.0.into(), id],
            *figures,
            (&known, &put),
        )?;
    }
    Ok(true)
}

fn add_to(db: &Database, key: &SumKey, owner: i64, figures: SumFigures) -> rusqlite::Result<()> {
    let known = format!(
        "SELECT {} FROM traffic_sum WHERE day = ?1 AND month = ?2 AND part = ?3 AND proto = ?4 AND owner_id = ?5",
        *FIGURES
    );
    let put = format!(
        "INSERT OR REPLACE INTO traffic_sum (day, month, part, proto, owner_id, {}) VALUES (?1, ?2, ?3, ?4, ?5{})",
        *FIGURES, *VALUES
    );
    let own = [key.period.day, i64::from(key.period.month), key.part as i64, key.proto.0.into(), owner];
    put_to(db, own, figures, (&known, &put))
}

/// Adds figures to those of a row, which five numbers identify, by the statements that read and write it.
fn put_to(
    db: &Database,
    row: [i64; 5],
    mut figures: SumFigures,
    (known, put): (&str, &str),
) -> rusqlite::Result<()> {
    if let Some(known) = db.prepare_cached(known)?.query_row(row, |row| figures_at(row, 0)).optional()? {
        figures += known;
    }
    let numbers = figures.numbers().map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    db.prepare_cached(put)?.execute(params_from_iter(row.into_iter().chain(numbers)))?;
    Ok(())
}

/// The row of an owner.
struct Owner {
    id: i64,
    /// It is not that of the others.
    is_itself: bool,
}

fn owner(db: &Database, owner: &SumOwner) -> rusqlite::Result<Owner> {
    let find = |owner: &SumOwner| {
        let SumOwner { exe, user, unit, container, country, other_end } = owner;
        db.prepare_cached(
            "SELECT id FROM sum_owner
                WHERE exe = ?1 AND user = ?2 AND unit = ?3 AND container = ?4 AND country = ?5 AND own = ?6",
        )?
        .query_row(params![exe, user, unit, container, country, *other_end as i64], |row| {
            row.get::<_, i64>(0)
        })
        .optional()
    };
    let mut owner = owner.clone();
    if let Some(id) = find(&owner)? {
        return Ok(Owner { id, is_itself: true });
    }
    let owners: Option<i64> = db.query_row("SELECT max(id) FROM sum_owner", [], |row| row.get(0))?;
    let is_itself = owners.is_none_or(|owners| owners < MAX_OWNERS);
    if !is_itself {
        for text in [&mut owner.exe, &mut owner.unit, &mut owner.container] {
            OTHERS.clone_into(text);
        }
        if let Some(id) = find(&owner)? {
            return Ok(Owner { id, is_itself });
        }
    }
    let SumOwner { exe, user, unit, container, country, other_end } = owner;
    db.prepare_cached(
        "INSERT INTO sum_owner (exe, user, unit, container, country, own) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![exe, user, unit, container, country, other_end as i64])?;
    Ok(Owner { id: db.last_insert_rowid(), is_itself })
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

/// An owner, whose columns begin with this one.
fn owner_at(row: &Row<'_>, first: usize) -> rusqlite::Result<SumOwner> {
    let text =
        |column: usize| row.get::<_, String>(first + column).map(|text| display_safe(&text).into_owned());
    Ok(SumOwner {
        exe: text(0)?,
        user: text(1)?,
        unit: text(2)?,
        container: text(3)?,
        country: text(4)?,
        other_end: OtherEnd::from_number(row.get(first + 5)?),
    })
}

/// The sums of stretches, each day of all of them together.
pub(super) fn of_stretches(db: &Database, stretches: &[i64]) -> rusqlite::Result<Vec<TrafficSum>> {
    let mut owners = HashMap::new();
    let mut all = db.prepare("SELECT id, exe, user, unit, container, country, own FROM sum_owner")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        owners.insert(row.get::<_, i64>(0)?, Arc::new(owner_at(row, 1)?));
    }
    let mut find = db.prepare(&format!(
        "SELECT day, part, proto, owner_id, {} FROM stretch_sum WHERE stretch_id = ?1",
        *FIGURES
    ))?;
    let mut sums: HashMap<[i64; 4], SumFigures> = HashMap::new();
    for stretch in stretches {
        let mut rows = find.query([stretch])?;
        while let Some(row) = rows.next()? {
            let key = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
            *sums.entry(key).or_default() += figures_at(row, 4)?;
        }
    }
    let sum = |([day, part, proto, owner], figures): ([i64; 4], SumFigures)| {
        let period = SumPeriod { day, month: false };
        let (part, owner) = (SumPart::from_number(part)?, owners.get(&owner)?.clone());
        let proto = Proto(proto.try_into().ok()?);
        Some((SumKey { period, part, proto, owner }, figures))
    };
    Ok(sums.into_iter().filter_map(sum).collect())
}

/// `None` for a part that a newer version may have written.
fn key(row: &Row<'_>) -> rusqlite::Result<Option<SumKey>> {
    let owner = owner_at(row, 5)?;
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
