//! D11: patterns of failed connections: scans, retries without end, black holes.

use std::net::IpAddr;

use connmon_record::{AddressKind, Direction, End, Timestamp};
use serde::{Deserialize, Serialize};

use super::per_group::PerPlace;
use super::{Detector, Seen};
use crate::card::Card;
use crate::event::Moment;
use crate::finding::{Figure, Finding, Severity};
use crate::findings::Findings;
use crate::program::Trust;
use crate::world::Moved;

/// Failures of a program that count together, nanoseconds.
const WINDOW: i64 = 600_000_000_000;
/// Different ports of a host, and different hosts, that make a scan.
const PORTS: usize = 20;
const HOSTS: usize = 20;
/// Failures to one destination within the window that make a retry loop, and timeouts that make a black hole.
const RETRIES: u32 = 60;
const TIMEOUTS: u32 = 10;
/// Failures that are remembered for each program.
const MOST: usize = 256;

pub(crate) static CARD: Card = Card {
    code: "D11",
    name: "failures",
    title: "Patterns of failed connections",
    does: "Looks at connections of a program that were refused, timed out or found no route: many ports of one host (a port scan), \
           many hosts (a sweep), the same destination again and again (a retry loop), and a destination that never answers (a black \
           hole).",
    formula: "Within 10 minutes: 20 different ports of one host refused or timed out: port scan, medium or higher. 20 different hosts \
              refused or timed out on the same port: sweep; the severity is that of the program. 60 failures to the same address and \
              port: retry loop, info, or low for a program of no package. 10 timeouts or unreachable to the same address and port, and \
              no success: black hole, as a retry loop.",
    innocent: &[
        "a monitoring or inventory program of your own, or an administrator with nmap",
        "file sharing and games, which try many peers",
        "a service that is down, or a firewall that drops packets",
        "this host had no network for a while",
    ],
    refuted_by: &[
        "the scan was ordered, and its time and its targets agree",
        "the destination answers other hosts",
    ],
};

/// The state of the detector.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Failures {
    programs: PerPlace<Option<Box<Failed>>>,
}

/// Failures of a program.
#[derive(Default, Serialize, Deserialize)]
struct Failed {
    /// The latest, oldest first.
    latest: std::collections::VecDeque<Attempt>,
    /// Failures until it is looked at again.
    wait: u32,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Attempt {
    time: i64,
    ip: IpAddr,
    port: u16,
    /// The other end, or a host on the way, said nothing at all.
    silent: bool,
    /// It was neither refused nor timed out.
    local: bool,
}

impl Detector for Failures {
    fn connection(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        let connection = seen.connection;
        if seen.moment != Moment::Ended || connection.direction == Direction::In {
            return;
        }
        if !connection.has_failed() {
            return;
        }
        let end = connection.end.unwrap_or(End::Unseen);
        let attempt = Attempt {
            time: seen.time.0,
            ip: connection.remote.ip,
            port: connection.remote.port,
            silent: matches!(end, End::Timeout | End::Unreachable),
            local: !matches!(end, End::Timeout | End::Refused | End::Reset),
        };
        let failed = self.programs.at(seen.place.program).get_or_insert_default();
        failed.latest.push_back(attempt);
        while failed.latest.len() > MOST
            || failed.latest.front().is_some_and(|first| seen.time.0.saturating_sub(first.time) > WINDOW)
        {
            failed.latest.pop_front();
        }
        failed.wait = failed.wait.saturating_sub(1);
        if failed.wait == 0 {
            failed.wait = (failed.latest.len() as u32 / 8).max(1);
            failed.look(seen, &attempt, findings);
        }
    }

    fn forget(&mut self, moved: &Moved) {
        self.programs.forget(&moved.programs, drop);
    }
}

impl Failed {
    fn look(&self, seen: &Seen<'_>, last: &Attempt, findings: &mut Findings) {
        let all = || self.latest.iter();
        let scanned = distinct(all().filter(|one| one.ip == last.ip && !one.local).map(|one| one.port));
        if scanned >= PORTS {
            let mut finding = self.begin(seen, "scan", &[last.ip.to_string()]);
            let (program, _) = finding.subject.words();
            finding.what =
                format!("{program} failed to connect to {scanned} ports of {} within 10 minutes", last.ip)
                    .into();
            finding.subject.address = Some(last.ip);
            finding.severity = finding.severity.max(Severity::Medium);
            finding.figures.push(Figure::count("ports", scanned as u64));
            self.put(finding, &format!(" ip:{}", last.ip), scanned as f64 / 200.0, findings);
        }
        let swept = distinct(all().filter(|one| one.port == last.port && !one.local).map(|one| one.ip));
        if swept >= HOSTS {
            let mut finding = self.begin(seen, "sweep", &[last.port.to_string()]);
            let (program, _) = finding.subject.words();
            finding.what = format!(
                "{program} failed to connect to {swept} hosts on port {} within 10 minutes",
                last.port
            )
            .into();
            finding.figures.push(Figure::count("hosts", swept as u64));
            self.put(finding, &format!(" port:{}", last.port), swept as f64 / 200.0, findings);
        }
        let same = || all().filter(|one| one.ip == last.ip && one.port == last.port);
        let (times, silent) = (same().count() as u32, same().filter(|one| one.silent).count() as u32);
        let aspect = if times >= RETRIES {
            "retries"
        } else if silent >= TIMEOUTS && silent == times {
            "silence"
        } else {
            return;
        };
        let at = connmon_record::Endpoint::new(last.ip, last.port);
        let mut finding = self.begin(seen, aspect, &[at.to_string()]);
        let (program, _) = finding.subject.words();
        let words =
            if aspect == "retries" { "failed again and again to reach" } else { "never got an answer from" };
        finding.what = format!("{program} {words} {at}: {times} times within 10 minutes").into();
        finding.subject.address = Some(last.ip);
        let most = if seen.view.world.trust(seen.group()) >= Trust::Unowned {
            Severity::Low
        } else {
            Severity::Info
        };
        finding.severity = finding.severity.min(most);
        finding.figures.push(Figure::count("failures", times));
        finding.figures.push(Figure::count("without_answer", silent));
        self.put(finding, &format!(" ip:{} port:{}", last.ip, last.port), f64::from(times) / 500.0, findings);
    }

    /// A finding about the program and this part of the key.
    fn begin(&self, seen: &Seen<'_>, aspect: &'static str, key: &[String]) -> Finding {
        let program = seen.program();
        let mut finding = seen.view.about_program(&CARD, aspect, program);
        let parts = [program.key()].into_iter().chain(key.iter().map(String::as_str));
        finding.id = Finding::id_of(CARD.code, aspect, parts);
        let mut concern = seen.view.concern(seen.group());
        if AddressKind::of_address(seen.connection.remote.ip) == AddressKind::Private && aspect == "sweep" {
            // Not less for being the own network: that is where a sweep looks.
            concern.add(1, "the hosts are of the own network");
        }
        finding.severity = Severity::above_info(concern.steps);
        finding.context = concern.words;
        finding
    }

    fn put(&self, mut finding: Finding, evidence: &str, score: f64, findings: &mut Findings) {
        let time = |one: Option<&Attempt>| one.map_or(finding.last, |one| Timestamp(one.time));
        (finding.first, finding.last) = (time(self.latest.front()), time(self.latest.back()));
        finding.connections = self.latest.len() as u64;
        finding.score = score.clamp(0.1, 1.0);
        let failed = " (end:refused or end:rst,timeout,unreachable,error bytes:0)";
        finding.evidence = format!("{}{evidence}{failed}", finding.evidence.raw()).into();
        findings.put(finding);
    }
}

/// How many different values there are.
fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> usize {
    let mut all: Vec<T> = values.collect();
    all.sort_unstable();
    all.dedup();
    all.len()
}
