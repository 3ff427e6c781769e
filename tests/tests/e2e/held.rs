//! Cases that begin before the recorder, or outlive it: they share a recorder of their own.

use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Result, bail};
use connmon_tests::harness::compare::{Verdict, compare};
use connmon_tests::harness::programs::{self, export};
use connmon_tests::harness::recorder::Recorder;

/// The recording, made when the first test asks for it.
#[derive(Default)]
pub struct Held {
    wanted: Mutex<Vec<String>>,
    verdict: OnceLock<Result<Verdict, String>>,
}

impl Held {
    /// Chooses the cases.
    pub fn want(&self, cases: Vec<String>) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = cases;
    }

    /// Whether the record of one case equals its truth.
    pub fn judge(&self, case: &str) -> Result<()> {
        let cases = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let verdict = self.verdict.get_or_init(|| record(&cases).map_err(|error| format!("{error:#}")));
        match verdict.as_ref().map(|verdict| verdict.get(case).map(Vec::as_slice)) {
            Err(error) => bail!("the recording failed: {error}"),
            Ok(None) => bail!("the generator made no truth"),
            Ok(Some([])) => Ok(()),
            Ok(Some(problems)) => bail!("{}", problems.join("\n")),
        }
    }
}

/// Cases whose first phase is `before` go on under the recorder's eyes, the others stay as they are.
fn record(cases: &[String]) -> Result<Verdict> {
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for case in cases {
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
    recorder.stop()?;
    still_open.into_iter().try_for_each(|held| held.release().map(drop))?;
    Ok(compare(&truths, &export(&db)?))
}
