//! What the recorder gives up before it meets anything that others wrote: capabilities, files that it does not need, and system calls.
//! The keeper, which has rights, is another process by then, and gives up what it never does.

pub(super) mod attempts;
mod identity;
mod syscalls;

use std::io;
use std::path::{Path, PathBuf};

use connmon_capture::privileges;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};

use identity::Identity;

/// The newest of Landlock's versions that is asked for; an older kernel has less of it (landlock(7)).
const NEWEST: ABI = ABI::V6;
/// What libraries and the rules may read besides: zones of time, figures of the process itself, and random numbers, for which a program
/// that is linked statically opens a file.
const READ_BY_LIBRARIES: [&str; 6] =
    ["/etc/localtime", "/usr/share/zoneinfo", "/proc/self", "/dev/null", "/dev/urandom", "/dev/random"];
/// Whom executables belong to, the executables of packages, and the name of this host.
const READ_BY_FINDINGS: [&str; 10] = [
    "/var/lib/dpkg",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/lib/sysimage/rpm",
    "/var/lib/rpm",
    "/lib/apk/db",
    "/proc/sys/kernel/hostname",
];
/// The host's servers of names.
const READ_BY_RESOLVER: [&str; 3] = ["/etc/resolv.conf", "/etc/hosts", "/run/systemd/resolve"];

/// Why rights cannot be given up.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// Landlock.
    #[error("access to files cannot be confined: {0}")]
    Landlock(#[from] RulesetError),
    /// seccomp.
    #[error("system calls cannot be confined: {0}")]
    Seccomp(#[from] seccompiler::Error),
    /// seccomp, the filter.
    #[error("the filter of system calls cannot be built: {0}")]
    Filter(#[from] seccompiler::BackendError),
    /// A flag of the process.
    #[error("rights cannot be given up: {0}")]
    Flag(#[from] io::Error),
}

/// What the recorder needs of the host.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Files that it writes, which may be made, replaced and removed. Their folders are meant.
    pub written: Vec<PathBuf>,
    /// Files and folders that it reads. Files may be replaced, so that their folders are meant.
    pub read: Vec<PathBuf>,
    /// Whether it asks servers of names.
    pub asks: bool,
}

/// Gives up everything else, for good and for all threads that begin from now on. To be called before there is another thread.
///
/// # Errors
/// The kernel has a way to confine a process, and refuses it.
pub fn confine(access: &Access) -> Result<(), ConfineError> {
    privileges::take_no_more()?;
    let written: Vec<&Path> = access.written.iter().map(|path| folder_of(path)).collect();
    if let Some(folder) = written.first().and_then(|folder| folder.canonicalize().ok()) {
        // SAFETY: there is no other thread that could read the environment. Where SQLite puts what does not fit into memory
        // (sqlite.org/tempfiles.html): any other folder is out of reach from here on.
        unsafe { std::env::set_var("SQLITE_TMPDIR", folder) };
    }
    match Identity::choose(access) {
        Identity::Own => privileges::none(),
        Identity::Caller(caller) => {
            caller.take();
            privileges::none();
        }
        Identity::PassingOver(path) => {
            tracing::warn!(
                "the recorder keeps CAP_DAC_OVERRIDE: without it, it may not use {}",
                path.display()
            );
            privileges::only_pass_over_permissions();
        }
    }
    confine_files(access, &written)?;
    syscalls::confine(access.asks)
}

/// The keeper reads whatever it needs to, and writes no file; it starts nothing and talks to nobody but the kernel and the recorder.
/// To be called once its probes are attached. Landlock is not for it: it would hide `/proc/PID/exe` of others (landlock(7), ptrace
/// restrictions).
///
/// # Errors
/// As [`confine`].
pub(super) fn confine_keeper() -> Result<(), ConfineError> {
    privileges::take_no_more()?;
    privileges::only_keep();
    syscalls::confine_keeper()
}

fn confine_files(access: &Access, written: &[&Path]) -> Result<(), ConfineError> {
    let read_access = AccessFs::from_read(NEWEST) & !AccessFs::Execute;
    let write_access =
        read_access | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?;
    if !access.asks {
        ruleset = ruleset.handle_access(AccessNet::from_all(NEWEST))?;
    }
    let mut created = ruleset.scope(Scope::from_all(NEWEST))?.create()?;
    let read: Vec<&Path> = access.read.iter().map(|path| readable(path)).collect();
    let usual = READ_BY_LIBRARIES.iter().chain(&READ_BY_FINDINGS);
    let usual = usual.chain(if access.asks { &READ_BY_RESOLVER[..] } else { &[] });
    let read = read.into_iter().chain(usual.map(Path::new));
    let rules = read.map(|path| (path, read_access)).chain(written.iter().map(|path| (*path, write_access)));
    for (path, rights) in rules {
        // What is not there is not used.
        let Ok(at) = PathFd::new(path) else { continue };
        let rights: BitFlags<AccessFs> =
            if path.is_dir() { rights } else { rights & AccessFs::from_file(NEWEST) };
        created = created.add_rule(PathBeneath::new(at, rights))?;
    }
    let status = created.restrict_self()?;
    tracing::debug!("Landlock: {:?}", status.ruleset);
    Ok(())
}

/// The folder in which a file lies or is to be made.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What has to be readable so that this path is, also when it is replaced.
fn readable(path: &Path) -> &Path {
    if path.is_dir() { path } else { folder_of(path) }
}
