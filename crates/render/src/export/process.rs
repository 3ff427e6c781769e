//! A process as every format shows it.

use serde::Serialize;

use connmon_record::{ExeHash, Process, Untrusted, display_safe};

/// What is known of a process, made visible.
#[derive(Serialize)]
pub struct ProcessFields {
    pid: u32,
    start: String,
    comm: String,
    exe: String,
    cmdline: String,
    uid: u32,
    user: Option<String>,
    ppid: u32,
    euid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exe_state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_hashed: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    cwd: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    redacted: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    cgroup: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<ContainerFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<String>,
    /// The nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ancestors: Vec<Ancestor>,
}

/// A container, made visible.
#[derive(Serialize)]
struct ContainerFields {
    runtime: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
}

/// A process that led to another, made visible.
#[derive(Serialize)]
struct Ancestor {
    pid: u32,
    start: String,
    comm: String,
    exe: String,
}

impl From<&Process> for ProcessFields {
    fn from(process: &Process) -> Self {
        let safe = |text: &Untrusted| text.shown().into_owned();
        let maybe = |text: &Option<Untrusted>| text.as_ref().map(safe);
        Self {
            pid: process.id.pid,
            start: process.started.to_string(),
            comm: safe(&process.comm),
            exe: safe(&process.exe),
            cmdline: safe(&process.cmdline),
            uid: process.uid,
            user: maybe(&process.user),
            ppid: process.ppid,
            euid: process.euid,
            session: process.session,
            exe_state: process.exe_state.name(),
            sha256: match &process.exe_hash {
                ExeHash::Sha256(hash) => Some(display_safe(hash).into_owned()),
                _ => None,
            },
            not_hashed: match &process.exe_hash {
                ExeHash::Refused(why) => Some(display_safe(why).into_owned()),
                _ => None,
            },
            cwd: safe(&process.cwd),
            redacted: process.redacted,
            cgroup: safe(&process.cgroup),
            unit: maybe(&process.place.unit),
            slice: maybe(&process.place.slice),
            container: process.place.container.as_ref().map(|container| ContainerFields {
                runtime: safe(&container.runtime),
                id: safe(&container.id),
                name: maybe(&container.name),
                image: maybe(&container.image),
            }),
            pod: maybe(&process.place.pod),
            ancestors: process
                .ancestors()
                .map(|ancestor| Ancestor {
                    pid: ancestor.id.pid,
                    start: ancestor.started.to_string(),
                    comm: safe(&ancestor.comm),
                    exe: safe(&ancestor.exe),
                })
                .collect(),
        }
    }
}
