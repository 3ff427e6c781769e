//! Cells of rows that several tables have.

use rusqlite::types::FromSql;
use rusqlite::{Connection, Row, RowIndex};
use serde::Serialize;
use serde::de::DeserializeOwned;

use connmon_record::Untrusted;

/// Text that was captured.
pub(super) fn text(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Untrusted> {
    row.get::<_, String>(column).map(Into::into)
}

/// Text that was captured, if any.
pub(super) fn maybe(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Option<Untrusted>> {
    Ok(row.get::<_, Option<String>>(column)?.map(Into::into))
}

/// A column that stores of earlier versions lack until something is recorded into them.
pub(super) fn newer<T: FromSql>(row: &Row<'_>, name: &str) -> rusqlite::Result<Option<T>> {
    match row.get(name) {
        Err(rusqlite::Error::InvalidColumnName(_)) => Ok(None),
        value => value,
    }
}

/// Columns of a table, as they are written behind `SELECT`. Where a store of an earlier version lacks one, its place has NULL.
pub(super) fn list(db: &Connection, table: &str, columns: &[&str]) -> rusqlite::Result<String> {
    let all = db.prepare_cached(&format!("SELECT * FROM {table}"))?;
    let known =
        |name: &&str| if all.column_index(name).is_ok() { (*name).to_owned() } else { "NULL".to_owned() };
    Ok(columns.iter().map(known).collect::<Vec<_>>().join(", "))
}

/// The place of a column in such a list, for the compiler: SQLite would compare names for each row.
pub(super) const fn place(columns: &[&str], name: &str) -> usize {
    let mut place = 0;
    while place < columns.len() {
        if is_same(columns[place].as_bytes(), name.as_bytes()) {
            return place;
        }
        place += 1;
    }
    panic!("the list has no such column")
}

/// The place of a column in the list `COLUMNS` of the module that asks.
macro_rules! at {
    ($name:literal) => {
        const { $crate::row::place(&COLUMNS, $name) }
    };
}
pub(super) use at;

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut place = 0;
    while place < a.len() && place < b.len() && a[place] == b[place] {
        place += 1;
    }
    place == a.len() && place == b.len()
}

/// A value as the text of a cell.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A column of JSON; the default where it is empty, or written by something else.
pub(super) fn from_json<T: DeserializeOwned + Default>(row: &Row<'_>, name: &str) -> rusqlite::Result<T> {
    let text: Option<String> = newer(row, name)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}
