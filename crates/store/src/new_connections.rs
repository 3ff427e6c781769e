//! Connections that a batch tells of for the first time, put together from the batch itself: what classifying needs of them is
//! then the same as in the store, and nothing has to be read back. Most connections are over within a batch.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::Transaction;

use super::remotes::{Remote, RemoteReader};
use super::{RUN_SHIFT, processes};
use connmon_record::rows::{Batch, ConnectionRow};
use connmon_record::{Connection, Process};

/// Processes, and remote addresses, that are remembered; beyond, the store is asked again.
const MOST: usize = 65_536;

/// Facts from earlier batches to which later batches refer.
#[derive(Default)]
pub(super) struct NewConnections {
    run: i64,
    /// The highest row of a connection so far.
    last: i64,
    processes: HashMap<i64, Arc<Process>>,
    remotes: HashMap<IpAddr, Arc<Remote>>,
}

impl NewConnections {
    /// The connections that a batch, which has been written, tells of for the first time, by their rows. Their processes have no
    /// ancestors, and there is no label and no hit yet.
    pub(super) fn assemble(
        &mut self,
        db: &Transaction<'_>,
        run: i64,
        batch: &Batch,
        endpoints: &HashMap<IpAddr, i64>,
    ) -> rusqlite::Result<HashMap<i64, Connection>> {
        if self.run != run || batch.start.is_some() {
            *self = Self { run, ..Self::default() };
        }
        if batch.hosts.is_some() || self.remotes.len() > MOST {
            self.remotes.clear();
        }
        for (ip, _) in batch.reverse.iter().flat_map(|(_, all)| all) {
            self.remotes.remove(ip);
        }
        if self.processes.len() > MOST {
            self.processes.clear();
        }
        for row in &batch.processes {
            self.process_row(row.row, &row.process);
        }
        let mut fresh: HashMap<i64, Connection> = HashMap::new();
        let last = self.last;
        for row in batch.connections.iter().filter(|row| row.row > last) {
            let owner = match row.owner {
                Some(owner) => self.process(db, owner)?,
                None => None,
            };
            let remote = self.remote(db, row, endpoints)?;
            let (country, place) = (remote.country.clone(), remote.place.clone());
            let connection =
                Connection::new(run << RUN_SHIFT | row.row, row.facts.clone(), owner, country, place);
            // What a later row of a connection tells takes the place of what an earlier one told.
            fresh.insert(row.row, connection);
        }
        self.last = batch.connections.iter().map(|row| row.row).max().unwrap_or(0).max(self.last);
        if !fresh.is_empty() {
            self.complete(db, batch, &mut fresh)?;
        }
        Ok(fresh)
    }

    /// Adds traffic, names and what was observed.
    fn complete(
        &mut self,
        db: &Transaction<'_>,
        batch: &Batch,
        fresh: &mut HashMap<i64, Connection>,
    ) -> rusqlite::Result<()> {
        let mut traffic: Vec<_> =
            batch.traffic.iter().filter(|row| fresh.contains_key(&row.connection)).collect();
        // As the store gives it.
        traffic.sort_by_key(|row| (row.connection, row.process, row.bucket));
        for row in traffic {
            let process = self.process(db, row.process)?;
            if let (Some(process), Some(connection)) = (process, fresh.get_mut(&row.connection)) {
                let figures = [row.tx_bytes, row.rx_bytes, row.tx_calls, row.rx_calls];
                connection.add_share(&process, figures);
            }
        }
        for row in &batch.names {
            let process = match row.process.filter(|_| fresh.contains_key(&row.connection)) {
                Some(process) => self.process(db, process)?,
                None => None,
            };
            let Some(connection) = fresh.get_mut(&row.connection) else { continue };
            if !connection.names.iter().any(|name| row.tells(name)) {
                connection.names.push(row.told_by(process));
            }
        }
        for (row, observed) in &batch.observed {
            let Some(connection) = fresh.get_mut(row) else { continue };
            connection.observed.get_or_insert_default().renew(observed);
        }
        for connection in fresh.values_mut() {
            let remote = self.remotes.get(&connection.remote.ip);
            connection.add_names(remote.into_iter().flat_map(|remote| &remote.names));
        }
        Ok(())
    }

    /// A row of a process, or what has become known of it since: as `processes::put` writes it.
    fn process_row(&mut self, row: i64, process: &Process) {
        let process = match self.processes.get(&row) {
            Some(known) => {
                let mut known = (**known).clone();
                known.exe.clone_from(&process.exe);
                known.exe_state = process.exe_state;
                known.exe_hash = process.exe_hash.clone();
                if let Some((known, new)) =
                    known.place.container.as_mut().zip(process.place.container.as_ref())
                {
                    known.name.clone_from(&new.name);
                    known.image.clone_from(&new.image);
                }
                known
            }
            None => Process { parent: None, ..process.clone() },
        };
        self.processes.insert(row, Arc::new(process));
    }

    fn process(&mut self, db: &Transaction<'_>, row: i64) -> rusqlite::Result<Option<Arc<Process>>> {
        if let Some(process) = self.processes.get(&row) {
            return Ok(Some(process.clone()));
        }
        let id = self.run << RUN_SHIFT | row;
        let found = processes::ProcessReader::new(db)?.get(id)?;
        if let Some(process) = &found {
            self.processes.insert(row, process.clone());
        }
        Ok(found)
    }

    /// The stored facts about the remote address of a connection.
    fn remote(
        &mut self,
        db: &Transaction<'_>,
        row: &ConnectionRow,
        endpoints: &HashMap<IpAddr, i64>,
    ) -> rusqlite::Result<Arc<Remote>> {
        let ip = row.remote.ip;
        if let Some(remote) = self.remotes.get(&ip) {
            return Ok(remote.clone());
        }
        let Some(id) = endpoints.get(&ip) else { return Ok(Arc::default()) };
        let remote = RemoteReader::new(db)?.get(*id)?;
        self.remotes.insert(ip, remote.clone());
        Ok(remote)
    }
}

/// In tests every connection is compared with what the store has of it.
#[cfg(test)]
pub(super) fn check(db: &Transaction<'_>, fresh: &HashMap<i64, Connection>) -> rusqlite::Result<()> {
    let hits = super::labels::Hits::new(db)?;
    for connection in fresh.values() {
        let stored = super::read::connection_with_run(db, &hits, connection.id)?.map(|(_, stored)| stored);
        let shown = |connection: &Connection| {
            format!(
                "{:?}",
                connmon_filter::FilterRow::from_connection(connection, connmon_record::Timestamp(7))
            )
        };
        assert_eq!(stored.as_ref().map(shown), Some(shown(connection)));
    }
    Ok(())
}
