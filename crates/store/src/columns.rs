//! The columns of connections: those of the table of facts, and the few that are none. Where they are in a query's rows is
//! looked up once for a query, because SQLite compares names, and a report reads millions of rows.

use std::sync::LazyLock;

use rusqlite::types::{FromSql, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Row, Statement};

use connmon_record::facts::{Cell, FACTS, Fact, Seen};
use connmon_record::{Facts, Proto, Timestamp};

/// A column; stores of earlier versions lack some of them until something is recorded into them.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreColumn {
    name: &'static str,
    place: Option<usize>,
}

impl StoreColumn {
    /// The value.
    ///
    /// # Errors
    /// There is no such column, or it has something else.
    pub(super) fn get<T: FromSql>(self, row: &Row<'_>) -> rusqlite::Result<T> {
        match self.place {
            Some(place) => row.get(place),
            None => Err(rusqlite::Error::InvalidColumnName(self.name.to_owned())),
        }
    }

    /// The value, if the store has the column.
    ///
    /// # Errors
    /// It has something else.
    pub(super) fn newer<T: FromSql>(self, row: &Row<'_>) -> rusqlite::Result<Option<T>> {
        self.place.map_or(Ok(None), |place| row.get(place))
    }
}

/// Columns of a connection that are no facts of it, in the order in which [`put`] takes them. The first never changes.
const OWN: [&str; 5] = ["id", "run_id", "proto", "remote_id", "owner_id"];

/// A connection, or what has become of it.
pub(super) static PUT_CONNECTION: LazyLock<String> = LazyLock::new(|| {
    let columns: Vec<&str> = OWN.into_iter().chain(seen().map(|(fact, _)| fact.column())).collect();
    let values: Vec<String> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
    let changes: Vec<String> = columns[1..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
    format!(
        "INSERT INTO connection ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}",
        columns.join(", "),
        values.join(", "),
        changes.join(", ")
    )
});

/// The facts that have columns in `connection`.
pub(super) fn seen() -> impl Iterator<Item = (&'static Fact, Seen)> {
    FACTS.iter().filter_map(|fact| Some((fact, fact.seen()?)))
}

/// Runs [`PUT_CONNECTION`].
///
/// # Errors
/// The disk is full, and so on.
pub(super) fn put(
    statement: &mut Statement<'_>,
    own: [&dyn ToSql; OWN.len()],
    facts: &Facts,
) -> rusqlite::Result<()> {
    for (place, value) in (1..).zip(own) {
        statement.raw_bind_parameter(place, value)?;
    }
    for (place, (_, seen)) in (OWN.len() + 1..).zip(seen()) {
        let cell = seen.cell(facts);
        let value = match &cell {
            Cell::Text(text) => text.as_ref().map_or(ValueRef::Null, |text| text.raw().into()),
            // As its bits: SQLite has no unsigned numbers.
            Cell::Count(count) => count.map_or(ValueRef::Null, |count| ValueRef::Integer(count as i64)),
            Cell::Number(number) => number.map_or(ValueRef::Null, ValueRef::Real),
            Cell::Flag(flag) => flag.map_or(ValueRef::Null, |flag| ValueRef::Integer(flag.into())),
            Cell::Time(time) => time.map_or(ValueRef::Null, |time| ValueRef::Integer(time.0)),
        };
        statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(value))?;
    }
    statement.raw_execute()?;
    Ok(())
}

/// The columns of `connection`.
pub(super) struct StoreColumns {
    pub(super) id: StoreColumn,
    pub(super) run_id: StoreColumn,
    pub(super) remote_id: StoreColumn,
    pub(super) owner_id: StoreColumn,
    pub(super) label: StoreColumn,
    proto: StoreColumn,
    seen: Vec<(StoreColumn, Seen)>,
}

impl StoreColumns {
    /// The positions of the columns in the rows of this query.
    ///
    /// # Errors
    /// The store lacks a column that its schema has.
    pub(super) fn of_statement(statement: &Statement<'_>) -> rusqlite::Result<Self> {
        let column = |name| StoreColumn { name, place: statement.column_index(name).ok() };
        // A store that an earlier version made and nothing has recorded into since lacks the newer columns.
        let known = |(fact, seen): (&'static Fact, Seen)| match column(fact.column()) {
            StoreColumn { place: None, .. } if fact.since > 1 => None,
            StoreColumn { name, place: None } => {
                Some(Err(rusqlite::Error::InvalidColumnName(name.to_owned())))
            }
            column => Some(Ok((column, seen))),
        };
        Ok(Self {
            id: column("id"),
            run_id: column("run_id"),
            remote_id: column("remote_id"),
            owner_id: column("owner_id"),
            label: column("label"),
            proto: column("proto"),
            seen: seen().filter_map(known).collect::<rusqlite::Result<_>>()?,
        })
    }

    /// The facts of a row, but for the remote address.
    ///
    /// # Errors
    /// It has something else.
    pub(super) fn facts(&self, row: &Row<'_>) -> rusqlite::Result<Facts> {
        let mut facts = Facts { proto: Proto(self.proto.get(row)?), ..Facts::default() };
        for (column, seen) in &self.seen {
            let Some(place) = column.place else { continue };
            let value = row.get_ref(place)?;
            if value == ValueRef::Null {
                continue;
            }
            match seen {
                Seen::Text(_, set) => set(&mut facts, value.as_str()?),
                Seen::Count(_, set) => set(&mut facts, value.as_i64()? as u64),
                Seen::Flag(_, set) => set(&mut facts, value.as_i64()? != 0),
                Seen::Time(_, set) => set(&mut facts, Timestamp(value.as_i64()?)),
            }
        }
        Ok(facts)
    }
}
