//! Cells of rows that several tables have.

use rusqlite::types::FromSql;
use rusqlite::{Row, RowIndex};
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

/// A value as the text of a cell.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A column of JSON; the default where it is empty, or written by something else.
pub(super) fn from_json<T: DeserializeOwned + Default>(row: &Row<'_>, name: &str) -> rusqlite::Result<T> {
    let text: Option<String> = newer(row, name)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}
