//! The findings of a connection: those whose evidence it is.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::expr::Expr;
use super::fields::base_name;
use super::findings::KnownFinding;
use super::meaning::of_evidence;
use super::pattern::{folded, is_word};
use super::row::FilterRow;
use super::syntax::{self, Syntax};
use connmon_record::{FindingName, Timestamp};

/// Fields of which a row has the texts at hand: see [`texts`].
const KEYS: [&str; 5] = ["hash", "exe", "proc", "host", "ioc"];

/// The evidence of many findings. Most of it asks for a whole text, such as the hash of an executable: of these findings only those are
/// looked at whose text the connection has.
pub struct Evidence {
    findings: Vec<(KnownFinding, OnceCell<Option<Expr>>)>,
    /// The places of findings by the text that the fewest others ask for too.
    by_text: HashMap<String, Vec<usize>>,
    /// The places of findings that ask for no whole text.
    others: Vec<usize>,
    now: Timestamp,
}

impl Evidence {
    /// The evidence of these findings; lengths of time in it refer to `now`.
    pub fn new(findings: Vec<KnownFinding>, now: Timestamp) -> Self {
        let keys: Vec<Vec<String>> = findings.iter().map(|finding| keys(finding.evidence.raw())).collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for key in keys.iter().flatten() {
            *counts.entry(key).or_default() += 1;
        }
        let (mut by_text, mut others) = (HashMap::<String, Vec<usize>>::new(), Vec::new());
        for (place, keys) in keys.iter().enumerate() {
            match keys.iter().min_by_key(|key| counts.get(key.as_str())) {
                Some(key) => by_text.entry(key.clone()).or_default().push(place),
                None => others.push(place),
            }
        }
        let findings = findings.into_iter().map(|finding| (finding, OnceCell::new())).collect();
        Self { findings, by_text, others, now }
    }

    /// The findings whose evidence fits a row, in their order.
    pub fn findings_of(&self, row: &FilterRow<'_>) -> Vec<Arc<FindingName>> {
        if self.findings.is_empty() {
            return Vec::new();
        }
        let of_texts = texts(row).filter_map(|text| self.by_text.get(&*folded(text)));
        let mut places: Vec<usize> = of_texts.chain([&self.others]).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        let some = places.into_iter().filter_map(|place| self.findings.get(place));
        let fits = |finding: &KnownFinding, expr: &OnceCell<Option<Expr>>| {
            let expr = expr.get_or_init(|| of_evidence(finding.evidence.raw(), self.now));
            expr.as_ref().is_some_and(|expr| expr.fits(row))
        };
        some.filter(|(finding, expr)| fits(finding, expr)).map(|(finding, _)| finding.name.clone()).collect()
    }
}

/// The whole texts that everything which fits has in one of the [`KEYS`].
fn keys(evidence: &str) -> Vec<String> {
    let parts = match syntax::parse(evidence).ok().flatten() {
        Some(Syntax::All(parts)) => parts,
        Some(part) => vec![part],
        None => Vec::new(),
    };
    let is_key = |name: &str| KEYS.iter().any(|key| name.eq_ignore_ascii_case(key));
    let key = |part: &Syntax<'_>| match part {
        Syntax::Field(term) if term.operator == "=" && is_key(term.name) => match &term.values[..] {
            [value] if is_word(value) => Some(folded(&value.text).into_owned()),
            _ => None,
        },
        _ => None,
    };
    parts.iter().filter_map(key).collect()
}

/// The texts of a row that the [`KEYS`] ask for.
fn texts<'a>(row: &'a FilterRow<'_>) -> impl Iterator<Item = &'a str> {
    let of_processes = row.processes.iter().flat_map(|process| {
        [process.sha256.as_deref().unwrap_or_default(), &process.exe, base_name(&process.exe), &process.comm]
    });
    of_processes.chain(row.hosts.iter().chain(&row.ioc).map(|text| &**text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filter, FilterProcess};

    fn finding(number: usize, evidence: &str) -> KnownFinding {
        let id = format!("D1-{number}");
        let name = FindingName { id: id.into(), detector: "D1".into(), name: "beacon", severity: "low" };
        KnownFinding { name: Arc::new(name), evidence: evidence.into() }
    }

    #[test]
    fn a_row_has_the_findings_whose_filter_it_fits() {
        let filters = [
            "hash=aa host=c2.example dir:out",
            "HASH=AA",
            "exe=\"/home/mira/Agent\" host=c2.example",
            "exe=/home/mira/agent dir:in",
            "proc=agent",
            "proc:agent port:53,853",
            "host=c2.example",
            "host:example",
            "host=c2.example,other.example exe=/bin/sh",
            "ioc=\"Bad List\"",
            "ip:10.0.0.1 port:443",
            "(proc=agent host=c2.example) or proc=sh",
            "exe!=/bin/sh",
            "-exe=/bin/sh",
            "exe=/home/*",
            "exe=/\\/AGENT$/",
            "exe=\"/tmp/\u{fc}\"",
            "bytes>5",
            "proc=agent exe=/bin/sh",
            "exe=(",
            "finding:beacon",
        ];
        let process = |exe: &'static str, comm: &'static str, hash: Option<&'static str>| FilterProcess {
            exe: exe.into(),
            comm: comm.into(),
            sha256: hash.map(Into::into),
            ..FilterProcess::default()
        };
        let rows = [
            FilterRow {
                processes: vec![process("/home/mira/agent", "agent", Some("aa"))],
                hosts: vec!["x.example".into(), "C2.example".into()],
                direction: "out".into(),
                port: 53,
                ..FilterRow::default()
            },
            FilterRow {
                processes: vec![process("/bin/sh", "sh", None), process("/opt/agent", "main", Some("AA"))],
                ioc: vec!["bad list".into()],
                remote: [10, 0, 0, 1].into(),
                port: 443,
                tx: 9,
                ..FilterRow::default()
            },
            FilterRow { processes: vec![process("/tmp/\u{dc}", "x", None)], ..FilterRow::default() },
            FilterRow::default(),
        ];
        let all = filters.iter().enumerate().map(|(number, text)| finding(number, text));
        let evidence = Evidence::new(all.collect(), Timestamp(0));
        for row in &rows {
            let fits = |text: &str| Filter::parse(text, Timestamp(0)).is_ok_and(|filter| filter.fits(row));
            let expected: Vec<String> = filters
                .iter()
                .enumerate()
                .filter(|(_, text)| fits(text))
                .map(|(number, _)| format!("D1-{number}"))
                .collect();
            let found: Vec<String> =
                evidence.findings_of(row).iter().map(|finding| finding.id.raw().to_owned()).collect();
            assert_eq!(found, expected, "{row:?}");
        }
        assert_eq!(evidence.others.len(), filters.len() - 9, "the others are found by a text");
    }

    #[test]
    fn few_findings_are_looked_at_for_a_row() {
        let all =
            (0..10_000).map(|number| finding(number, &format!("hash=aa host=h{number}.example dir:out")));
        let evidence = Evidence::new(all.collect(), Timestamp(0));
        let row = FilterRow {
            processes: vec![FilterProcess { sha256: Some("aa".into()), ..FilterProcess::default() }],
            hosts: vec!["h17.example".into()],
            direction: "out".into(),
            ..FilterRow::default()
        };
        assert_eq!(evidence.findings_of(&row)[0].id.raw(), "D1-17");
        let looked_at = evidence.findings.iter().filter(|(_, expr)| expr.get().is_some()).count();
        assert_eq!(looked_at, 1);
    }
}
