//! Adding another host's store, or an earlier one of the same host, to a store: recordings get new numbers, and everything else
//! new ids with them; sums add up.

use std::path::Path;

use rusqlite::{Connection as Database, Transaction};

use super::super::write::findings;
use super::super::{RUN_SHIFT, Store, StoreError, blocks, sums};
use super::copy::{self, Copy};

/// The rows that were added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Recordings.
    pub recordings: u64,
    /// Connections, without those whose details had been pruned.
    pub connections: u64,
    /// Segments of the other store, which are not added.
    pub segments: u64,
}

/// A table, columns that are not as they were with what they become, and the columns whose value the store gives itself.
type Table = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

/// What becomes of a recording's number, and of the id of something that is numbered within its recording.
const RUN: &str = "(SELECT new FROM run_map WHERE old = x.run_id)";
const REMOTE: &str = "(SELECT e.id FROM main.endpoint e JOIN other.endpoint o ON o.ip = e.ip WHERE o.id = ";
const LIST: &str = "(SELECT l.id FROM main.indicator_list l JOIN other.indicator_list o ON o.name = l.name AND o.sha256 = l.sha256
    WHERE o.id = x.list_id)";

/// In the order in which each refers only to those before.
const TABLES: [Table; 17] = [
    ("run", &[("id", "(SELECT new FROM run_map WHERE old = x.id)"), ("indexed", "NULL")], &[]),
    ("process", &[("id", "row"), ("run_id", RUN), ("parent_id", "row")], &[]),
    ("endpoint", &[], &["id"]),
    ("connection", &[("id", "row"), ("run_id", RUN), ("remote_id", REMOTE), ("owner_id", "row")], &[]),
    ("traffic", &[("connection_id", "row"), ("process_id", "row")], &[]),
    ("gap", &[("run_id", RUN)], &["id"]),
    ("interface", &[("run_id", RUN)], &[]),
    ("left_out", &[("run_id", RUN)], &[]),
    ("connection_name", &[("connection_id", "row"), ("process_id", "row")], &[]),
    ("observed", &[("connection_id", "row")], &[]),
    ("endpoint_name", &[("endpoint_id", REMOTE)], &[]),
    ("lookup", &[("run_id", RUN), ("process_id", "row")], &["id"]),
    ("rule", &[("run_id", RUN)], &[]),
    ("indicator_list", &[], &["id"]),
    ("checked", &[("run_id", RUN), ("list_id", LIST)], &[]),
    ("clock_step", &[("run_id", RUN)], &["id"]),
    ("late_read", &[("run_id", RUN)], &["id"]),
];
/// The same, behind those.
const MORE: [Table; 3] = [
    ("hit", &[("connection_id", "row"), ("list_id", LIST)], &[]),
    ("pruned", &[("run_id", RUN)], &[]),
    ("acknowledged", &[], &[]),
];

/// Adds all of `other` to the store at `path`, in one transaction. `other` stays as it is.
///
/// # Errors
/// Somebody records into the store, it has recordings of `other` already, or one of both cannot be read or written.
pub fn merge(path: &Path, other: &Path) -> Result<Merged, StoreError> {
    let mut writer = super::open_alone(path)?;
    let copy = Copy::new(other, &writer.path)?;
    copy::migrate(&copy)?;
    let theirs = Store::open(copy.path())?;
    let (pruned, runs) = (theirs.sums()?, theirs.runs()?);
    drop(theirs);
    let known = Store::open(&writer.path)?.runs()?;
    let same = runs.iter().find(|one| {
        known
            .iter()
            .any(|run| (&run.host, &run.boot_id, run.started) == (&one.host, &one.boot_id, one.started))
    });
    if let Some(run) = same {
        return Err(StoreError::Merged { path: path.into(), other: other.into(), started: run.started });
    }
    let work = || {
        writer.db.execute("ATTACH ?1 AS other", [copy.path().to_string_lossy()])?;
        let transaction = writer.db.transaction()?;
        let merged = add(&transaction)?;
        sums::add(&transaction, &pruned.into_iter().collect())?;
        transaction.commit()?;
        Ok(merged)
    };
    let merged = work();
    let merged = merged.map_err(|source| writer.after_failure(source));
    let _ = writer.db.execute_batch("DETACH other");
    merged
}

fn add(db: &Transaction<'_>) -> rusqlite::Result<Merged> {
    db.execute_batch(
        "CREATE TEMP TABLE run_map (old INTEGER PRIMARY KEY, new INTEGER);
         INSERT INTO run_map SELECT id, row_number() OVER (ORDER BY started, id) + (SELECT coalesce(max(id), 0) FROM main.run)
            FROM other.run;",
    )?;
    let mut merged = Merged::default();
    for table in TABLES.iter().chain(&MORE) {
        let rows = copy_table(db, table)? as u64;
        match table.0 {
            "run" => merged.recordings = rows,
            "connection" => merged.connections = rows,
            _ => {}
        }
    }
    merged.segments =
        db.query_row("SELECT count(*) FROM other.segment", [], |row| row.get::<_, i64>(0))?.cast_unsigned();
    blocks::make(db)?;
    db.execute_batch("DROP TABLE run_map")?;
    // What was merged is of a time that the engine has passed.
    findings::forget(db)?;
    Ok(merged)
}

fn copy_table(db: &Database, (table, changed, own): &Table) -> rusqlite::Result<usize> {
    let mut columns = db.prepare("SELECT name FROM pragma_table_info(?1, 'main')")?;
    let columns: Vec<String> =
        columns.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let columns: Vec<&str> =
        columns.iter().map(String::as_str).filter(|column| !own.contains(column)).collect();
    let values = columns.iter().map(|column| match changed.iter().find(|(name, _)| name == column) {
        Some((_, "row")) => {
            let number = (1_i64 << RUN_SHIFT) - 1;
            format!("((SELECT new FROM run_map WHERE old = x.{column} >> {RUN_SHIFT}) << {RUN_SHIFT} | (x.{column} & {number}))")
        }
        Some((_, value)) if *value == REMOTE => format!("{REMOTE} x.{column})"),
        Some((_, value)) => (*value).to_owned(),
        None => format!("x.{column}"),
    });
    let (values, columns) = (values.collect::<Vec<_>>().join(", "), columns.join(", "));
    db.execute(
        &format!("INSERT OR IGNORE INTO main.{table} ({columns}) SELECT {values} FROM other.{table} x"),
        [],
    )
}
