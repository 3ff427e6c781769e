//! Surroundings of the recorder that change what it sees: its namespaces, and BPF programs of others.

use super::{foreign, namespaces};
use connmon_record::NO_PROCESSES;

/// Sentences about what a recording lacks because of them.
pub fn notes() -> Vec<String> {
    let nested = format!(
        "{NO_PROCESSES}connmon runs in a PID namespace of its own, so executables and command lines of processes that began before the \
         recording are unknown, and few executables can be hashed; run it in the host's PID namespace (docker run --pid=host)"
    );
    let foreign = foreign::loaded().ok().and_then(|all| foreign::note(&all));
    namespaces::is_nested().then_some(nested).into_iter().chain(foreign).collect()
}
