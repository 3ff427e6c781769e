//! Which programs are to be looked at while they run: those of processes that have connections. The recorder asks this at once,
//! while rows are made later.

use connmon_ebpf::{SockEntry, flag};
use connmon_record::ProcessId;
use connmon_record::frame::{Frame, Subject};

use super::processes::Processes;

/// The processes of a recording, as far as their programs are concerned.
#[derive(Default)]
pub struct ProgramWatch {
    processes: Processes,
}

impl ProgramWatch {
    /// Takes in a frame.
    pub fn feed(&mut self, frame: &Frame) {
        match frame {
            Frame::Start(start) => self.processes.begin(start),
            Frame::Task(task) => self.processes.task(task),
            Frame::Exec(exec) => self.processes.exec(exec),
            Frame::Process(facts) => self.processes.facts(facts.clone()),
            Frame::Cgroup(cgroup) => self.processes.cgroup(cgroup),
            Frame::Live(entry) | Frame::Closed(entry) => self.entry(entry),
            Frame::Share(key, _) => {
                let id = ProcessId { pid: key.tgid, start_ns: key.start_ns };
                self.processes.watch(id, |processes| processes.latest_row(id, key.uid, None));
            }
            Frame::SweepEnd(time) => self.processes.forget(*time),
            _ => {}
        }
        // Only the subjects are wanted.
        self.processes.take_rows();
    }

    /// The same programs as those of the rows that the tracker makes of this entry.
    fn entry(&mut self, entry: &SockEntry) {
        let [owner, _] = &entry.shares;
        let id = ProcessId { pid: owner.tgid, start_ns: owner.start_ns };
        let until_ns = if entry.flags & flag::OUTBOUND != 0 { entry.opened_ns } else { u64::MAX };
        let row = self
            .processes
            .watch(id, |processes| processes.row(id, owner.uid, &entry.comm, (entry.opened_ns, until_ns)));
        for share in entry.shares.iter().filter(|share| share.tgid != 0) {
            let id = ProcessId { pid: share.tgid, start_ns: share.start_ns };
            self.processes.watch(id, |processes| processes.latest_row(id, share.uid, row));
        }
    }

    /// The programs to be looked at since the last call.
    pub fn take_subjects(&mut self) -> Vec<Subject> {
        self.processes.take_subjects()
    }
}
