//! Surroundings of the recorder that change what it sees: its namespaces, and BPF programs of others.

use super::{foreign, namespaces};

/// Sentences about what a recording lacks because of them.
pub fn notes() -> Vec<String> {
    let nested = "connmon runs in a PID namespace of its own: executables and command lines of processes that began before the \
                  recording are unknown, and few executables can be hashed; run it in the host's PID namespace (docker run --pid=host)";
    let foreign = foreign::loaded().ok().and_then(|all| foreign::note(&all));
    namespaces::is_nested().then(|| nested.to_owned()).into_iter().chain(foreign).collect()
}
