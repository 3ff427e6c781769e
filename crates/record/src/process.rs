//! A process, as evidence.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::untrusted::exact;
use super::{Timestamp, Untrusted, Workload};

/// A process within one boot: the PID alone comes back, the pair does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// The thread group id in the init PID namespace.
    pub pid: u32,
    /// Nanoseconds from boot to the start of the process (CLOCK_BOOTTIME).
    pub start_ns: u64,
}

/// All facts about a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The identity of the process.
    pub id: ProcessId,
    /// When it started, by the clock of the recording.
    pub started: Timestamp,
    /// Parent's PID when the process was first seen.
    pub ppid: u32,
    /// The kernel's 16-byte name.
    #[serde(serialize_with = "exact")]
    pub comm: Untrusted,
    /// Path of the executable, empty where unknown.
    #[serde(serialize_with = "exact")]
    pub exe: Untrusted,
    /// The arguments, joined by spaces.
    #[serde(serialize_with = "exact")]
    pub cmdline: Untrusted,
    /// Real user id.
    pub uid: u32,
    /// The user's name on this host, where it has one.
    #[serde(serialize_with = "exact")]
    pub user: Option<Untrusted>,
    /// A kernel thread.
    pub kernel_thread: bool,
    /// Effective user id when it began the program.
    pub euid: u32,
    /// The audit system's login session.
    pub session: Option<u32>,
    /// The state of the executable's name.
    pub exe_state: ExeState,
    /// SHA-256 of the executable.
    pub exe_hash: ExeHash,
    /// The folder it was in when it began the program, empty where unknown.
    #[serde(serialize_with = "exact")]
    pub cwd: Untrusted,
    /// Something in the arguments looked like a secret and was redacted.
    pub redacted: bool,
    /// Path of its cgroup, empty where unknown.
    #[serde(serialize_with = "exact")]
    pub cgroup: Untrusted,
    /// The workload from the cgroup's path.
    pub place: Workload,
    /// The process that started it, as it was then.
    #[serde(skip)]
    pub parent: Option<Arc<Process>>,
}

impl Process {
    /// The processes that led to this one, the nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = &Process> {
        std::iter::successors(self.parent.as_deref(), |process| process.parent.as_deref())
    }
}

/// The state of an executable's name when it was last seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ExeState {
    /// It is where the path says, as far as is known.
    #[default]
    Present,
    /// It was deleted.
    Deleted,
    /// It never had a name: memfd_create(2).
    Memory,
}

impl ExeState {
    /// The name in machine output, or none for the usual.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Present => None,
            Self::Deleted => Some("deleted"),
            Self::Memory => Some("memfd"),
        }
    }

    /// The inverse of [`ExeState::name`].
    pub fn from_name(name: Option<&str>) -> Self {
        [Self::Deleted, Self::Memory].into_iter().find(|state| state.name() == name).unwrap_or_default()
    }
}

/// The hash of an executable, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExeHash {
    /// It was not looked at.
    #[default]
    Unknown,
    /// In hexadecimal.
    Sha256(String),
    /// Why it could not be had, in a few words.
    Refused(String),
}
