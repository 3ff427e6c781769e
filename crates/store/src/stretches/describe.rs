//! What a summary of cells leaves in the store: command lines, and the names of all addresses but the first.

use std::net::IpAddr;

use rusqlite::Connection as Database;

use super::super::names::AddressNameReader;
use super::super::{Store, StoreError};
use super::InCells;
use connmon_analysis::{LISTED, Summary};
use connmon_record::Untrusted;

impl Store {
    /// Adds to the first processes and addresses of a summary what is in the store only. `cells` are those that it was given.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn describe(&self, summary: &mut Summary, cells: &InCells) -> Result<(), StoreError> {
        summary.processes.read_command_lines(LISTED, |id| self.command_line(id))?;
        let mut add_names = || {
            if cells.unnamed.is_empty() {
                return Ok(());
            }
            let transaction = self.db.unchecked_transaction()?;
            let mut find = transaction
                .prepare_cached("SELECT name FROM stretch_name WHERE stretch_id = ?1 AND remote_id = ?2")?;
            let mut names = AddressNameReader::new(&transaction)?;
            let first: Vec<_> = summary.remotes.iter().take(LISTED).map(|row| row.ip).collect();
            for (rank, ip) in (0..).zip(first) {
                for id in ids_of(&transaction, ip)? {
                    let of_address = names.get(id)?;
                    let of_address = of_address.iter().filter(|name| name.is_of_remote());
                    summary.remotes.add_names(rank, of_address.map(|name| name.name.borrowed()));
                    for stretch in &cells.unnamed {
                        let mut rows = find.query([stretch, &id])?;
                        while let Some(row) = rows.next()? {
                            summary.remotes.add_names(rank, [row.get_ref(0)?.as_str()?.into()]);
                        }
                    }
                }
            }
            Ok(())
        };
        add_names().map_err(|source| self.error(source))
    }

    /// The command line of the process of this id; an empty one where there is no such process.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn command_line(&self, process: i64) -> Result<Untrusted, StoreError> {
        let read = || {
            let mut find = self.db.prepare_cached("SELECT cmdline FROM process WHERE id = ?1")?;
            let mut rows = find.query([process])?;
            rows.next()?.map_or(Ok(String::new()), |row| row.get(0))
        };
        read().map(Untrusted::from).map_err(|source| self.error(source))
    }
}

/// The ids of an address. The store may have IPv4 within IPv6.
fn ids_of(db: &Database, ip: IpAddr) -> rusqlite::Result<Vec<i64>> {
    let mapped = match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_string(),
        IpAddr::V6(ip) => ip.to_string(),
    };
    let mut find = db.prepare_cached("SELECT id FROM endpoint WHERE ip IN (?1, ?2)")?;
    find.query_map([ip.to_string(), mapped], |row| row.get(0))?.collect()
}
