//! `finding:beacon` and `severity>low`: the connections of findings, which only a whole store tells. Each stands for the filters of its
//! findings, so that it means the same in every view that knows these.

use std::sync::Arc;

use super::error::Fault;
use super::pattern::{Pattern, Shape};
use super::spelling::alike;
use super::syntax::Term;
use connmon_record::{FindingName, Untrusted};

/// Findings that one test stands for at most: a condition has no room for more.
const MOST: usize = 200;

/// A finding, as far as a filter asks for it.
#[derive(Clone, Debug)]
pub struct KnownFinding {
    /// Its names and its severity.
    pub name: Arc<FindingName>,
    /// The filter that selects its connections.
    pub evidence: Untrusted,
}

/// Gives the findings of the store that is asked, or says why it cannot.
pub type FindingSource<'a> = &'a dyn Fn() -> Result<Vec<KnownFinding>, String>;

/// Severities, the least first.
pub const SEVERITIES: [&str; 4] = ["info", "low", "medium", "high"];

/// Whether a field is of findings.
pub(super) fn is_field(name: &str) -> bool {
    ["finding", "severity"].iter().any(|field| name.eq_ignore_ascii_case(field))
}

/// The evidence of the findings that a test asks for: filters.
pub(super) fn evidence(term: &Term<'_>, source: Option<FindingSource<'_>>) -> Result<Vec<String>, Fault> {
    let is_wanted = wanted(term)?;
    let source = source.ok_or_else(|| {
        Fault::new(
            term.span.clone(),
            format!("`{}` asks for findings, which are only known of a store", term.name),
        )
    })?;
    let findings =
        source().map_err(|why| Fault::new(term.span.clone(), format!("findings are not known: {why}")))?;
    let mut evidence: Vec<String> = findings
        .into_iter()
        .filter(|finding| is_wanted(finding))
        .map(|finding| finding.evidence.into_raw())
        .collect();
    evidence.sort_unstable();
    evidence.dedup();
    if evidence.len() > MOST {
        let fault =
            Fault::new(term.span.clone(), format!("this asks for {} findings at once", evidence.len()));
        return Err(
            fault.hint(format!("at most {MOST} can be asked for; add a detector, an id or a severity"))
        );
    }
    Ok(evidence)
}

type Wanted = Box<dyn Fn(&KnownFinding) -> bool>;

fn wanted(term: &Term<'_>) -> Result<Wanted, Fault> {
    if term.name.eq_ignore_ascii_case("severity") {
        return severities(term);
    }
    if ![":", "=", "!="].contains(&term.operator) {
        return Err(Fault::new(term.span.clone(), "a finding cannot be compared").hint("write `finding:`"));
    }
    let pattern = Pattern::new(&term.values, Shape::Whole)?;
    Ok(Box::new(move |finding| {
        let FindingName { id, detector, name, .. } = &*finding.name;
        [id.raw(), detector.raw(), name].into_iter().any(|name| pattern.fits(name))
    }))
}

fn severities(term: &Term<'_>) -> Result<Wanted, Fault> {
    let mut ranks = Vec::new();
    for value in &term.values {
        let word = value.text.to_ascii_lowercase();
        let Some(rank) = rank(&word) else {
            let fault = Fault::new(value.span.clone(), format!("`{}` is no severity", value.text));
            return Err(match alike(&word, SEVERITIES.into_iter()) {
                Some(known) => fault.hint(format!("did you mean `{known}`?")),
                None => fault.hint(format!("it is one of {}", SEVERITIES.join(", "))),
            });
        };
        ranks.push(rank);
    }
    let operator = term.operator.to_owned();
    let fits = move |is: usize| {
        let any = |test: fn(usize, usize) -> bool| ranks.iter().any(|rank| test(is, *rank));
        match operator.as_str() {
            ">" => any(|is, rank| is > rank),
            ">=" => any(|is, rank| is >= rank),
            "<" => any(|is, rank| is < rank),
            "<=" => any(|is, rank| is <= rank),
            _ => any(|is, rank| is == rank),
        }
    };
    Ok(Box::new(move |finding| rank(finding.name.severity).is_some_and(&fits)))
}

fn rank(name: &str) -> Option<usize> {
    SEVERITIES.iter().position(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filter, FilterRow};
    use connmon_record::Timestamp;

    fn findings() -> Result<Vec<KnownFinding>, String> {
        let finding = |id: &str, name, severity, evidence: &str| KnownFinding {
            name: Arc::new(FindingName { id: id.into(), detector: id[..2].into(), name, severity }),
            evidence: evidence.into(),
        };
        Ok(vec![
            finding("D1-aa", "beacon", "high", "proc:agent host=c2.example"),
            finding("D1-bb", "beacon", "info", "proc:chronyd"),
            finding("D4-cc", "odd-executable", "low", "finding:beacon or proc:x"),
        ])
    }

    #[test]
    fn findings_stand_for_their_connections() {
        let row = |proc: &str, host: &str| {
            let process = crate::FilterProcess { comm: proc.to_owned().into(), ..Default::default() };
            FilterRow { processes: vec![process], hosts: vec![host.to_owned().into()], ..Default::default() }
        };
        let rows =
            [row("agent", "c2.example"), row("agent", "other.example"), row("chronyd", "x"), row("x", "x")];
        for (text, expected) in [
            ("finding:beacon", [true, false, true, false]),
            ("finding:D1-AA", [true, false, false, false]),
            ("finding:d1 -proc:agent", [false, false, true, false]),
            ("finding:odd*", [false; 4]),
            ("finding!=beacon", [false, true, false, true]),
            ("severity>low", [true, false, false, false]),
            ("severity<=low", [false, false, true, false]),
            ("-severity:high", [false, true, true, true]),
            ("severity!=info", [true, true, false, true]),
            ("finding:none", [false; 4]),
        ] {
            let filter = Filter::parse_with(text, Timestamp(0), Some(&findings)).unwrap();
            assert_eq!(rows.each_ref().map(|row| filter.fits(row)), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_known_is_told() {
        let told = |text: &str, source: Option<FindingSource<'_>>| {
            Filter::parse_with(text, Timestamp(0), source).unwrap_err().to_string()
        };
        assert!(told("finding:beacon", None).contains("only known of a store"));
        assert!(told("severity:hihg", Some(&findings)).contains("did you mean `high`"));
        assert!(told("finding>3", Some(&findings)).contains("write `finding:`"));
        assert!(told("finding:x", Some(&|| Err("it is locked".into()))).contains("it is locked"));
        let many = || {
            Ok((0..300)
                .map(|n| KnownFinding {
                    evidence: format!("pid:{n}").into(),
                    ..findings().unwrap()[0].clone()
                })
                .collect())
        };
        assert!(told("finding:*", Some(&many)).contains("300 findings at once"));
    }
}
