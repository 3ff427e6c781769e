//! The parts of the requested time that were recorded.

use std::collections::BTreeMap;

use crate::selection::{Selection, Window};
use crate::spans::Spans;
use connmon_record::{Gap, Run, Timestamp, Untrusted};

/// Why there is no record of the future.
pub(super) const AHEAD: &str = "that time was still in the future when this was asked";

/// The time that was asked for, in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// All of it; `None` without any recording.
    pub asked: Option<Window>,
    /// The recorded parts, oldest first.
    pub recorded: Vec<Window>,
    /// The parts that were not recorded, with the reasons, oldest first.
    pub gaps: Vec<Gap>,
}

impl Coverage {
    /// The parts of `asked` that these recordings cover.
    pub(super) fn from_runs(runs: &[Run], asked: Option<Window>, selection: &Selection) -> Self {
        let Some(window) = asked else { return Self::default() };
        // What is recorded is not in the future, though it may have been recorded after this was asked, or by a clock that was ahead.
        let known = runs.iter().map(Run::known_end).max();
        let now = selection.now.unwrap_or(Timestamp(i64::MAX)).max(known.unwrap_or(Timestamp(i64::MIN)));
        let mut hosts: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
        for run in runs {
            hosts.entry(run.host.raw()).or_default().push(run);
        }
        let several = hosts.len() > 1;
        let (mut recorded, mut lost) = (Spans::default(), Spans::default());
        let mut gaps = Vec::new();
        for (host, runs) in hosts {
            let of_host = |reason: &str| {
                Untrusted::from(if several { format!("{host}: {reason}") } else { reason.to_owned() })
            };
            let reported = || runs.iter().flat_map(|run| &run.gaps);
            gaps.extend(reported().filter_map(|gap| {
                let (from, to) = (gap.from.max(window.from), gap.to.min(window.to));
                (from < to).then(|| Gap { from, to, reason: of_host(gap.reason.raw()) })
            }));
            reported().for_each(|gap| lost.add(gap.from.0, gap.to.0));
            let spans = || runs.iter().flat_map(|run| run.spans(reach(run, selection)));
            spans().for_each(|(from, to)| recorded.add(from.max(window.from).0, to.min(window.to).0));
            let skipped = runs.iter().flat_map(|run| run.skipped());
            let known = spans().chain(reported().map(|gap| (gap.from, gap.to))).chain(skipped);
            gaps.extend(uncovered(known, window.from, window.to.min(now)).map(|(from, to)| Gap {
                from,
                to,
                reason: of_host(reason(&runs, from)),
            }));
        }
        let ahead = window.from.max(now);
        if ahead < window.to {
            gaps.push(Gap { from: ahead, to: window.to, reason: AHEAD.into() });
        }
        gaps.sort_by(|a, b| (a.from, a.to, &a.reason).cmp(&(b.from, b.to, &b.reason)));
        gaps.dedup();
        recorded.order();
        lost.order();
        let recorded = recorded.without(&lost);
        let recorded = recorded.iter().map(|(from, to)| Window { from: Timestamp(from), to: Timestamp(to) });
        Self { asked, recorded: recorded.collect(), gaps }
    }
}

/// Up to when a recording covers the time. One that goes on covers it up to now: what is not written yet, will be.
fn reach(run: &Run, selection: &Selection) -> Timestamp {
    let end = run.known_end();
    if run.going_on { selection.now.map_or(end, |now| now.max(end)) } else { end }
}

/// The parts of the time between two moments that are in none of these intervals.
fn uncovered(
    covered: impl Iterator<Item = (Timestamp, Timestamp)>,
    from: Timestamp,
    to: Timestamp,
) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    let (mut spans, mut holes) = (Spans::default(), Spans::default());
    spans.add(from.0, to.0);
    covered.for_each(|(from, to)| holes.add(from.0, to.0));
    holes.order();
    let left: Vec<_> = spans.without(&holes).iter().collect();
    left.into_iter().map(|(from, to)| (Timestamp(from), Timestamp(to)))
}

/// Why nothing was recorded from a moment on.
fn reason(runs: &[&Run], from: Timestamp) -> &'static str {
    match Run::newest(runs.iter().copied().filter(|run| run.started <= from)) {
        Some(run) if run.ended.is_none() && !run.going_on => {
            "the recording before did not end in order (crash, kill or power loss)"
        }
        _ => "no recording was running",
    }
}
