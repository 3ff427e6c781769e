//! Cases that begin before the recorder, or outlive it: they share a recorder of their own.

use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Result;
use connmon_tests::harness::programs::{self, export, times};
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::results::Results;

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
        let cases = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let results = self.results.get_or_init(|| record(&cases).map_err(|error| format!("{error:#}")));
        let results = results.as_ref().map_err(|error| anyhow::anyhow!("the recording failed: {error}"))?;
        results.line(case, &results.judge(case)?)
    }
}

/// Cases whose first phase is `before` go on under the recorder's eyes, the others stay as they are.
fn record(cases: &[String]) -> Result<Results> {
    let times = times()?;
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for case in (0..times).flat_map(|_| cases) {
        if case.starts_with("preexisting") {
            early.push(programs::Held::start(case)?.0);
        } else {
            late.push(case);
        }
    }
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("held.db");
    let recorder = Recorder::start(&db, &[])?;
    let mut truths = early.into_iter().map(programs::Held::release).collect::<Result<Vec<_>>>()?;
    let mut still_open = Vec::new();
    for case in late {
        let (held, truth) = programs::Held::start(case)?;
        still_open.push(held);
        truths.push(truth);
    }
    let said = recorder.stop()?;
    still_open.into_iter().try_for_each(|held| held.release().map(drop))?;
    Results::new(truths, &export(&db)?, &said, times)
}
