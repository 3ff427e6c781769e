//! connmon's JSON Lines export, as far as the tests look at it.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::truth::{Direction, Endpoint, Proto};

/// One connection as connmon recorded it.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    /// Unique within the store.
    pub id: Value,
    /// Transport; other protocols than the generator's are left out by [`parse`].
    pub proto: Proto,
    /// 4 or 6.
    pub family: u8,
    /// Who opened it.
    pub direction: Direction,
    /// Own end; unspecified address and port 0 where the kernel never chose one.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
    /// What the process asked for, where a BPF program led it to `remote`.
    #[serde(default)]
    pub asked: Option<Endpoint>,
    /// RFC 3339.
    pub opened: String,
    /// RFC 3339.
    pub closed: Option<String>,
    /// How it ended; `None` while it is open.
    pub end: Option<String>,
    /// There before the recorder.
    pub preexisting: bool,
    /// The figures are the truth to the byte, as far as the recorder knows.
    #[serde(default = "yes")]
    pub exact: bool,
    /// Why not.
    #[serde(default)]
    pub inexact_reason: Option<String>,
    /// The owner, if known.
    pub process: Option<Owner>,
    /// Bytes per process.
    pub traffic: Vec<Traffic>,
    /// Bytes of all processes.
    pub tx_bytes: u64,
    /// Bytes of all processes.
    pub rx_bytes: u64,
    /// What the kernel counted for a TCP connection.
    pub kernel: Option<Kernel>,
    /// Packets, where they were counted.
    pub wire: Option<Wire>,
    /// Names of the other end.
    #[serde(default)]
    pub names: Vec<Value>,
    /// Port, name, and what was observed.
    #[serde(default)]
    pub service: Value,
}

/// What a connection put on the wire.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Wire {
    /// Bytes sent, from the IP header on.
    pub tx_bytes: u64,
    /// Bytes received, from the IP header on.
    pub rx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets received.
    pub rx_packets: u64,
}

fn yes() -> bool {
    true
}

/// The process that opened or accepted a connection.
#[derive(Clone, Debug, Deserialize)]
pub struct Owner {
    /// PID.
    pub pid: u32,
    /// Path of the executable.
    pub exe: Option<String>,
    /// Arguments.
    pub cmdline: Option<Cmdline>,
    /// User.
    pub uid: Option<u32>,
    /// Parent.
    pub ppid: Option<u32>,
    /// Where it was.
    #[serde(default)]
    pub cwd: Option<String>,
    /// What became of the executable's name.
    #[serde(default)]
    pub exe_state: Option<String>,
    /// Hash of the executable.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Why there is none.
    #[serde(default)]
    pub not_hashed: Option<String>,
    /// Secrets were redacted.
    #[serde(default)]
    pub redacted: bool,
    /// Systemd unit.
    #[serde(default)]
    pub unit: Option<String>,
    /// The container.
    #[serde(default)]
    pub container: Option<Value>,
    /// Who led to it, the nearest first.
    #[serde(default)]
    pub ancestors: Vec<Ancestor>,
}

/// A process that led to another.
#[derive(Clone, Debug, Deserialize)]
pub struct Ancestor {
    /// PID.
    pub pid: u32,
}

/// A command line: as a list, or joined by spaces.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Cmdline {
    /// As a list.
    Args(Vec<String>),
    /// Joined.
    Text(String),
}

/// Bytes of one process.
#[derive(Clone, Debug, Deserialize)]
pub struct Traffic {
    /// PID.
    pub pid: u32,
    /// Path of the executable.
    pub exe: Option<String>,
    /// Sent.
    pub tx_bytes: u64,
    /// Received.
    pub rx_bytes: u64,
    /// Calls that sent.
    pub tx_calls: u64,
}

/// Kernel totals; the peer's FIN is not a byte.
#[derive(Clone, Debug, Deserialize)]
pub struct Kernel {
    /// Sent and not merely retransmitted.
    pub tx_bytes: u64,
    /// Received.
    pub rx_bytes: u64,
    /// Segments sent again.
    pub retransmits: u32,
}

impl Record {
    /// Whether it is of the sockets of a user who had too many to tell apart.
    pub fn stands_for_many(&self) -> bool {
        self.inexact_reason.as_ref().is_some_and(|why| why.contains("not recorded one by one"))
    }

    /// The owner's PID, if known.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.pid)
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, proto, direction, local, remote, tx_bytes, rx_bytes, .. } = self;
        let pid = self.pid().map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
        write!(
            f,
            "record {id} ({proto:?} {direction:?} {local} -> {remote}, PID {pid}, {tx_bytes}/{rx_bytes} bytes)"
        )
    }
}

/// The last line of an export: how many connections came before it, and what is missing.
#[derive(Clone, Debug, Deserialize)]
pub struct Trailer {
    /// As in an audit.
    pub completeness: Value,
    /// Recordings in the store.
    pub runs: u64,
    /// Lines before this one.
    pub connections: u64,
}

/// The trailer of an export, which must be its last line and its only one.
pub fn trailer(jsonl: &[u8]) -> Result<Trailer> {
    let text = std::str::from_utf8(jsonl).context("the export is not UTF-8")?;
    let trailers = text.lines().filter(|line| line.starts_with("{\"trailer\"")).count();
    ensure!(trailers == 1, "{trailers} trailers");
    let last = text.lines().last().context("the export is empty")?;
    let mut last: Value = serde_json::from_str(last).context("the last line is not JSON")?;
    let trailer: Trailer = serde_json::from_value(last["trailer"].take()).context("no trailer at the end")?;
    let lines = text.lines().count() as u64 - 1;
    ensure!(trailer.connections == lines, "the trailer counts {} lines, not {lines}", trailer.connections);
    Ok(trailer)
}

/// Marks the subflow of an MPTCP connection, of which the generator knows nothing.
const SUBFLOW: &str = r#""subflow":true"#;

/// The TCP and UDP connections of an export. Other protocols, and objects without one, are left out.
pub fn parse(jsonl: &[u8]) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for line in std::str::from_utf8(jsonl).context("the export is not UTF-8")?.lines() {
        if line.contains(SUBFLOW) {
            continue;
        }
        match serde_json::from_str(line) {
            Ok(record) => records.push(record),
            Err(error) => {
                let object: Value =
                    serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
                if matches!(
                    object["proto"].as_str(),
                    Some("tcp" | "udp" | "mptcp" | "icmp" | "icmp6" | "raw" | "ip-253")
                ) {
                    return Err(error).with_context(|| format!("not a record: {line}"));
                }
            }
        }
    }
    Ok(records)
}
