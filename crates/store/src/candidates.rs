//! Which connections can match lists of indicators: told from remote addresses, names and hashes alone, of which there are fewer
//! than connections, or which take less to read. So of a list that hardly anything matches the answer takes little.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use rusqlite::{Connection as Database, params};

use super::{Instead, Store, StoreError, blocks};
use connmon_filter::ioc::Lists;

/// Names that are read by one statement: while it goes on, the log of a recording cannot be used anew.
const PIECE: i64 = 1_000_000;
/// Names of which it is remembered whether a list has them.
const MOST: usize = 65_536;

impl Store {
    /// The connections that need not be read to find the matches of lists.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn unmatched(&self, lists: &Lists) -> Result<Instead, StoreError> {
        let found = candidates(&self.db, lists).map_err(|source| self.error(source))?;
        Ok(found.map_or_else(Instead::default, Instead::all_but))
    }
}

/// The connections that can match, in ascending order; `None` if that is not known.
fn candidates(db: &Database, lists: &Lists) -> rusqlite::Result<Option<Vec<i64>>> {
    if !blocks::has_blocks(db)? {
        return Ok(None);
    }
    // From an executable nothing leads to its connections.
    let mut hashes = db.prepare("SELECT DISTINCT sha256 FROM process WHERE sha256 IS NOT NULL")?;
    for hash in hashes.query_map([], |row| row.get::<_, String>(0))? {
        if lists.has_hash(&hash?) {
            return Ok(None);
        }
    }
    let mut found = BTreeSet::new();
    let remotes = remotes(db, lists)?;
    if !remotes.is_empty() {
        let mut of = db.prepare("SELECT id, remote_id FROM connection WHERE id BETWEEN ?1 AND ?2")?;
        for number in blocks::numbers(db)? {
            if blocks::has_remote(db, number, &remotes)? {
                let (first, last) = blocks::ids(number);
                let mut rows = of.query([first, last])?;
                while let Some(row) = rows.next()? {
                    if remotes.contains(&row.get(1)?) {
                        found.insert(row.get(0)?);
                    }
                }
            }
        }
    }
    if lists.has_names() {
        named(db, lists, &mut found)?;
    }
    Ok(Some(found.into_iter().collect()))
}

/// Remote addresses that match, themselves or by what they are called whatever the connection.
fn remotes(db: &Database, lists: &Lists) -> rusqlite::Result<HashSet<i64>> {
    let mut remotes = HashSet::new();
    let mut all = db.prepare("SELECT id, ip FROM endpoint")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        // What is no address is not known of, and read.
        let ip = row.get_ref(1)?.as_str()?.parse::<IpAddr>();
        if ip.map_or(true, |ip| lists.has_address(ip)) {
            remotes.insert(row.get(0)?);
        }
    }
    let mut names = db.prepare("SELECT endpoint_id, name FROM endpoint_name")?;
    let mut rows = names.query([])?;
    while let Some(row) = rows.next()? {
        if lists.has_name(row.get_ref(1)?.as_str()?) {
            remotes.insert(row.get(0)?);
        }
    }
    Ok(remotes)
}

/// Adds connections with names that match.
fn named(db: &Database, lists: &Lists, found: &mut BTreeSet<i64>) -> rusqlite::Result<()> {
    let mut known: HashMap<String, bool> = HashMap::new();
    // In the order of the index, which has all of it.
    let mut names = db.prepare(
        "SELECT connection_id, name FROM connection_name WHERE connection_id >= ?1 ORDER BY connection_id LIMIT ?2",
    )?;
    let mut from = i64::MIN;
    loop {
        let mut rows = names.query(params![from, PIECE])?;
        let (mut count, mut last) = (0, from);
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            count += 1;
            let name = row.get_ref(1)?.as_str()?;
            let matches = match known.get(name) {
                Some(matches) => *matches,
                None => {
                    if known.len() >= MOST {
                        known.clear();
                    }
                    let matches = lists.has_name(name);
                    known.insert(name.to_owned(), matches);
                    matches
                }
            };
            if matches {
                found.insert(last);
            }
        }
        if count < PIECE {
            return Ok(());
        }
        // One has fewer names than a piece; those that were met are met again.
        from = if last == from { last.saturating_add(1) } else { last };
    }
}
