//! Findings that somebody has seen. The findings themselves are made of the rows each time.

use rusqlite::{Connection, params};

use super::row::text;
use super::{Store, StoreError};
use connmon_record::{Timestamp, Untrusted};

/// That somebody has seen a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Acknowledged {
    /// The id of the finding.
    pub finding: Untrusted,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub by: Untrusted,
    /// Why, if that was said.
    pub note: Option<Untrusted>,
    /// The name of the severity that the finding had then.
    pub severity: Untrusted,
    /// The score that the finding had then.
    pub score: f64,
}

/// Notes it, in place of what was noted of the finding.
pub(super) fn put(db: &Connection, known: &Acknowledged) -> rusqlite::Result<()> {
    let put = "INSERT OR REPLACE INTO acknowledged VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(put)?.execute(params![
        known.finding.raw(),
        known.time.0,
        known.by.raw(),
        known.note.as_ref().map(Untrusted::raw),
        known.severity.raw(),
        known.score
    ])?;
    Ok(())
}

impl Store {
    /// What was acknowledged, in the order of the ids of findings. A store of an earlier version has none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn acknowledged(&self) -> Result<Vec<Acknowledged>, StoreError> {
        let read = || {
            if !self.db.table_exists(None, "acknowledged")? {
                return Ok(Vec::new());
            }
            let mut all = self.db.prepare("SELECT * FROM acknowledged ORDER BY finding")?;
            let known = all.query_map([], |row| {
                Ok(Acknowledged {
                    finding: text(row, "finding")?,
                    time: Timestamp(row.get("time")?),
                    by: text(row, "person")?,
                    note: row.get::<_, Option<String>>("note")?.map(Untrusted::from),
                    severity: text(row, "severity")?,
                    score: row.get("score")?,
                })
            })?;
            known.collect()
        };
        read().map_err(|source| self.error(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Editor, Writer};

    #[test]
    fn the_latest_word_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        drop(Writer::open(&path).unwrap());
        let known = |finding: &str, time: i64| Acknowledged {
            finding: finding.into(),
            time: Timestamp(time),
            by: "mira\u{1b}[2J".into(),
            note: (time > 5).then(|| "a test".into()),
            severity: "low".into(),
            score: 0.25,
        };
        let mut editor = Editor::open(&path).unwrap();
        for one in [known("D1-b", 5), known("D1-a", 6), known("D1-b", 7)] {
            editor.acknowledge(&one).unwrap();
        }
        drop(editor);
        assert_eq!(Store::open(&path).unwrap().acknowledged().unwrap(), [known("D1-a", 6), known("D1-b", 7)]);
    }
}
