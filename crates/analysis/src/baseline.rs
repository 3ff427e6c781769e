//! Remote addresses that are always there: connected for a large part of the time that was recorded.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::spans::Spans;
use super::{Selection, Window};
use connmon_record::{Connection, Run, Untrusted};

/// Names of an address that are kept.
const NAMES: usize = 3;

/// An address and how long it was connected.
#[derive(Clone, Debug, PartialEq)]
pub struct SteadyRemote {
    /// The address.
    pub ip: IpAddr,
    /// The share of the recorded time, from 0 to 1.
    pub share: f64,
    /// Its connections.
    pub connections: u64,
    /// Names of it, or of who runs its network; a few.
    pub names: Vec<Untrusted>,
}

#[derive(Default)]
struct RemoteSpans {
    spans: Spans,
    connections: u64,
    names: BTreeSet<Untrusted>,
}

/// Takes connections, in any number, and tells which addresses are always there.
pub struct Baseline {
    recorded: Spans,
    ends: HashMap<i64, i64>,
    remotes: HashMap<IpAddr, RemoteSpans>,
}

impl Baseline {
    /// Over the time of these recordings that is selected, without their gaps.
    pub fn new(runs: &[Run], selection: &Selection) -> Self {
        let (mut recorded, mut gaps) = (Spans::default(), Spans::default());
        if let Some(window) = Window::covering(runs, selection) {
            for run in runs {
                for (from, to) in run.spans(run.known_end()) {
                    recorded.add(from.max(window.from).0, to.min(window.to).0);
                }
                run.gaps.iter().for_each(|gap| gaps.add(gap.from.0, gap.to.0));
            }
        }
        recorded.order();
        gaps.order();
        Self {
            recorded: recorded.without(&gaps),
            ends: runs.iter().map(|run| (run.id, run.known_end().0)).collect(),
            remotes: HashMap::new(),
        }
    }

    /// The time that was recorded, in nanoseconds.
    pub fn recorded(&self) -> u64 {
        self.recorded.length()
    }

    /// Takes a connection of the recording `run`. One without an end was open to the end of its recording.
    pub fn add<'a>(&mut self, run: i64, connection: &Connection, names: impl Iterator<Item = &'a Untrusted>) {
        let end = self.ends.get(&run).copied().unwrap_or(connection.opened.0);
        let remote = self.remotes.entry(connection.remote.ip).or_default();
        remote.spans.add(connection.opened.0, connection.known_end().map_or(end, |end| end.0));
        remote.connections += 1;
        for name in names {
            if remote.names.len() < NAMES && !remote.names.contains(name) {
                remote.names.insert(name.clone());
            }
        }
        if let Some(org) = connection.place.as_ref().and_then(|place| place.org.as_ref())
            && remote.names.is_empty()
        {
            remote.names.insert(org.clone());
        }
    }

    /// The addresses that were connected for at least this share of the recorded time, the steadiest first.
    pub fn finish(self, at_least: f64) -> Vec<SteadyRemote> {
        let recorded = self.recorded.length();
        let share = |connected: u64| if recorded == 0 { 0.0 } else { connected as f64 / recorded as f64 };
        let each = self.remotes.into_iter().map(|(ip, mut remote)| {
            remote.spans.order();
            SteadyRemote {
                ip,
                share: share(remote.spans.common(&self.recorded)),
                connections: remote.connections,
                names: remote.names.into_iter().collect(),
            }
        });
        let mut steady: Vec<SteadyRemote> =
            each.filter(|remote| recorded > 0 && remote.share >= at_least).collect();
        steady.sort_by_key(|remote| (Reverse((remote.share * 1e9) as u64), remote.ip));
        steady
    }
}
