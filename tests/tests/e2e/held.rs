//! Cases that begin before the recorder, or outlive it: on this host they share a recorder of their own, in a guest that of the session.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Result;
use connmon_tests::harness::programs::{self, export, times};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::results::Results;
use connmon_tests::harness::whole::pids;
use connmon_tests::truth::Truth;

/// The recording, made when the first test asks for it.
#[derive(Default)]
pub struct Held {
    wanted: Mutex<Vec<String>>,
    results: OnceLock<Result<Results, String>>,
}

impl Held {
    /// Chooses the cases.
    pub fn want(&self, cases: Vec<String>) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = cases;
    }

    /// Whether the record of one case equals its truth; the line for the table of what is covered.
    pub fn judge(&self, case: &str) -> Result<String> {
        let results = self.results.get_or_init(|| self.record().map_err(|error| format!("{error:#}")));
        let results = results.as_ref().map_err(|error| anyhow::anyhow!("the recording failed: {error}"))?;
        results.line(case, &results.judge(case)?)
    }

    fn record(&self) -> Result<Results> {
        let mut cases = self.begin()?;
        let folder = tempfile::tempdir()?;
        let db = folder.path().join("held.db");
        let recorder = Recorder::start(&db, &[])?;
        cases.go_on()?;
        let said = recorder.stop()?;
        cases.compare(&export(&db)?, &said)
    }

    /// Begins the cases that are older than the recorder.
    pub fn begin(&self) -> Result<HeldCases> {
        let cases = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        HeldCases::begin(&cases)
    }

    /// Takes what another recorder has seen of them, which is over; their processes.
    pub fn end(&self, cases: HeldCases, records: &[Record], said: &str) -> HashSet<u32> {
        let ours = pids(&cases.truths);
        let _ = self.results.set(cases.compare(records, said).map_err(|error| format!("{error:#}")));
        ours
    }
}

/// The cases on their way.
pub struct HeldCases {
    times: usize,
    /// Those that began before the recorder.
    early: Vec<programs::Held>,
    /// Those that are to outlive it, not begun.
    late: Vec<String>,
    still_open: Vec<programs::Held>,
    truths: Vec<Truth>,
}

impl HeldCases {
    fn begin(cases: &[String]) -> Result<Self> {
        let times = times()?;
        let (early, late): (Vec<String>, Vec<String>) =
            (0..times).flat_map(|_| cases.iter().cloned()).partition(|case| case.starts_with("preexisting"));
        let early = early.iter().map(|case| Ok(programs::Held::start(case)?.0)).collect::<Result<_>>()?;
        Ok(Self { times, early, late, still_open: Vec::new(), truths: Vec::new() })
    }

    /// The recorder is there: the early ones go on under its eyes, and the late ones begin.
    pub fn go_on(&mut self) -> Result<()> {
        for case in self.early.drain(..) {
            self.truths.push(case.release()?);
        }
        for case in self.late.drain(..) {
            let (held, truth) = programs::Held::start(&case)?;
            self.still_open.push(held);
            self.truths.push(truth);
        }
        Ok(())
    }

    /// The recorder has gone.
    fn compare(self, records: &[Record], said: &str) -> Result<Results> {
        self.still_open.into_iter().try_for_each(|held| held.release().map(drop))?;
        Results::new(self.truths, records, said, self.times)
    }
}
