//! Which parts of the window no recording covers.

use std::collections::BTreeMap;

use crate::model::{Gap, Run, Timestamp};
use crate::summary::selection::{Selection, Window, end_of};

/// The gaps that recordings report, cut to the window, and the times in it when none was running.
pub(super) fn gaps(runs: &[Run], window: Window, selection: &Selection) -> Vec<Gap> {
    let mut hosts: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        hosts.entry(&run.host).or_default().push(run);
    }
    let several = hosts.len() > 1;
    let mut gaps = Vec::new();
    for (host, runs) in hosts {
        let of_host = |reason: &str| if several { format!("{host}: {reason}") } else { reason.to_owned() };
        let reported: Vec<&Gap> = runs.iter().flat_map(|run| &run.gaps).collect();
        let told = reported.iter().filter_map(|gap| {
            let (from, to) = (gap.from.max(window.from), gap.to.min(window.to));
            (from < to).then(|| Gap { from, to, reason: of_host(&gap.reason) })
        });
        gaps.extend(told);

        // A question about a time before or after the recordings is answered by nothing, too.
        let from = selection.since.unwrap_or(window.from).min(window.from);
        let to = selection.until.unwrap_or(window.to).max(window.to);
        let mut covered: Vec<(Timestamp, Timestamp)> =
            runs.iter().map(|run| (run.started, end_of(run))).collect();
        covered.extend(reported.iter().map(|gap| (gap.from, gap.to)));
        covered.sort_unstable();
        let mut until = from;
        covered.push((to, to));
        for (start, end) in covered {
            let start = start.min(to);
            if until < start {
                gaps.push(Gap { from: until, to: start, reason: of_host("no recording was running") });
            }
            until = until.max(end);
        }
    }
    gaps.sort_by(|a, b| (a.from, a.to, &a.reason).cmp(&(b.from, b.to, &b.reason)));
    gaps.dedup();
    gaps
}
