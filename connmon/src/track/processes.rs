//! Processes and the programs they ran, from fork, exec and exit.

use std::collections::{HashMap, VecDeque};

use connmon_ebpf::{COMM_LEN, CgroupRecord, ExecRecord, NO_SESSION, TaskRecord, kind};

use super::{ProcessRow, wall_clock};
use crate::capture::witness::Subject;
use crate::capture::{ProcessFacts, ProgramFacts, Start, split_args};
use crate::model::{ExeHash, ExeState, Place, Process, ProcessId, from_bytes, secrets};

/// `PF_KTHREAD`, include/linux/sched.h.
const PF_KTHREAD: u32 = 0x0020_0000;
/// An ended process is kept so long, for connections that end after it.
const KEEP_NS: u64 = 60_000_000_000;
/// Ended processes that are kept at most.
const MAX_ENDED: usize = 262_144;
/// Generations that are put on record at most.
const MAX_ANCESTORS: u32 = 64;
/// Cgroups whose paths are remembered.
const MAX_CGROUPS: usize = 65_536;

/// One program that a process ran.
struct Image {
    since_ns: u64,
    /// Inode number of the executable; 0 where unknown.
    inode: u64,
    process: Process,
    row: Option<i64>,
}

/// A process and the programs it ran, in order.
#[derive(Default)]
struct Known {
    /// Who started it, where known.
    parent: Option<ProcessId>,
    /// Processes that it started and that are known.
    children: u32,
    ended: bool,
    images: Vec<Image>,
}

/// All processes of a recording that may still matter.
#[derive(Default)]
pub struct Processes {
    users: HashMap<u32, String>,
    clock_offset_ns: i64,
    known: HashMap<ProcessId, Known>,
    cgroups: Cgroups,
    ended: VecDeque<(u64, ProcessId)>,
    rows: Vec<ProcessRow>,
    subjects: Vec<Subject>,
    count: i64,
    evicted: u64,
}

impl Processes {
    /// Takes the names of user ids and the clock.
    pub fn begin(&mut self, start: &Start) {
        self.users = start.users.iter().cloned().collect();
        self.clock_offset_ns = start.clock_offset_ns;
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
            _ if self.known.contains_key(&id) => return,
            _ => {}
        }
        let parent = ProcessId { pid: task.ppid, start_ns: task.parent_start_ns };
        // A new process runs its parent's program until it calls exec.
        let inherited = self.known.get(&parent).and_then(|known| known.images.last());
        let inherited = inherited.filter(|_| task.kind == kind::FORK);
        let from = inherited.map(|image| image.process.clone()).unwrap_or_default();
        let (cgroup, place) = self.cgroups.get(task.cgroup);
        let process = Process {
            id,
            started: wall_clock(id.start_ns, self.clock_offset_ns),
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
        };
        let inode = inherited.map_or(0, |image| image.inode);
        let parent = (parent != id).then_some(parent);
        if let Some(parent) = parent.and_then(|parent| self.known.get_mut(&parent)) {
            parent.children += 1;
        }
        let image = Image { since_ns: task.start_ns, inode, process, row: None };
        self.known.insert(id, Known { parent, images: vec![image], ..Known::default() });
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
        let inode = last.inode;
        known.images.push(Image { since_ns: task.time_ns, inode, process, row: None });
    }

    /// A process began a new program.
    pub fn exec(&mut self, exec: &ExecRecord) {
        let id = ProcessId { pid: exec.tgid, start_ns: exec.start_ns };
        let used = &exec.args[..(exec.args_len as usize).min(exec.args.len())];
        let (mut cmdline, redacted) = secrets::cmdline(&split_args(used));
        if exec.args_total > exec.args_len {
            cmdline.push('…');
        }
        let exe = path(&exec.path, exec.path_len, exec.path_truncated);
        let exe_state = match exec.links {
            0 if exe.starts_with("/memfd:") => ExeState::Memory,
            0 => ExeState::Deleted,
            _ => ExeState::Present,
        };
        let (cgroup, place) = self.cgroups.get(exec.cgroup);
        let process = Process {
            id,
            started: wall_clock(id.start_ns, self.clock_offset_ns),
            ppid: exec.ppid,
            comm: comm(&exec.comm),
            exe,
            cmdline,
            redacted,
            uid: exec.uid,
            user: self.users.get(&exec.uid).cloned(),
            euid: exec.euid,
            session: session(exec.session),
            exe_state,
            cwd: folder(path(&exec.cwd, exec.cwd_len, exec.cwd_truncated)),
            cgroup,
            place,
            ..Process::default()
        };
        let images = &mut self.known.entry(id).or_default().images;
        // The snapshot may have seen this already.
        let same = images.last_mut().filter(|image| {
            image.row.is_none()
                && image.process.exe == process.exe
                && image.process.cmdline == process.cmdline
        });
        match same {
            Some(image) => image.inode = exec.inode,
            None => images.push(Image { since_ns: exec.time_ns, inode: exec.inode, process, row: None }),
        }
    }

    /// procfs completes what the kernel side could not tell.
    pub fn facts(&mut self, facts: ProcessFacts) {
        let id = ProcessId { pid: facts.tgid, start_ns: facts.start_ns };
        if let Some(image) = self.known.get_mut(&id).and_then(|known| known.images.last_mut())
            && image.row.is_none()
            && image.process.exe.is_empty()
        {
            image.process.exe = facts.exe;
            (image.process.cmdline, image.process.redacted) = secrets::cmdline(&facts.args);
            image.process.cwd = facts.cwd;
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
                if image.inode == 0 {
                    // procfs writes so behind the path of what has been deleted (proc_pid_exe(5)).
                    process.exe = process.exe.trim_end_matches(" (deleted)").to_owned();
                }
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

    /// The row of the program that a process ran at `time_ns`; made now if it is its first use. `uid` and `name` are
    /// what the socket tells of the process.
    pub fn row(&mut self, id: ProcessId, uid: u32, name: &[u8; COMM_LEN], time_ns: u64) -> i64 {
        let (users, offset) = (&self.users, self.clock_offset_ns);
        let known = self.known.entry(id).or_default();
        if known.images.is_empty() {
            let process = Process {
                id,
                started: wall_clock(id.start_ns, offset),
                comm: comm(name),
                uid,
                euid: uid,
                user: users.get(&uid).cloned(),
                ..Process::default()
            };
            known.images.push(Image { since_ns: id.start_ns, inode: 0, process, row: None });
        }
        let images = &mut known.images;
        let at = images.iter().rposition(|image| image.since_ns <= time_ns).unwrap_or(0);
        let since_ns = images[at].since_ns;
        let same = |image: &Image| image.since_ns == since_ns && image.process.uid == uid;
        let at = match images.iter().rposition(same) {
            Some(at) => at,
            None => {
                // The process has become another user since: a further row, so that both are on record.
                let user = users.get(&uid).cloned();
                let process = Process { uid, user, ..images[at].process.clone() };
                let inode = images[at].inode;
                if images[at].row.is_none() {
                    images.remove(at);
                    images.insert(at, Image { since_ns, inode, process, row: None });
                    at
                } else {
                    images.insert(at + 1, Image { since_ns, inode, process, row: None });
                    at + 1
                }
            }
        };
        if let Some(row) = images[at].row {
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

    /// The row of the program that a known process ran at `time_ns`.
    pub fn row_of(&mut self, id: ProcessId, time_ns: u64) -> Option<i64> {
        let images = &self.known.get(&id)?.images;
        let at = images.iter().rposition(|image| image.since_ns <= time_ns).unwrap_or(0);
        let uid = images.get(at)?.process.uid;
        Some(self.row(id, uid, &[0; COMM_LEN], time_ns))
    }

    /// The row of the program that a process ran when it started another one at `time_ns`.
    fn ancestor(&mut self, id: ProcessId, time_ns: u64, patience: u32) -> Option<i64> {
        let known = self.known.get(&id)?;
        let at = known.images.iter().rposition(|image| image.since_ns <= time_ns).unwrap_or(0);
        if let Some(row) = known.images.get(at)?.row {
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
                inode: image.inode,
                container: process.place.container.clone(),
            });
        }
        self.rows.push(ProcessRow { row, parent, process });
    }

    /// Processes that are remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// What had to be forgotten early, for want of room.
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

    /// Drops processes that ended long before `now_ns`, unless they are ancestors of some that did not.
    pub fn forget(&mut self, now_ns: u64) {
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
            let mut next = Some(id);
            while let Some(id) = next {
                let over = |known: &Known| known.ended && known.children == 0;
                if !self.known.get(&id).is_some_and(over) {
                    break;
                }
                next = self.known.remove(&id).and_then(|known| known.parent);
                if let Some(parent) = next.and_then(|parent| self.known.get_mut(&parent)) {
                    parent.children = parent.children.saturating_sub(1);
                }
            }
        }
    }
}

/// Cgroups by their ids: the path, and what it tells.
#[derive(Default)]
struct Cgroups {
    known: HashMap<u64, (String, Place)>,
    evicted: u64,
}

impl Cgroups {
    fn insert(&mut self, record: &CgroupRecord) {
        if self.known.len() >= MAX_CGROUPS {
            self.evicted += self.known.len() as u64;
            self.known.clear();
        }
        let used = &record.path[..(record.path_len as usize).min(record.path.len())];
        let path = from_bytes(used);
        let place = Place::of_cgroup(&path);
        self.known.insert(record.id, (path, place));
    }

    /// The path of a cgroup, and what it tells.
    fn get(&self, id: u64) -> (String, Place) {
        self.known.get(&id).cloned().unwrap_or_default()
    }
}

/// The root has no components.
fn folder(path: String) -> String {
    if path.is_empty() { "/".into() } else { path }
}

fn session(id: u32) -> Option<u32> {
    (id != NO_SESSION).then_some(id)
}

fn comm(bytes: &[u8; COMM_LEN]) -> String {
    from_bytes(bytes.split(|&byte| byte == 0).next().unwrap_or_default())
}

/// The components were noted from the file or folder up to the root.
fn path(components: &[u8], len: u32, truncated: u32) -> String {
    let used = &components[..(len as usize).min(components.len())];
    let used = used.strip_suffix(&[0]).unwrap_or(used);
    let mut path = String::new();
    if truncated != 0 {
        path.push('…');
    }
    for component in used.split(|&byte| byte == 0).rev().filter(|component| !component.is_empty()) {
        path.push('/');
        path.push_str(&from_bytes(component));
    }
    path
}
