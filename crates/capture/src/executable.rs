//! Which file a program was begun from, and the way back to it: through `/proc/PID/exe` while the process lives, else by its
//! path, and never to another file that only has the same path or the same number.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use procfs::process::Process;

use super::namespaces;
use connmon_record::frame::{Executable, Subject};

/// Ticks of `/proc/PID/stat` per second (USER_HZ, fixed at 100 on all supported architectures).
const USER_HZ: u64 = 100;

/// The file that a path leads to.
///
/// # Errors
/// From the operating system.
pub fn file_at(path: &str) -> io::Result<Executable> {
    status(libc::AT_FDCWD, &CString::new(path)?, 0).map(|(file, _)| file)
}

/// Where procfs shows what a process runs: its folder, or that of a thread that lives, where the first thread has ended.
pub fn seen_at(folder: &str) -> PathBuf {
    let shows = |folder: &PathBuf| std::fs::read_link(folder.join("exe")).is_ok();
    let own = PathBuf::from(folder);
    if shows(&own) {
        return own;
    }
    let threads = std::fs::read_dir(own.join("task")).into_iter().flatten().flatten();
    threads.map(|thread| thread.path()).find(shows).unwrap_or(own)
}

/// What statx(2) says of a file, and the number of the mount that it was reached through; 0 before Linux 5.8. It is taken as it
/// is known: a file system that others serve is not asked, which could make us wait.
fn status(folder: RawFd, path: &CString, flags: i32) -> io::Result<(Executable, u64)> {
    // SAFETY: plain numbers, for which zeros are a value.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    let flags = flags | libc::AT_STATX_DONT_SYNC;
    let wanted = libc::STATX_INO | libc::STATX_CTIME | libc::STATX_MNT_ID;
    // SAFETY: a text that ends with NUL, and a struct that is valid for writing.
    if unsafe { libc::statx(folder, path.as_ptr(), flags, wanted, &raw mut found) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let file = Executable {
        inode: found.stx_ino,
        device: (found.stx_dev_major, found.stx_dev_minor),
        changed: (found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec),
    };
    Ok((file, if found.stx_mask & libc::STATX_MNT_ID == 0 { 0 } else { found.stx_mnt_id }))
}

/// The result of comparing a file with one that was noted earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    /// The very same, in the very same state.
    Same,
    /// The same file, of which something has changed since.
    Changed,
    /// Another one, or nobody can tell.
    Other,
}

/// Compares an open file with one that was noted earlier; `process` has the mount through which it was reached. What stat(2)
/// gives as the device is not the file system's own number everywhere (btrfs has one for each subvolume, overlayfs one for each
/// layer), so where it differs the mount is asked, which tells the kernel's.
fn compare(file: &File, noted: &Executable, process: io::Result<Process>) -> io::Result<Likeness> {
    let (found, mount) = status(file.as_raw_fd(), &CString::default(), libc::AT_EMPTY_PATH)?;
    let of_mount = || {
        let mounts = process.ok()?.mountinfo().ok()?;
        let mount = mounts.into_iter().find(|it| u64::try_from(it.mnt_id) == Ok(mount))?;
        numbers(&mount.majmin)
    };
    Ok(match () {
        () if found.inode != noted.inode => Likeness::Other,
        () if found.device != noted.device && of_mount() != Some(noted.device) => Likeness::Other,
        () if found.changed != noted.changed => Likeness::Changed,
        () => Likeness::Same,
    })
}

/// `MAJOR:MINOR` of `/proc/PID/mountinfo`.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn process(tgid: u32) -> io::Result<Process> {
    let pid = i32::try_from(tgid).map_err(io::Error::other)?;
    Process::new(pid).map_err(io::Error::other)
}

/// The file that a process runs, or ran, and whether it has no name any more; else why it cannot be had.
pub fn open(subject: &Subject) -> Result<(File, bool), String> {
    if namespaces::is_nested() {
        return by_path(
            subject,
            "the recorder is in a PID namespace of its own and cannot look at the process",
        );
    }
    let link = seen_at(&format!("/proc/{}", subject.tgid)).join("exe");
    // Opened first, and only then is it checked whose it is.
    let own = File::open(&link);
    let target = std::fs::read_link(&link);
    if !lives(subject.tgid, subject.start_ns) {
        return by_path(subject, "the process had gone");
    }
    match own {
        Ok(own) => match &subject.file {
            // The path is what the snapshot saw; without a file to compare there is no more to hold it to.
            Some(noted) if compare(&own, noted, process(subject.tgid)).ok() != Some(Likeness::Other) => {
                // procfs writes so behind the path of what has been deleted (proc_pid_exe(5)).
                let deleted =
                    target.is_ok_and(|target| target.as_os_str().as_encoded_bytes().ends_with(b" (deleted)"));
                Ok((own, deleted))
            }
            Some(_) => by_path(subject, "the process runs another program now"),
            None => Err("which file it runs was not to be seen".into()),
        },
        // It has ended, but nobody has taken note of it yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => by_path(subject, "the process had gone"),
        Err(error) => Err(refusal(subject, &error)),
    }
}

/// The file at the path of a program that nobody runs any more, if it is that program's.
fn by_path(subject: &Subject, why: &str) -> Result<(File, bool), String> {
    // Whatever is there now: it must not make us wait.
    let mut quickly = File::options();
    quickly.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let Some(noted) = &subject.file else { return Err(format!("{why}, and its executable was never seen")) };
    let (root, sees) = match namespaces::sees_host() {
        Some(other) => (format!("/proc/{other}/root"), other),
        None => (String::new(), std::process::id()),
    };
    let file = quickly.open(format!("{root}{}", subject.exe.raw())).ok();
    let likeness = file.as_ref().map(|file| compare(file, noted, process(sees)));
    match (file, likeness) {
        (Some(file), Some(Ok(Likeness::Same))) => Ok((file, false)),
        (_, Some(Ok(Likeness::Changed))) => Err(format!("{why}, and its executable has been changed since")),
        _ => Err(format!("{why}, and its executable is not at its path")),
    }
}

/// Why the executable of a living process cannot be opened, and who refuses.
fn refusal(subject: &Subject, error: &io::Error) -> String {
    let mounts = process(subject.tgid).and_then(|it| it.mountinfo().map_err(io::Error::other));
    let device = subject.file.as_ref().map(|file| file.device);
    let kind = mounts.ok().and_then(|mounts| {
        mounts.into_iter().find(|it| device.is_some() && numbers(&it.majmin) == device).map(|it| it.fs_type)
    });
    let error = match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    let by = kind.map_or_else(String::new, |kind| {
        format!(" by its file system ({})", connmon_record::from_bytes(kind.as_bytes()))
    });
    format!("the process lives, but its executable cannot be opened: {error}{by}")
}

/// Whether a process lives, and is not another one with its PID.
fn lives(tgid: u32, start_ns: u64) -> bool {
    let process = i32::try_from(tgid).ok().and_then(|pid| Process::new(pid).ok());
    process.is_some_and(|process| is_start_of(&process, start_ns))
}

/// Whether a process is the one that began then, CLOCK_BOOTTIME.
pub(super) fn is_start_of(process: &Process, start_ns: u64) -> bool {
    // /proc shows it by the clock of our time namespace.
    let shown = start_ns.saturating_add_signed(namespaces::boot_time_shift_ns());
    process.stat().is_ok_and(|stat| stat.starttime == shown / (1_000_000_000 / USER_HZ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_refuses_is_told_of_a_process_that_lives() {
        let file = file_at("/proc/self/exe").unwrap();
        let subject = Subject { tgid: std::process::id(), file: Some(file), ..Subject::default() };
        let why = refusal(&subject, &io::Error::from_raw_os_error(libc::EACCES));
        let start = "the process lives, but its executable cannot be opened: permission denied";
        assert!(why.starts_with(start) && !why.contains("gone"), "{why}");
        let why = refusal(&subject, &io::Error::from_raw_os_error(libc::EIO));
        assert!(why.contains("Input/output error"), "{why}");
    }

    #[test]
    fn a_process_is_seen_while_any_thread_lives() {
        let own = format!("/proc/{}", std::process::id());
        assert_eq!(seen_at(&own), PathBuf::from(&own));
        // As procfs shows a process whose first thread has ended.
        let folder = tempfile::tempdir().unwrap();
        for thread in ["7", "8"] {
            std::fs::create_dir_all(folder.path().join("task").join(thread)).unwrap();
        }
        let path = folder.path().to_str().unwrap();
        assert_eq!(seen_at(path), folder.path(), "nobody lives");
        std::os::unix::fs::symlink("/bin/x", folder.path().join("task/8/exe")).unwrap();
        assert_eq!(seen_at(path), folder.path().join("task/8"));
    }

    #[test]
    fn numbers_of_devices_are_the_kernels() {
        assert_eq!(numbers("0:41"), Some((0, 41)));
        assert_eq!(numbers("41"), None);
    }
}
