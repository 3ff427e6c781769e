//! Findings that say the same of the same program, as one.

use std::collections::HashMap;

use connmon_record::{Timestamp, Untrusted};

use crate::evidence::Evidence;
use crate::finding::{Finding, Severity};

/// So many of a kind are folded.
const LEAST: usize = 4;
/// So many filters are joined into one; of more findings the filter selects all connections of the program.
const JOINED: usize = 8;

/// A finding, with others of the same kind, severity and program.
#[derive(Clone, Debug)]
pub struct Folded<'a> {
    /// The first of them.
    pub first: &'a Finding,
    /// The others, in their order.
    pub others: Vec<&'a Finding>,
}

/// Folds findings of which there are many of a kind, in the order of the first of each.
pub fn fold<'a>(findings: impl IntoIterator<Item = &'a Finding> + Clone) -> Vec<Folded<'a>> {
    let mut counts: HashMap<Kind<'a>, usize> = HashMap::new();
    for kind in findings.clone().into_iter().filter_map(Kind::of_finding) {
        *counts.entry(kind).or_default() += 1;
    }
    counts.retain(|_, count| *count >= LEAST);
    let mut folded: Vec<Folded<'a>> = Vec::new();
    let mut places: HashMap<Kind<'a>, usize> = HashMap::new();
    for finding in findings {
        let kind = Kind::of_finding(finding).filter(|kind| counts.contains_key(kind));
        let place = kind.map(|kind| *places.entry(kind).or_insert(folded.len()));
        match place.and_then(|place| folded.get_mut(place)) {
            Some(known) => known.others.push(finding),
            None => folded.push(Folded { first: finding, others: Vec::new() }),
        }
    }
    folded
}

/// What findings that are folded have in common.
#[derive(PartialEq, Eq, Hash)]
struct Kind<'a> {
    detector: &'a str,
    aspect: &'a str,
    severity: Severity,
    acknowledged: bool,
    program: &'a str,
}

impl<'a> Kind<'a> {
    /// The kind of a finding; none where it is about no program.
    fn of_finding(finding: &'a Finding) -> Option<Self> {
        let subject = &finding.subject;
        let named = [subject.exe.raw(), subject.comm.raw()].into_iter().find(|name| !name.is_empty());
        Some(Self {
            detector: &finding.detector,
            aspect: &finding.aspect,
            severity: finding.severity,
            acknowledged: finding.acknowledged.is_some(),
            program: subject.sha256.as_deref().or(named)?,
        })
    }
}

impl Folded<'_> {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Finding> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// The number of all their connections, as far as these were counted.
    pub fn connections(&self) -> u64 {
        self.all().fold(0, |sum, finding| sum.saturating_add(finding.connections))
    }

    /// When the first connection was opened, and when the last was seen.
    pub fn seen(&self) -> (Timestamp, Timestamp) {
        let [mut first, mut last] = [self.first.first, self.first.last];
        for finding in &self.others {
            (first, last) = (first.min(finding.first), last.max(finding.last));
        }
        (first, last)
    }

    /// The filter that selects the connections of all, or where these are many, those of the program.
    pub fn evidence(&self) -> Untrusted {
        if self.others.is_empty() {
            return self.first.evidence.clone();
        }
        if self.others.len() >= JOINED {
            return Evidence::of_subject(&self.first.subject).into_filter();
        }
        let each: Vec<String> = self.all().map(|finding| format!("({})", finding.evidence.raw())).collect();
        each.join(" or ").into()
    }
}

#[cfg(test)]
mod tests {
    use connmon_filter::Filter;
    use connmon_record::Timestamp;

    use super::*;
    use crate::finding::Subject;

    fn finding(exe: &str, host: &str, severity: Severity) -> Finding {
        let subject = Subject { exe: exe.into(), host: Some(host.into()), ..Subject::default() };
        let evidence = Evidence::of_subject(&subject).text::<String>("host=", &host.into());
        Finding {
            severity,
            connections: 2,
            first: Timestamp(host.len() as i64),
            last: Timestamp(10 + host.len() as i64),
            ..Finding::new("D3", "destination", subject, evidence.into_filter())
        }
    }

    #[test]
    fn the_same_of_a_program_is_one() {
        let names: Vec<String> = (1..=12).map(|n| "x".repeat(n)).collect();
        let mut all: Vec<Finding> =
            names.iter().map(|name| finding("/usr/bin/a", name, Severity::Info)).collect();
        all.insert(1, finding("/usr/bin/b", "y", Severity::Info));
        all.insert(0, finding("/usr/bin/a", "z", Severity::Low));
        all.push(finding("", "w", Severity::Info));
        all.push(finding("", "v", Severity::Info));
        let folded = fold(&all);
        let sizes: Vec<usize> = folded.iter().map(|one| 1 + one.others.len()).collect();
        assert_eq!(sizes, [1, 12, 1, 1, 1], "not across severities or programs, and not without a program");
        let many = &folded[1];
        assert_eq!((many.connections(), many.seen()), (24, (Timestamp(1), Timestamp(22))));
        assert_eq!(many.evidence(), "exe=\"/usr/bin/a\"");
        assert_eq!(fold(&all[3..6]).len(), 3, "few are listed each");
        let few = fold(&all[3..7]);
        let filter = few[0].evidence();
        assert_eq!(few.len(), 1);
        let of = |host: &str| format!("(exe=\"/usr/bin/a\" host=\"{host}\")");
        assert_eq!(filter, [of("xx"), of("xxx"), of("xxxx"), of("xxxxx")].join(" or ").as_str());
        assert!(Filter::parse(filter.raw(), Timestamp(0)).is_ok());
    }
}
