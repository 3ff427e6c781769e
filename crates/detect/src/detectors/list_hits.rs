//! D8: connections that match a list of indicators.

use std::collections::HashMap;

use connmon_record::Hit;
use serde::{Deserialize, Serialize};

use super::{Detector, Seen};
use crate::card::Card;
use crate::evidence::Evidence;
use crate::finding::{Figure, Finding, Severity, Value};
use crate::findings::Findings;

/// Indicators whose connections are counted.
const MOST: usize = 4096;
/// A list that is older says less, days.
const OLD: i64 = 90;

pub(crate) static CARD: Card = Card {
    code: "D8",
    name: "list-hit",
    title: "Matches of a list of indicators",
    does: "Tells each program whose connection matches an indicator of a list that the recording or `connmon ioc --keep` compared \
           it with.",
    formula: "One finding for each program and indicator. A hash of the executable: high. Any other indicator: high, or medium if the \
              list is older than 90 days, because addresses get other owners.",
    innocent: &[
        "the address or the domain is shared by many, such as a hosting provider's or a content network's",
        "the list is old, or has an entry by mistake",
        "a security program that looks at such addresses",
    ],
    refuted_by: &[
        "the publisher of the list has withdrawn the entry",
        "the name on the connection is another than the listed one",
    ],
};

/// The state of the detector: connections by finding.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct ListHits {
    known: HashMap<String, (u64, i64)>,
}

impl Detector for ListHits {
    fn connection(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        for hit in &seen.connection.hits {
            self.hit(seen, hit, findings);
        }
    }
}

impl ListHits {
    fn hit(&mut self, seen: &Seen<'_>, hit: &Hit, findings: &mut Findings) {
        let program = seen.program();
        let indicator = hit.indicator.raw();
        let id = Finding::id_of(CARD.code, "", [program.key(), hit.list.name.raw(), indicator]);
        if self.known.len() >= MOST && !self.known.contains_key(&id) {
            return;
        }
        // The same connection is told when it opens and when it ends.
        let (connections, last) = self.known.entry(id.clone()).or_insert((0, i64::MIN));
        if seen.connection.id > *last {
            *connections += 1;
            *last = seen.connection.id;
        }
        let mut finding = seen.view.about_group(&CARD, "", seen.group());
        finding.id = id;
        let (exe, other) = finding.subject.words();
        finding.what =
            format!("{exe} and {other} match {indicator} in the list {}", hit.list.name.raw()).into();
        let evidence = Evidence::of_program(program).text("ioc=", &hit.indicator);
        finding.evidence = evidence.into_filter();
        let age = hit.list.date.map(|date| seen.time.0.saturating_sub(date.0) / crate::settings::DAY_NS);
        let is_old = age.is_some_and(|days| days > OLD) && hit.kind != connmon_record::IndicatorKind::Sha256;
        finding.severity = if is_old { Severity::Medium } else { Severity::High };
        finding.context = is_old.then_some("the list is older than 90 days".into()).into_iter().collect();
        finding.score = 1.0;
        finding.connections = *connections;
        finding.first = seen.connection.opened;
        finding.figures = vec![
            Figure::text("indicator", hit.indicator.clone()),
            Figure::text("kind", hit.kind.name()),
            Figure::text("list", hit.list.name.map(str::to_owned)),
            Figure::text("list_sha256", hit.list.sha256.as_str()),
        ];
        if let Some(date) = hit.list.date {
            finding.figures.push(Figure { name: "list_date".into(), value: Value::Time(date) });
        }
        findings.put(finding);
    }
}
