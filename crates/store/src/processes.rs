//! The table of processes.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, Row, Transaction, params};

use super::row::{self, at};
use connmon_analysis::Program;
use connmon_record::rows::ProcessRow;
use connmon_record::{Container, ExeHash, ExeState, Process, ProcessId, Timestamp, Untrusted, Workload};

/// Writes a process, or what has become known of it since.
pub fn put(db: &Transaction<'_>, run: i64, base: i64, row: &ProcessRow) -> rusqlite::Result<()> {
    let process = &row.process;
    let (sha256, not_hashed) = match &process.exe_hash {
        ExeHash::Unknown => (None, None),
        ExeHash::Sha256(hash) => (Some(hash), None),
        ExeHash::Refused(why) => (None, Some(why)),
    };
    let container = process.place.container.as_ref();
    db.prepare_cached(
        "INSERT INTO process VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
            ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)
            ON CONFLICT (id) DO UPDATE SET exe = excluded.exe, exe_state = excluded.exe_state, sha256 = excluded.sha256,
            not_hashed = excluded.not_hashed, container_name = excluded.container_name,
            container_image = excluded.container_image",
    )?
    .execute(params![
        base | row.row,
        run,
        process.id.pid,
        process.id.start_ns as i64,
        process.started.0,
        process.ppid,
        process.comm.raw(),
        process.exe.raw(),
        process.cmdline.raw(),
        process.uid,
        process.user.as_ref().map(Untrusted::raw),
        process.kernel_thread,
        row.parent.map(|parent| base | parent),
        process.euid,
        process.session,
        process.exe_state.name(),
        sha256,
        not_hashed,
        process.cwd.raw(),
        process.redacted,
        process.cgroup.raw(),
        process.place.unit.as_ref().map(Untrusted::raw),
        process.place.slice.as_ref().map(Untrusted::raw),
        container.map(|container| container.runtime.raw()),
        container.map(|container| container.id.raw()),
        container.and_then(|container| container.name.as_ref()).map(Untrusted::raw),
        container.and_then(|container| container.image.as_ref()).map(Untrusted::raw),
        process.place.pod.as_ref().map(Untrusted::raw),
    ])?;
    Ok(())
}

/// What is read of a process.
const COLUMNS: [&str; 26] = [
    "parent_id",
    "pid",
    "start_ns",
    "started",
    "ppid",
    "comm",
    "exe",
    "cmdline",
    "uid",
    "user",
    "kernel_thread",
    "euid",
    "session",
    "exe_state",
    "sha256",
    "not_hashed",
    "cwd",
    "redacted",
    "cgroup",
    "unit",
    "slice",
    "container_runtime",
    "container_id",
    "container_name",
    "container_image",
    "pod",
];

/// Processes that are remembered at least; beyond, those that nobody uses are forgotten, and the store is asked again.
const MOST: usize = 65_536;

/// Reads processes with their ancestors, each when it is needed.
pub struct ProcessReader<'db> {
    find: CachedStatement<'db>,
    known: HashMap<i64, Option<Arc<Process>>>,
    most: usize,
}

impl<'db> ProcessReader<'db> {
    /// Of this store.
    pub fn new(db: &'db Connection) -> rusqlite::Result<Self> {
        let columns = row::list(db, "process", &COLUMNS)?;
        let find = db.prepare_cached(&format!("SELECT {columns} FROM process WHERE id = ?1"))?;
        Ok(Self { find, known: HashMap::new(), most: MOST })
    }

    /// The process of this id, if there is one.
    pub fn get(&mut self, id: i64) -> rusqlite::Result<Option<Arc<Process>>> {
        // A parent's row comes before its child's, so this ends; and the last that is found is the first to be made.
        let (mut line, mut next, mut parent) = (Vec::new(), Some(id), None);
        while let Some(id) = next {
            if let Some(known) = self.known.get(&id) {
                parent.clone_from(known);
                break;
            }
            let mut rows = self.find.query([id])?;
            let Some(row) = rows.next()? else { break };
            next = row.get::<_, Option<i64>>(at!("parent_id"))?.filter(|parent| *parent < id);
            line.push((id, process(row)?));
        }
        if self.known.len() >= self.most {
            // Who uses a process goes on to get the same one.
            self.known.retain(|_, known| known.as_ref().is_some_and(|known| Arc::strong_count(known) > 1));
            self.most = MOST.max(2 * self.known.len());
        }
        let found = !line.is_empty();
        for (id, process) in line.into_iter().rev() {
            parent = Some(Arc::new(Process { parent, ..process }));
            self.known.insert(id, parent.clone());
        }
        if !found {
            self.known.entry(id).or_insert_with(|| parent.clone());
        }
        Ok(parent)
    }

    /// The ids of the processes that are remembered, by their addresses.
    pub(super) fn ids(&self) -> HashMap<*const Process, i64> {
        self.known.iter().filter_map(|(id, process)| Some((Arc::as_ptr(process.as_ref()?), *id))).collect()
    }

    /// The process of this id, where there is an id.
    pub fn maybe(&mut self, id: Option<i64>) -> rusqlite::Result<Option<Arc<Process>>> {
        id.map_or(Ok(None), |id| self.get(id))
    }
}

/// The identity of a process, when it started, and what it ran, from the columns `pid`, `start_ns`, `started`, `comm`, `exe`, `exe_state`,
/// `kernel_thread`, `uid` and `user`.
pub(super) fn program(row: &Row<'_>) -> rusqlite::Result<(ProcessId, Timestamp, Program)> {
    let program = Program {
        comm: row::text(row, 3)?,
        exe: row::text(row, 4)?,
        exe_state: ExeState::from_name(row.get_ref(5)?.as_str_or_null()?),
        kernel_thread: row.get(6)?,
        uid: row.get(7)?,
        user: row::maybe(row, 8)?,
    };
    let id = ProcessId { pid: row.get(0)?, start_ns: row.get::<_, i64>(1)? as u64 };
    Ok((id, Timestamp(row.get(2)?), program))
}

fn process(row: &Row<'_>) -> rusqlite::Result<Process> {
    let text = |place: usize| row.get::<_, Option<String>>(place);
    let captured = |place| row::maybe(row, place);
    let uid = row.get(at!("uid"))?;
    let container = match (captured(at!("container_runtime"))?, captured(at!("container_id"))?) {
        (Some(runtime), Some(id)) => Some(Container {
            runtime,
            id,
            name: captured(at!("container_name"))?,
            image: captured(at!("container_image"))?,
        }),
        _ => None,
    };
    Ok(Process {
        id: ProcessId { pid: row.get(at!("pid"))?, start_ns: row.get::<_, i64>(at!("start_ns"))? as u64 },
        started: Timestamp(row.get(at!("started"))?),
        ppid: row.get(at!("ppid"))?,
        comm: row::text(row, at!("comm"))?,
        exe: row::text(row, at!("exe"))?,
        cmdline: row::text(row, at!("cmdline"))?,
        uid,
        user: captured(at!("user"))?,
        kernel_thread: row.get(at!("kernel_thread"))?,
        euid: row.get::<_, Option<u32>>(at!("euid"))?.unwrap_or(uid),
        session: row.get(at!("session"))?,
        exe_state: ExeState::from_name(row.get_ref(at!("exe_state"))?.as_str_or_null()?),
        exe_hash: match (text(at!("sha256"))?, text(at!("not_hashed"))?) {
            (Some(hash), _) => ExeHash::Sha256(hash),
            (None, Some(why)) => ExeHash::Refused(why),
            (None, None) => ExeHash::Unknown,
        },
        cwd: captured(at!("cwd"))?.unwrap_or_default(),
        redacted: row.get::<_, Option<bool>>(at!("redacted"))?.unwrap_or(false),
        cgroup: captured(at!("cgroup"))?.unwrap_or_default(),
        place: Workload {
            unit: captured(at!("unit"))?,
            slice: captured(at!("slice"))?,
            container,
            pod: captured(at!("pod"))?,
        },
        parent: None,
    })
}
