//! A process, as evidence.

use super::Timestamp;

/// A process within one boot: the PID alone comes back, the pair does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// The thread group id in the init PID namespace.
    pub pid: u32,
    /// Nanoseconds from boot to the start of the process (CLOCK_BOOTTIME).
    pub start_ns: u64,
}

/// What is known of a process. All strings come from the host and are hostile: see
/// [`display_safe`](super::display_safe).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Which one.
    pub id: ProcessId,
    /// When it started, by the clock of the recording.
    pub started: Timestamp,
    /// Parent's PID when the process was first seen.
    pub ppid: u32,
    /// The kernel's 16-byte name.
    pub comm: String,
    /// Path of the executable, empty where unknown.
    pub exe: String,
    /// The arguments, joined by spaces.
    pub cmdline: String,
    /// Real user id.
    pub uid: u32,
    /// The user's name on this host, where it has one.
    pub user: Option<String>,
    /// A kernel thread.
    pub kernel_thread: bool,
}
