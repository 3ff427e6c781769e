//! A whole export against the truth: nothing missing, nothing invented, nothing on the wrong process.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::diff;
use super::expected::{Expected, expected};
use super::record::Record;
use crate::truth::{Endpoint, Proto, Truth};

#[cfg(test)]
mod tests;

/// What is wrong, per case; cases without a fault have an empty list.
pub type Verdict = BTreeMap<String, Vec<String>>;

/// Compares all truths of one recording with its export.
pub fn compare(truths: &[Truth], records: &[Record]) -> Verdict {
    let mut verdict: Verdict = truths.iter().map(|truth| (truth.case.clone(), Vec::new())).collect();
    let mut blame = |case: &str, problem: String| verdict.entry(case.to_owned()).or_default().push(problem);
    let mut demanded = Vec::new();
    for truth in truths {
        match expected(truth) {
            Ok(more) => demanded.extend(more),
            Err(problem) => blame(&truth.case, problem),
        }
    }
    let matches = pair(&demanded, records);
    for (expected, found) in demanded.iter().zip(&matches) {
        match found {
            None => blame(expected.case, format!("missing: {expected}")),
            Some(found) => {
                let record = &records[*found];
                for difference in diff::differences(expected, record) {
                    blame(expected.case, format!("{expected}: {difference}; {record}"));
                }
            }
        }
    }
    let used: HashSet<usize> = matches.into_iter().flatten().collect();
    let territory = Territory::new(truths);
    for (_, record) in records.iter().enumerate().filter(|(n, _)| !used.contains(n)) {
        if let Some(case) = territory.entered_by(record) {
            blame(case, format!("invented: {record}"));
        }
    }
    verdict
}

/// What records say is not known about themselves, per case.
pub fn labelled(truths: &[Truth], records: &[Record]) -> BTreeMap<String, BTreeSet<String>> {
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let territory = Territory::new(truths);
    for record in records.iter().filter(|record| !record.exact) {
        if let Some(case) = territory.entered_by(record) {
            let reason = record.inexact_reason.as_deref().unwrap_or("without a reason");
            labels.entry(case.to_owned()).or_default().insert(reason.to_owned());
        }
    }
    labels
}

/// All problems of a verdict, as one text; `None` if there is none.
pub fn summary(verdict: &Verdict) -> Option<String> {
    let problems: Vec<_> = verdict
        .iter()
        .flat_map(|(case, problems)| problems.iter().map(move |p| format!("{case}: {p}")))
        .collect();
    let shown = problems.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    (!problems.is_empty()).then(|| format!("{} problems, such as\n{shown}", problems.len()))
}

/// What must be equal for a record to be about a connection: protocol, local port, remote end.
type Key = (Proto, Option<u16>, Endpoint);

/// Whether a record that is about the right ports is the right one.
type Fits<'a> = dyn Fn(&Expected<'_>, &Record) -> bool + 'a;

/// For each demanded record the one that is about it, if any; none is used twice.
///
/// Ports come back, so several may fit: the equal one first, then one on the right process, then any.
fn pair(demanded: &[Expected<'_>], records: &[Record]) -> Vec<Option<usize>> {
    let mut fitting: HashMap<Key, Vec<usize>> = HashMap::new();
    for (n, record) in records.iter().enumerate() {
        for port in [Some(record.local.port), None] {
            fitting.entry((record.proto, port, record.remote)).or_default().push(n);
        }
    }
    let mut matches = vec![None; demanded.len()];
    let mut used = HashSet::new();
    let right_process = |expected: &Expected<'_>, record: &Record| record.pid() == expected.owner.known_pid();
    let equal = |expected: &Expected<'_>, record: &Record| {
        right_process(expected, record) && expected.traffic == diff::traffic(record)
    };
    let passes: [&Fits<'_>; 3] = [&equal, &right_process, &|_, _| true];
    for fits in passes {
        for (expected, found) in demanded.iter().zip(&mut matches).filter(|(_, found)| found.is_none()) {
            let connection = expected.connection;
            let key = (connection.proto, connection.local.map(|local| local.port), connection.remote);
            *found = fitting.get(&key).into_iter().flatten().copied().find(|n| {
                let record = &records[*n];
                !used.contains(n) && same_local(connection.local, record.local) && fits(expected, record)
            });
            used.extend(*found);
        }
    }
    matches
}

/// A socket bound to no address may be recorded with the one it really sent from.
fn same_local(truth: Option<Endpoint>, recorded: Endpoint) -> bool {
    truth.is_none_or(|truth| truth == recorded || truth.ip.is_unspecified() && truth.port == recorded.port)
}

/// The processes and the ports that belong to a case while it runs.
struct Territory<'a> {
    pids: HashMap<u32, &'a Truth>,
    ends: HashMap<(Proto, Endpoint), Vec<&'a Truth>>,
}

impl<'a> Territory<'a> {
    fn new(truths: &'a [Truth]) -> Self {
        let (mut pids, mut ends) = (HashMap::new(), HashMap::<_, Vec<_>>::new());
        for truth in truths {
            for process in &truth.processes {
                pids.extend(process.known_pid().map(|pid| (pid, truth)));
                for connection in &process.connections {
                    ends.entry((connection.proto, connection.remote)).or_default().push(truth);
                    if let Some(local) = connection.local {
                        ends.entry((connection.proto, local)).or_default().push(truth);
                    }
                }
            }
        }
        Self { pids, ends }
    }

    /// The case that a record has no business with: by its processes, or else by its ports.
    fn entered_by(&self, record: &Record) -> Option<&'a str> {
        let touched = record.traffic.iter().map(|traffic| traffic.pid).chain(record.pid());
        let by_pid = touched.filter_map(|pid| self.pids.get(&pid)).next();
        let truth = by_pid.copied().or_else(|| self.entered_by_ports(record))?;
        Some(truth.case.as_str())
    }

    /// Another program may use one of our ports too, towards somewhere else: both ends must be ours, or one of them
    /// where the other is not known, nor anybody who owns it.
    fn entered_by_ports(&self, record: &Record) -> Option<&'a Truth> {
        let at = |end| self.ends.get(&(record.proto, end)).map(Vec::as_slice).unwrap_or_default();
        let (local, remote) = (at(record.local), at(record.remote));
        let is_unknown = |end: Endpoint| record.pid().is_none() && end.port == 0;
        let both = |truth: &&Truth| {
            let is_ours = |list: &[&Truth]| list.iter().any(|ours| std::ptr::eq(*ours, *truth));
            (is_ours(local) || is_unknown(record.local)) && (is_ours(remote) || is_unknown(record.remote))
        };
        local.iter().chain(remote).copied().filter(both).find(|truth| during(truth, record))
    }
}

/// Whether a record begins while a case runs, to the second: at other times its ports belong to others.
fn during(truth: &Truth, record: &Record) -> bool {
    let second = |time: &str| time.get(..19).unwrap_or_default().to_owned();
    (second(&truth.started)..=second(&truth.ended)).contains(&second(&record.opened))
}
