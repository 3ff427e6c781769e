//! D5: a program that begins to send.

use connmon_record::{AddressKind, Direction};
use serde::{Deserialize, Serialize};

use super::per_group::PerPlace;
use super::{Detector, Seen};
use crate::card::Card;
use crate::event::Moment;
use crate::finding::{Figure, Severity, Unit, Value};
use crate::findings::Findings;
use crate::settings::DAY_NS;
use crate::stats::{median, median_deviation, rounded};
use crate::world::Moved;

/// Bytes of a day that are too few to be told, whatever was usual.
const LEAST: u64 = 50_000_000;
/// How far the ratio has to turn.
const TURN: f64 = 0.5;
/// How many deviations above the median a day has to be.
const DEVIATIONS: f64 = 6.0;
/// Days that are remembered, and days that make something usual.
const DAYS: usize = 14;
const USUAL: usize = 3;
/// A group has days from so many connections on, or from one of so many bytes.
const FEW: u64 = 8;
const LITTLE: u64 = 100_000;
/// A day with fewer bytes does not count as one.
const WORTH: u64 = 1_000_000;

pub(crate) static CARD: Card = Card {
    code: "D5",
    name: "upload",
    title: "Unusual uploads",
    does: "Compares how many bytes a program sends to a destination in a day with the days before. A program that used to fetch and \
           begins to send may carry data away.",
    formula: "Per program and destination and day (UTC, by the end of the connection): out and in are application bytes; the \
              producer-consumer ratio is (out − in)/(out + in), from −1 (only receives) to 1 (only sends). A finding needs out > \
              max(50 MB, median + 6·MAD of the up to 14 days before with any bytes) and, with 3 such days or more, a ratio more than \
              0.5 above the median ratio of these. With fewer days before, it needs a ratio above 0.5, and it is at most low. Score: \
              out/(out + 1 GB). The severity is that of the program and its destination, one step more if the ratio turned.",
    innocent: &[
        "a backup, a synchronisation or an upload that somebody began",
        "a video call, a livestream, a release that is published",
        "logs or metrics of a busy day",
    ],
    refuted_by: &[
        "the program's own log names the upload",
        "the user knows what was sent, and the destination is theirs",
    ],
};

/// The state of the detector.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Upload {
    groups: PerPlace<Option<Box<Days>>>,
}

/// A group's bytes by day.
#[derive(Default, Serialize, Deserialize)]
struct Days {
    /// Days since 1970.
    day: i32,
    sent: u64,
    received: u64,
    connections: u32,
    /// Bytes sent on the day when it was told, so that it is told again when it has doubled.
    told: u64,
    /// Bytes sent and the ratio of days before, the latest last.
    before: Vec<(u64, f32)>,
}

impl Detector for Upload {
    fn connection(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        let connection = seen.connection;
        if seen.moment != Moment::Ended
            || AddressKind::of_address(connection.remote.ip) == AddressKind::Loopback
        {
            return;
        }
        let known = self.groups.at(seen.place.group);
        // Most groups have few connections with few bytes, and take no room here.
        let is_worth = seen.group().connections >= FEW || connection.bytes() >= LITTLE;
        if known.is_none() && !is_worth {
            return;
        }
        let days = known.get_or_insert_default();
        days.pass(i32::try_from(seen.time.0.div_euclid(DAY_NS)).unwrap_or_default());
        days.sent = days.sent.saturating_add(connection.tx_bytes());
        days.received = days.received.saturating_add(connection.rx_bytes());
        days.connections += 1;
        // A server that answers sends, and is asked to.
        if days.sent <= LEAST
            || days.sent < days.told.saturating_mul(2)
            || connection.direction == Direction::In
        {
            return;
        }
        days.look(seen, findings);
    }

    fn forget(&mut self, moved: &Moved) {
        self.groups.forget(&moved.groups, drop);
    }
}

impl Days {
    /// Begins another day.
    fn pass(&mut self, day: i32) {
        if day <= self.day {
            return;
        }
        if self.sent.saturating_add(self.received) >= WORTH {
            if self.before.len() >= DAYS {
                self.before.remove(0);
            }
            self.before.push((self.sent, ratio(self.sent, self.received) as f32));
        }
        *self = Self { day, before: std::mem::take(&mut self.before), ..Self::default() };
    }

    fn look(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        let sorted = |mut values: Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let sent = sorted(self.before.iter().map(|day| day.0 as f64).collect());
        let ratios = sorted(self.before.iter().map(|day| f64::from(day.1)).collect());
        let usual = self.before.len() >= USUAL;
        let limit = median(&sent) + DEVIATIONS * median_deviation(&sent);
        let now = ratio(self.sent, self.received);
        let turned = now - if usual { median(&ratios) } else { 0.0 };
        if self.sent as f64 <= limit || turned <= TURN {
            return;
        }
        self.told = self.sent;
        let mut concern = seen.view.concern(seen.group());
        if usual && concern.steps > 0 {
            concern.add(1, "it sends, and used to receive");
        }
        let mut finding = seen.view.about_group(&CARD, "", seen.group());
        let (program, other) = finding.subject.words();
        finding.what =
            format!("{program} sent {:.0} MB to {other} within a day", self.sent as f64 / 1e6).into();
        let most = if usual { Severity::High } else { Severity::Low };
        finding.severity = Severity::above_info(concern.steps).min(most);
        finding.context = concern.words;
        finding.score = rounded(self.sent as f64 / (self.sent as f64 + 1e9));
        finding.connections = self.connections.into();
        finding.first =
            connmon_record::Timestamp(i64::from(self.day).saturating_mul(DAY_NS)).max(finding.first);
        let bytes = |name: &'static str, value: f64| Figure {
            name: name.into(),
            value: Value::Number(value, Unit::Bytes),
        };
        finding.figures = vec![
            bytes("sent", self.sent as f64),
            bytes("received", self.received as f64),
            bytes("usual_median", median(&sent)),
            bytes("limit", limit.max(LEAST as f64)),
            Figure { name: "ratio".into(), value: Value::Number(rounded(now), Unit::Measure) },
            Figure { name: "ratio_turned".into(), value: Value::Number(rounded(turned), Unit::Measure) },
            Figure::count("days_before", self.before.len() as u64),
        ];
        findings.put(finding);
    }
}

/// The producer-consumer ratio.
fn ratio(sent: u64, received: u64) -> f64 {
    let all = sent as f64 + received as f64;
    if all > 0.0 { (sent as f64 - received as f64) / all } else { 0.0 }
}
