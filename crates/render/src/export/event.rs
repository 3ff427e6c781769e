//! What the formats of other tools ask of a connection: names for it, its length, and one line about it.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use connmon_analysis::format::bytes;
use connmon_analysis::groups::key::process_name;
use connmon_record::{Connection, End, Facts, Process, Run, Timestamp, Untrusted, display_safe, hex};

/// A name that no other connection has, the same in every export of its store.
pub(super) fn uid(run: Option<&Run>, connection: &Connection) -> String {
    let (boot, started) = run.map_or(("".into(), 0), |run| (run.boot_id.shown(), run.started.0));
    named("C", &format!("{boot} {started} {}", connection.id))
}

/// A name for a process that is its own across hosts and boots.
pub(super) fn process_id(run: Option<&Run>, process: &Process) -> String {
    let boot = run.map_or("".into(), |run| run.boot_id.shown());
    named("P", &format!("{boot} {} {}", process.id.pid, process.id.start_ns))
}

/// The file name of a process's executable, or else what the process calls itself.
pub(super) fn program_name(process: &Process) -> Untrusted<&str> {
    let file = process.exe.map(|path| path.rsplit('/').next().unwrap_or_default());
    if file.is_empty() { process.comm.borrowed() } else { file }
}

/// Captured text made visible, unless there is none.
pub(super) fn visible<'a>(text: Option<impl Into<Untrusted<&'a str>>>) -> Option<Cow<'a, str>> {
    text.map(display_safe).filter(|text| !text.is_empty())
}

/// 96 bits of a digest: enough that two names never collide by chance.
fn named(prefix: &str, of: &str) -> String {
    format!("{prefix}{}", hex(&Sha256::digest(of)[..12]))
}

/// When a connection ended, if that was seen.
pub(super) fn ended(connection: &Connection) -> Option<Timestamp> {
    let seen = connection.end.is_some_and(|end| !matches!(end, End::Unseen | End::RecordingEnded));
    connection.closed.filter(|_| seen)
}

/// How long it lasted in nanoseconds, if both its beginning and its end were seen.
pub(super) fn lasted(connection: &Connection) -> Option<u64> {
    ended(connection).filter(|_| !connection.preexisting).map(|end| connection.lasted_ns(end))
}

/// When the recordings last wrote to the store: the time of statements about all of them.
pub(super) fn last_written(runs: &[Run]) -> Option<Timestamp> {
    runs.iter().map(|run| run.last_flush).max()
}

/// Who talked to whom and how much, on one line and made visible.
pub fn message(connection: &Connection) -> String {
    let Facts { proto, local, remote, .. } = &connection.facts;
    let who = connection.owner.as_deref().map_or_else(
        || "no known process".to_owned(),
        |owner| format!("{} ({})", process_name(owner), owner.id.pid),
    );
    let arrow = connection.direction.arrow();
    let (sent, received) = (bytes(connection.tx_bytes()), bytes(connection.rx_bytes()));
    format!("{who}: {proto} {local} {arrow} {remote}, sent {sent}, received {received}")
}
