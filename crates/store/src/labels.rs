//! The tables of rules, lists and hits: writing and reading.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::reading::{Along, Reading, ends};
use super::row::text;
use connmon_record::{Hit, IndicatorKind, IndicatorList, Matching, Rule, Timestamp};

/// Writes the rules of a recording in place of those that it had.
pub(super) fn put_rules<'a>(
    db: &Connection,
    run: i64,
    rules: impl Iterator<Item = &'a Rule>,
) -> rusqlite::Result<()> {
    db.execute("DELETE FROM rule WHERE run_id = ?1", [run])?;
    let mut put = db.prepare_cached("INSERT INTO rule VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (number, rule) in (1..).zip(rules) {
        let color = rule.color.map(|color| color.to_string());
        put.execute(params![run, number, rule.label.raw(), color, rule.expression.raw(), rule.text])?;
    }
    Ok(())
}

/// Writes the label of a connection, or that it has none.
pub(super) fn put_label(db: &Connection, id: i64, label: Option<&str>) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE connection SET label = ?2 WHERE id = ?1")?.execute(params![id, label])?;
    Ok(())
}

/// Writes a list and gives its id; one that is known by its name and hash keeps its own.
pub(super) fn put_list(db: &Connection, list: &IndicatorList) -> rusqlite::Result<i64> {
    db.prepare_cached(
        "INSERT INTO indicator_list (name, sha256, date, indicators) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        list.name.raw(),
        list.sha256,
        list.date.map(|date| date.0),
        list.indicators as i64
    ])?;
    db.prepare_cached("SELECT id FROM indicator_list WHERE name = ?1 AND sha256 = ?2")?
        .query_row([list.name.raw(), &list.sha256], |row| row.get(0))
}

/// Notes that the connections of a recording were compared with a list.
pub(super) fn put_checked(db: &Connection, run: i64, list: i64, time: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO checked VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET time = excluded.time",
    )?
    .execute([run, list, time.0])?;
    Ok(())
}

/// Writes a hit, unless it is known; says whether it was new.
pub(super) fn put_hit(db: &Connection, id: i64, list: i64, hit: &Hit) -> rusqlite::Result<bool> {
    let put = "INSERT INTO hit VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    let new = db.prepare_cached(put)?.execute(params![
        id,
        list,
        hit.kind.name(),
        hit.indicator.raw(),
        hit.time.0
    ])?;
    Ok(new > 0)
}

/// Takes out the hits of a connection that is taken out itself.
pub(super) fn delete_hits(db: &Connection, id: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM hit WHERE connection_id = ?1")?.execute([id])?;
    Ok(())
}

/// The rules of each recording. A store from before there were rules has none.
pub(super) fn rules(db: &Connection) -> rusqlite::Result<HashMap<i64, Vec<Rule>>> {
    let mut rules: HashMap<i64, Vec<Rule>> = HashMap::new();
    if !db.table_exists(None, "rule")? {
        return Ok(rules);
    }
    let mut statement =
        db.prepare("SELECT run_id, label, color, expression, text FROM rule ORDER BY run_id, number")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let color: Option<String> = row.get(2)?;
        let rule = Rule {
            label: text(row, 1)?,
            color: color.and_then(|color| color.parse().ok()),
            expression: text(row, 3)?,
            text: row.get(4)?,
        };
        rules.entry(row.get(0)?).or_default().push(rule);
    }
    Ok(rules)
}

/// The lists with which each recording was compared.
pub(super) fn lists(db: &Connection) -> rusqlite::Result<HashMap<i64, Vec<Arc<IndicatorList>>>> {
    let mut lists: HashMap<i64, Vec<Arc<IndicatorList>>> = HashMap::new();
    if !db.table_exists(None, "checked")? {
        return Ok(lists);
    }
    let known = known_lists(db)?;
    let mut statement = db.prepare("SELECT run_id, list_id FROM checked ORDER BY run_id, list_id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        lists.entry(row.get(0)?).or_default().extend(known.get(&row.get(1)?).cloned());
    }
    Ok(lists)
}

pub(super) fn known_lists(db: &Connection) -> rusqlite::Result<HashMap<i64, Arc<IndicatorList>>> {
    let mut statement = db.prepare_cached("SELECT id, name, sha256, date, indicators FROM indicator_list")?;
    let rows = statement.query_map([], |row| {
        let list = IndicatorList {
            name: text(row, 1)?,
            sha256: row.get(2)?,
            date: row.get::<_, Option<i64>>(3)?.map(Timestamp),
            indicators: row.get::<_, i64>(4)? as u64,
        };
        Ok((row.get(0)?, Arc::new(list)))
    })?;
    rows.collect()
}

/// The number of connections that match each list, and that match any. No connection is read for that.
pub(super) fn matching(db: &Connection) -> rusqlite::Result<(u64, Matching)> {
    if !db.table_exists(None, "hit")? {
        return Ok((0, Matching::new()));
    }
    let known = known_lists(db)?;
    let any = "SELECT count(*) FROM (SELECT DISTINCT connection_id FROM hit)";
    let any: i64 = db.query_row(any, [], |row| row.get(0))?;
    let mut each = db.prepare(
        "SELECT list_id, count(*) FROM (SELECT DISTINCT connection_id, list_id FROM hit) GROUP BY list_id",
    )?;
    let each = each.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let each = each.collect::<rusqlite::Result<Vec<_>>>()?;
    let named = each.into_iter().filter_map(|(id, count)| Some((known.get(&id)?.clone(), count as u64)));
    Ok((any as u64, named.collect()))
}

/// Reads the hits of connections; it has the lists to which they can belong.
pub(super) struct Hits(HashMap<i64, Arc<IndicatorList>>);

impl Hits {
    /// None, whatever a store has.
    pub(super) fn none() -> Self {
        Self(HashMap::new())
    }

    /// Of a store.
    pub(super) fn new(db: &Connection) -> rusqlite::Result<Self> {
        Ok(Self(if db.table_exists(None, "hit")? { known_lists(db)? } else { HashMap::new() }))
    }

    /// Reads those of connections, which are in the order of their ids.
    pub(super) fn read(&self, db: &Connection, near: &mut [Reading]) -> rusqlite::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut statement = db.prepare_cached(
            "SELECT connection_id, list_id, kind, indicator, time FROM hit WHERE connection_id BETWEEN ?1 AND ?2
                ORDER BY connection_id, list_id, kind, indicator",
        )?;
        let mut rows = statement.query(ends(near))?;
        let mut along = Along(near);
        while let Some(row) = rows.next()? {
            let Some(connection) = along.find(row.get(0)?) else { continue };
            let kind: String = row.get(2)?;
            // What a newer version may have written is nothing that this one knows.
            let Some((list, kind)) = self.0.get(&row.get(1)?).zip(IndicatorKind::from_name(&kind)) else {
                continue;
            };
            connection.hits.push(Hit {
                indicator: text(row, 3)?,
                kind,
                list: list.clone(),
                time: Timestamp(row.get(4)?),
            });
        }
        Ok(())
    }
}
