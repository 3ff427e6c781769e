//! Whether a store is what it should be.

use super::super::{Store, StoreError, stretches};

/// So many faults of one kind are told one by one.
const MOST: usize = 20;

/// What must find nothing: what is wrong with the rows that it finds, and a query that gives a text for each.
const RULES: [(&str, &str); 5] = [
    ("ended before it was opened", "SELECT 'connection ' || id FROM connection WHERE closed < opened AND run_id NOT IN (SET BACK)"),
    (
        "is of a recording that does not have its id",
        "SELECT 'connection ' || id FROM connection WHERE id >> 40 <> run_id",
    ),
    (
        "moved bytes before 1970 or a negative number of them",
        "SELECT 'connection ' || connection_id FROM traffic
            WHERE bucket < 0 OR tx_bytes < 0 OR rx_bytes < 0 OR tx_calls < 0 OR rx_calls < 0",
    ),
    ("ended before it began", "SELECT 'recording ' || id FROM run WHERE ended < started AND id NOT IN (SET BACK)"),
    (
        "are not the sums of what was pruned",
        "SELECT 'sums of ' || coalesce(sum(tx_bytes), 0) || ' bytes sent and ' || coalesce(sum(rx_bytes), 0) || ' received' FROM traffic_sum
            HAVING (coalesce(sum(tx_bytes), 0), coalesce(sum(rx_bytes), 0)) <>
                (SELECT coalesce(sum(tx_bytes), 0), coalesce(sum(rx_bytes), 0) FROM pruned)",
    ),
];

impl Store {
    /// What is wrong with the store, a sentence each; that reads the whole file.
    ///
    /// # Errors
    /// It cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        self.faults().map_err(|source| self.error(source))
    }

    fn faults(&self) -> rusqlite::Result<Vec<String>> {
        let texts = |sql: &str| -> rusqlite::Result<Vec<String>> {
            self.db.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
        };
        let mut faults: Vec<String> = texts(&format!("PRAGMA integrity_check({MOST})"))?;
        faults.retain(|line| line != "ok");
        let dangling =
            "SELECT '\"' || \"table\" || '\" has ' || count(*) || ' references to rows of \"' || parent
            || '\" that are not there' FROM pragma_foreign_key_check GROUP BY \"table\", parent";
        faults.extend(texts(dangling)?);
        // Recordings whose clock was set back, which their times follow.
        let set_back = if self.db.table_exists(None, "clock_step")? {
            "SELECT run_id FROM clock_step WHERE clock_after < clock_before"
        } else {
            // No recording has this number.
            "0"
        };
        for (what, sql) in RULES {
            // What a store of an earlier version has no table for cannot be wrong.
            if sql.contains("traffic_sum") && !self.db.table_exists(None, "traffic_sum")? {
                continue;
            }
            let sql = sql.replace("SET BACK", set_back);
            let found = texts(&format!("{sql} LIMIT {}", MOST + 1))?;
            let more = found.len() > MOST;
            faults.extend(found.into_iter().take(MOST).map(|which| format!("{which} {what}")));
            faults.extend(more.then(|| format!("and more that {what}")));
        }
        faults.extend(stretches::faults(&self.db)?);
        Ok(faults)
    }
}
