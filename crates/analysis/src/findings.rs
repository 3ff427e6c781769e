//! What is worth a look: never a verdict. Each finding says how many connections it is about, why, and which filter shows
//! them.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::net::IpAddr;
use std::path::Path;

use super::format::{bytes, count, duration, grouped};
use super::minutes::Minutes;
use super::{ProcessRow, Program, RemoteRow, Summary};
use connmon_record::{AddressKind, ExeState, Timestamp, Untrusted};

/// A connection that lasts as long is long-lived.
const LONG_NS: i64 = 3_600_000_000_000;
/// So many failed connections of one process within a minute are a burst.
const BURST: u32 = 20;
/// One minute.
pub(super) const MINUTE_NS: i64 = 60_000_000_000;
/// Whoever has this share of all bytes is a top talker.
const TALKER: f64 = 0.25;
/// Folders that everybody can write to, or that are gone after a boot.
const TEMPORARY: [&str; 4] = ["/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/"];
/// So many names are listed in a reason.
const NAMES: usize = 4;

/// The minute of a moment, counted from 1970.
pub fn minute_of(time: Timestamp) -> i64 {
    time.0.div_euclid(MINUTE_NS)
}

/// When a minute begins.
pub(super) fn start_of(minute: i64) -> Timestamp {
    Timestamp(minute.saturating_mul(MINUTE_NS))
}

/// Whether a connection that was watched for so long is long-lived.
pub fn is_long(lasted_ns: i64) -> bool {
    lasted_ns >= LONG_NS
}

/// Something worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind of the finding.
    pub title: &'static str,
    /// The number of connections that the finding is about.
    pub connections: u64,
    /// Why it is listed, with captured text in it.
    pub reason: Untrusted,
    /// The filter that shows these connections, with captured text in it.
    pub filter: Untrusted,
}

/// Collects what only single connections tell.
#[derive(Clone, Debug, Default)]
pub(super) struct FindingsBuilder {
    long: u64,
    longest_ns: i64,
    /// Failed connections by process.
    failures: Minutes,
}

impl FindingsBuilder {
    /// Takes note of how long a connection was watched.
    pub(super) fn add_lasted(&mut self, lasted: i64) {
        if is_long(lasted) {
            self.add_long(1, lasted);
        }
    }

    /// Takes note of so many long-lived connections, and of the duration of the longest.
    pub(super) fn add_long(&mut self, connections: u64, longest_ns: i64) {
        self.long += connections;
        self.longest_ns = self.longest_ns.max(longest_ns);
    }

    /// Takes note of connections of a process that failed in a minute.
    pub(super) fn add_failed(&mut self, owner: u32, minute: i64, connections: u32) {
        self.failures.add(owner, minute, connections);
    }

    /// The processes with a burst, and its size. Their places may have changed since: `place` has the new ones.
    pub(super) fn bursts(self, place: &[u32]) -> BTreeMap<usize, u32> {
        let mut found = BTreeMap::new();
        self.failures.finish(|process, failed| {
            if failed >= BURST {
                let most: &mut u32 = found.entry(place[process as usize] as usize).or_default();
                *most = (*most).max(failed);
            }
        });
        found
    }

    /// The number of long-lived connections, and the duration of the longest.
    pub(super) fn long(&self) -> (u64, i64) {
        (self.long, self.longest_ns)
    }
}

/// The findings of a summary. `before` are the remote addresses that were seen before its interval; `None` if that is not
/// known.
pub fn findings(summary: &Summary, before: Option<&HashSet<IpAddr>>) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(odd_executables(summary));
    all.extend(bursts(summary));
    all.extend(before.and_then(|before| first_seen(summary, before)));
    all.extend(long_lived(summary));
    all.extend(talkers(summary));
    all
}

/// Why an executable is odd.
fn oddity(program: &Program) -> Option<&'static str> {
    let exe = program.exe.raw();
    match program.exe_state {
        ExeState::Deleted => Some("deleted"),
        ExeState::Memory => Some("only in memory"),
        ExeState::Present if exe.ends_with(" (deleted)") => Some("deleted"),
        ExeState::Present => TEMPORARY
            .iter()
            .any(|folder| Path::new(exe).starts_with(folder))
            .then_some("in a folder for temporary files"),
    }
}

/// Processes whose executables are odd for the same reason.
#[derive(Default)]
struct Odd<'a> {
    processes: u64,
    connections: u64,
    /// Their executables, each once.
    exes: Few<&'a str>,
}

fn odd_executables(summary: &Summary) -> Vec<Finding> {
    let mut kinds: BTreeMap<&'static str, Odd<'_>> = BTreeMap::new();
    for row in summary.processes.iter() {
        if let Some(why) = oddity(row.program) {
            let odd = kinds.entry(why).or_default();
            odd.processes += 1;
            odd.connections += row.figures.connections;
            odd.exes.add(row.program.exe.raw());
        }
    }
    let finding = |(why, odd): (&'static str, Odd<'_>)| Finding {
        title: match why {
            "deleted" => "Executables that are deleted",
            "only in memory" => "Executables that are only in memory",
            _ => "Executables in temporary folders",
        },
        connections: odd.connections,
        reason: format!("{}: {}.", count(odd.processes, "process", "processes"), odd.exes.words()).into(),
        filter: list("exe", "=", odd.exes.all.iter().copied()).into(),
    };
    kinds.into_iter().map(finding).collect()
}

fn bursts(summary: &Summary) -> Option<Finding> {
    let rows: Vec<_> = summary
        .bursts
        .iter()
        .filter_map(|(place, most)| Some((summary.processes.get(*place)?, *most)))
        .collect();
    (!rows.is_empty()).then(|| Finding {
        title: "Bursts of failed connections",
        connections: rows.iter().map(|(row, _)| row.figures.failed).sum(),
        reason: format!(
            "At least {BURST} within a minute: {}.",
            first_few(rows.iter().map(|(row, most)| format!("{} with {most}", row.program.comm.raw())))
        )
        .into(),
        filter: format!(
            "{} (end:refused or end:rst,timeout,unreachable,error bytes:0)",
            list("pid", ":", rows.iter().map(|(row, _)| row.id.pid.to_string()))
        )
        .into(),
    })
}

fn first_seen(summary: &Summary, before: &HashSet<IpAddr>) -> Option<Finding> {
    let is_new = |row: &RemoteRow<'_>| row.kind == AddressKind::Public && !before.contains(&row.ip);
    let new = summary.remotes.iter().filter(is_new);
    let name = |row: RemoteRow<'_>| row.name().map_or_else(|| row.ip.to_string(), |name| name.raw().into());
    let addresses = new.clone().count() as u64;
    (addresses > 0).then(|| Finding {
        title: "Destinations seen for the first time",
        connections: new.clone().map(|row| row.figures.connections).sum(),
        reason: format!(
            "{} not in any earlier record of this store: {}.",
            count(addresses, "public address", "public addresses"),
            first_few(new.clone().map(name))
        )
        .into(),
        filter: list("ip", ":", new.take(200).map(|row| row.ip.to_string())).into(),
    })
}

fn long_lived(summary: &Summary) -> Option<Finding> {
    let (connections, longest) = summary.long_lived;
    (connections > 0).then(|| Finding {
        title: "Long-lived connections",
        connections,
        reason: format!(
            "They lasted an hour or more, the longest {}.",
            duration(u64::try_from(longest).unwrap_or(0))
        )
        .into(),
        filter: "dur>=1h".into(),
    })
}

fn talkers(summary: &Summary) -> Option<Finding> {
    let all = summary.totals.figures.bytes();
    let talks = |row: &ProcessRow<'_>| all > 0 && row.figures.bytes() as f64 >= all as f64 * TALKER;
    let rows: Vec<ProcessRow<'_>> = summary.processes.iter().take_while(talks).collect();
    (!rows.is_empty()).then(|| Finding {
        title: "Top talkers",
        connections: rows.iter().map(|row| row.figures.connections).sum(),
        reason: format!(
            "A quarter of all bytes or more: {}.",
            first_few(rows.iter().map(|row| {
                let share = row.figures.bytes() as f64 / all as f64 * 100.0;
                format!("{} with {share:.0} % ({})", row.program.comm.raw(), bytes(row.figures.bytes()))
            }))
        )
        .into(),
        filter: list("pid", ":", rows.iter().map(|row| row.id.pid.to_string())).into(),
    })
}

/// Values, each once, in the order in which they came first.
struct Few<T> {
    first: Vec<T>,
    all: HashSet<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: Vec::new(), all: HashSet::new() }
    }
}

impl<T: AsRef<str> + Clone + Eq + Hash> Few<T> {
    fn add(&mut self, value: T) {
        if self.all.insert(value.clone()) && self.first.len() < NAMES {
            self.first.push(value);
        }
    }

    /// The first of them, and how many more there are.
    fn words(&self) -> String {
        let rest = self.all.len() - self.first.len();
        let more = if rest > 0 { format!(" and {} more", grouped(rest as u64)) } else { String::new() };
        let first: Vec<&str> = self.first.iter().map(AsRef::as_ref).collect();
        first.join(", ") + &more
    }
}

/// The first of many, and how many more there are.
fn first_few(names: impl Iterator<Item = String>) -> String {
    let mut few = Few::default();
    names.for_each(|name| few.add(name));
    few.words()
}

/// A test of a field for each of these values.
fn list<T: AsRef<str>>(field: &str, operator: &str, values: impl Iterator<Item = T>) -> String {
    let mut all: Vec<String> = values
        .map(|value| format!("\"{}\"", value.as_ref().replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    all.sort();
    all.dedup();
    let plain = |value: &String| {
        value[1..value.len() - 1].bytes().all(|c| c.is_ascii_alphanumeric() || b"._/-:".contains(&c))
    };
    let words = all.iter().map(|value| {
        if plain(value) && !value.starts_with("\"/") { &value[1..value.len() - 1] } else { value }
    });
    format!("{field}{operator}{}", words.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_quoted_where_needed() {
        assert_eq!(list("pid", ":", ["12", "7", "12"].into_iter()), "pid:12,7");
        assert_eq!(list("exe", "=", ["/tmp/a b\"c"].into_iter()), "exe=\"/tmp/a b\\\"c\"");
    }

    #[test]
    fn only_some_names_are_listed() {
        let names = ["a", "b", "a", "c", "d", "e", "f"].map(str::to_owned);
        assert_eq!(first_few(names.into_iter()), "a, b, c, d and 2 more");
    }
}
