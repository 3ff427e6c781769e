//! Names of the other ends, what connections speak, and questions to DNS.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection as Database, OptionalExtension, Row, Transaction, params};

use super::processes::ProcessReader;
use super::row::{json, maybe, text};
use super::{Store, StoreError};
use connmon_record::rows::{Batch, LookupRow};
use connmon_record::untrusted::Exactly;
use connmon_record::{
    AddressNames, Endpoint, Lookup, LookupAnswer, Name, NameSource, ObservedService, Process, Proto,
    Timestamp, Untrusted,
};

/// Writes the names of a batch, whose connections and processes are written already.
pub(super) fn put(db: &Transaction<'_>, run: i64, base: i64, batch: &Batch) -> rusqlite::Result<()> {
    if !batch.names.is_empty() {
        let mut put = db.prepare_cached(
            "INSERT INTO connection_name (connection_id, source, name, process_id, time) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT DO NOTHING",
        )?;
        for row in &batch.names {
            put.execute(params![
                base | row.connection,
                row.source.name(),
                row.name.raw(),
                row.process.map(|process| base | process),
                row.time.0,
            ])?;
        }
    }
    if !batch.observed.is_empty() {
        let mut put = db.prepare_cached(
            "INSERT INTO observed (connection_id, service, alpn) VALUES (?1, ?2, ?3)
                ON CONFLICT DO UPDATE SET service = excluded.service, alpn = coalesce(excluded.alpn, alpn)",
        )?;
        for (connection, observed) in &batch.observed {
            let alpn = (!observed.alpn.is_empty()).then(|| json(&Exactly(&observed.alpn)));
            put.execute(params![base | connection, observed.service.raw(), alpn])?;
        }
    }
    for (time, all) in &batch.reverse {
        for (ip, names) in all {
            // Asked for when the connection was written.
            let mut known = db.prepare_cached("SELECT id FROM endpoint WHERE ip = ?1")?;
            let known: Option<i64> = known.query_row([ip.to_string()], |row| row.get(0)).optional()?;
            for (endpoint, name) in known.iter().flat_map(|id| names.iter().map(move |name| (*id, name))) {
                put_of_address(db, endpoint, NameSource::Rdns, name, time.0)?;
            }
        }
    }
    batch.lookups.iter().try_for_each(|row| put_lookup(db, run, base, row))
}

fn put_lookup(db: &Transaction<'_>, run: i64, base: i64, row: &LookupRow) -> rusqlite::Result<()> {
    let answers: Vec<_> = row
        .answers
        .iter()
        .map(|answer| (answer.name.raw(), answer.kind.raw(), answer.ttl, answer.data.raw()))
        .collect();
    db.prepare_cached(
        "INSERT INTO lookup (run_id, time, answered, process_id, proto, server_ip, server_port, name, kind, code, answers)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        run,
        row.time.0,
        row.answered.map(|time| time.0),
        row.process.map(|process| base | process),
        row.proto.0,
        row.server.ip.to_string(),
        row.server.port,
        row.name.raw(),
        row.kind.raw(),
        row.code.as_ref().map(Untrusted::raw),
        json(&answers),
    ])?;
    Ok(())
}

/// Takes out what is known of a connection that is not kept.
pub(super) fn delete(db: &Transaction<'_>, connection: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM connection_name WHERE connection_id = ?1")?.execute([connection])?;
    db.prepare_cached("DELETE FROM observed WHERE connection_id = ?1")?.execute([connection])?;
    Ok(())
}

/// The names that hold for an address whatever the connection, and when they were told.
#[derive(Default)]
pub(super) struct AddressNameWriter {
    hosts: HashMap<IpAddr, Vec<Untrusted>>,
    time: i64,
}

impl AddressNameWriter {
    /// From the host's own list.
    pub(super) fn new(hosts: &AddressNames, time: Timestamp) -> Self {
        Self { hosts: hosts.iter().cloned().collect(), time: time.0 }
    }

    /// Writes those of an address.
    pub(super) fn put(&self, db: &Transaction<'_>, endpoint: i64, ip: IpAddr) -> rusqlite::Result<()> {
        for name in self.hosts.get(&ip).into_iter().flatten() {
            put_of_address(db, endpoint, NameSource::Hosts, name, self.time)?;
        }
        Ok(())
    }
}

/// The names that reverse DNS has told.
pub(super) fn reverse_names(batch: &Batch) -> impl Iterator<Item = (IpAddr, Name)> {
    let answers = batch.reverse.iter().flat_map(|(time, all)| all.iter().map(move |answer| (*time, answer)));
    answers.flat_map(|(time, (ip, names))| {
        names.iter().map(move |name| {
            let name = Name { name: name.clone(), source: NameSource::Rdns, process: None, time };
            (*ip, name)
        })
    })
}

/// Reads the names that an address has whatever the connection.
pub(super) struct AddressNameReader<'db>(CachedStatement<'db>);

impl<'db> AddressNameReader<'db> {
    pub(super) fn new(db: &'db Database) -> rusqlite::Result<Self> {
        db.prepare_cached(
            "SELECT endpoint_id, source, name, time FROM endpoint_name WHERE endpoint_id = ?1 ORDER BY rowid",
        )
        .map(Self)
    }

    /// Those of the address of this id.
    pub(super) fn get(&mut self, endpoint: i64) -> rusqlite::Result<Vec<Name>> {
        let names = self.0.query_map([endpoint], |row| name(row, None))?;
        names.filter_map(Result::transpose).collect()
    }
}

fn put_of_address(
    db: &Transaction<'_>,
    endpoint: i64,
    source: NameSource,
    name: &Untrusted,
    time: i64,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO endpoint_name (endpoint_id, source, name, time) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute(params![endpoint, source.name(), name.raw(), time])?;
    Ok(())
}

/// Tables that stores of earlier versions lack until something is recorded into them: empty ones instead, which last as long
/// as the connection to the database.
pub(super) fn stand_in(db: &Database) -> rusqlite::Result<()> {
    for (table, columns) in [
        ("connection_name", "connection_id, source, name, process_id, time"),
        ("observed", "connection_id, service, alpn"),
        ("endpoint_name", "endpoint_id, source, name, time"),
        (
            "lookup",
            "id, run_id, time, answered, process_id, proto, server_ip, server_port, name, kind, code, answers",
        ),
    ] {
        if !db.table_exists(Some("main"), table)? {
            db.execute_batch(&format!("CREATE TEMP TABLE {table} ({columns})"))?;
        }
    }
    Ok(())
}

/// From the columns of `observed`.
pub(super) fn observed(service: String, alpn: Option<String>) -> ObservedService {
    let alpn = alpn.and_then(|alpn| serde_json::from_str(&alpn).ok()).unwrap_or_default();
    ObservedService { service: service.into(), alpn }
}

/// A row of `connection_name` or `endpoint_name`.
pub(super) fn name(row: &Row<'_>, process: Option<Arc<Process>>) -> rusqlite::Result<Option<Name>> {
    let source: String = row.get(1)?;
    let Some(source) = NameSource::from_name(&source) else { return Ok(None) };
    Ok(Some(Name { name: text(row, 2)?, source, process, time: Timestamp(row.get(3)?) }))
}

impl Store {
    /// Calls `each` for each question to DNS in an interval, in the order in which they were asked.
    ///
    /// # Errors
    /// The store cannot be read, or `each` fails.
    pub fn for_each_lookup<E: From<StoreError>>(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        mut each: impl FnMut(Lookup) -> Result<(), E>,
    ) -> Result<(), E> {
        let error = |source| E::from(self.error(source));
        let mut processes = ProcessReader::new(&self.db).map_err(error)?;
        let mut statement = self
            .db
            .prepare("SELECT * FROM lookup WHERE time >= ?1 AND time < ?2 ORDER BY time, id")
            .map_err(error)?;
        let interval = [since.map_or(i64::MIN, |since| since.0), until.map_or(i64::MAX, |until| until.0)];
        let mut rows = statement.query(interval).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            each(lookup(row, &mut processes).map_err(error)?)?;
        }
        Ok(())
    }
}

pub(super) fn lookup(row: &Row<'_>, processes: &mut ProcessReader<'_>) -> rusqlite::Result<Lookup> {
    let ip: String = row.get("server_ip")?;
    let port = row.get("server_port")?;
    // Written by `Writer` from an address.
    let server = ip.parse().map_or(Endpoint::UNSPECIFIED, |ip| Endpoint::new(ip, port));
    let answers: String = row.get("answers")?;
    let answers: Vec<(Untrusted, Untrusted, u32, Untrusted)> =
        serde_json::from_str(&answers).unwrap_or_default();
    Ok(Lookup {
        time: Timestamp(row.get("time")?),
        answered: row.get::<_, Option<i64>>("answered")?.map(Timestamp),
        process: processes.maybe(row.get("process_id")?)?,
        server,
        proto: Proto(row.get("proto")?),
        name: text(row, "name")?,
        kind: text(row, "kind")?,
        code: maybe(row, "code")?,
        answers: answers
            .into_iter()
            .map(|(name, kind, ttl, data)| LookupAnswer { name, kind, ttl, data })
            .collect(),
    })
}
