//! Remote addresses that are always there: connected for a large part of the time that was recorded.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::spans::Spans;
use super::{Selection, Window};
use connmon_record::{Connection, Run, Timestamp, Untrusted};

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

/// Tells which addresses can be always there, from when connections were open alone: those whose connections lasted long enough all
/// together. Memory grows with the addresses.
pub struct BaselineCandidates {
    least: u64,
    lasted: Lengths,
    ends: HashMap<i64, i64>,
}

/// Lengths of time by the numbers of addresses, each longer by one, because nothing is known where there is 0. A store counts addresses
/// from one on: there is a place for each of the first millions, which is found without hashing.
#[derive(Default)]
struct Lengths {
    first: Vec<u64>,
    others: HashMap<i64, u64>,
}

impl Lengths {
    /// Places at most: 32 MiB.
    const MOST: usize = 1 << 22;

    fn add(&mut self, number: i64, length: u64) {
        let known = match usize::try_from(number) {
            Ok(place) if place < Self::MOST => {
                if place >= self.first.len() {
                    self.first.resize(place + 1, 0);
                }
                &mut self.first[place]
            }
            _ => self.others.entry(number).or_default(),
        };
        *known = (*known).max(1).saturating_add(length);
    }

    /// The numbers of those that are not shorter.
    fn at_least(&self, least: u64) -> Vec<i64> {
        let first = (0..).zip(&self.first).filter(|(_, length)| **length > least);
        let others = self.others.iter().filter(|(_, length)| **length > least);
        first.map(|(number, _)| number).chain(others.map(|(number, _)| *number)).collect()
    }
}

impl BaselineCandidates {
    /// Takes how long a connection to the address of this number was open. One without an end was so to the end of its recording.
    pub fn add(&mut self, run: i64, remote: i64, opened: Timestamp, end: Option<Timestamp>) {
        let end = end.map_or_else(|| self.ends.get(&run).copied().unwrap_or(opened.0), |end| end.0);
        self.lasted.add(remote, u64::try_from(end.saturating_sub(opened.0)).unwrap_or(0));
    }

    /// The numbers of the addresses.
    pub fn finish(self) -> Vec<i64> {
        self.lasted.at_least(self.least)
    }
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

    /// What finds the addresses that can be connected for at least this share of the recorded time.
    pub fn candidates(&self, at_least: f64) -> BaselineCandidates {
        // Rounded down, and a little less: what is looked at in vain is left out later.
        let least = (at_least * self.recorded.length() as f64 * 0.999_999) as u64;
        BaselineCandidates { least, lasted: Lengths::default(), ends: self.ends.clone() }
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
