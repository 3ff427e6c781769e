//! Processes and the programs they ran, from fork, exec and exit.

mod cgroups;
mod fields;
mod history;

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use connmon_ebpf::{COMM_LEN, CgroupRecord, TaskRecord, kind};
use connmon_record::untrusted::exact;

use super::clock::Clock;
use cgroups::Cgroups;
use connmon_record::frame::{CommandLine, Exec, Executable, ProcessFacts, ProgramFacts, Start, Subject};

use connmon_record::rows::ProcessRow;

use connmon_record::{ExeHash, ExeState, Process, ProcessId, Untrusted};

use fields::{NOTHING_KNOWN, comm, folder, path, session};
use history::{Image, ProcessHistory};

/// procfs writes so behind the path of what has been deleted (proc_pid_exe(5)).
const DELETED: &str = " (deleted)";
/// `PF_KTHREAD`, include/linux/sched.h.
const PF_KTHREAD: u32 = 0x0020_0000;
/// An ended process is kept so long, for connections that end after it.
const KEEP_NS: u64 = 60_000_000_000;
/// Ended processes that are kept at most, beside those that open connections or known children refer to.
const MAX_ENDED: usize = 65_536;
/// Programs that gave way to others in their process and are kept at most, beside those that known children refer to.
const MAX_PAST: usize = 8_192;
/// Generations that are put on record at most.
const MAX_ANCESTORS: u32 = 64;

/// All processes of a recording that may still matter.
#[derive(Default, Serialize, Deserialize)]
pub struct Processes {
    #[serde(serialize_with = "exact")]
    users: HashMap<u32, Untrusted>,
    /// The wall clock.
    pub clock: Clock,
    known: HashMap<ProcessId, ProcessHistory>,
    cgroups: Cgroups,
    ended: VecDeque<(u64, ProcessId)>,
    /// Programs that gave way to others: when, and when they had begun.
    past: VecDeque<(u64, ProcessId, u64)>,
    /// Never anything at the end of a segment, as the subjects.
    #[serde(skip)]
    rows: Vec<ProcessRow>,
    /// Rows that nothing will refer to any more.
    #[serde(skip)]
    pub past_rows: Vec<i64>,
    #[serde(skip)]
    subjects: Vec<Subject>,
    count: i64,
    evicted: u64,
    /// When it last looked for what can be forgotten.
    now_ns: u64,
    /// When it did so the time before that: a sweep has met whatever was opened until then.
    settled_ns: u64,
}

impl Processes {
    /// Takes the names of user ids.
    pub fn begin(&mut self, start: &Start) {
        self.users = start.users.iter().cloned().collect();
    }

    /// From here on rows go into another store, which has none yet.
    pub fn begin_again(&mut self) {
        self.known.values_mut().flat_map(|known| &mut known.images).for_each(|image| image.row = None);
    }

    /// A cgroup came to be.
    pub fn cgroup(&mut self, record: &CgroupRecord) {
        self.cgroups.insert(record);
    }

    /// A process was born, existed before, came into another cgroup, or ended.
    pub fn task(&mut self, task: &TaskRecord) {
        let id = ProcessId { pid: task.tgid, start_ns: task.start_ns };
        match task.kind {
            kind::EXIT => return self.ended.push_back((task.time_ns, id)),
            kind::MOVED => return self.moved(id, task),
            kind::EXEC_LOST => return self.unknown_program(id, task),
            _ if self.known.contains_key(&id) => return,
            _ => {}
        }
        let parent = ProcessId { pid: task.ppid, start_ns: task.parent_start_ns };
        // A new process runs its parent's program until it calls exec.
        let inherited = self.known.get(&parent).and_then(|known| known.images.last());
        let inherited = inherited.filter(|_| task.kind == kind::FORK);
        let (from, file) =
            inherited.map(|image| (image.process.clone(), image.file.clone())).unwrap_or_default();
        let process = self.described(id, task, from);
        let parent = (parent != id).then_some(parent);
        if let Some(parent) = parent.and_then(|parent| self.known.get_mut(&parent))
            && let Some(image) = parent.parent_at(task.start_ns)
        {
            image.children += 1;
        }
        let image = Image::new(task.start_ns, file, process);
        self.known.insert(id, ProcessHistory { parent, images: vec![image], ..ProcessHistory::default() });
    }

    /// A process as its task tells it; `from` has its program.
    fn described(&mut self, id: ProcessId, task: &TaskRecord, from: Process) -> Process {
        let (cgroup, place) = self.cgroups.get(task.cgroup);
        Process {
            id,
            started: self.clock.at(id.start_ns),
            ppid: task.ppid,
            comm: comm(&task.comm),
            uid: task.uid,
            user: self.users.get(&task.uid).cloned(),
            kernel_thread: task.task_flags & PF_KTHREAD != 0,
            euid: task.euid,
            session: session(task.session),
            cgroup,
            place,
            exe_hash: ExeHash::Unknown,
            ..from
        }
    }

    /// From now on what a process does is done in another cgroup.
    fn moved(&mut self, id: ProcessId, task: &TaskRecord) {
        let (cgroup, place) = self.cgroups.get(task.cgroup);
        let Some(known) = self.known.get_mut(&id) else { return };
        let Some(last) = known.images.last_mut() else { return };
        if last.row.is_none() {
            last.process.cgroup = cgroup;
            last.process.place = place;
            return;
        }
        let process = Process { cgroup, place, ..last.process.clone() };
        let image = Image::new(task.time_ns, last.file.clone(), process);
        self.past.push_back((task.time_ns, id, last.since_ns));
        known.push(image);
    }

    /// A process began a new program, of which no more is known than this.
    fn unknown_program(&mut self, id: ProcessId, task: &TaskRecord) {
        let process = self.described(id, task, Process::default());
        let known = self.known.entry(id).or_default();
        if let Some(last) = known.images.last() {
            self.past.push_back((task.time_ns, id, last.since_ns));
        }
        known.push(Image::new(task.time_ns, None, process));
    }

    /// A process began a new program.
    pub fn exec(&mut self, exec: &Exec) {
        let CommandLine { text: cmdline, redacted } = exec.command_line();
        let exec = &exec.record;
        let id = ProcessId { pid: exec.tgid, start_ns: exec.start_ns };
        let exe = path(&exec.path, exec.path_len, exec.path_truncated);
        let exe_state = match exec.links {
            0 if exe.starts_with("/memfd:") => ExeState::Memory,
            0 => ExeState::Deleted,
            _ => ExeState::Present,
        };
        let (cgroup, place) = self.cgroups.get(exec.cgroup);
        let process = Process {
            id,
            started: self.clock.at(id.start_ns),
            ppid: exec.ppid,
            comm: comm(&exec.comm),
            exe: exe.into(),
            cmdline,
            redacted,
            uid: exec.uid,
            user: self.users.get(&exec.uid).cloned(),
            euid: exec.euid,
            session: session(exec.session),
            exe_state,
            cwd: folder(path(&exec.cwd, exec.cwd_len, exec.cwd_truncated)).into(),
            cgroup,
            place,
            ..Process::default()
        };
        let file = Some(Executable::from(exec));
        let known = self.known.entry(id).or_default();
        let Some(last) = known.images.last_mut() else {
            return known.push(Image::new(exec.time_ns, file, process));
        };
        // The snapshot may have seen this already.
        let is_seen = last.process.exe == process.exe && last.process.cmdline == process.cmdline;
        if last.row.is_none() && is_seen {
            last.file = file;
            return;
        }
        self.past.push_back((exec.time_ns, id, last.since_ns));
        known.push(Image::new(exec.time_ns, file, process));
    }

    /// procfs completes what the kernel side could not tell.
    pub fn facts(&mut self, facts: ProcessFacts) {
        let id = ProcessId { pid: facts.tgid, start_ns: facts.start_ns };
        if let Some(image) = self.known.get_mut(&id).and_then(|known| known.images.last_mut())
            && image.row.is_none()
            && image.process.exe.is_empty()
        {
            let CommandLine { text, redacted } = facts.command_line();
            (image.process.cmdline, image.process.redacted) = (text, redacted);
            image.process.exe = facts.exe;
            image.process.cwd = facts.cwd;
            image.file = facts.file;
        }
    }

    /// More has been found out about a program; rows that are written already are written again.
    pub fn program(&mut self, facts: ProgramFacts) {
        let id = ProcessId { pid: facts.tgid, start_ns: facts.start_ns };
        let Some(known) = self.known.get_mut(&id) else { return };
        let hash = facts.sha256.map_or_else(ExeHash::Refused, ExeHash::Sha256);
        for image in known.images.iter_mut().filter(|image| image.since_ns == facts.since_ns) {
            let process = &mut image.process;
            process.exe_hash.clone_from(&hash);
            if facts.deleted && process.exe_state == ExeState::Present {
                process.exe_state = ExeState::Deleted;
                // Where exec told the path it has nothing behind it.
                process.exe = process.exe.map(|exe| exe.strip_suffix(DELETED).unwrap_or(exe).to_owned());
            }
            if let Some(container) = &mut process.place.container {
                container.name.clone_from(&facts.container_name);
                container.image.clone_from(&facts.container_image);
            }
            if let Some(row) = image.row {
                let parent = None;
                self.rows.push(ProcessRow { row, parent, process: image.process.clone() });
            }
        }
    }

    /// Does something for a process, if more is known of it than that it has a connection.
    pub fn watch(&mut self, id: ProcessId, what: impl FnOnce(&mut Self) -> i64) -> Option<i64> {
        self.known.contains_key(&id).then(|| what(self))
    }

    /// The row of the program that took a socket between two moments; made now if it is its first use. `name` is what it was
    /// called then: a process can give itself another name than its program's, and `ps` shows it. Of several programs in that
    /// time it is the first that was called so.
    pub fn row(
        &mut self,
        id: ProcessId,
        uid: u32,
        name: &[u8; COMM_LEN],
        (from_ns, to_ns): (u64, u64),
    ) -> i64 {
        let known = self.known.entry(id).or_default();
        let comm = comm(name);
        let is_it =
            |image: &Image| image.since_ns <= to_ns && image.until_ns > from_ns && image.process.comm == comm;
        let at = known.images.iter().position(is_it).or_else(|| known.position(from_ns));
        self.row_at(id, at, uid, Some(comm).filter(|comm| !comm.is_empty()), from_ns)
    }

    /// The row of the program that a process runs now. `owner` is the row by which the connection has it, which is taken if it
    /// is one of this program.
    pub fn latest_row(&mut self, id: ProcessId, uid: u32, owner: Option<i64>) -> i64 {
        let known = self.known.entry(id).or_default();
        let at = known.position(u64::MAX);
        let since_ns = at.map(|at| known.images[at].since_ns);
        let is_owner = |image: &&Image| {
            image.row.is_some()
                && image.row == owner
                && Some(image.since_ns) == since_ns
                && image.process.uid == uid
        };
        match known.images.iter().find(is_owner).and_then(|image| image.row) {
            Some(row) => row,
            None => self.row_at(id, at, uid, None, u64::MAX),
        }
    }

    /// Whether more is known of a process than that it has a connection.
    pub fn is_told(&self, id: ProcessId) -> bool {
        let is_told = |image: &Image| image.process.ppid != 0 || !image.process.exe.is_empty();
        self.known.get(&id).is_some_and(|known| known.images.iter().any(is_told))
    }

    /// The row of the program that a known process ran at `time_ns`.
    pub fn row_of(&mut self, id: ProcessId, time_ns: u64) -> Option<i64> {
        let known = self.known.get(&id)?;
        let at = known.position(time_ns)?;
        let uid = known.images[at].process.uid;
        Some(self.row_at(id, Some(at), uid, None, time_ns))
    }

    /// The row of an image, or of one that differs from it by what is known now; where there is none, of all that is known.
    fn row_at(
        &mut self,
        id: ProcessId,
        at: Option<usize>,
        uid: u32,
        comm: Option<Untrusted>,
        time_ns: u64,
    ) -> i64 {
        let user = self.users.get(&uid).cloned();
        let Some(known) = self.known.get_mut(&id) else { return 0 };
        let at = match at {
            Some(at) => at,
            None => {
                let process = Process {
                    id,
                    started: self.clock.at(id.start_ns),
                    comm: comm.clone().unwrap_or_default(),
                    uid,
                    euid: uid,
                    user: user.clone(),
                    exe_hash: ExeHash::Refused(NOTHING_KNOWN.into()),
                    ..Process::default()
                };
                // How it ends may never be told.
                let is_new = known.images.is_empty();
                // Of a known process, what it ran then has been forgotten.
                self.evicted += u64::from(!is_new);
                let at = known.images.iter().take_while(|image| image.since_ns <= time_ns).count();
                let until_ns = known.images.get(at).map_or(u64::MAX, |image| image.since_ns);
                let since_ns = if at == 0 { id.start_ns } else { time_ns };
                known.images.insert(at, Image { until_ns, ..Image::new(since_ns, None, process) });
                if is_new {
                    self.ended.push_back((self.now_ns, id));
                } else {
                    self.past.push_back((self.now_ns, id, since_ns));
                }
                at
            }
        };
        let since_ns = known.images[at].since_ns;
        let is_named = |image: &Image| comm.as_ref().is_none_or(|comm| image.process.comm == *comm);
        let same = |image: &Image| image.since_ns == since_ns && image.process.uid == uid && is_named(image);
        let at = match known.images.iter().rposition(same) {
            Some(at) => at,
            None => {
                // The process has become another user, or calls itself otherwise: a further row, so that both are on record.
                let base = &known.images[at];
                let process = &base.process;
                let comm = comm.unwrap_or_else(|| process.comm.clone());
                let process = Process { uid, user, comm, ..process.clone() };
                let image =
                    Image { until_ns: base.until_ns, ..Image::new(since_ns, base.file.clone(), process) };
                if base.row.is_none() {
                    let children = base.children;
                    known.images[at] = Image { children, ..image };
                    at
                } else {
                    let (at, lost) = known.insert_variant(image);
                    self.past_rows.extend(lost.iter().filter_map(|lost| lost.row));
                    self.evicted +=
                        u64::from(lost.is_some_and(|lost| lost.process.exe_hash == ExeHash::Unknown));
                    at
                }
            }
        };
        if let Some(row) = known.images[at].row {
            return row;
        }
        let parent = known.parent;
        // First: a row comes after that of its parent.
        let parent = parent.and_then(|parent| self.ancestor(parent, id.start_ns, MAX_ANCESTORS));
        self.count += 1;
        let row = self.count;
        self.put(id, at, row, parent);
        row
    }

    /// The row of the program that a process ran when it started another one at `time_ns`.
    fn ancestor(&mut self, id: ProcessId, time_ns: u64, patience: u32) -> Option<i64> {
        let known = self.known.get(&id)?;
        let at = known.position(time_ns)?;
        if let Some(row) = known.images[at].row {
            return Some(row);
        }
        let parent = known.parent.filter(|_| patience > 0);
        let parent = parent.and_then(|parent| self.ancestor(parent, id.start_ns, patience - 1));
        self.count += 1;
        let row = self.count;
        self.put(id, at, row, parent);
        Some(row)
    }

    /// Hands on a new row, and asks for a look at its program.
    fn put(&mut self, id: ProcessId, at: usize, row: i64, parent: Option<i64>) {
        let Some(image) = self.known.get_mut(&id).and_then(|known| known.images.get_mut(at)) else { return };
        image.row = Some(row);
        let process = image.process.clone();
        if !process.kernel_thread {
            self.subjects.push(Subject {
                tgid: id.pid,
                start_ns: id.start_ns,
                since_ns: image.since_ns,
                exe: process.exe.clone(),
                file: image.file.clone(),
                container: process.place.container.clone(),
            });
        }
        self.rows.push(ProcessRow { row, parent, process });
    }

    /// An open connection refers to a process: it is known as long as that lasts.
    pub fn hold(&mut self, id: ProcessId) {
        if let Some(known) = self.known.get_mut(&id) {
            known.connections += 1;
        }
    }

    /// A connection that referred to a process is over.
    pub fn release(&mut self, id: ProcessId) {
        if let Some(known) = self.known.get_mut(&id) {
            known.connections = known.connections.saturating_sub(1);
        }
        self.remove_if_over(id);
    }

    /// Processes that are remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Programs that are remembered.
    #[cfg(test)]
    pub fn images(&self) -> usize {
        self.known.values().map(|known| known.images.len()).sum()
    }

    /// The number of processes that were forgotten early for want of room.
    pub fn evicted(&self) -> u64 {
        self.evicted + self.cgroups.evicted
    }

    /// The rows made since the last call.
    pub fn take_rows(&mut self) -> Vec<ProcessRow> {
        std::mem::take(&mut self.rows)
    }

    /// The programs to be looked at since the last call.
    pub fn take_subjects(&mut self) -> Vec<Subject> {
        std::mem::take(&mut self.subjects)
    }

    /// Drops processes that ended long before `now_ns`, and programs that gave way to others, unless something that lives refers
    /// to them.
    pub fn forget(&mut self, now_ns: u64) {
        self.settled_ns = std::mem::replace(&mut self.now_ns, now_ns);
        while let Some((time_ns, id, since_ns)) = self.past.front().copied() {
            let is_early = time_ns + KEEP_NS > now_ns;
            // What gave way before the last sweep but one, and had no connection then, will have none.
            let may_be_asked_for = time_ns >= self.settled_ns;
            let most = if may_be_asked_for { MAX_ENDED } else { MAX_PAST };
            if is_early && self.past.len() <= most {
                break;
            }
            self.past.pop_front();
            if let Some(known) = self.known.get_mut(&id) {
                let dropped = known.drop_program(since_ns);
                self.evicted += u64::from(is_early && (!dropped.is_empty() || may_be_asked_for));
                self.past_rows.extend(dropped);
            }
        }
        while let Some((time_ns, id)) = self.ended.front().copied() {
            let is_early = time_ns + KEEP_NS > now_ns;
            if is_early && self.ended.len() <= MAX_ENDED {
                break;
            }
            self.evicted += u64::from(is_early);
            self.ended.pop_front();
            if let Some(known) = self.known.get_mut(&id) {
                known.ended = true;
            }
            self.remove_if_over(id);
        }
    }

    /// Drops a process that nothing needs any more, and then perhaps the one that started it.
    fn remove_if_over(&mut self, id: ProcessId) {
        let mut next = Some(id);
        while let Some(id) = next {
            if !self.known.get(&id).is_some_and(ProcessHistory::is_over) {
                break;
            }
            let removed = self.known.remove(&id);
            self.past_rows
                .extend(removed.iter().flat_map(|known| &known.images).filter_map(|image| image.row));
            next = removed.and_then(|known| known.parent);
            let Some((at, parent)) = next.and_then(|at| Some((at, self.known.get_mut(&at)?))) else { break };
            let Some(image) = parent.parent_at(id.start_ns) else { continue };
            image.children = image.children.saturating_sub(1);
            if image.children == 0 && image.until_ns != u64::MAX {
                // It was kept for its children.
                self.past.push_back((self.now_ns, at, image.since_ns));
            }
        }
    }
}
