//! Programs: what is known of an executable that used the network, and how far that makes it ordinary.

use std::path::Path;

use connmon_record::untrusted::exact;
use connmon_record::{ExeHash, ExeState, Process, Timestamp, Untrusted};
use serde::{Deserialize, Serialize};

/// Folders that packages fill, and nobody but root writes to.
const SYSTEM: [&str; 12] = [
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/snap",
    "/nix/store",
];
/// Folders that the administrator fills.
const LOCAL: [&str; 4] = ["/usr/local", "/opt", "/srv", "/usr/share"];
/// Folders that everybody can write to, or that are gone after a boot.
const TEMPORARY: [&str; 3] = ["/tmp", "/var/tmp", "/run/user"];
/// Memory that looks like a folder.
const SHARED_MEMORY: [&str; 2] = ["/dev/shm", "/dev/mqueue"];
/// Programs that do whatever their arguments or their input say.
const TOOLS: [&str; 38] = [
    "ash", "awk", "bash", "busybox", "curl", "dash", "deno", "fish", "gawk", "go", "java", "ksh", "lua",
    "mawk", "nc", "ncat", "netcat", "nmap", "node", "nodejs", "openssl", "perl", "php", "pwsh", "pypy",
    "python", "ruby", "rsync", "scp", "sftp", "sh", "socat", "ssh", "tclsh", "telnet", "tftp", "wget", "zsh",
];

/// Where an executable lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Home {
    /// It is not known.
    #[default]
    Unknown,
    /// In a folder that packages fill.
    System,
    /// In a folder that the administrator fills.
    Local,
    /// Elsewhere, such as in a home folder.
    User,
    /// In a hidden folder of a home folder.
    Hidden,
    /// In a folder for temporary files.
    Temporary,
    /// In memory that looks like a folder.
    SharedMemory,
}

/// Whom an executable belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// Nobody looked.
    #[default]
    Unknown,
    /// This package of the system.
    Package(#[serde(serialize_with = "exact")] Untrusted),
    /// No package of the system.
    Nobody,
    /// This package, whose list has another digest for the file.
    Altered(#[serde(serialize_with = "exact")] Untrusted),
}

/// How ordinary a program is, the most ordinary first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Trust {
    /// Of a package, or in a folder that only packages fill.
    Ordinary,
    /// Installed by the administrator.
    Local,
    /// An interpreter or a tool that does whatever it is told.
    Tool,
    /// Of no package.
    Unowned,
    /// Where no program should be.
    Odd,
}

/// An executable that used the network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Program {
    /// What it is known by: the hash that was known of it first, else its path, else its name. It stays, so that what is found of it does.
    key: Box<str>,
    /// Whether its file was yet to be examined when it was first seen.
    pub(crate) awaited: bool,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: Option<Box<str>>,
    /// Its path, empty where that is not known.
    #[serde(serialize_with = "exact")]
    pub path: Untrusted,
    /// The kernel's name of the process that used it first.
    #[serde(serialize_with = "exact")]
    pub comm: Untrusted,
    /// Where it lies.
    pub home: Home,
    /// Whether it still has that name.
    pub state: Gone,
    /// A kernel thread.
    pub kernel: bool,
    /// Whom it belongs to.
    pub owner: Owner,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// Different destinations.
    pub destinations: u32,
    /// Connections.
    pub connections: u64,
}

/// What became of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gone {
    /// It is there, as far as is known.
    #[default]
    No,
    /// It was deleted while it ran.
    Deleted,
    /// It never had a name (memfd_create(2)).
    Memory,
}

impl Program {
    /// A program as one of its processes tells it.
    pub(crate) fn new(process: &Process, owner: Owner, now: Timestamp) -> Self {
        let exe = process.exe.raw();
        let state = match process.exe_state {
            ExeState::Memory => Gone::Memory,
            ExeState::Deleted => Gone::Deleted,
            ExeState::Present if exe.ends_with(" (deleted)") => Gone::Deleted,
            ExeState::Present if exe.starts_with("/memfd:") => Gone::Memory,
            ExeState::Present => Gone::No,
        };
        Self {
            key: key_of(process).into(),
            awaited: is_awaited(process),
            sha256: hash_of(process).map(Into::into),
            path: process.exe.clone(),
            comm: process.comm.clone(),
            home: home_of(exe),
            state,
            kernel: process.kernel_thread,
            owner,
            first: now,
            last: now,
            destinations: 0,
            connections: 0,
        }
    }

    /// What it is known by.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The file's name, else the kernel's name of the process.
    pub fn name(&self) -> Untrusted<&str> {
        let path = self.path.raw();
        let base = path.strip_suffix(" (deleted)").unwrap_or(path).rsplit('/').next().unwrap_or_default();
        if base.is_empty() { self.comm.borrowed() } else { base.into() }
    }

    /// Whether it does whatever its arguments or its input say.
    pub fn is_tool(&self) -> bool {
        is_tool(self.name().raw())
    }

    /// How ordinary it is.
    pub fn trust(&self) -> Trust {
        if self.kernel {
            return Trust::Ordinary;
        }
        match (self.state, self.home, &self.owner) {
            (Gone::Memory, ..) | (_, Home::SharedMemory, _) | (_, _, Owner::Altered(_)) => Trust::Odd,
            _ if is_build(self.path.raw()) => Trust::Unowned,
            (_, Home::Temporary, _) => Trust::Odd,
            _ if self.is_tool() => Trust::Tool,
            (_, Home::System, Owner::Nobody) => Trust::Unowned,
            (_, Home::System, _) | (_, _, Owner::Package(_)) => Trust::Ordinary,
            (_, Home::Local, _) => Trust::Local,
            (_, Home::Unknown | Home::User | Home::Hidden, _) => Trust::Unowned,
        }
    }
}

/// What a program is known by: its hash, else its path, else its name.
pub(crate) fn key_of(process: &Process) -> &str {
    hash_of(process).unwrap_or(if process.exe.is_empty() { process.comm.raw() } else { process.exe.raw() })
}

/// Whether the file of a process is yet to be examined.
pub(crate) fn is_awaited(process: &Process) -> bool {
    process.exe_hash == ExeHash::Unknown && !process.exe.is_empty()
}

pub(crate) fn hash_of(process: &Process) -> Option<&str> {
    match &process.exe_hash {
        ExeHash::Sha256(hash) => Some(hash),
        ExeHash::Unknown | ExeHash::Refused(_) => None,
    }
}

/// Whether a name is that of a tool; `python3.11` is python.
fn is_tool(name: &str) -> bool {
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    TOOLS.contains(&plain) || TOOLS.contains(&name)
}

/// Where a path leads.
pub(crate) fn home_of(path: &str) -> Home {
    let within = |folders: &[&str]| folders.iter().any(|folder| Path::new(path).starts_with(folder));
    if !path.starts_with('/') {
        return Home::Unknown;
    }
    if within(&SHARED_MEMORY) {
        return Home::SharedMemory;
    }
    if within(&TEMPORARY) {
        return Home::Temporary;
    }
    if within(&LOCAL) {
        return Home::Local;
    }
    if within(&SYSTEM) {
        return Home::System;
    }
    let is_home = within(&["/home", "/root", "/var/www", "/var/lib"]);
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let hidden = folders.split('/').any(|part| part.starts_with('.') && part.len() > 1);
    if is_home && hidden && !is_customary(path) { Home::Hidden } else { Home::User }
}

/// Hidden folders in which installers of languages and editors put programs.
fn is_customary(path: &str) -> bool {
    const CUSTOMARY: [&str; 14] = [
        "/.local/",
        "/.cargo/",
        "/.rustup/",
        "/.nvm/",
        "/.pyenv/",
        "/.rbenv/",
        "/.sdkman/",
        "/.vscode",
        "/.cursor",
        "/.deno/",
        "/.bun/",
        "/.asdf/",
        "/.steam/",
        "/.nix-profile/",
    ];
    CUSTOMARY.iter().any(|folder| path.contains(folder))
}

/// Whether a path is that of a program that was just built, or of an AppImage.
pub(crate) fn is_build(path: &str) -> bool {
    let temporary = Path::new(path).starts_with("/tmp") || Path::new(path).starts_with("/var/tmp");
    let image = path.starts_with("/tmp/.mount_");
    let build = ["/go-build", "/target/debug/", "/target/release/", "/build/", "/rustdoctest", "/cmake"];
    image || temporary && build.iter().any(|folder| path.contains(folder))
}

/// Where the script of an interpreter lies: the first argument that is a path, as exec was told it.
pub(crate) fn script_home(process: &Process) -> Home {
    let arguments = process.cmdline.raw().split(' ').skip(1);
    let script = arguments.filter(|word| !word.starts_with('-')).find(|word| !word.is_empty());
    script.map_or(Home::Unknown, home_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &str, owner: Owner) -> Program {
        Program::new(&Process { exe: path.into(), ..Process::default() }, owner, Timestamp(0))
    }

    #[test]
    fn homes() {
        for (path, home) in [
            ("/usr/bin/curl", Home::System),
            ("/usr/binary", Home::User),
            ("/usr/local/bin/x", Home::Local),
            ("/opt/x/y", Home::Local),
            ("/home/mira/x", Home::User),
            ("/home/mira/.x/y", Home::Hidden),
            ("/home/mira/.local/bin/y", Home::User),
            ("/root/.y", Home::User),
            ("/tmp/x", Home::Temporary),
            ("/dev/shm/x", Home::SharedMemory),
            ("", Home::Unknown),
        ] {
            assert_eq!(home_of(path), home, "{path}");
        }
    }

    #[test]
    fn trust_follows_from_place_and_package() {
        let package = || Owner::Package("curl".into());
        for (path, owner, trust) in [
            ("/usr/sbin/chronyd", Owner::Unknown, Trust::Ordinary),
            ("/usr/sbin/chronyd", Owner::Nobody, Trust::Unowned),
            ("/usr/sbin/chronyd", Owner::Altered("chrony".into()), Trust::Odd),
            ("/usr/bin/python3.11", package(), Trust::Tool),
            ("/usr/bin/curl", package(), Trust::Tool),
            ("/opt/google/chrome/chrome", package(), Trust::Ordinary),
            ("/usr/local/bin/node_exporter", Owner::Nobody, Trust::Local),
            ("/home/mira/x", Owner::Nobody, Trust::Unowned),
            ("/tmp/x", Owner::Nobody, Trust::Odd),
            ("/tmp/go-build12/b001/exe/x", Owner::Nobody, Trust::Unowned),
            ("/dev/shm/kworker (deleted)", Owner::Nobody, Trust::Odd),
        ] {
            assert_eq!(program(path, owner).trust(), trust, "{path}");
        }
        assert_eq!(program("/dev/shm/kworker (deleted)", Owner::Nobody).name().raw(), "kworker");
    }
}
