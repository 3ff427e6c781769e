//! Names and questions to DNS as rows.

use connmon_ebpf::{AskedRecord, SockEntry, flag};

use super::Tracker;
use super::names::{self, ConnectionName};
use connmon_record::NameSource;
use connmon_record::rows::{LookupRow, NameRow};

impl Tracker {
    /// Hands on the names that DNS had given the address of a connection before it was opened. Not when a sweep meets it for
    /// the first time: the answer may be in the ring still, which the next sweep finds read.
    pub(super) fn named(&mut self, entry: &SockEntry) {
        let Some(open) = self.open.get_mut(&entry.id).filter(|open| !open.named) else { return };
        open.named = true;
        let (row, asked) = (open.row, open.asked);
        // Who called this host is not named by what this host asked DNS.
        if entry.flags & (flag::INBOUND | flag::PREEXISTING) == 0 {
            // DNS gave a name to the address that was asked for, wherever a program led the connection.
            let asked = asked.map(|remote| SockEntry { remote, ..*entry });
            for entry in [Some(*entry), asked].iter().flatten() {
                for found in self.names.of_address(entry) {
                    self.name(row, entry, found);
                }
            }
        }
    }

    /// Takes the address that a process asked for, whether its connection has been met or not.
    pub(super) fn asked(&mut self, record: &AskedRecord) {
        let Some(open) = self.open.get_mut(&record.id) else {
            self.asked.insert(record.id, (record.address, 0));
            return;
        };
        open.asked = Some(record.address);
        let (row, entry) = (open.row, open.entry);
        let row = self.row(row, &entry);
        self.batch.connections.push(row);
    }

    /// Hands on what was said on a connection.
    pub(super) fn name_from_observations(&mut self, row: i64, entry: &SockEntry) {
        let Some(open) = self.open.get_mut(&entry.id) else { return };
        let (names, observed) = self.names.take_names_of(entry, &mut open.proxied);
        self.batch.observed.extend(observed.map(|observed| (row, observed)));
        // What a client calls this host is no name of the client.
        if entry.flags & flag::INBOUND == 0 {
            names.into_iter().for_each(|found| self.name(row, entry, found));
        }
    }

    fn name(&mut self, connection: i64, entry: &SockEntry, found: ConnectionName) {
        let process = match found.process {
            Some(id) => self.processes.row_of(id, found.time_ns),
            // Said on the connection itself: by its owner.
            None if found.source != NameSource::Dns => self.owner(entry),
            None => None,
        };
        self.batch.names.push(NameRow {
            connection,
            name: found.name,
            source: found.source,
            process,
            time: self.time(found.time_ns),
        });
    }

    /// Hands on what became of questions to DNS.
    pub(super) fn lookups(&mut self) {
        for asked in self.names.take_queries() {
            let (proto, server) = names::server(&asked.flow);
            let process = asked.process.and_then(|id| self.processes.row_of(id, asked.time_ns));
            let row = LookupRow {
                time: self.time(asked.time_ns),
                answered: asked.answered_ns.map(|time| self.time(time)),
                process,
                proto,
                server,
                name: asked.message.name,
                kind: asked.message.kind,
                code: asked.answered_ns.map(|_| asked.message.code),
                answers: asked.message.answers,
            };
            self.batch.lookups.push(row);
        }
    }
}
