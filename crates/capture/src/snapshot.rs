//! Sockets, processes and cgroups that exist when the probes are attached, by BPF iterators and procfs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use aya::programs::{Iter, ProgramError};
use connmon_ebpf::{CGROUP_PATH_LEN, CgroupRecord, TaskRecord, kind};
use procfs::process::Process;

use super::executable::{self, is_start_of};
use super::probes::{self, Probes};
use connmon_record::frame::{Frame, ProcessFacts};
use connmon_record::{Untrusted, from_bytes, split_args};

/// Why the snapshot failed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The kernel refuses an iterator.
    #[error("the kernel refused the iterator over {0}: {1}")]
    Program(&'static str, ProgramError),
    /// The iterator cannot be read.
    #[error("the iterator over {0} failed: {1}")]
    Read(&'static str, io::Error),
}

/// Lets the kernel side enter all sockets that exist into `SOCKS` and `OLDER`; false if there was not room for all in the
/// latter.
///
/// # Errors
/// The kernel refuses the iterator.
pub fn sockets(probes: &mut Probes) -> Result<bool, SnapshotError> {
    run(probes, "snapshot", "task_file").map(|full| full.is_empty())
}

/// Lists the processes that exist, with what procfs says of them.
///
/// # Errors
/// The kernel refuses the iterator.
pub fn processes(probes: &mut Probes, emit: &mut dyn FnMut(Frame)) -> Result<(), SnapshotError> {
    let bytes = run(probes, "processes", "task")?;
    for record in bytes.chunks_exact(size_of::<TaskRecord>()) {
        let task: TaskRecord = bytemuck::pod_read_unaligned(record);
        emit(Frame::Task(task));
        if let Some(facts) = facts(task.tgid, task.start_ns) {
            emit(Frame::Process(facts));
        }
    }
    Ok(())
}

/// Lists the cgroups of the version 2 hierarchy. Without one there is nothing to list.
pub fn cgroups(emit: &mut dyn FnMut(Frame)) {
    let Some(root) = probes::cgroup_mount() else { return };
    // Folders that cannot be read are left out: they are gone.
    let mut waiting = vec![root.clone()];
    while let Some(folder) = waiting.pop() {
        let Ok(id) = fs::metadata(&folder).map(|data| data.ino()) else { continue };
        let path = folder.strip_prefix(&root).unwrap_or(&folder).as_os_str().as_encoded_bytes();
        let mut record = CgroupRecord { kind: kind::CGROUP, path_len: 0, id, path: [0; CGROUP_PATH_LEN] };
        for (to, from) in record.path.iter_mut().zip(b"/".iter().chain(path)) {
            *to = *from;
            record.path_len += 1;
        }
        emit(Frame::Cgroup(Box::new(record)));
        let folders = fs::read_dir(&folder).into_iter().flatten().flatten();
        waiting
            .extend(folders.filter(|it| it.file_type().is_ok_and(|kind| kind.is_dir())).map(|it| it.path()));
    }
}

fn run(probes: &mut Probes, program: &str, target: &'static str) -> Result<Vec<u8>, SnapshotError> {
    let refused = |error| SnapshotError::Program(target, error);
    let iter: &mut Iter = probes
        .ebpf
        .program_mut(program)
        .ok_or(refused(ProgramError::NotLoaded))?
        .try_into()
        .map_err(refused)?;
    let id = iter.attach().map_err(refused)?;
    let link = iter.take_link(id).map_err(refused)?;
    let mut file: File =
        link.into_file().map_err(|error| SnapshotError::Read(target, io::Error::other(error)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| SnapshotError::Read(target, error))?;
    Ok(bytes)
}

/// The facts of procfs about a process; `None` if it has gone or the PID has a new owner.
pub fn facts(tgid: u32, start_ns: u64) -> Option<ProcessFacts> {
    let process = Process::new(i32::try_from(tgid).ok()?).ok()?;
    let at = executable::seen_at(&format!("/proc/{tgid}"));
    let target = |name: &str| {
        let path = fs::read_link(at.join(name)).unwrap_or_default();
        Untrusted::from(from_bytes(path.as_os_str().as_encoded_bytes()))
    };
    let (exe, cwd) = (target("exe"), target("cwd"));
    // As bytes: procfs gives only text.
    let args = split_args(&fs::read(at.join("cmdline")).ok()?);
    let file = at.join("exe").to_str().and_then(|exe| executable::file_at(exe).ok());
    // Checked after reading, so that what was read belongs to this process.
    is_start_of(&process, start_ns).then_some(ProcessFacts {
        tgid,
        start_ns,
        exe,
        args,
        command_line: None,
        cwd,
        file,
    })
}
