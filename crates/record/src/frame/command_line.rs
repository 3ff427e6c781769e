//! Command lines, from which secrets are redacted before a frame is kept anywhere.

use bytemuck::{Zeroable, bytes_of, bytes_of_mut};
use connmon_ebpf::{ARGS_LEN, EXEC_LEN_0, ExecRecord};
use serde::{Deserialize, Serialize};

use super::{Frame, ProcessFacts};
use crate::secrets::Secrets;
use crate::untrusted::exact;
use crate::{Untrusted, split_args};

/// The offset of the arguments in an [`ExecRecord`].
const ARGS_AT: usize = core::mem::offset_of!(ExecRecord, args);

/// A command line without secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    /// The arguments, joined by spaces; ends with `…` where there were more.
    #[serde(serialize_with = "exact")]
    pub text: Untrusted,
    /// Whether a secret was redacted from it.
    pub redacted: bool,
}

/// The command line that a process executed.
#[derive(Clone, Debug, PartialEq)]
pub struct Exec {
    /// As the kernel side told it; without arguments once they are in `command_line`.
    pub record: ExecRecord,
    /// The command line, once secrets have been redacted from it.
    pub command_line: Option<CommandLine>,
}

impl From<ExecRecord> for Exec {
    fn from(record: ExecRecord) -> Self {
        Self { record, command_line: None }
    }
}

impl Exec {
    /// The command line; where secrets have not been redacted from it yet, by what connmon knows of itself.
    pub fn command_line(&self) -> CommandLine {
        self.command_line.clone().unwrap_or_else(|| self.without_secrets(&Secrets::default()))
    }

    fn without_secrets(&self, secrets: &Secrets) -> CommandLine {
        let record = &self.record;
        let used = &record.args[..(record.args_len as usize).min(ARGS_LEN)];
        let (mut text, redacted) = secrets.cmdline(&split_args(used));
        if record.args_total > record.args_len {
            text.push('…');
        }
        CommandLine { text: text.into(), redacted }
    }

    fn redact(&mut self, secrets: &Secrets) {
        if self.command_line.is_none() {
            self.command_line = Some(self.without_secrets(secrets));
            self.record.args = [0; ARGS_LEN];
        }
    }

    /// The fields of a record without its arguments.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        let bytes = bytes_of(&self.record);
        [&bytes[..ARGS_AT], &bytes[EXEC_LEN_0..]]
    }

    /// The opposite of [`Self::parts`], and the command line behind it as JSON.
    pub(super) fn from_parts(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(ARGS_AT)?;
        let (tail, line) = rest.split_at_checked(size_of::<ExecRecord>() - EXEC_LEN_0)?;
        let mut record = ExecRecord::zeroed();
        let whole = bytes_of_mut(&mut record);
        whole[..ARGS_AT].copy_from_slice(head);
        whole[EXEC_LEN_0..].copy_from_slice(tail);
        Some(Self { record, command_line: Some(serde_json::from_slice(line).ok()?) })
    }
}

impl ProcessFacts {
    /// The command line; see [`Exec::command_line`].
    pub fn command_line(&self) -> CommandLine {
        self.command_line.clone().unwrap_or_else(|| self.without_secrets(&Secrets::default()))
    }

    fn without_secrets(&self, secrets: &Secrets) -> CommandLine {
        let (text, redacted) = secrets.cmdline(&self.args);
        CommandLine { text: text.into(), redacted }
    }
}

impl Frame {
    /// Redacts secrets from the command line that it tells, if it tells one that has them still. Nothing keeps a frame before.
    pub fn redact(&mut self, secrets: &Secrets) {
        match self {
            Self::Exec(exec) => exec.redact(secrets),
            Self::Process(facts) if facts.command_line.is_none() => {
                facts.command_line = Some(facts.without_secrets(secrets));
                facts.args = Vec::new();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connmon_ebpf::kind;

    fn executed(args: &[u8], total: u32) -> Frame {
        let mut record = ExecRecord { kind: kind::EXEC, tgid: 7, changed_s: 5, ..Zeroable::zeroed() };
        record.args[..args.len()].copy_from_slice(args);
        (record.args_len, record.args_total) = (args.len() as u32, total);
        Frame::Exec(Box::new(record.into()))
    }

    #[test]
    fn nothing_that_is_kept_has_a_secret() {
        let args = b"mysql\0-u\0root\0-pgeheim\0";
        let mut frame = executed(args, args.len() as u32);
        frame.redact(&Secrets::default());
        let mut kept = Vec::new();
        frame.encode(&mut kept);
        assert!(!kept.windows(6).any(|part| part == b"geheim"));
        let (kind, bytes) = (u32::from_le_bytes([kept[0], kept[1], kept[2], kept[3]]), &kept[8..]);
        let read = Frame::decode(kind, bytes).unwrap();
        assert_eq!(read, frame);
        let Frame::Exec(exec) = read else { panic!("{read:?}") };
        assert_eq!((exec.record.tgid, exec.record.changed_s), (7, 5));
        assert_eq!(exec.command_line().text.raw(), "mysql -u root -p‹redacted›");
        assert!(exec.command_line().redacted);
        // Twice is as once, and what was not redacted is before anybody sees it.
        let mut again = frame.clone();
        again.redact(&Secrets::default());
        assert_eq!(again, frame);
        let Frame::Exec(raw) = executed(args, 4000) else { unreachable!() };
        assert_eq!(raw.command_line().text.raw(), "mysql -u root -p‹redacted›…");
    }

    #[test]
    fn what_procfs_tells_is_redacted_too() {
        let mut frame = Frame::Process(ProcessFacts {
            args: ["curl", "-u", "me:geheim"].map(String::from).to_vec(),
            ..ProcessFacts::default()
        });
        frame.redact(&Secrets::default());
        let Frame::Process(facts) = frame else { unreachable!() };
        assert!(facts.args.is_empty() && facts.command_line().redacted);
        assert!(!facts.command_line().text.raw().contains("geheim"));
    }
}
