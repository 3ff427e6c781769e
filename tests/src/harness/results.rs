//! What became of each case: one word, for the test and for the table of what is covered.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};

use super::compare::{Verdict, compare, labelled};
use super::outcome::Outcome;
use super::record::Record;
use crate::truth::Truth;

/// All cases of one recording, each played so many times.
pub struct Results {
    times: usize,
    backend: String,
    verdict: Verdict,
    labels: BTreeMap<String, BTreeSet<String>>,
    skipped: BTreeMap<String, String>,
}

impl Results {
    /// Compares, and keeps what came out. `said` is what the recorder printed.
    pub fn new(mut truths: Vec<Truth>, records: &[Record], said: &str, times: usize) -> Result<Self> {
        let backend = backend(said).context("the recorder did not name its backend")?.to_owned();
        tell_apart(&mut truths);
        let skipped = truths.iter().filter_map(|truth| Some((truth.case.clone(), truth.skipped.clone()?)));
        Ok(Self {
            times,
            backend,
            verdict: compare(&truths, records),
            labels: labelled(&truths, records),
            skipped: skipped.collect(),
        })
    }

    /// What became of a case, all times the same; an error if a record of it is wrong.
    pub fn judge(&self, case: &str) -> Result<Outcome> {
        let first = self.judge_one(case)?;
        for n in 2..=self.times {
            let other = self.judge_one(&nth(case, n)).with_context(|| format!("time {n}"))?;
            ensure!(other == first, "time {n} is {other}, the first one was {first}");
        }
        Ok(first)
    }

    fn judge_one(&self, case: &str) -> Result<Outcome> {
        if let Some(why) = self.skipped.get(case) {
            return Ok(Outcome::Skipped(why.clone()));
        }
        match self.verdict.get(case).map(Vec::as_slice) {
            None => bail!("the generator made no truth"),
            Some([]) => {}
            Some(problems) => bail!("{}", problems.join("\n")),
        }
        let join = |reasons: &BTreeSet<String>| reasons.iter().cloned().collect::<Vec<_>>().join("; ");
        Ok(self.labels.get(case).map_or(Outcome::Exact, |reasons| Outcome::Labelled(join(reasons))))
    }

    /// The line for the table of what is covered.
    pub fn line(&self, case: &str, outcome: &Outcome) -> Result<String> {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let series = release.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        Ok(format!("coverage case={case} backend={} kernel={series} result={outcome}", self.backend))
    }
}

/// A case's name when it is played once more.
fn nth(case: &str, n: usize) -> String {
    if n == 1 { case.to_owned() } else { format!("{case}#{n}") }
}

/// Gives each truth a name of its own.
fn tell_apart(truths: &mut [Truth]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for truth in truths {
        let n = seen.entry(truth.case.clone()).or_default();
        *n += 1;
        truth.case = nth(&truth.case, *n);
    }
}

/// The backend, by what the recorder said when it began.
pub fn backend(said: &str) -> Option<&str> {
    let line = said.lines().find(|line| line.starts_with("recording") && line.contains(" backend"))?;
    line.split_once(" backend")?.0.rsplit(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "x\nrecording into a.db with the tracepoint backend, until Ctrl-C\n";

    fn truth(case: &str, skipped: Option<&str>) -> Truth {
        let skipped = skipped.map_or("null".to_owned(), |why| format!("{why:?}"));
        let json = format!(
            r#"{{"case":"{case}","skipped":{skipped},"started":"x","ended":"x","processes":[{{"pid":7,"ppid":1,"exe":"","cmdline":[],"uid":0,"role":"x","connections":[]}}]}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    fn record(fields: &str) -> Vec<Record> {
        let json = format!(
            r#"{{"id":1,"proto":"udp","family":4,"direction":"in","local":{{"ip":"127.0.0.1","port":53}},"remote":{{"ip":"127.0.0.1","port":9}},"opened":"x","closed":null,"end":null,"preexisting":false,"process":{{"pid":7}},"traffic":[],"tx_bytes":0,"rx_bytes":0,"kernel":null{fields}}}"#
        );
        super::super::record::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn the_backend_is_named_when_recording_starts() {
        assert_eq!(backend(SAID), Some("tracepoint"));
        assert_eq!(backend("fentry backend refused, tracepoint backend next\n"), None);
    }

    #[test]
    fn all_times_must_end_alike() {
        let alike = Results::new(vec![truth("a", None), truth("a", None)], &[], SAID, 2).unwrap();
        assert_eq!(alike.judge("a").unwrap(), Outcome::Exact);
        let unlike = Results::new(vec![truth("a", None), truth("a", Some("why"))], &[], SAID, 2).unwrap();
        assert!(unlike.judge("a").unwrap_err().to_string().contains("skipped:why"));
        assert!(Results::new(vec![truth("a", None)], &[], SAID, 2).unwrap().judge("a").is_err());
    }

    #[test]
    fn a_wrong_record_is_an_error_and_a_labelled_one_says_why() {
        let truths = || vec![truth("a", None)];
        assert!(Results::new(truths(), &record(""), SAID, 1).unwrap().judge("a").is_err());
        let labels = labelled(&truths(), &record(r#","exact":false,"inexact_reason":"why""#));
        assert_eq!(labels["a"].iter().collect::<Vec<_>>(), ["why"]);
        assert!(labelled(&truths(), &record("")).is_empty());
    }
}
