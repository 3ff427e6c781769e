//! Remote addresses that earlier recordings have.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use rusqlite::Connection as Database;

use super::blocks::{self, Block, IdRange};
use super::{RUN_SHIFT, Store, StoreError, runs};
use connmon_record::Timestamp;

impl Store {
    /// Of these remote addresses, those that had a connection opened before a time; `None` if there was none to any address, so
    /// that nothing can be said of what is new.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn known_before(
        &self,
        time: Timestamp,
        remotes: impl Iterator<Item = IpAddr>,
    ) -> Result<Option<HashSet<IpAddr>>, StoreError> {
        let read = || {
            let mut search = Search { found: HashSet::new(), wanted: ids(&self.db, remotes)?, any: false };
            search.run(&self.db, time)?;
            Ok(search.any.then_some(search.found))
        };
        read().map_err(|source| self.error(source))
    }
}

/// The ids of addresses. The store may have IPv4 within IPv6.
pub(super) fn ids(
    db: &Database,
    remotes: impl Iterator<Item = IpAddr>,
) -> rusqlite::Result<HashMap<i64, IpAddr>> {
    let mut find = db.prepare("SELECT id FROM endpoint WHERE ip IN (?1, ?2)")?;
    let mut ids = HashMap::new();
    for ip in remotes {
        let mapped = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().to_string(),
            IpAddr::V6(ip) => ip.to_string(),
        };
        for id in find.query_map([ip.to_string(), mapped], |row| row.get(0))? {
            ids.insert(id?, ip);
        }
    }
    Ok(ids)
}

struct Search {
    wanted: HashMap<i64, IpAddr>,
    found: HashSet<IpAddr>,
    any: bool,
}

impl Search {
    fn run(&mut self, db: &Database, time: Timestamp) -> rusqlite::Result<()> {
        if !blocks::has_blocks(db)? {
            return self.look(db, time, (i64::MIN, i64::MAX));
        }
        // Connections that a recording's filter has taken out are in the blocks still.
        let filtered = runs::left_out(db)?;
        for number in blocks::numbers(db)? {
            if self.any && self.wanted.is_empty() {
                break;
            }
            let ids = blocks::ids(number);
            match Block::read(db, number)? {
                Some(block) if block.begins() >= time => {}
                Some(block) if block.ends() < time && !filtered.contains_key(&(ids.0 >> RUN_SHIFT)) => {
                    block.remotes().for_each(|id| self.take(id));
                }
                _ => self.look(db, time, ids)?,
            }
        }
        Ok(())
    }

    /// Looks at the connections themselves.
    fn look(&mut self, db: &Database, time: Timestamp, (first, last): IdRange) -> rusqlite::Result<()> {
        let mut find = db.prepare_cached(
            "SELECT DISTINCT remote_id FROM connection WHERE id BETWEEN ?1 AND ?2 AND opened < ?3",
        )?;
        let ids = find.query_map([first, last, time.0], |row| row.get(0))?;
        ids.collect::<rusqlite::Result<Vec<i64>>>()?.into_iter().for_each(|id| self.take(id));
        Ok(())
    }

    fn take(&mut self, id: i64) {
        self.any = true;
        self.found.extend(self.wanted.remove(&id));
    }
}
