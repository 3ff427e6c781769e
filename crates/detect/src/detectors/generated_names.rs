//! D10: bursts of names that a program made up.

use std::collections::{HashMap, VecDeque};

use connmon_record::{Lookup, Timestamp, Untrusted};
use serde::{Deserialize, Serialize};

use super::Detector;
use super::dns::{asker, looks_random, number_of, split};
use crate::card::Card;
use crate::draft::View;
use crate::evidence::Evidence;
use crate::finding::{Figure, Finding, Severity, Subject};
use crate::findings::Findings;

/// The window, nanoseconds.
const WINDOW: i64 = 600_000_000_000;
/// Different domains within the window that make a burst, and a large one.
const BURST: usize = 20;
const LARGE: usize = 60;
/// Names that are remembered of a program, and programs.
const MOST: usize = 512;
const PROGRAMS: usize = 4096;

pub(crate) static CARD: Card = Card {
    code: "D10",
    name: "generated-names",
    title: "Names that do not exist and look made up",
    does: "Looks for a program that asks for many domains that do not exist and look random, as malware does that tries one domain \
           after another until its owner has registered one.",
    formula: "Per process that asks, within 10 minutes: different registered domains whose answer was NXDOMAIN and whose first part \
              looks random: 8 characters or more, and vowels below a fifth of the letters, or 5 consonants in a row, or 3 digits among \
              letters. 20: medium; 60: high. Score: domains/100. Names of one part and of the local network do not count.",
    innocent: &[
        "browsers try a few random names to find out whether their network answers for names that do not exist",
        "mail servers and virus scanners look up domains that strangers sent",
        "a domain with a random name was given up, and a program still asks for it: then it is always the same",
    ],
    refuted_by: &[
        "the names are those of a program's own service",
        "the names come from mail or logs that are being checked",
    ],
};

/// The state of the detector.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct GeneratedNames {
    programs: HashMap<String, VecDeque<(i64, u64)>>,
}

impl Detector for GeneratedNames {
    fn lookup(&mut self, lookup: &Lookup, view: View<'_>, findings: &mut Findings) {
        if lookup.code.as_ref().is_none_or(|code| !code.raw().eq_ignore_ascii_case("nxdomain")) {
            return;
        }
        let Some((domain, _)) = split(lookup.name.raw()) else { return };
        if !looks_random(domain.split('.').next().unwrap_or_default()) {
            return;
        }
        let asker = asker(lookup, view);
        if self.programs.len() >= PROGRAMS && !self.programs.contains_key(asker) {
            let now = lookup.time.0;
            let is_recent = |names: &VecDeque<(i64, u64)>| {
                names.back().is_some_and(|(time, _)| now.saturating_sub(*time) <= WINDOW)
            };
            self.programs.retain(|_, names| is_recent(names));
            if self.programs.len() >= PROGRAMS {
                return;
            }
        }
        let names = self.programs.entry(asker.to_owned()).or_default();
        names.retain(|(time, _)| lookup.time.0.saturating_sub(*time) <= WINDOW);
        let number = number_of(domain);
        if names.len() >= MOST || names.iter().any(|(_, known)| *known == number) {
            return;
        }
        names.push_back((lookup.time.0, number));
        // Told as it begins, and each time that it has grown by a quarter of a burst.
        if names.len() >= BURST && names.len().is_multiple_of(BURST / 4) {
            tell(lookup, names, domain, view, findings);
        }
    }
}

fn tell(
    lookup: &Lookup,
    names: &VecDeque<(i64, u64)>,
    domain: &str,
    view: View<'_>,
    findings: &mut Findings,
) {
    let process = lookup.process.as_deref();
    let subject = Subject {
        exe: process.map(|process| process.exe.clone()).unwrap_or_default(),
        comm: process.map(|process| process.comm.clone()).unwrap_or_default(),
        ..Subject::default()
    };
    let id = Finding::id_of(CARD.code, "", [asker(lookup, view)]);
    let evidence = Evidence::default().address(lookup.server.ip).word("port:53,853");
    let mut finding = view.about(&CARD, "", id, subject, evidence);
    let (program, _) = finding.subject.words();
    let program = if program.is_empty() { "an unknown process".to_owned() } else { program };
    let n = names.len();
    finding.what =
        format!("{program} asked for {n} domains within 10 minutes that do not exist and look made up")
            .into();
    finding.severity = if n >= LARGE { Severity::High } else { Severity::Medium };
    finding.score = (n as f64 / 100.0).min(1.0);
    finding.connections = n as u64;
    let first = names.front().map_or(lookup.time, |(time, _)| Timestamp(*time));
    (finding.first, finding.last) = (first, lookup.time);
    finding.figures =
        vec![Figure::count("domains", n as u64), Figure::text("for_example", Untrusted::from(domain))];
    findings.put(finding);
}
