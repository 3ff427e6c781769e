//! D1: connections at regular times.

mod score;
mod series;

use std::fmt::Write;

use connmon_record::AddressKind;
use serde::{Deserialize, Serialize};

use super::per_group::PerPlace;
use super::{Detector, Seen};
use crate::card::Card;
use crate::draft::View;
use crate::event::Moment;
use crate::finding::{Figure, Finding, Severity, Unit, Value};
use crate::findings::Findings;
use crate::program::Trust;
use crate::stats::rounded;
use crate::world::{FORGOTTEN, Group, Moved};
use series::{Series, Shape, Start};

/// Intervals that a finding needs.
const LEAST: usize = 8;
/// A total from which a series is regular whatever its rhythm.
const REGULAR: f64 = 0.8;
/// The least rhythm, and the least closeness of intervals to their median, of a series that waits.
const RHYTHM: f64 = 0.75;
const CLOSENESS: f64 = 0.5;
/// The largest share of pauses, and the shortest period in seconds: what is faster is at work.
const BREAKS: f64 = 0.125;
const FASTEST: f64 = 5.0;
/// With so many intervals a finding is no longer withdrawn.
const SETTLED: usize = 32;
/// Seconds in nanoseconds.
const SECOND: i64 = 1_000_000_000;

pub(crate) static CARD: Card = Card {
    code: "D1",
    name: "beacon",
    title: "Connections at regular times",
    does: "Looks for a program that connects to the same destination again and again at regular times, as a program does that asks \
           its server for orders. Attempts that failed are a series of their own, because a server that is gone shows only in \
           refused or timed-out attempts.",
    formula: "A series has the start times of one program to one destination (name, else network, else address), each second once; at \
              most the last 1024. Windows: 6 hours, a day, a week; the one with the highest total counts. evenness(v) = ½·[(1 − |s|) + \
              max(0, (Q2 − MAD)/Q2)], with Bowley's skew s = (Q1 + Q3 − 2·Q2)/(Q3 − Q1), or 0 if Q3 − Q1 < 10 or Q2 is Q1 or Q3. \
              intervals = evenness(seconds between starts); bytes = evenness(bytes of the connections). histogram = max(1 − σ/μ, \
              bimodal fit) over 24 parts of the window; duration = max(span/window, longest run of parts/12). total = ¼ of each. \
              rhythm = 1 − (pairs of starts closer than half the median interval) / (as many as by chance), which is the \
              autocorrelation at short lags and holds with jitter of half the period and a third of the starts missing. A finding \
              needs 8 intervals with a median of 5 s or more, and either total ≥ 0.8, or rhythm ≥ 0.75 with MAD ≤ half the median and \
              at most an eighth of the intervals longer than four times the median. The severity is that of the program and its \
              destination: timing alone says nothing.",
    innocent: &[
        "time synchronisation, update checks, mail checks, monitoring, chat and cloud clients, weather and news widgets are as regular",
        "a scheduled job (cron, a systemd timer) of the administrator",
        "a monitoring server that asks this host",
    ],
    refuted_by: &[
        "the owner of the program knows why it connects, and the destination is the maker's",
        "the executable belongs to a package and its digest is the package's",
        "the interval is that of a timer in the program's documentation or configuration",
    ],
};

/// The state of the detector.
#[derive(Serialize, Deserialize)]
pub(crate) struct Beacon {
    series: PerPlace<Pair>,
    /// Groups with a finding, and whether it is of the failed attempts.
    found: Vec<(u32, bool)>,
    /// Starts that are kept, and may be at most.
    samples: i64,
    most: i64,
}

impl Beacon {
    /// Whether there are as many groups as its findings name, and what it adds up is possible.
    pub(super) fn is_sound(&self, groups: usize) -> bool {
        self.samples >= 0 && self.found.iter().all(|(place, _)| (*place as usize) < groups)
    }
}

/// The series of a group.
#[derive(Default, Serialize, Deserialize)]
struct Pair {
    connected: Series,
    failed: Option<Box<Series>>,
}

impl Beacon {
    pub(crate) fn new(most: usize) -> Self {
        Self { series: PerPlace::default(), found: Vec::new(), samples: 0, most: most as i64 }
    }
}

impl Detector for Beacon {
    fn connection(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        let connection = seen.connection;
        if seen.moment != Moment::Ended || connection.preexisting || is_own(connection.remote.ip) {
            return;
        }
        let bytes = u32::try_from(connection.bytes()).unwrap_or(u32::MAX);
        let start = Start(seconds(connection.opened.0), bytes);
        let failed = connection.has_failed();
        let pair = self.series.at(seen.place.group);
        let series = if failed { pair.failed.get_or_insert_default() } else { &mut pair.connected };
        self.samples += series.add(start);
        if self.samples > self.most {
            let before = series.len();
            series.halve();
            self.samples += series.len() as i64 - before as i64;
        }
        if series.len() > LEAST && series.count >= series.due {
            series.due = series.count + (series.len() as u32 / 4).clamp(1, 256);
            let had = series.found;
            series.found = look(series, seen.view, seen.group(), failed, findings);
            if series.found && !had {
                // Where it was withdrawn, its old place may still be there.
                self.found.retain(|one| *one != (seen.place.group, failed));
                self.found.push((seen.place.group, failed));
            }
        }
    }

    /// What goes on is told anew, up to its latest connection.
    fn advance(&mut self, view: View<'_>, findings: &mut Findings) {
        let Self { series, found, .. } = self;
        found.retain(|(place, failed)| {
            let pair = series.at(*place);
            let one = if *failed { pair.failed.get_or_insert_default() } else { &mut pair.connected };
            if one.looked_at < one.count && !look(one, view, view.world.group(*place), *failed, findings) {
                one.found = false;
            }
            one.looked_at = one.count;
            one.found
        });
    }

    fn forget(&mut self, moved: &Moved) {
        let samples = &mut self.samples;
        self.series.forget(&moved.groups, |pair| {
            let failed = pair.failed.as_ref().map_or(0, |failed| failed.len());
            *samples -= (pair.connected.len() + failed) as i64;
        });
        let places = std::mem::take(&mut self.found).into_iter();
        let moved = places.map(|(place, failed)| (moved.group(place), failed));
        self.found = moved.filter(|(place, _)| *place != FORGOTTEN).collect();
    }
}

/// Looks at a series, and puts what it is among the findings, or takes that back. Returns whether it has a finding now.
fn look(series: &Series, view: View<'_>, group: &Group, failed: bool, findings: &mut Findings) -> bool {
    let aspect = if failed { "failed" } else { "" };
    let since = seconds(view.world.since.unwrap_or_default().0);
    let Some(shape) = series.shape(seconds(view.world.now.0), since, LEAST) else { return series.found };
    let waits =
        shape.rhythm >= RHYTHM && shape.deviation <= CLOSENESS * shape.median && shape.breaks <= BREAKS;
    if shape.median >= FASTEST && (waits || shape.score.total() >= REGULAR) {
        findings.put(finding(&shape, series, view, group, aspect));
        return true;
    }
    if series.found && shape.intervals < SETTLED {
        findings.withdraw(&view.id_of_group(&CARD, aspect, group));
        return false;
    }
    series.found
}

fn finding(shape: &Shape, series: &Series, view: View<'_>, group: &Group, aspect: &'static str) -> Finding {
    let mut concern = view.concern(group);
    if !aspect.is_empty() && view.world.trust(group) >= Trust::Tool {
        concern.add(1, "every attempt fails, and it goes on");
    }
    let mut finding = view.about_group(&CARD, aspect, group);
    let mut evidence = finding.evidence.raw().to_owned();
    if !aspect.is_empty() {
        evidence += " (end:refused or end:rst,timeout,unreachable,error bytes:0)";
    }
    let (program, other) = finding.subject.words();
    let mut what = String::new();
    let verb = match (group.inbound, aspect.is_empty()) {
        (true, _) => "is called by",
        (false, true) => "connects to",
        (false, false) => "tries to connect to",
    };
    // Writing to a String does not fail.
    let _ = write!(what, "{program} {verb} {other} every {}", words_of_seconds(shape.median));
    finding.what = what.into();
    finding.evidence = evidence.into();
    finding.severity = Severity::above_info(concern.steps);
    finding.context = concern.words;
    finding.score = shape.score.total();
    finding.connections = series.count.into();
    finding.rhythm = series.rhythm(shape.median).map(Box::new);
    finding.figures = vec![
        Figure::score("score", shape.score.total()),
        Figure::score("intervals", shape.score.intervals),
        Figure::score("bytes", shape.score.bytes),
        Figure::score("histogram", shape.score.histogram),
        Figure::score("duration", shape.score.duration),
        Figure::score("rhythm", rounded(shape.rhythm)),
        Figure::score("breaks", rounded(shape.breaks)),
        Figure::seconds("interval_median", shape.median),
        Figure::seconds("interval_deviation", shape.deviation),
        Figure { name: "bytes_median".into(), value: Value::Number(shape.bytes, Unit::Bytes) },
        Figure::seconds("window", shape.window.into()),
        Figure::count("window_intervals", shape.intervals as u64),
    ];
    finding
}

/// This host itself, or all hosts of the link: both are full of rhythms.
fn is_own(ip: std::net::IpAddr) -> bool {
    use AddressKind::{Broadcast, LinkLocal, Loopback, Multicast, Unspecified};
    matches!(AddressKind::of_address(ip), Loopback | Multicast | Broadcast | Unspecified | LinkLocal)
}

/// Nanoseconds since 1970 as seconds, within what a series can hold.
fn seconds(ns: i64) -> u32 {
    u32::try_from(ns.div_euclid(SECOND).max(0)).unwrap_or(u32::MAX)
}

/// A length of time in words.
pub(super) fn words_of_seconds(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
