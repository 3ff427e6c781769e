//! The counters of the interfaces: writing and reading samples.

use rusqlite::{Row, Transaction, params};

use super::{Store, StoreError, row};
use connmon_record::{Interface, InterfaceSample, Timestamp};

/// Writes a sample, as a part of its batch.
pub(super) fn put(db: &Transaction<'_>, run: i64, sample: &InterfaceSample) -> rusqlite::Result<()> {
    for interface in &sample.interfaces {
        db.prepare_cached("INSERT OR REPLACE INTO interface VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute(params![
                run,
                sample.time.0,
                interface.name.raw(),
                interface.index,
                interface.rx_bytes as i64,
                interface.rx_packets as i64,
                interface.tx_bytes as i64,
                interface.tx_packets as i64
            ])?;
    }
    Ok(())
}

impl Store {
    /// Calls `each` with the number of its run for each sample of the interfaces in the interval, and for the ones next to
    /// it on both sides: run by run, in the order of time. A store from before there were samples has none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn for_each_sample(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        each: impl FnMut(i64, InterfaceSample),
    ) -> Result<(), StoreError> {
        self.read_samples(since, until, each).map_err(|source| self.error(source))
    }

    fn read_samples(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        mut each: impl FnMut(i64, InterfaceSample),
    ) -> rusqlite::Result<()> {
        let exists: bool = self.db.query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'interface')",
            [],
            |row| row.get(0),
        )?;
        if !exists {
            return Ok(());
        }
        let mut runs = self.db.prepare("SELECT id FROM run ORDER BY id")?;
        let runs: Vec<i64> = runs.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut bounds = self.db.prepare(
            "SELECT (SELECT max(time) FROM interface WHERE run_id = ?1 AND time <= ?2),
                (SELECT min(time) FROM interface WHERE run_id = ?1 AND time >= ?3)",
        )?;
        let mut samples = self.db.prepare(
            "SELECT time, name, number, rx_bytes, rx_packets, tx_bytes, tx_packets FROM interface
                WHERE run_id = ?1 AND time BETWEEN ?2 AND ?3 ORDER BY time, name",
        )?;
        for run in runs {
            let (from, to): (Option<i64>, Option<i64>) = bounds
                .query_row(params![run, since.map(|time| time.0), until.map(|time| time.0)], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            let mut rows = samples.query(params![run, from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX)])?;
            let mut sample: Option<InterfaceSample> = None;
            while let Some(row) = rows.next()? {
                let time = Timestamp(row.get(0)?);
                match &mut sample {
                    Some(sample) if sample.time == time => sample.interfaces.push(interface(row)?),
                    _ => {
                        let next = InterfaceSample { time, interfaces: vec![interface(row)?] };
                        sample.replace(next).into_iter().for_each(|sample| each(run, sample));
                    }
                }
            }
            sample.into_iter().for_each(|sample| each(run, sample));
        }
        Ok(())
    }
}

fn interface(row: &Row<'_>) -> rusqlite::Result<Interface> {
    let count = |column| row.get::<_, i64>(column).map(|count| count as u64);
    Ok(Interface {
        name: row::text(row, 1)?,
        index: row.get(2)?,
        rx_bytes: count(3)?,
        rx_packets: count(4)?,
        tx_bytes: count(5)?,
        tx_packets: count(6)?,
    })
}
