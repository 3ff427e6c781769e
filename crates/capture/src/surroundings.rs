//! What around the recorder changes what it sees: the namespaces that it is in, and BPF programs of others.

use super::{foreign, namespaces};

/// What a recording lacks because of them, in sentences.
pub fn notes() -> Vec<String> {
    let nested = "connmon runs in a PID namespace of its own: executables and command lines of processes that began before the \
                  recording are unknown, and few executables can be hashed; run it in the host's PID namespace (docker run --pid=host)";
    let foreign = foreign::loaded().ok().and_then(|all| foreign::note(&all));
    namespaces::is_nested().then(|| nested.to_owned()).into_iter().chain(foreign).collect()
}
