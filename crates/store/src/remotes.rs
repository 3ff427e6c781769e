//! Remote addresses and what is known of them, read one by one as connections need them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection as Database};

use super::names::AddressNameReader;
use super::{geo, row};
use connmon_record::{Endpoint, Location, Name};

/// Addresses that are remembered; beyond, the store is asked again.
const MOST: usize = 65_536;

/// A remote address as the store has it.
#[derive(Clone)]
pub(super) struct Remote {
    pub(super) id: i64,
    pub(super) ip: IpAddr,
    pub(super) country: Option<String>,
    pub(super) place: Option<Arc<Location>>,
    /// The names of the address that do not depend on the connection.
    pub(super) names: Vec<Name>,
}

impl Default for Remote {
    fn default() -> Self {
        Self { id: 0, ip: Endpoint::UNSPECIFIED.ip, country: None, place: None, names: Vec::new() }
    }
}

/// Reads them, but for their names.
pub(super) struct RemoteRows<'db>(CachedStatement<'db>);

impl<'db> RemoteRows<'db> {
    pub(super) fn new(db: &'db Database) -> rusqlite::Result<Self> {
        let columns = row::list(db, "endpoint", &geo::COLUMNS)?;
        db.prepare_cached(&format!("SELECT {columns} FROM endpoint WHERE id = ?1")).map(Self)
    }

    /// The address of this id; none at all where a damaged store lacks it.
    pub(super) fn read(&mut self, id: i64) -> rusqlite::Result<Remote> {
        let mut rows = self.0.query([id])?;
        let mut remote = Remote { id, ..Remote::default() };
        if let Some(row) = rows.next()? {
            let (ip, country) = geo::address(row)?;
            (remote.ip, remote.country) = (ip.unwrap_or(remote.ip), country);
            remote.place = geo::place(row)?.map(Arc::new);
        }
        Ok(remote)
    }
}

/// Reads them with their names, and remembers them.
pub(super) struct RemoteReader<'db> {
    rows: RemoteRows<'db>,
    names: AddressNameReader<'db>,
    known: HashMap<i64, Arc<Remote>>,
}

impl<'db> RemoteReader<'db> {
    pub(super) fn new(db: &'db Database) -> rusqlite::Result<Self> {
        Ok(Self { rows: RemoteRows::new(db)?, names: AddressNameReader::new(db)?, known: HashMap::new() })
    }

    /// The address of this id; none at all where a damaged store lacks it.
    pub(super) fn get(&mut self, id: i64) -> rusqlite::Result<Arc<Remote>> {
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let remote = Remote { names: self.names.get(id)?, ..self.rows.read(id)? };
        let remote = Arc::new(remote);
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(id, remote.clone());
        Ok(remote)
    }
}
