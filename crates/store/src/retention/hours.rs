//! What connections moved long ago by the hour: a connection that is never quiet has a row each ten seconds, and after a week those of
//! an hour become one, in small steps. An hour's row has its sum, and is told by its bucket (see buckets.rs).

use rusqlite::{Connection as Database, Transaction, params};

use super::super::buckets::{HOUR, SECOND, SHORT, hour_bucket};
use super::super::runs;
use super::before_leap;
use connmon_record::{HOUR_NS, Timestamp};

/// How long ago something was moved, at least, that is kept by the hour: nanoseconds.
pub(crate) const AGE: i64 = 7 * 24 * HOUR_NS;
/// How often it is looked for what is that old.
const PAUSE: i64 = HOUR_NS;
/// Rows that are looked at for each of a step: that is how much faster it is. A step has all rows of an hour and a process.
const FASTER: usize = 64;

/// What makes hours of steps.
#[derive(Default)]
pub(crate) struct HourMaker {
    next: Timestamp,
    /// Up to when it was looked the last time, seconds.
    done: Option<i64>,
    round: Option<Round>,
}

/// What is to be looked at.
struct Round {
    /// Before this second.
    limit: i64,
    /// Connections, the next one last.
    connections: Vec<i64>,
    /// Where in its rows it is: a process and a bucket.
    after: (i64, i64),
}

/// What was moved in an hour.
#[derive(Default)]
struct Hour {
    process: i64,
    start: i64,
    rows: usize,
    figures: [i64; 4],
}

impl HourMaker {
    /// Does a step of about so many rows, in a transaction; whether there is more to do at once. `now` is the time of what was written
    /// last.
    pub(crate) fn step(&mut self, db: &mut Database, now: Timestamp, rows: usize) -> rusqlite::Result<bool> {
        let Some(round) = &mut self.round else { return self.begin(db, now) };
        let transaction = db.transaction()?;
        let mut left = rows.saturating_mul(FASTER);
        while left > 0
            && let Some(connection) = round.connections.last()
        {
            let seen = round.make(&transaction, *connection, left)?;
            left = left.saturating_sub(seen.max(FASTER / 8));
        }
        transaction.commit()?;
        if round.connections.is_empty() {
            (self.done, self.round) = (Some(round.limit), None);
        }
        Ok(true)
    }

    fn begin(&mut self, db: &Database, now: Timestamp) -> rusqlite::Result<bool> {
        if now < self.next && self.next.0.saturating_sub(now.0) <= PAUSE {
            return Ok(false);
        }
        self.next = Timestamp(now.0.saturating_add(PAUSE));
        // Where the clock may be wrong, nothing is old by it.
        let now = before_leap(&runs::runs(db, true)?, now).unwrap_or(now);
        let limit = now.0.saturating_sub(AGE).div_euclid(HOUR_NS).saturating_mul(HOUR);
        // What others moved was moved within a minute, or was looked at.
        let mut long = db.prepare_cached(
            "SELECT id FROM connection INDEXED BY connection_long WHERE closed IS NULL AND opened < ?1
                UNION ALL SELECT id FROM connection INDEXED BY connection_long
                WHERE closed - opened > 60000000000 AND closed >= ?2 AND opened < ?1",
        )?;
        let done = self.done.map_or(i64::MIN, |done| done.min(limit).saturating_mul(SECOND));
        let connections = long.query_map([limit.saturating_mul(SECOND), done], |row| row.get(0))?;
        let connections = connections.collect::<rusqlite::Result<Vec<i64>>>()?;
        self.round =
            (!connections.is_empty()).then_some(Round { limit, connections, after: (i64::MIN, i64::MIN) });
        if self.round.is_none() {
            self.done = Some(limit);
        }
        Ok(self.round.is_some())
    }
}

impl Round {
    /// Makes hours of so many rows of a connection at most; gives how many these were.
    fn make(&mut self, db: &Transaction<'_>, connection: i64, most: usize) -> rusqlite::Result<usize> {
        // As many as an hour of a process can have, so that it goes on.
        let most = most.max(HOUR as usize / SHORT as usize + 2);
        let mut find = db.prepare_cached(
            "SELECT process_id, bucket, tx_bytes, rx_bytes, tx_calls, rx_calls FROM traffic
                WHERE connection_id = ?1 AND (process_id, bucket) > (?2, ?3) ORDER BY process_id, bucket LIMIT ?4",
        )?;
        let mut rows = find.query(params![connection, self.after.0, self.after.1, most as i64])?;
        let (mut seen, mut hours, mut hour) = (0, Vec::new(), Hour::default());
        while let Some(row) = rows.next()? {
            let (process, bucket): (i64, i64) = (row.get(0)?, row.get(1)?);
            seen += 1;
            let start = bucket.div_euclid(HOUR) * HOUR;
            if (hour.process, hour.start) != (process, start) || hour.rows == 0 {
                hours.push(std::mem::replace(&mut hour, Hour { process, start, ..Hour::default() }));
            }
            hour.rows += 1;
            for (column, sum) in (2..).zip(&mut hour.figures) {
                *sum = sum.saturating_add(row.get(column)?);
            }
        }
        drop(rows);
        if seen < most {
            hours.push(hour);
            self.connections.pop();
            self.after = (i64::MIN, i64::MIN);
        } else {
            // Of the last hour there may be more.
            self.after = (hour.process, hour.start - 1);
        }
        for hour in hours.iter().filter(|hour| hour.rows > 1 && hour.start < self.limit) {
            hour.write(db, connection)?;
        }
        Ok(seen)
    }
}

impl Hour {
    /// Puts the sum in place of what it is of.
    fn write(&self, db: &Transaction<'_>, connection: i64) -> rusqlite::Result<()> {
        let Self { process, start, figures: [tx_bytes, rx_bytes, tx_calls, rx_calls], .. } = *self;
        db.prepare_cached(
            "DELETE FROM traffic WHERE connection_id = ?1 AND process_id = ?2 AND bucket >= ?3 AND bucket < ?4",
        )?
        .execute([connection, process, start, start + HOUR])?;
        db.prepare_cached(
            "INSERT INTO traffic (connection_id, process_id, bucket, tx_bytes, rx_bytes, tx_calls, rx_calls)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute([
            connection,
            process,
            hour_bucket(start),
            tx_bytes,
            rx_bytes,
            tx_calls,
            rx_calls,
        ])?;
        Ok(())
    }
}
