//! Recordings, read back.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection as Database, Row};

use super::labels;
use super::row::{from_json, newer, text};
use connmon_record::{
    ClockEffect, ClockStep, Gap, LateRead, LeftOut, LossCounters, Pruned, Reconciliation, Run, Timestamp,
};

/// All recordings, oldest first. One without an end goes on if the newest does.
pub(super) fn runs(db: &Database, going_on: bool) -> rusqlite::Result<Vec<Run>> {
    let mut gaps = by_run(db, "gap", |row| {
        let at = |column| row.get(column).map(Timestamp);
        Ok(Gap { from: at("started")?, to: at("ended")?, reason: text(row, "reason")? })
    })?;
    let mut clock_steps = clock_steps(db)?;
    let mut late_reads = late_reads(db)?;
    let mut left_out = left_out(db)?;
    let mut pruned = pruned(db)?;
    let (mut rules, mut lists) = (labels::rules(db)?, labels::lists(db)?);
    let mut statement = db.prepare("SELECT * FROM run ORDER BY id")?;
    let runs = statement.query_map([], |row| {
        let id: i64 = row.get("id")?;
        let notes: String = row.get("backend_notes")?;
        Ok(Run {
            id,
            host: text(row, "host")?,
            boot_id: text(row, "boot_id")?,
            kernel: text(row, "kernel")?,
            tool_version: text(row, "tool_version")?,
            object_sha256: text(row, "object_sha256")?,
            backend: text(row, "backend")?,
            backend_notes: serde_json::from_str(&notes).unwrap_or_default(),
            started: Timestamp(row.get("started")?),
            ended: row.get::<_, Option<i64>>("ended")?.map(Timestamp),
            last_flush: Timestamp(row.get("last_flush")?),
            going_on: going_on && row.get::<_, Option<i64>>("ended")?.is_none(),
            completeness: completeness(row)?,
            gaps: gaps.remove(&id).unwrap_or_default(),
            clock_steps: clock_steps.remove(&id).unwrap_or_default(),
            late_reads: late_reads.remove(&id).unwrap_or_default(),
            left_out: left_out.remove(&id),
            pruned: pruned.remove(&id),
            rules: rules.remove(&id).unwrap_or_default(),
            lists: lists.remove(&id).unwrap_or_default(),
            geo: from_json(row, "geo_databases")?,
            location: from_json(row, "location")?,
        })
    })?;
    runs.collect()
}

/// Recordings whose times follow the clock, which was set while they were running.
pub(super) fn following(db: &Database) -> rusqlite::Result<HashSet<i64>> {
    let is_followed = |steps: &Vec<ClockStep>| steps.iter().any(|step| step.effect == ClockEffect::Followed);
    Ok(clock_steps(db)?.into_iter().filter(|(_, steps)| is_followed(steps)).map(|(run, _)| run).collect())
}

/// When the clock was set, by recording.
fn clock_steps(db: &Database) -> rusqlite::Result<HashMap<i64, Vec<ClockStep>>> {
    by_run(db, "clock_step", |row| {
        let at = |column| row.get(column).map(Timestamp);
        let effect: Option<String> = newer(row, "effect")?;
        Ok(ClockStep {
            time: at("time")?,
            from: at("clock_before")?,
            to: at("clock_after")?,
            effect: effect.and_then(|name| ClockEffect::from_name(&name)).unwrap_or_default(),
        })
    })
}

/// When counters were read late, by recording.
fn late_reads(db: &Database) -> rusqlite::Result<HashMap<i64, Vec<LateRead>>> {
    by_run(db, "late_read", |row| {
        let at = |column| row.get(column).map(Timestamp);
        Ok(LateRead { from: at("started")?, to: at("ended")? })
    })
}

/// The rows of a table by their recordings, in their order. A store from before there was that table has none.
fn by_run<T>(
    db: &Database,
    table: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<HashMap<i64, Vec<T>>> {
    let mut found: HashMap<i64, Vec<T>> = HashMap::new();
    if !db.table_exists(None, table)? {
        return Ok(found);
    }
    let mut statement = db.prepare(&format!("SELECT * FROM {table} ORDER BY id"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found.entry(row.get("run_id")?).or_default().push(read(row)?);
    }
    Ok(found)
}

fn completeness(row: &Row<'_>) -> rusqlite::Result<LossCounters> {
    let count = |name: &str| row.get::<_, i64>(name).map(|count| count as u64);
    Ok(LossCounters {
        lost_events: count("lost_events")?,
        lost_connections: count("lost_connections")?,
        lost_processes: count("lost_processes")?,
        unattributed_tx_bytes: count("unattributed_tx_bytes")?,
        unattributed_rx_bytes: count("unattributed_rx_bytes")?,
        map_full: count("map_full")?,
        read_errors: count("read_errors")?,
        malformed: count("malformed")?,
        probe_misses: count("probe_misses")?,
        names_missed: newer::<i64>(row, "names_missed")?.unwrap_or(0) as u64,
        evicted: newer::<i64>(row, "evicted")?.unwrap_or(0) as u64,
        aggregated_sockets: newer::<i64>(row, "aggregated_sockets")?.unwrap_or(0) as u64,
        reconciliation: Reconciliation {
            compared: count("rec_compared")?,
            equal: count("rec_equal")?,
            tx_undelivered_bytes: count("rec_tx_undelivered")?,
            rx_unread_bytes: count("rec_rx_unread")?,
            unexplained: count("rec_unexplained")?,
        },
    })
}

/// The connections that each recording left out. A store from before there were filtered recordings has none.
pub(super) fn left_out(db: &Database) -> rusqlite::Result<HashMap<i64, LeftOut>> {
    if !db.table_exists(None, "left_out")? {
        return Ok(HashMap::new());
    }
    let mut statement = db.prepare("SELECT run_id, filter, connections, tx_bytes, rx_bytes FROM left_out")?;
    let rows = statement.query_map([], |row| {
        let count = |column| row.get::<_, i64>(column).map(|count| count as u64);
        let left_out = LeftOut {
            filter: text(row, 1)?,
            connections: count(2)?,
            tx_bytes: count(3)?,
            rx_bytes: count(4)?,
        };
        Ok((row.get(0)?, left_out))
    })?;
    rows.collect()
}

/// The details that were pruned from each recording. A store from before there was retention has none.
pub(super) fn pruned(db: &Database) -> rusqlite::Result<HashMap<i64, Pruned>> {
    if !db.table_exists(None, "pruned")? {
        return Ok(HashMap::new());
    }
    let mut statement = db.prepare("SELECT run_id, until, connections, tx_bytes, rx_bytes FROM pruned")?;
    let rows = statement.query_map([], |row| {
        let count = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
        let until = Timestamp(row.get(1)?);
        let pruned = Pruned { until, connections: count(2)?, tx_bytes: count(3)?, rx_bytes: count(4)? };
        Ok((row.get(0)?, pruned))
    })?;
    rows.collect()
}
