//! Messages for systemd's journal and for the system log, as datagrams (systemd.io/JOURNAL_NATIVE_PROTOCOL, RFC 3164).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::{Message, News};

/// Where the journal takes messages, and where the system log does.
const JOURNAL: &str = "/run/systemd/journal/socket";
const SYSLOG: &str = "/dev/log";
/// Of messages about findings and of those about connections, so that they can be selected (`journalctl MESSAGE_ID=…`).
const OF_FINDING: &str = "8f1c0e0f5c0b4e6c9d5b7f3a2a6d4e21";
const OF_CONNECTION: &str = "c2e5d60a41f94c0f8b0a6a5f7d3b9e84";
/// The facility "daemon" of syslog(3).
const DAEMON: u8 = 3;

/// Sends a message to the journal.
///
/// # Errors
/// There is no journal, or it takes nothing.
pub fn to_journal(message: &Message<'_>, news: &News) -> io::Result<()> {
    send(Path::new(JOURNAL), &fields(message, news))
}

/// Sends a message to the system log.
///
/// # Errors
/// There is none, or it takes nothing.
pub fn to_syslog(message: &Message<'_>, news: &News) -> io::Result<()> {
    let number = DAEMON * 8 + priority(news);
    let text = format!(
        "<{number}>connmon[{}]: {} [{} {}]",
        std::process::id(),
        message.text,
        news.id(),
        message.alert
    );
    send(Path::new(SYSLOG), text.as_bytes())
}

fn send(to: &Path, bytes: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.send_to(bytes, to).map(drop)
}

/// The fields of a message, each on a line; one with a line break in it would have its length before it instead.
fn fields(message: &Message<'_>, news: &News) -> Vec<u8> {
    let shown = |text: &connmon_record::Untrusted| text.shown().into_owned();
    let own: Vec<(&str, String)> = match news {
        News::Finding(finding) => vec![
            ("MESSAGE_ID", OF_FINDING.into()),
            ("CONNMON_FINDING", finding.id.clone()),
            ("CONNMON_DETECTOR", finding.detector.to_string()),
            ("CONNMON_SEVERITY", finding.severity.name().into()),
            ("CONNMON_EXE", shown(&finding.subject.exe)),
            ("CONNMON_DESTINATION", finding.subject.host.as_ref().map(shown).unwrap_or_default()),
            ("CONNMON_FILTER", shown(&finding.evidence)),
        ],
        News::Connection(selected) => vec![
            ("MESSAGE_ID", OF_CONNECTION.into()),
            ("CONNMON_CONNECTION", selected.id.clone()),
            ("CONNMON_EXE", selected.exe.clone()),
            ("CONNMON_DESTINATION", selected.host.clone().unwrap_or_default()),
            ("CONNMON_FILTER", selected.filter.clone()),
        ],
    };
    let all: [(&str, String); 5] = [
        ("MESSAGE", message.text.clone()),
        ("PRIORITY", priority(news).to_string()),
        ("SYSLOG_IDENTIFIER", "connmon".into()),
        ("CONNMON_ALERT", message.alert.into()),
        ("CONNMON_HOST", message.host.into()),
    ];
    let mut out = Vec::new();
    for (name, value) in all.iter().chain(&own).filter(|(_, value)| !value.is_empty()) {
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

/// The priority of syslog(3): a connection that somebody asked for is worth a notice.
fn priority(news: &News) -> u8 {
    use connmon_detect::Severity::{High, Info, Low, Medium};
    match news {
        News::Finding(finding) => match finding.severity {
            High => 3,
            Medium => 4,
            Low => 5,
            Info => 6,
        },
        News::Connection(_) => 5,
    }
}
