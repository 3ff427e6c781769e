//! A process as every format shows it.

use serde::Serialize;

use super::csv::cell;
use crate::model::{Process, display_safe};

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
}

impl From<&Process> for ProcessFields {
    fn from(process: &Process) -> Self {
        let safe = |text: &str| display_safe(text).into_owned();
        Self {
            pid: process.id.pid,
            start: process.started.to_string(),
            comm: safe(&process.comm),
            exe: safe(&process.exe),
            cmdline: safe(&process.cmdline),
            uid: process.uid,
            user: process.user.as_deref().map(safe),
            ppid: process.ppid,
        }
    }
}

impl ProcessFields {
    /// The names of the columns of [`ProcessFields::cells`].
    pub const COLUMNS: [&str; 8] = ["pid", "start", "comm", "exe", "cmdline", "uid", "user", "ppid"];

    /// The cells of a process, or as many empty ones.
    pub fn cells(process: Option<&Process>) -> [String; 8] {
        let Some(process) = process else { return Default::default() };
        [
            process.id.pid.to_string(),
            process.started.to_string(),
            cell(&process.comm),
            cell(&process.exe),
            cell(&process.cmdline),
            process.uid.to_string(),
            cell(process.user.as_deref().unwrap_or_default()),
            process.ppid.to_string(),
        ]
    }
}

/// The name of a process among others: its executable, or what the kernel calls it where it has none.
pub fn name(process: &Process) -> String {
    let name = if process.exe.is_empty() { format!("[{}]", process.comm) } else { process.exe.clone() };
    display_safe(&name).into_owned()
}
