//! Least privilege: root loads the probes, then gives up what a recording does not need.

use caps::{CapSet, Capability, CapsHashSet};

/// What stays: maps and iterators, `/proc/PID/exe` of others, and files in folders of others.
const NEEDED: [Capability; 5] = [
    Capability::CAP_BPF,
    Capability::CAP_PERFMON,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_DAC_READ_SEARCH,
];

/// Drops every other capability for good, also for programs that might be started. A refusal is only logged: the
/// recording is as good with more rights.
pub fn reduce() {
    let needed: CapsHashSet = NEEDED.into_iter().collect();
    let result = caps::read(None, CapSet::Permitted).and_then(|held| {
        let kept = held.intersection(&needed).copied().collect();
        caps::clear(None, CapSet::Inheritable)?;
        caps::set(None, CapSet::Effective, &kept)?;
        caps::set(None, CapSet::Permitted, &kept)
    });
    if let Err(error) = result {
        tracing::warn!("capabilities stay as they are: {error}");
    }
    // SAFETY: a plain flag of this process (prctl(2)); the unused arguments must be 0.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        tracing::warn!("no_new_privs cannot be set: {}", std::io::Error::last_os_error());
    }
}
