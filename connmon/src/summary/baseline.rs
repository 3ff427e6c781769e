//! Remote addresses that are always there: connected for a large part of the time that was recorded.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::selection::end_of;
use super::{Selection, Window};
use crate::model::{Connection, Run};

/// Names of an address that are kept.
const NAMES: usize = 3;

/// A set of moments: intervals from a start to before an end, nanoseconds since 1970.
#[derive(Debug, Default)]
struct Spans {
    spans: Vec<(i64, i64)>,
    /// How many there were when they were last put in order.
    ordered: usize,
}

impl Spans {
    fn add(&mut self, from: i64, to: i64) {
        if from < to {
            self.spans.push((from, to));
            // Those that overlap become one, so memory grows with what is apart only.
            if self.spans.len() > 2 * self.ordered + 16 {
                self.order();
            }
        }
    }

    fn order(&mut self) {
        self.spans.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::with_capacity(self.spans.len());
        for &(from, to) in &self.spans {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        self.ordered = joined.len();
        self.spans = joined;
    }

    /// Takes out what is in neither of them any more. Both are in order.
    fn without(&self, holes: &Self) -> Self {
        let mut left = Self::default();
        for &(mut from, to) in &self.spans {
            let start = from;
            for &(hole, end) in holes.spans.iter().filter(|hole| hole.0 < to && hole.1 > start) {
                left.spans.extend((from < hole).then_some((from, hole)));
                from = from.max(end);
            }
            left.spans.extend((from < to).then_some((from, to)));
        }
        left.ordered = left.spans.len();
        left
    }

    /// What is in both. Both are in order.
    fn common(&self, other: &Self) -> u64 {
        let (mut length, mut rest) = (0_u64, other.spans.as_slice());
        for &(from, to) in &self.spans {
            while let Some(&(start, end)) = rest.first() {
                length += u64::try_from(to.min(end).saturating_sub(from.max(start))).unwrap_or(0);
                if end > to {
                    break;
                }
                rest = &rest[1..];
            }
        }
        length
    }

    fn length(&self) -> u64 {
        self.spans.iter().map(|(from, to)| to.abs_diff(*from)).sum()
    }
}

/// An address and how long it was connected.
#[derive(Clone, Debug, PartialEq)]
pub struct Steady {
    /// The address.
    pub ip: IpAddr,
    /// The share of the recorded time, from 0 to 1.
    pub share: f64,
    /// Its connections.
    pub connections: u64,
    /// Names of it, or of who runs its network; a few.
    pub names: Vec<String>,
}

#[derive(Default)]
struct Remote {
    spans: Spans,
    connections: u64,
    names: BTreeSet<String>,
}

/// Takes connections, in any number, and tells which addresses are always there.
pub struct Baseline {
    recorded: Spans,
    ends: HashMap<i64, i64>,
    remotes: HashMap<IpAddr, Remote>,
}

impl Baseline {
    /// Over the time of these recordings that is selected, without their gaps.
    pub fn new(runs: &[Run], selection: &Selection) -> Self {
        let (mut recorded, mut gaps) = (Spans::default(), Spans::default());
        if let Some(window) = Window::of(runs, selection) {
            for run in runs {
                recorded.add(run.started.max(window.from).0, end_of(run).min(window.to).0);
                run.gaps.iter().for_each(|gap| gaps.add(gap.from.0, gap.to.0));
            }
        }
        recorded.order();
        gaps.order();
        Self {
            recorded: recorded.without(&gaps),
            ends: runs.iter().map(|run| (run.id, end_of(run).0)).collect(),
            remotes: HashMap::new(),
        }
    }

    /// The time that was recorded, in nanoseconds.
    pub fn recorded(&self) -> u64 {
        self.recorded.length()
    }

    /// Takes a connection of the recording `run`. One without an end was open to the end of its recording.
    pub fn add<'a>(&mut self, run: i64, connection: &Connection, names: impl Iterator<Item = &'a str>) {
        let end = self.ends.get(&run).copied().unwrap_or(connection.opened.0);
        let remote = self.remotes.entry(connection.remote.ip).or_default();
        remote.spans.add(connection.opened.0, connection.closed.map_or(end, |closed| closed.0));
        remote.connections += 1;
        for name in names {
            if remote.names.len() < NAMES && !remote.names.contains(name) {
                remote.names.insert(name.to_owned());
            }
        }
        if let Some(org) = connection.place.as_ref().and_then(|place| place.org.as_ref())
            && remote.names.is_empty()
        {
            remote.names.insert(org.clone());
        }
    }

    /// The addresses that were connected for at least this share of the recorded time, the steadiest first.
    pub fn finish(self, at_least: f64) -> Vec<Steady> {
        let recorded = self.recorded.length();
        let share = |connected: u64| if recorded == 0 { 0.0 } else { connected as f64 / recorded as f64 };
        let each = self.remotes.into_iter().map(|(ip, mut remote)| {
            remote.spans.order();
            Steady {
                ip,
                share: share(remote.spans.common(&self.recorded)),
                connections: remote.connections,
                names: remote.names.into_iter().collect(),
            }
        });
        let mut steady: Vec<Steady> =
            each.filter(|remote| recorded > 0 && remote.share >= at_least).collect();
        steady.sort_by_key(|remote| (Reverse((remote.share * 1e9) as u64), remote.ip));
        steady
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans(list: &[(i64, i64)]) -> Spans {
        let mut spans = Spans::default();
        list.iter().for_each(|(from, to)| spans.add(*from, *to));
        spans.order();
        spans
    }

    proptest! {
        /// Against the plain way: every moment by itself.
        #[test]
        fn intervals_are_sets(
            one in prop::collection::vec((0..60_i64, 0..60_i64), 0..40),
            other in prop::collection::vec((0..60_i64, 0..60_i64), 0..40),
        ) {
            let within = |list: &[(i64, i64)], at: i64| list.iter().any(|(from, to)| (*from..*to).contains(&at));
            let (a, b) = (spans(&one), spans(&other));
            let count = |fits: &dyn Fn(i64) -> bool| (0..60).filter(|at| fits(*at)).count() as u64;
            prop_assert_eq!(a.length(), count(&|at| within(&one, at)));
            prop_assert_eq!(a.common(&b), count(&|at| within(&one, at) && within(&other, at)));
            prop_assert_eq!(a.without(&b).length(), count(&|at| within(&one, at) && !within(&other, at)));
        }
    }
}
