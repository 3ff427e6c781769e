//! Tables, and how a store comes to have those of the newest schema.

mod migrations;

use std::path::Path;

use rusqlite::Connection;

use super::columns::seen;
use super::{StoreError, blocks};
use connmon_record::facts::Seen;
use migrations::MIGRATIONS;

/// "cnmn": tells a store from other SQLite files (`PRAGMA application_id`).
pub const APPLICATION_ID: i32 = 0x636e_6d6e;

/// The last schema whose facts have their columns written out in [`MIGRATIONS`].
const WRITTEN_OUT: i32 = 10;

/// The schema that has blocks first.
const BLOCKS: i32 = 13;

/// The newest schema: that of the last migration, or of the newest fact.
pub(super) fn newest() -> i32 {
    seen().map(|(fact, _)| fact.since).max().unwrap_or(0).max(MIGRATIONS.len() as i32)
}

/// What leads to a schema from the one before it. After the last of [`MIGRATIONS`] that was written out, new facts need none.
fn migration(number: i32) -> String {
    let mut sql = usize::try_from(number - 1)
        .ok()
        .and_then(|place| MIGRATIONS.get(place))
        .copied()
        .unwrap_or("")
        .to_owned();
    if number > WRITTEN_OUT {
        for (fact, seen) in seen().filter(|(fact, _)| fact.since == number) {
            let kind = if matches!(seen, Seen::Text(..)) { "TEXT" } else { "INTEGER" };
            sql +=
                &format!("ALTER TABLE connection ADD COLUMN {} {kind}; -- {}\n", fact.column(), fact.about);
        }
    }
    sql
}

/// Brings a store to the newest schema; an empty file becomes one.
///
/// # Errors
/// It is another program's, is newer, or cannot be written.
pub fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    migrate_to(db, path, newest())
}

/// Brings a store to a schema, unless it has a newer one.
pub(super) fn migrate_to(db: &mut Connection, path: &Path, newest: i32) -> Result<(), StoreError> {
    let sqlite = |source| StoreError::sqlite(path, source);
    let tables: i64 = db
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| foreign_or(error, path))?;
    if tables > 0 {
        check(db, path)?;
    }
    let version = version(db).map_err(sqlite)?;
    for number in version + 1..=newest {
        let transaction = db.transaction().map_err(sqlite)?;
        transaction.execute_batch(&migration(number)).map_err(sqlite)?;
        if number == BLOCKS {
            blocks::make(&transaction).map_err(sqlite)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sqlite)?;
        transaction.pragma_update(None, "user_version", number).map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
    }
    Ok(())
}

/// Makes sure that this is a store of a known schema.
///
/// # Errors
/// It is another program's, or newer, or cannot be read.
pub fn check(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let id: i32 = db
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| foreign_or(error, path))?;
    if id != APPLICATION_ID {
        return Err(StoreError::Foreign(path.into()));
    }
    let found = version(db).map_err(|source| StoreError::sqlite(path, source))?;
    let known = newest();
    if found > known {
        return Err(StoreError::Newer { path: path.into(), found, known });
    }
    Ok(())
}

/// Whether a store has an older schema.
///
/// # Errors
/// It cannot be read.
pub fn is_old(db: &Connection, path: &Path) -> Result<bool, StoreError> {
    let found = version(db).map_err(|source| StoreError::sqlite(path, source))?;
    Ok(found < newest())
}

fn version(db: &Connection) -> rusqlite::Result<i32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn foreign_or(source: rusqlite::Error, path: &Path) -> StoreError {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => StoreError::Foreign(path.into()),
        _ => StoreError::sqlite(path, source),
    }
}
