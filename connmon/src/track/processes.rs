//! Processes and the programs they ran, from fork, exec and exit.

use std::collections::{HashMap, VecDeque};

use connmon_ebpf::{COMM_LEN, ExecRecord, TaskRecord, kind};

use super::{ProcessRow, wall_clock};
use crate::capture::{ProcessFacts, Start, join_args};
use crate::model::{Process, ProcessId, from_bytes};

/// `PF_KTHREAD`, include/linux/sched.h.
const PF_KTHREAD: u32 = 0x0020_0000;
/// An ended process is kept so long, for connections that end after it.
const KEEP_NS: u64 = 60_000_000_000;

/// One program that a process ran.
struct Image {
    since_ns: u64,
    process: Process,
    row: Option<i64>,
}

/// All processes of a recording that may still matter.
#[derive(Default)]
pub struct Processes {
    users: HashMap<u32, String>,
    clock_offset_ns: i64,
    known: HashMap<ProcessId, Vec<Image>>,
    ended: VecDeque<(u64, ProcessId)>,
    rows: Vec<ProcessRow>,
    count: i64,
}

impl Processes {
    /// Takes the names of user ids and the clock.
    pub fn begin(&mut self, start: &Start) {
        self.users = start.users.iter().cloned().collect();
        self.clock_offset_ns = start.clock_offset_ns;
    }

    /// A process was born, existed before, or ended.
    pub fn task(&mut self, task: &TaskRecord) {
        let id = ProcessId { pid: task.tgid, start_ns: task.start_ns };
        if task.kind == kind::EXIT {
            self.ended.push_back((task.time_ns, id));
            return;
        }
        if self.known.contains_key(&id) {
            return;
        }
        // A new process runs its parent's program until it calls exec.
        let parent = ProcessId { pid: task.ppid, start_ns: task.parent_start_ns };
        let inherited = self.known.get(&parent).and_then(|images| images.last());
        let inherited = if task.kind == kind::FORK { inherited } else { None };
        let process = Process {
            id,
            started: wall_clock(id.start_ns, self.clock_offset_ns),
            ppid: task.ppid,
            comm: comm(&task.comm),
            exe: inherited.map(|image| image.process.exe.clone()).unwrap_or_default(),
            cmdline: inherited.map(|image| image.process.cmdline.clone()).unwrap_or_default(),
            uid: task.uid,
            user: self.users.get(&task.uid).cloned(),
            kernel_thread: task.task_flags & PF_KTHREAD != 0,
        };
        self.known.insert(id, vec![Image { since_ns: task.start_ns, process, row: None }]);
    }

    /// A process began a new program.
    pub fn exec(&mut self, exec: &ExecRecord) {
        let id = ProcessId { pid: exec.tgid, start_ns: exec.start_ns };
        let used = &exec.args[..(exec.args_len as usize).min(exec.args.len())];
        let mut args = join_args(used);
        if exec.args_total > exec.args_len {
            args.push('…');
        }
        let process = Process {
            id,
            started: wall_clock(id.start_ns, self.clock_offset_ns),
            ppid: exec.ppid,
            comm: comm(&exec.comm),
            exe: path(exec),
            cmdline: args,
            uid: exec.uid,
            user: self.users.get(&exec.uid).cloned(),
            kernel_thread: false,
        };
        let images = self.known.entry(id).or_default();
        // The snapshot may have seen this already.
        let same = images.last().is_some_and(|image| {
            image.row.is_none()
                && image.process.exe == process.exe
                && image.process.cmdline == process.cmdline
        });
        if !same {
            images.push(Image { since_ns: exec.time_ns, process, row: None });
        }
    }

    /// procfs completes what the kernel side could not tell.
    pub fn facts(&mut self, facts: ProcessFacts) {
        let id = ProcessId { pid: facts.tgid, start_ns: facts.start_ns };
        if let Some(image) = self.known.get_mut(&id).and_then(|images| images.last_mut())
            && image.row.is_none()
            && image.process.exe.is_empty()
        {
            image.process.exe = facts.exe;
            image.process.cmdline = facts.cmdline;
        }
    }

    /// The row of the program that a process ran at `time_ns`; made now if it is its first use. `uid` and `name` are
    /// what the socket tells of the process.
    pub fn row(&mut self, id: ProcessId, uid: u32, name: &[u8; COMM_LEN], time_ns: u64) -> i64 {
        let (users, offset) = (&self.users, self.clock_offset_ns);
        let images = self.known.entry(id).or_insert_with(|| {
            let process = Process {
                id,
                started: wall_clock(id.start_ns, offset),
                ppid: 0,
                comm: comm(name),
                exe: String::new(),
                cmdline: String::new(),
                uid,
                user: users.get(&uid).cloned(),
                kernel_thread: false,
            };
            vec![Image { since_ns: id.start_ns, process, row: None }]
        });
        let at = images.iter().rposition(|image| image.since_ns <= time_ns).unwrap_or(0);
        let since_ns = images[at].since_ns;
        let same = |image: &Image| image.since_ns == since_ns && image.process.uid == uid;
        let at = match images.iter().rposition(same) {
            Some(at) => at,
            None => {
                // The process has become another user since: a further row, so that both are on record.
                let user = users.get(&uid).cloned();
                let process = Process { uid, user, ..images[at].process.clone() };
                if images[at].row.is_none() {
                    images.remove(at);
                    images.insert(at, Image { since_ns, process, row: None });
                    at
                } else {
                    images.insert(at + 1, Image { since_ns, process, row: None });
                    at + 1
                }
            }
        };
        let image = &mut images[at];
        if let Some(row) = image.row {
            return row;
        }
        self.count += 1;
        image.row = Some(self.count);
        self.rows.push(ProcessRow { row: self.count, process: image.process.clone() });
        self.count
    }

    /// The rows made since the last call.
    pub fn take_rows(&mut self) -> Vec<ProcessRow> {
        std::mem::take(&mut self.rows)
    }

    /// Drops processes that ended long before `now_ns`.
    pub fn forget(&mut self, now_ns: u64) {
        while let Some((time_ns, id)) = self.ended.front() {
            if time_ns + KEEP_NS > now_ns {
                break;
            }
            self.known.remove(id);
            self.ended.pop_front();
        }
    }
}

fn comm(bytes: &[u8; COMM_LEN]) -> String {
    from_bytes(bytes.split(|&byte| byte == 0).next().unwrap_or_default())
}

/// The components were noted from the file up to the root.
fn path(exec: &ExecRecord) -> String {
    let used = &exec.path[..(exec.path_len as usize).min(exec.path.len())];
    let used = used.strip_suffix(&[0]).unwrap_or(used);
    let mut path = String::new();
    if exec.path_truncated != 0 {
        path.push('…');
    }
    for component in used.split(|&byte| byte == 0).rev().filter(|component| !component.is_empty()) {
        path.push('/');
        path.push_str(&from_bytes(component));
    }
    path
}
