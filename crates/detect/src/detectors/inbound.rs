//! D13: calls from where nobody called before, and many short ones to a login.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use connmon_record::{AddressKind, Direction, Timestamp};
use serde::{Deserialize, Serialize};

use super::per_group::PerPlace;
use super::{Detector, Seen};
use crate::card::Card;
use crate::draft::View;
use crate::event::Moment;
use crate::evidence::Evidence;
use crate::finding::{Figure, Finding, Severity};
use crate::findings::Findings;
use crate::world::Moved;

/// Ports of logins: FTP, SSH, Telnet, SMB, RDP, VNC, WinRM.
const LOGINS: [u16; 8] = [21, 22, 23, 445, 3389, 5900, 5985, 2222];
/// Short calls of one network within the window that are many; a call is short below these nanoseconds.
const MANY: u32 = 20;
const WINDOW: i64 = 600_000_000_000;
const SHORT: i64 = 10_000_000_000;
/// After many short calls, one that lasts so long and brings so many bytes got in.
const LASTS: i64 = 60_000_000_000;
const BYTES: u64 = 20_000;
/// For how long that is remembered.
const MEMORY: i64 = 86_400_000_000_000;
/// Networks that are remembered; countries of a service beyond which it is for everybody.
const NETWORKS: usize = 16_384;
const COUNTRIES: usize = 3;

pub(crate) static CARD: Card = Card {
    code: "D13",
    name: "inbound",
    title: "Unusual calls",
    does: "Looks at connections that others opened: a service that is reached from a country for the first time, many short \
           connections to a login, and a long one after them, as when a password was guessed.",
    formula: "Country: after 14 days, a service (program and port) that was reached from at most 3 countries, from another one: low. \
              Login (ports 21, 22, 23, 445, 2222, 3389, 5900, 5985): 20 connections of less than 10 s from one network (/24, /48) \
              within 10 minutes: info from the internet, medium from a private network. A connection of more than 60 s and 20 kB from \
              that network within a day after: high.",
    innocent: &[
        "a user travels, or uses a VPN or a phone",
        "the whole internet tries passwords at every open login",
        "monitoring and configuration programs log in again and again",
    ],
    refuted_by: &["the login's own log has no success from that network", "the user confirms the journey"],
};

/// The state of the detector.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Inbound {
    /// Countries of each program and port.
    countries: PerPlace<Vec<(u16, [u8; 2])>>,
    networks: HashMap<IpAddr, Calls>,
}

/// Short calls of a network.
#[derive(Default, Serialize, Deserialize)]
struct Calls {
    short: VecDeque<i64>,
    /// When they were many the last time, and how many.
    many: Option<(i64, u32)>,
}

impl Detector for Inbound {
    fn connection(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        let connection = seen.connection;
        if connection.direction != Direction::In || connection.remote.ip.is_loopback() {
            return;
        }
        if seen.moment == Moment::Opened {
            self.country(seen, findings);
        }
        if seen.moment != Moment::Opened && LOGINS.contains(&connection.local.port) {
            self.login(seen, findings);
        }
    }

    fn forget(&mut self, moved: &Moved) {
        self.countries.forget(&moved.programs, drop);
    }
}

impl Inbound {
    fn country(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        let connection = seen.connection;
        let Some(country) = connection.country.as_deref() else { return };
        let Ok(code) = <[u8; 2]>::try_from(country.as_bytes()) else { return };
        let port = connection.local.port;
        let known = self.countries.at(seen.place.program);
        if known.contains(&(port, code)) {
            return;
        }
        let before = known.iter().filter(|(of, _)| *of == port).count();
        if known.len() < 256 {
            known.push((port, code));
        }
        if before == 0 || before > COUNTRIES || seen.view.learning_since().is_some() {
            return;
        }
        let key = format!("{port} {country}");
        let mut finding = begin(seen, "country", &key, &format!("dir:in port:{port} country:{country}"));
        let (program, _) = finding.subject.words();
        finding.what = format!("{program} is called from {country} on port {port} for the first time").into();
        finding.severity = Severity::Low;
        finding.score = 0.5;
        finding.figures =
            vec![Figure::text("country", country), Figure::count("countries_before", before as u64)];
        findings.put(finding);
    }

    fn login(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        let connection = seen.connection;
        let network = network_of(connection.remote.ip);
        let lasted = seen.time.0.saturating_sub(connection.opened.0);
        if lasted < SHORT && seen.moment == Moment::Ended {
            self.short(seen, network, findings);
        } else if lasted >= LASTS && connection.bytes() >= BYTES {
            let many = self.networks.get(&network).and_then(|calls| calls.many);
            let Some((time, calls)) = many.filter(|(time, _)| seen.time.0.saturating_sub(*time) <= MEMORY)
            else {
                return;
            };
            let mut finding = tell(seen, "entered", network);
            let (program, _) = finding.subject.words();
            finding.what = format!(
                "{program} has a long connection with {} after {calls} short ones from its network",
                connection.remote.ip
            )
            .into();
            finding.severity = Severity::High;
            finding.score = 0.9;
            finding.first = Timestamp(time);
            finding.figures =
                vec![Figure::count("short_before", calls), Figure::seconds("lasted", lasted as f64 / 1e9)];
            findings.put(finding);
        }
    }

    fn short(&mut self, seen: &Seen<'_>, network: IpAddr, findings: &mut Findings) {
        if self.networks.len() >= NETWORKS && !self.networks.contains_key(&network) {
            let now = seen.time.0;
            self.networks.retain(|_, calls| {
                let last = calls.short.back().copied().max(calls.many.map(|many| many.0));
                last.is_some_and(|last| now.saturating_sub(last) <= WINDOW)
            });
            if self.networks.len() >= NETWORKS {
                return;
            }
        }
        let calls = self.networks.entry(network).or_default();
        calls.short.push_back(seen.time.0);
        while calls.short.front().is_some_and(|first| seen.time.0.saturating_sub(*first) > WINDOW)
            || calls.short.len() > 1024
        {
            calls.short.pop_front();
        }
        let n = calls.short.len() as u32;
        if n < MANY {
            return;
        }
        calls.many = Some((seen.time.0, n));
        if !n.is_multiple_of(MANY / 2) {
            return;
        }
        let mut finding = tell(seen, "login", network);
        let (program, _) = finding.subject.words();
        finding.what =
            format!("{program} was called {n} times by {network} within 10 minutes, each shorter than 10 s")
                .into();
        let public = AddressKind::of_address(network) == AddressKind::Public;
        finding.severity = if public { Severity::Info } else { Severity::Medium };
        finding.score = (f64::from(n) / 200.0).min(1.0);
        finding.connections = n.into();
        finding.first = Timestamp(calls.short.front().copied().unwrap_or(seen.time.0));
        finding.figures = vec![Figure::count("calls", n), Figure::count("port", seen.connection.local.port)];
        findings.put(finding);
    }
}

/// A finding about calls of a network to a login.
fn tell(seen: &Seen<'_>, aspect: &'static str, network: IpAddr) -> Finding {
    let port = seen.connection.local.port;
    let bits = if network.is_ipv4() { 24 } else { 48 };
    let mut finding = begin(
        seen,
        aspect,
        &format!("{port} {network}"),
        &format!("dir:in port:{port} net:{network}/{bits}"),
    );
    finding.subject.address = Some(seen.connection.remote.ip);
    finding
}

/// A finding about a service.
fn begin(seen: &Seen<'_>, aspect: &'static str, key: &str, evidence: &str) -> Finding {
    let view: View<'_> = seen.view;
    let mut finding = view.about_program(&CARD, aspect, seen.program());
    finding.id = Finding::id_of(CARD.code, aspect, [seen.program().key(), key]);
    finding.evidence = Evidence::of_program(seen.program()).word(evidence).into_filter();
    finding.connections = 1;
    (finding.first, finding.last) = (seen.connection.opened, seen.time);
    finding
}

/// The network of an address: its first 24 or 48 bits.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::from((u32::from(ip) & 0xffff_ff00).to_be_bytes()),
        IpAddr::V6(ip) => IpAddr::from((u128::from(ip) & (u128::MAX << 80)).to_be_bytes()),
    }
}
