//! The findings of an engine: each once, with what changed since somebody took the changes.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::finding::{Acknowledgement, Finding};

/// What has become of findings since somebody took this last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Findings that are not as they were; whether that is news: it is new, more or less severe, or somebody has seen it.
    pub findings: Vec<(Finding, bool)>,
    /// The ids of those that are none any more.
    pub gone: BTreeSet<String>,
}

impl Changes {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.gone.is_empty()
    }
}

/// All findings, in the order in which they were made.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Findings {
    all: Vec<Kept>,
    #[serde(skip)]
    places: HashMap<String, usize>,
    /// Acknowledgements of findings that are not there yet.
    waiting: HashMap<String, Acknowledgement>,
    most: usize,
    /// Ids of findings that are none any more, or had no room.
    gone: BTreeSet<String>,
    /// Findings that had no room.
    pub(crate) omitted: u64,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    finding: Finding,
    changed: bool,
    news: bool,
}

impl Findings {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Adds a finding, or what is known of it now. The first and the last time of what was known before stay.
    pub(crate) fn put(&mut self, mut finding: Finding) {
        if let Some(place) = self.places.get(&finding.id) {
            let kept = &mut self.all[*place];
            let old = &kept.finding;
            finding.first = finding.first.min(old.first);
            finding.last = finding.last.max(old.last);
            finding.acknowledged =
                old.acknowledged.clone().filter(|known| !finding.is_beyond(known.severity, known.score));
            let more = finding.severity != old.severity || (finding.score - old.score).abs() > 0.05;
            kept.news |= more || finding.acknowledged != old.acknowledged;
            kept.changed |= kept.news || finding != *old;
            kept.finding = finding;
            return;
        }
        if self.all.len() >= self.most && !self.make_room(&finding) {
            self.omitted += 1;
            return;
        }
        let known = self.waiting.remove(&finding.id);
        finding.acknowledged = known.filter(|known| !finding.is_beyond(known.severity, known.score));
        self.gone.remove(&finding.id);
        self.places.insert(finding.id.clone(), self.all.len());
        self.all.push(Kept { finding, changed: true, news: true });
    }

    /// Takes away the least of all findings if the new one is more.
    fn make_room(&mut self, finding: &Finding) -> bool {
        let least = self
            .all
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| rank(&a.finding).total_cmp(&rank(&b.finding)));
        let Some((place, least)) = least else { return false };
        if rank(&least.finding) >= rank(finding) {
            return false;
        }
        self.omitted += 1;
        self.gone.insert(self.all.remove(place).finding.id);
        self.make_places();
        true
    }

    /// Takes back a finding that turned out to be none.
    pub(crate) fn withdraw(&mut self, id: &str) {
        if let Some(place) = self.places.get(id).copied() {
            self.gone.insert(self.all.remove(place).finding.id);
            self.make_places();
        }
    }

    /// Says who has seen a finding; whether it is there.
    pub(crate) fn acknowledge(&mut self, id: &str, known: Acknowledgement) -> bool {
        let Some(place) = self.places.get(id) else {
            self.waiting.insert(id.to_owned(), known);
            return false;
        };
        let kept = &mut self.all[*place];
        (kept.changed, kept.news) = (true, true);
        kept.finding.acknowledged =
            Some(known).filter(|known| !kept.finding.is_beyond(known.severity, known.score));
        true
    }

    /// All, the most severe first.
    pub(crate) fn ranked(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> = self.all.iter().map(|kept| &kept.finding).collect();
        all.sort_by(|a, b| by_rank(a, b));
        all
    }

    /// What has changed since this was last called.
    pub(crate) fn take(&mut self) -> Changes {
        let taken = self.all.iter_mut().filter_map(|kept| {
            let news = std::mem::take(&mut kept.news);
            std::mem::take(&mut kept.changed).then(|| (kept.finding.clone(), news))
        });
        Changes { findings: taken.collect(), gone: std::mem::take(&mut self.gone) }
    }

    /// Notes where each is, which a state does not have.
    pub(crate) fn make_places(&mut self) {
        let ids = self.all.iter().map(|kept| kept.finding.id.clone());
        self.places = ids.zip(0..).collect();
    }
}

/// The order in which findings are told: those that nobody has acknowledged first, and of these the most severe.
pub fn by_rank(a: &Finding, b: &Finding) -> Ordering {
    let known = a.acknowledged.is_some().cmp(&b.acknowledged.is_some());
    known.then(rank(b).total_cmp(&rank(a))).then(b.last.cmp(&a.last)).then(a.id.cmp(&b.id))
}

/// What a finding is sorted by.
fn rank(finding: &Finding) -> f64 {
    f64::from(finding.severity as u8) + finding.score.clamp(0.0, 1.0) / 2.0
}
