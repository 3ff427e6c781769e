//! Messages for systemd's journal and for the system log, as datagrams (systemd.io/JOURNAL_NATIVE_PROTOCOL, RFC 3164).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::Message;
use connmon_detect::Finding;

/// Where the journal takes messages, and where the system log does.
const JOURNAL: &str = "/run/systemd/journal/socket";
const SYSLOG: &str = "/dev/log";
/// Of messages about findings, so that they can be selected (`journalctl MESSAGE_ID=…`).
const MESSAGE_ID: &str = "8f1c0e0f5c0b4e6c9d5b7f3a2a6d4e21";
/// The facility "daemon" of syslog(3).
const DAEMON: u8 = 3;

/// Sends a message to the journal.
///
/// # Errors
/// There is no journal, or it takes nothing.
pub fn to_journal(message: &Message<'_>, finding: &Finding) -> io::Result<()> {
    send(Path::new(JOURNAL), &fields(message, finding))
}

/// Sends a message to the system log.
///
/// # Errors
/// There is none, or it takes nothing.
pub fn to_syslog(message: &Message<'_>, finding: &Finding) -> io::Result<()> {
    let number = DAEMON * 8 + priority(finding);
    let text = format!(
        "<{number}>connmon[{}]: {} [{} {}]",
        std::process::id(),
        message.text,
        finding.id,
        message.alert
    );
    send(Path::new(SYSLOG), text.as_bytes())
}

fn send(to: &Path, bytes: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.send_to(bytes, to).map(drop)
}

/// The fields of a message, each on a line; one with a line break in it would have its length before it instead.
fn fields(message: &Message<'_>, finding: &Finding) -> Vec<u8> {
    let subject = &finding.subject;
    let shown = |text: &connmon_record::Untrusted| text.shown().into_owned();
    let fields: [(&str, String); 12] = [
        ("MESSAGE", message.text.clone()),
        ("MESSAGE_ID", MESSAGE_ID.into()),
        ("PRIORITY", priority(finding).to_string()),
        ("SYSLOG_IDENTIFIER", "connmon".into()),
        ("CONNMON_ALERT", message.alert.into()),
        ("CONNMON_HOST", message.host.into()),
        ("CONNMON_FINDING", finding.id.clone()),
        ("CONNMON_DETECTOR", finding.detector.to_string()),
        ("CONNMON_SEVERITY", finding.severity.name().into()),
        ("CONNMON_EXE", shown(&subject.exe)),
        ("CONNMON_DESTINATION", subject.host.as_ref().map(shown).unwrap_or_default()),
        ("CONNMON_FILTER", shown(&finding.evidence)),
    ];
    let mut out = Vec::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        out.extend(name.bytes());
        if value.contains('\n') {
            out.push(b'\n');
            out.extend((value.len() as u64).to_le_bytes());
        } else {
            out.push(b'=');
        }
        out.extend(value.bytes());
        out.push(b'\n');
    }
    out
}

/// The priority of syslog(3).
fn priority(finding: &Finding) -> u8 {
    use connmon_detect::Severity::{High, Info, Low, Medium};
    match finding.severity {
        High => 3,
        Medium => 4,
        Low => 5,
        Info => 6,
    }
}
