//! Two summaries side by side: what is new, what is gone, what has grown.

use std::collections::BTreeMap;

use super::{Completeness, GroupFigures, HostInternal, Summary, Verdict, Window};
use connmon_record::{Service, Untrusted, country_of};

/// Grown is what has at least so many times the bytes,
const TIMES: u64 = 2;
/// and at least so many bytes more.
const MORE: u64 = 1 << 20;

/// The change of something from the first summary to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Only in the second.
    New,
    /// In both, with far more bytes in the second.
    Grown,
    /// Only in the first.
    Gone,
}

impl Change {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Grown => "grown",
            Self::Gone => "gone",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The change.
    pub change: Change,
    /// The name of the thing compared. It can be captured text.
    pub name: String,
    /// In the first.
    pub before: GroupFigures,
    /// In the second.
    pub after: GroupFigures,
}

/// The differences of one kind of thing.
#[derive(Clone, Debug)]
pub struct Section {
    /// The kind of the things compared.
    pub title: &'static str,
    /// New ones first, then what has grown, then what is gone; most bytes first.
    pub differences: Vec<Difference>,
    /// The number of things that are in both summaries and have not grown.
    pub same: usize,
}

/// Two summaries side by side.
#[derive(Clone, Debug)]
pub struct SummaryComparison {
    /// The time of each.
    pub windows: [Option<Window>; 2],
    /// The figures of each.
    pub totals: [GroupFigures; 2],
    /// Traffic that these figures contain twice.
    pub own: [HostInternal; 2],
    /// The parts that each summary lacks, which tell whether absence from it proves anything.
    pub completeness: [Completeness; 2],
    /// The differences.
    pub sections: Vec<Section>,
}

impl SummaryComparison {
    /// The changes from the first summary to the second.
    pub fn between(before: &Summary, after: &Summary) -> Self {
        let section =
            |title, of: &dyn Fn(&Summary) -> NamedTotals| Section::new(title, of(before), of(after));
        let mut remotes = section("Remote addresses", &remotes);
        // An address is the same with another name, or with none.
        let mut places: BTreeMap<String, usize> =
            (0..).zip(&remotes.differences).map(|(place, one)| (one.name.clone(), place)).collect();
        for row in [after, before].iter().flat_map(|side| side.remotes.iter()) {
            if let Some(name) = row.name()
                && let Some(place) = places.remove(&row.ip.to_string())
            {
                let one = &mut remotes.differences[place];
                one.name = format!("{} {}", one.name, name.raw());
            }
        }
        Self {
            windows: [time(before), time(after)],
            totals: [before.totals.figures, after.totals.figures],
            own: [before.totals.own, after.totals.own],
            completeness: [before, after].map(|side| side.completeness.clone()),
            sections: vec![
                section("Programs", &programs),
                remotes,
                section("Countries", &countries),
                section("Services", &services),
            ],
        }
    }
}

/// The time that was recorded of a side; of one that was not, the time that was asked for.
fn time(side: &Summary) -> Option<Window> {
    let nothing = side.completeness.verdict == Verdict::Nothing;
    side.completeness.coverage.asked.filter(|_| nothing).or(side.window)
}

type NamedTotals = BTreeMap<String, GroupFigures>;

fn named(rows: impl Iterator<Item = (String, GroupFigures)>) -> NamedTotals {
    let mut all = NamedTotals::new();
    for (name, figures) in rows {
        *all.entry(name).or_default() += figures;
    }
    all
}

fn programs(summary: &Summary) -> NamedTotals {
    let name =
        |comm: &Untrusted, exe: &Untrusted| if exe.is_empty() { comm.raw() } else { exe.raw() }.to_owned();
    named(summary.processes.iter().map(|row| (name(&row.program.comm, &row.program.exe), row.figures)))
}

fn remotes(summary: &Summary) -> NamedTotals {
    named(summary.remotes.iter().map(|row| (row.ip.to_string(), row.figures)))
}

fn countries(summary: &Summary) -> NamedTotals {
    let name = |code: &str| country_of(code).map_or(code, |country| country.name).to_owned();
    named(
        summary.countries.iter().map(|row| (row.code.as_deref().map_or("unknown".into(), name), row.figures)),
    )
}

fn services(summary: &Summary) -> NamedTotals {
    named(summary.services.iter().map(|row| {
        let name = Service::name_of(row.proto, row.port).unwrap_or_default();
        (format!("{}/{} {name}", row.port, row.proto).trim_end().to_owned(), row.figures)
    }))
}

impl Section {
    fn new(title: &'static str, before: NamedTotals, mut after: NamedTotals) -> Self {
        let (mut differences, mut same) = (Vec::new(), 0);
        for (name, before) in before {
            let now = after.remove(&name);
            let change = match now {
                None => Change::Gone,
                Some(now) if has_grown(before.bytes(), now.bytes()) => Change::Grown,
                Some(_) => {
                    same += 1;
                    continue;
                }
            };
            differences.push(Difference { change, name, before, after: now.unwrap_or_default() });
        }
        differences.extend(after.into_iter().map(|(name, after)| Difference {
            change: Change::New,
            name,
            before: GroupFigures::default(),
            after,
        }));
        differences.sort_by_key(|one| {
            (one.change, std::cmp::Reverse(one.after.bytes().max(one.before.bytes())), one.name.clone())
        });
        Self { title, differences, same }
    }
}

fn has_grown(before: u64, after: u64) -> bool {
    after >= before.saturating_mul(TIMES) && after.saturating_sub(before) >= MORE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize as summary;
    use connmon_fixtures::{connection, process, run};
    use connmon_record::{Name, NameSource};

    #[test]
    fn what_is_new_gone_and_grown() {
        let [curl, wget, ssh] = ["curl", "wget", "ssh"].map(|name| process(name.len() as u32, 1, name));
        let here = connection(4, 0, &curl, "127.0.0.1:443", 1, 1);
        let mut unnamed = connection(3, 0, &curl, "9.9.9.10:443", 1, 1);
        let before = summary(
            vec![run(1, 0)],
            [
                (1, unnamed.clone()),
                (1, here.clone()),
                (1, connection(1, 0, &curl, "8.8.8.8:443", 10, 10)),
                (1, connection(2, 0, &wget, "1.1.1.1:80", 5, 5)),
            ],
        );
        // What has a name now is not new, and is not gone without one.
        let name = "dns.example".to_owned();
        unnamed.names =
            vec![Name { name: name.into(), source: NameSource::Dns, process: None, time: unnamed.opened }];
        let after = summary(
            vec![run(1, 0)],
            [
                (1, unnamed),
                (1, here),
                (1, connection(1, 0, &curl, "8.8.8.8:443", 10, 3 << 20)),
                (1, connection(2, 0, &ssh, "9.9.9.9:22", 5, 5)),
            ],
        );
        let comparison = SummaryComparison::between(&before, &after);
        let changes = |title: &str| -> Vec<(Change, String)> {
            let section = comparison.sections.iter().find(|section| section.title == title).unwrap();
            section.differences.iter().map(|one| (one.change, one.name.clone())).collect()
        };
        let expected = [(Change::New, "9.9.9.9"), (Change::Grown, "8.8.8.8"), (Change::Gone, "1.1.1.1")];
        assert_eq!(changes("Remote addresses"), expected.map(|(change, name)| (change, name.to_owned())));
        assert_eq!(changes("Services").len(), 3);
        assert_eq!(comparison.sections[0].same, 0);
        assert_eq!(comparison.own.map(|own| own.connections), [1, 1]);
    }
}
