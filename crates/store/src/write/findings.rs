//! Findings, and what the engine knew when they were written.

use rusqlite::{Connection as Database, params};

use super::Writer;
use crate::StoreError;
use connmon_record::{Timestamp, Untrusted};

/// A finding, with what a query may ask for in columns of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingRow {
    /// The id of the finding.
    pub id: String,
    /// The number of the detector.
    pub detector: String,
    /// The name of the severity.
    pub severity: &'static str,
    /// From 0 to 1.
    pub score: f64,
    /// When the first of its connections was opened.
    pub first: Timestamp,
    /// When the last of them was seen.
    pub last: Timestamp,
    /// What was seen.
    pub what: Untrusted,
    /// The filter that selects its connections.
    pub filter: Untrusted,
    /// All of it, as JSON.
    pub content: Untrusted,
}

impl Writer {
    /// Writes findings in place of what there is of them, takes away those that are none any more, and keeps what the engine knows then;
    /// without `state`, what it knew before stays.
    ///
    /// # Errors
    /// The store cannot be written; nothing has changed then.
    pub fn put_findings(
        &mut self,
        findings: &[FindingRow],
        gone: &[String],
        state: Option<(Timestamp, &[u8])>,
    ) -> Result<(), StoreError> {
        let mut write = || {
            let transaction = self.db.transaction()?;
            let changed: i64 = transaction
                .prepare_cached("SELECT coalesce(max(changed), 0) + 1 FROM finding")?
                .query_row([], |row| row.get(0))?;
            for row in findings {
                transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO finding VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                    )?
                    .execute(params![
                        row.id,
                        row.detector,
                        row.severity,
                        row.score,
                        row.first.0,
                        row.last.0,
                        row.what.raw(),
                        row.filter.raw(),
                        row.content.raw(),
                        changed
                    ])?;
            }
            for id in gone {
                transaction.prepare_cached("DELETE FROM finding WHERE id = ?1")?.execute([id])?;
            }
            if let Some((time, state)) = state {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO finding_state VALUES (1, ?1, ?2)")?
                    .execute(params![time.0, state])?;
            }
            transaction.commit()
        };
        let done = write();
        done.map_err(|source| self.path_error(source))
    }
}

/// Takes away all findings, and what the engine knew: the rows that they come from are made anew, or others come between them.
pub(crate) fn forget(db: &Database) -> rusqlite::Result<()> {
    db.execute_batch("DELETE FROM finding; DELETE FROM finding_state;")
}

#[cfg(test)]
mod tests {
    use super::forget;
    use crate::{FindingRow, Store, Writer};
    use connmon_record::{Timestamp, Untrusted};

    #[test]
    fn findings_are_written_replaced_and_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut writer = Writer::open(&path).unwrap();
        let row = |id: &str, score: f64| FindingRow {
            id: id.into(),
            detector: "D1".into(),
            severity: "low",
            score,
            first: Timestamp(1),
            last: Timestamp(2),
            what: "curl\u{1b}".into(),
            filter: "proc:curl".into(),
            content: format!("{{\"score\":{score}}}").into(),
        };
        writer.put_findings(&[row("D1-a", 0.1), row("D1-b", 0.2)], &[], None).unwrap();
        writer.put_findings(&[row("D1-a", 0.3)], &["D1-b".into()], Some((Timestamp(9), b"known"))).unwrap();
        writer.put_findings(&[], &["D1-c".into()], None).unwrap();
        let store = Store::open(&path).unwrap();
        assert_eq!(store.findings_after(0).unwrap(), [(2, Untrusted::from("{\"score\":0.3}"))]);
        assert_eq!(store.findings_after(2).unwrap(), []);
        assert_eq!(store.finding_state().unwrap().as_deref(), Some(&b"known"[..]));
        forget(&writer.db).unwrap();
        assert_eq!((store.findings_after(0).unwrap().len(), store.finding_state().unwrap()), (0, None));
    }
}
