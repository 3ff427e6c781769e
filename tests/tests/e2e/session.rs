//! One recorder for all the plain cases.

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::audit::Audit;
use connmon_tests::harness::inexact;
use connmon_tests::harness::programs::{audit, export, times, traffic};
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::results::Results;
use connmon_tests::truth::{Truth, disagreements};
use tempfile::TempDir;

/// Always recorded, for the tests that look at the store as a whole.
const ALWAYS: [&str; 2] = ["tcp-simple-v4", "hostile-v4"];

/// The shared recording, made when the first test asks for it.
#[derive(Default)]
pub struct Session {
    wanted: Mutex<Vec<String>>,
    recorded: OnceLock<Result<Recorded, String>>,
}

/// A store and what should be in it.
pub struct Recorded {
    /// The store.
    pub db: PathBuf,
    /// What really happened.
    pub truths: Vec<Truth>,
    results: Results,
    complaints: String,
    folder: TempDir,
}

impl Session {
    /// Chooses the cases.
    pub fn want(&self, mut cases: Vec<String>) {
        cases.extend(ALWAYS.iter().map(|&case| case.to_owned()));
        cases.sort();
        cases.dedup();
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = cases;
    }

    /// The recording.
    pub fn recorded(&self) -> Result<&Recorded> {
        let cases = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let recorded = self.recorded.get_or_init(|| record(&cases).map_err(|error| format!("{error:#}")));
        recorded.as_ref().map_err(|error| anyhow::anyhow!("the shared recording failed: {error}"))
    }

    /// Whether the record of one case equals its truth; the line for the table of what is covered.
    pub fn judge(&self, case: &str) -> Result<String> {
        let Recorded { results, complaints, .. } = self.recorded()?;
        let outcome = results.judge(case).with_context(|| complaints.trim().to_owned())?;
        results.line(case, &outcome)
    }

    /// The audit's sums are those of the truth.
    pub fn audit_equals_truth(&self) -> Result<()> {
        let recorded = self.recorded()?;
        let differences = recorded.audit()?.differences(&recorded.truths);
        ensure!(differences.is_empty(), "{}", differences.join("\n"));
        Ok(())
    }

    /// The audit's counters of loss are all 0.
    pub fn nothing_lost(&self) -> Result<()> {
        self.recorded()?.audit()?.ensure_complete()
    }
}

impl Recorded {
    fn audit(&self) -> Result<Audit> {
        audit(&self.db)
    }

    /// A path next to the store.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn record(cases: &[String]) -> Result<Recorded> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("shared.db");
    let recorder = Recorder::start(&db, &[])?;
    let times = times()?;
    let repeat = times.to_string();
    let mut args = vec!["case", "--repeat", &repeat];
    args.extend(cases.iter().map(String::as_str));
    let (truths, complaints) = traffic(&args)?;
    let said = recorder.stop()?;
    for truth in &truths {
        let problems = disagreements(truth);
        ensure!(problems.is_empty(), "the truth of {} is none: {}", truth.case, problems.join("\n"));
    }
    let mut records = export(&db)?;
    if inexact::tracepoint(&said) {
        inexact::fold_unknown_remotes(&mut records);
    }
    let results = Results::new(truths.clone(), &records, &said, times)?;
    Ok(Recorded { db, truths, results, complaints, folder })
}
