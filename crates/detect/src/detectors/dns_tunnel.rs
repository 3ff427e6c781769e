//! D9: data that leaves in questions to DNS.

use std::collections::{HashMap, HashSet};

use connmon_record::{Lookup, Timestamp, Untrusted};
use serde::{Deserialize, Serialize};

use super::Detector;
use super::dns::{asker, entropy, number_of, split};
use crate::card::Card;
use crate::draft::View;
use crate::evidence::Evidence;
use crate::finding::{Figure, Finding, Severity, Subject, Unit, Value};
use crate::findings::Findings;
use crate::settings::DAY_NS;
use crate::stats::rounded;

/// Domains and names that are remembered at most.
const DOMAINS: usize = 20_000;
const NAMES: usize = 400_000;
/// Different names below a domain, and the score from there on.
const STEPS: [(usize, f64); 3] = [(1000, 0.6), (500, 0.4), (100, 0.2)];
/// Names of one domain that are told apart.
const MOST: usize = 2000;
/// Domains below which many names are ordinary: block lists of mail servers, and content networks.
const KNOWN: [&str; 16] = [
    "spamhaus.org",
    "surbl.org",
    "uribl.com",
    "dnswl.org",
    "barracudacentral.org",
    "spamcop.net",
    "sorbs.net",
    "cymru.com",
    "mcafee.com",
    "sophosxl.net",
    "googlevideo.com",
    "cloudfront.net",
    "amazonaws.com",
    "akamaiedge.net",
    "fbcdn.net",
    "trafficmanager.net",
];

pub(crate) static CARD: Card = Card {
    code: "D9",
    name: "dns-tunnel",
    title: "Data in questions to DNS",
    does: "Looks for a domain below which a program asks for very many different names. Tunnels over DNS put data into names and \
           take answers from records of text.",
    formula: "Per process that asks (a local resolver asks for all) and registered domain, within a day: 100, 500, 1000 different \
              names below the domain score 0.2, 0.4, 0.6. Plus 0.2 if the names have 16 characters or more below the domain and 3.3 \
              bits per character or more, on average. Plus 0.2 if 30 % of the questions are for TXT, NULL, CNAME, MX or SRV. From 0.8 \
              high, from 0.6 medium, from 0.4 low, else info. Block lists of mail servers and content networks are info.",
    innocent: &[
        "mail servers ask block lists for every sender",
        "content networks, trackers and virus scanners put numbers into names",
        "a zone that is walked by an administrator",
    ],
    refuted_by: &[
        "the domain belongs to the maker of a program that is installed",
        "the names are the same on other hosts",
    ],
};

/// The state of the detector.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct DnsTunnel {
    domains: HashMap<String, Domain>,
    names: usize,
}

/// What was asked below a domain within a day.
#[derive(Default, Serialize, Deserialize)]
struct Domain {
    begun: i64,
    questions: u64,
    rare: u64,
    bytes: u64,
    length: u64,
    bits: f64,
    names: HashSet<u64>,
    told: f64,
}

impl Detector for DnsTunnel {
    fn lookup(&mut self, lookup: &Lookup, view: View<'_>, findings: &mut Findings) {
        let name = lookup.name.raw();
        let Some((domain, below)) = split(name).filter(|(_, below)| !below.is_empty()) else { return };
        let key = format!("{}\0{domain}", asker(lookup, view));
        if self.domains.len() >= DOMAINS && !self.domains.contains_key(&key) {
            self.forget_old(lookup.time);
        }
        let known =
            self.domains.entry(key).or_insert_with(|| Domain { begun: lookup.time.0, ..Domain::default() });
        if lookup.time.0.saturating_sub(known.begun) > DAY_NS {
            self.names -= known.names.len();
            *known = Domain { begun: lookup.time.0, ..Domain::default() };
        }
        known.questions += 1;
        known.bytes += name.len() as u64;
        known.rare += u64::from(["TXT", "NULL", "CNAME", "MX", "SRV"].contains(&lookup.kind.raw()));
        if known.names.len() < MOST && self.names < NAMES && known.names.insert(number_of(below)) {
            self.names += 1;
            known.length += below.len() as u64;
            known.bits += entropy(below);
        }
        let score = known.score();
        if score > known.told {
            known.told = score;
            known.tell(lookup, domain, score, view, findings);
        }
    }
}

impl DnsTunnel {
    /// Forgets domains that were begun a day ago, else all: a flood of domains is no tunnel.
    fn forget_old(&mut self, now: Timestamp) {
        self.domains
            .retain(|_, domain| now.0.saturating_sub(domain.begun) <= DAY_NS && domain.names.len() >= 100);
        if self.domains.len() >= DOMAINS {
            self.domains.clear();
        }
        self.names = self.domains.values().map(|domain| domain.names.len()).sum();
    }
}

impl Domain {
    /// The length and the bits of a name below the domain, on average.
    fn averages(&self) -> [f64; 2] {
        let names = self.names.len().max(1) as f64;
        [self.length as f64 / names, self.bits / names]
    }

    fn rare_share(&self) -> f64 {
        self.rare as f64 / self.questions.max(1) as f64
    }

    fn score(&self) -> f64 {
        let Some((_, step)) = STEPS.iter().find(|(names, _)| self.names.len() >= *names) else { return 0.0 };
        let [length, bits] = self.averages();
        let dense = if length >= 16.0 && bits >= 3.3 { 0.2 } else { 0.0 };
        let rare = if self.rare_share() >= 0.3 { 0.2 } else { 0.0 };
        rounded(step + dense + rare)
    }

    fn tell(&self, lookup: &Lookup, domain: &str, score: f64, view: View<'_>, findings: &mut Findings) {
        let [length, bits] = self.averages();
        let domain = Untrusted::from(domain);
        let process = lookup.process.as_deref();
        let subject = Subject {
            exe: process.map(|process| process.exe.clone()).unwrap_or_default(),
            comm: process.map(|process| process.comm.clone()).unwrap_or_default(),
            host: Some(domain.clone()),
            ..Subject::default()
        };
        let id = Finding::id_of(CARD.code, "", [asker(lookup, view), domain.raw()]);
        // Questions are no connections: the filter shows those with the server that was asked.
        let evidence = Evidence::default().address(lookup.server.ip).word("port:53,853");
        let mut finding = view.about(&CARD, "", id, subject, evidence);
        let (program, _) = finding.subject.words();
        let program = if program.is_empty() { "an unknown process".to_owned() } else { program };
        finding.what =
            format!("{program} asked for {} names below {} within a day", self.names.len(), domain.raw())
                .into();
        finding.severity = match score {
            s if s >= 0.8 => Severity::High,
            s if s >= 0.6 => Severity::Medium,
            s if s >= 0.4 => Severity::Low,
            _ => Severity::Info,
        };
        if KNOWN.contains(&domain.raw()) {
            finding.severity = Severity::Info;
            finding.context.push("a domain below which many names are ordinary".into());
        }
        finding.score = score;
        (finding.first, finding.last) = (Timestamp(self.begun), lookup.time);
        finding.connections = self.questions;
        finding.figures = vec![
            Figure::score("score", score),
            Figure::count("names", self.names.len() as u64),
            Figure::count("questions", self.questions),
            Figure { name: "length".into(), value: Value::Number(rounded(length), Unit::Measure) },
            Figure { name: "bits_per_character".into(), value: Value::Number(rounded(bits), Unit::Measure) },
            Figure::score("rare_types", rounded(self.rare_share())),
            Figure { name: "bytes_in_names".into(), value: Value::Number(self.bytes as f64, Unit::Bytes) },
        ];
        findings.put(finding);
    }
}
