//! The processes of a summary: a fixed number of bytes for each, with what they have in common kept once. Command lines, which they
//! have not, can stay in the store.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use super::cells::{CellFigures, insert_few};
use super::groups::{CallFigures, GroupFigures};
use super::table::{Keyed, Table};
use connmon_record::{ExeState, Process, ProcessId, Proto, Timestamp, Untrusted};

/// What processes have in common that run the same program for the same user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Program {
    /// The kernel's name of the process.
    pub comm: Untrusted,
    /// The executable.
    pub exe: Untrusted,
    /// The state of the executable's name.
    pub exe_state: ExeState,
    /// A kernel thread.
    pub kernel_thread: bool,
    /// Real user id.
    pub uid: u32,
    /// The user's name.
    pub user: Option<Untrusted>,
}

impl Program {
    fn of_process(process: &Process) -> Self {
        let Process { exe_state, kernel_thread, uid, .. } = *process;
        let [comm, exe] = [&process.comm, &process.exe].map(Clone::clone);
        Self { comm, exe, exe_state, kernel_thread, uid, user: process.user.clone() }
    }

    fn is_of(&self, process: &Process) -> bool {
        let plain = (self.exe_state, self.kernel_thread, self.uid);
        plain == (process.exe_state, process.kernel_thread, process.uid)
            && self.comm == process.comm
            && self.exe == process.exe
            && self.user == process.user
    }
}

/// Where the rest is that is known of a process.
#[derive(Clone)]
pub enum ProcessSource {
    /// It is here.
    Known(Arc<Process>),
    /// In the store, under this id.
    Stored(i64),
}

/// Nothing that a summary shows.
impl fmt::Debug for ProcessSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a source")
    }
}

/// A process as connections or cells tell of it: its place among those of a summary in the making, what it ran, and when it started.
#[derive(Clone, Copy, Debug)]
pub struct ToldProcess {
    place: u32,
    program: u32,
    started: Timestamp,
}

/// A process across recordings: PIDs and start times begin again at every boot, which is named by its place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    boot: u32,
    pid: u32,
    start_ns: u64,
}

/// A process row in the making.
#[derive(Clone, Debug)]
struct OpenProcess {
    boot: u32,
    pid: u32,
    start_ns: u64,
    /// This and the next two are of the newest connection.
    program: u32,
    started: Timestamp,
    source: ProcessSource,
    newest: (Timestamp, i64),
    figures: CallFigures,
    tcp_bytes: u64,
    udp_bytes: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    remotes: u32,
    countries: u32,
    services: u32,
}

impl Keyed for OpenProcess {
    type Key = Key;

    fn key(&self) -> Key {
        Key { boot: self.boot, pid: self.pid, start_ns: self.start_ns }
    }
}

/// Processes in the making.
#[derive(Debug, Default)]
pub(super) struct OpenProcesses {
    table: Table<OpenProcess>,
    boots: Vec<Arc<str>>,
    programs: Vec<Arc<Program>>,
    places: HashMap<Arc<Program>, u32>,
    other_exes: HashMap<u32, BTreeSet<Untrusted>>,
}

impl OpenProcesses {
    /// The number of processes.
    pub(super) fn len(&self) -> usize {
        self.table.rows().len()
    }

    fn boot(&mut self, boot: &Arc<str>) -> u32 {
        let place = self.boots.iter().position(|known| known == boot).unwrap_or_else(|| {
            self.boots.push(boot.clone());
            self.boots.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    fn program(&mut self, program: Program) -> u32 {
        if let Some(place) = self.places.get(&program) {
            return *place;
        }
        let (program, place) = (Arc::new(program), u32::try_from(self.programs.len()).unwrap_or(u32::MAX));
        self.programs.push(program.clone());
        self.places.insert(program, place);
        place
    }

    /// The place of the process, if there are connections of it.
    pub(super) fn find(&self, boot: &Arc<str>, id: ProcessId) -> Option<u32> {
        let boot = u32::try_from(self.boots.iter().position(|known| known == boot)?).ok()?;
        self.table.find(&Key { boot, pid: id.pid, start_ns: id.start_ns })
    }

    fn place(&mut self, boot: &Arc<str>, id: ProcessId) -> u32 {
        let boot = self.boot(boot);
        let key = Key { boot, pid: id.pid, start_ns: id.start_ns };
        self.table.place(key, |Key { boot, pid, start_ns }| OpenProcess {
            boot,
            pid,
            start_ns,
            program: u32::MAX,
            started: Timestamp::default(),
            source: ProcessSource::Stored(0),
            newest: (Timestamp(i64::MIN), i64::MIN),
            figures: CallFigures::default(),
            tcp_bytes: 0,
            udp_bytes: 0,
            first_seen: Timestamp(i64::MAX),
            last_seen: Timestamp(i64::MIN),
            remotes: 0,
            countries: 0,
            services: 0,
        })
    }

    /// A process, what it ran, and when it started.
    pub(super) fn tell(
        &mut self,
        boot: &Arc<str>,
        id: ProcessId,
        program: Program,
        started: Timestamp,
    ) -> ToldProcess {
        let program = self.program(program);
        ToldProcess { place: self.place(boot, id), program, started }
    }

    /// The same of one that is known.
    pub(super) fn tell_known(&mut self, boot: &Arc<str>, process: &Process) -> ToldProcess {
        let place = self.place(boot, process.id);
        let now = self.table.at(place).program;
        let same = self.programs.get(now as usize).is_some_and(|program| program.is_of(process));
        let program = if same { now } else { self.program(Program::of_process(process)) };
        ToldProcess { place, program, started: process.started }
    }

    /// Adds figures of connections of a protocol; gives the place.
    pub(super) fn add(
        &mut self,
        (told, source): (ToldProcess, &ProcessSource),
        proto: Proto,
        cell: &CellFigures,
    ) -> u32 {
        let ToldProcess { place, program, started } = told;
        let row = self.table.at(place);
        let mut other = program;
        if cell.newest >= row.newest {
            row.newest = cell.newest;
            other = std::mem::replace(&mut row.program, program);
            (row.started, row.source) = (started, source.clone());
        }
        if other != row.program
            && let Some(other) = self.programs.get(other as usize)
            && other.exe != self.programs[row.program as usize].exe
        {
            insert_few(self.other_exes.entry(place).or_default(), other.exe.clone());
        }
        row.figures += cell.figures;
        match proto {
            Proto::TCP => row.tcp_bytes = row.tcp_bytes.saturating_add(cell.figures.bytes()),
            Proto::UDP => row.udp_bytes = row.udp_bytes.saturating_add(cell.figures.bytes()),
            _ => {}
        }
        row.first_seen = row.first_seen.min(cell.first);
        row.last_seen = row.last_seen.max(cell.last);
        place
    }

    /// Notes that a process used a service, one of the first 32; whether that is known already.
    pub(super) fn has_service(&mut self, place: u32, service: usize) -> bool {
        let row = self.table.at(place);
        let bit = 1 << service;
        let has = row.services & bit != 0;
        row.services |= bit;
        has
    }

    /// Notes that a process used one more remote address.
    pub(super) fn add_remote(&mut self, place: u32) {
        self.table.at(place).remotes += 1;
    }

    /// Notes in how many countries these were.
    pub(super) fn set_countries(&mut self, place: u32, countries: u32) {
        self.table.at(place).countries = countries;
    }

    /// The processes, most bytes first, and the place that each has among them.
    pub(super) fn finish(self) -> (Processes, Vec<u32>) {
        let Self { table, boots, programs, other_exes, .. } = self;
        let rows = table.into_rows();
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_unstable_by_key(|place| {
            let row = &rows[*place as usize];
            let boot = &boots[row.boot as usize];
            (row.figures.all().rank(), boot, row.pid, row.start_ns)
        });
        let mut ranks = vec![0; order.len()];
        for (rank, place) in (0..).zip(&order) {
            ranks[*place as usize] = rank;
        }
        (Processes { rows, order, boots, programs, other_exes, command_lines: HashMap::new() }, ranks)
    }
}

/// The processes, most bytes first.
#[derive(Clone, Default)]
pub struct Processes {
    rows: Vec<OpenProcess>,
    order: Vec<u32>,
    boots: Vec<Arc<str>>,
    programs: Vec<Arc<Program>>,
    other_exes: HashMap<u32, BTreeSet<Untrusted>>,
    /// What was in the store, by place.
    command_lines: HashMap<u32, Untrusted>,
}

/// The traffic of one process.
#[derive(Clone, Debug)]
pub struct ProcessRow<'a> {
    /// The boot that it lived in.
    pub boot: &'a Arc<str>,
    /// The process within that boot.
    pub id: ProcessId,
    /// When it started.
    pub started: Timestamp,
    /// What it ran, as of its newest connection.
    pub program: &'a Program,
    /// Where the rest is that is known of it.
    pub source: &'a ProcessSource,
    /// Its arguments, unless they are in the store only.
    pub command_line: Option<&'a Untrusted>,
    /// Other executables that the same process ran before or after, at most eight.
    pub other_exes: Option<&'a BTreeSet<Untrusted>>,
    /// Its connections, with what it moved itself on them.
    pub figures: GroupFigures,
    /// What it moved over TCP.
    pub tcp_bytes: u64,
    /// What it moved over UDP.
    pub udp_bytes: u64,
    /// Distinct remote addresses.
    pub remotes: u64,
    /// Distinct countries of public remotes.
    pub countries: u64,
    /// First connection opened.
    pub first_seen: Timestamp,
    /// Last sign of life of a connection: its opening or its end.
    pub last_seen: Timestamp,
}

impl Processes {
    /// The number of processes.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The process with so many before it.
    pub fn get(&self, rank: usize) -> Option<ProcessRow<'_>> {
        let place = *self.order.get(rank)?;
        let row = &self.rows[place as usize];
        let told = match &row.source {
            ProcessSource::Known(process) => Some(&process.cmdline),
            ProcessSource::Stored(_) => self.command_lines.get(&place),
        };
        Some(ProcessRow {
            boot: &self.boots[row.boot as usize],
            id: ProcessId { pid: row.pid, start_ns: row.start_ns },
            started: row.started,
            program: &self.programs[row.program as usize],
            source: &row.source,
            command_line: told,
            other_exes: self.other_exes.get(&place),
            figures: row.figures.all(),
            tcp_bytes: row.tcp_bytes,
            udp_bytes: row.udp_bytes,
            remotes: row.remotes.into(),
            countries: row.countries.into(),
            first_seen: row.first_seen,
            last_seen: row.last_seen,
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = ProcessRow<'_>> + Clone {
        (0..self.len()).filter_map(|rank| self.get(rank))
    }

    /// Takes the command lines of the first `most` of which it is in the store.
    ///
    /// # Errors
    /// Those of `read`, which gives that of an id.
    pub fn read_command_lines<E>(
        &mut self,
        most: usize,
        mut read: impl FnMut(i64) -> Result<Untrusted, E>,
    ) -> Result<(), E> {
        for place in self.order.iter().take(most) {
            if let ProcessSource::Stored(id) = self.rows[*place as usize].source {
                self.command_lines.insert(*place, read(id)?);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_takes_few_bytes() {
        assert!(size_of::<OpenProcess>() <= 160, "{} bytes", size_of::<OpenProcess>());
    }
}
