//! Least privilege: the keeper loads the probes, then each of its threads gives up what its work does not need. Rights are a
//! thread's own, and a thread begins with those of the one that starts it.

use std::io;

use caps::{CapSet, Capability, CapsHashSet};

/// The capabilities that the thread that reads the kernel's buffers keeps: for maps and iterators, and `/proc/PID` of other
/// users.
const KEEPING: &[Capability] = &[
    Capability::CAP_BPF,
    Capability::CAP_PERFMON,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_DAC_READ_SEARCH,
];
/// The capabilities for looking at processes of other users: `/proc/PID/exe` and `/proc/PID/fd`.
const LOOKING: &[Capability] = &[Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH];
/// The capability that overrides the permissions of files.
const PASSING_OVER: &[Capability] = &[Capability::CAP_DAC_OVERRIDE, Capability::CAP_DAC_READ_SEARCH];

/// The capabilities for loading and attaching, unless there is CAP_SYS_ADMIN.
const LOADING: [Capability; 3] = [Capability::CAP_BPF, Capability::CAP_PERFMON, Capability::CAP_NET_ADMIN];

/// Why this root cannot record.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// The kernel asks for rights of the first user namespace.
    #[error(
        "recording needs root of the host, and this is root of a user namespace only, as in an unprivileged container"
    )]
    Namespace,
    /// Neither root, nor the capabilities that do instead.
    #[error(
        "recording needs root, or the capabilities {0}: the kernel lets nobody else load probes; try `sudo connmon record …`"
    )]
    NotRoot(String),
    /// Capabilities are missing.
    #[error(
        "recording needs the capabilities {0}, which root lacks here: if this is a container, grant them to it"
    )]
    Capabilities(String),
}

/// Whether the kernel may let this process load probes, before anything is made.
///
/// # Errors
/// It will not.
pub fn check() -> Result<(), RightsError> {
    // The map of the first user namespace: all users, as they are (user_namespaces(7)).
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if !map.is_empty() && !map.split_whitespace().eq(["0", "0", "4294967295"]) {
        return Err(RightsError::Namespace);
    }
    let Ok(held) = caps::read(None, CapSet::Effective) else { return Ok(()) };
    let lacking: Vec<String> =
        LOADING.iter().filter(|needed| !held.contains(needed)).map(ToString::to_string).collect();
    if lacking.is_empty() || held.contains(&Capability::CAP_SYS_ADMIN) {
        return Ok(());
    }
    let lacking = lacking.join(", ");
    // SAFETY: only returns a number.
    match unsafe { libc::geteuid() } {
        0 => Err(RightsError::Capabilities(lacking)),
        _ => Err(RightsError::NotRoot(lacking)),
    }
}

/// From here on no program that this process might start has more rights than it has itself.
///
/// # Errors
/// The kernel refuses.
pub fn take_no_more() -> io::Result<()> {
    // SAFETY: a plain flag of this process (prctl(2)); the unused arguments must be 0.
    let done = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Gives up for good what the keeper does not need once its probes are attached. To be called before there is another thread.
pub fn only_keep() {
    keep(KEEPING);
}

/// For a thread that looks at processes of others.
pub fn only_look() {
    keep(LOOKING);
}

/// For a thread that uses files whatever their permissions say.
pub fn only_pass_over_permissions() {
    keep(PASSING_OVER);
}

/// For a thread that has to do with what others wrote.
pub fn none() {
    keep(&[]);
}

/// The names of the capabilities in a mask of proc_pid_status(5).
pub fn names(mask: u64) -> Vec<String> {
    let mut held: Vec<Capability> =
        caps::all().into_iter().filter(|capability| mask & capability.bitmask() != 0).collect();
    held.sort_by_key(|capability| capability.index());
    held.iter().map(ToString::to_string).collect()
}

/// Drops every other capability of this thread. A refusal is only logged: the recording is as good with more rights.
fn keep(needed: &[Capability]) {
    let needed: CapsHashSet = needed.iter().copied().collect();
    let result = caps::read(None, CapSet::Permitted).and_then(|held| {
        let kept = held.intersection(&needed).copied().collect();
        caps::clear(None, CapSet::Inheritable)?;
        caps::set(None, CapSet::Effective, &kept)?;
        caps::set(None, CapSet::Permitted, &kept)
    });
    if let Err(error) = result {
        tracing::warn!("capabilities stay as they are: {error}");
    }
}
