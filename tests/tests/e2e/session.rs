//! One recorder for all the plain cases, and in a guest for what is held and the scenes too.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::audit::Audit;
use connmon_tests::harness::groups::{GroupKind, received_over_loopback};
use connmon_tests::harness::inexact;
use connmon_tests::harness::programs::{
    audit, connmon, connmon_prints, export, groups, in_vm, path, times, traffic,
};
use connmon_tests::harness::record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::results::Results;
use connmon_tests::harness::whole::{Host, pids};
use connmon_tests::truth::{Truth, disagreements};
use tempfile::TempDir;

use super::held::{Held, HeldCases};
use super::scenes::Scenes;

/// Always recorded, for the tests that look at the store as a whole.
const ALWAYS: [&str; 2] = ["tcp-simple-v4", "hostile-v4"];

/// The shared recording, made when the first test asks for it.
#[derive(Default)]
pub struct Session {
    wanted: Mutex<Vec<String>>,
    recorded: OnceLock<Result<Recorded, String>>,
    beside: Option<(Arc<Held>, Arc<Scenes>)>,
}

/// A store and what should be in it.
pub struct Recorded {
    /// The store.
    pub db: PathBuf,
    /// What really happened.
    pub truths: Vec<Truth>,
    results: Results,
    /// The processes of all that was played.
    ours: HashSet<u32>,
    complaints: String,
    folder: TempDir,
}

impl Session {
    /// One whose recorder sees what is held and the scenes as well: in a guest a recorder takes a minute to start.
    pub fn with(held: Arc<Held>, scenes: Arc<Scenes>) -> Self {
        Self { beside: Some((held, scenes)), ..Self::default() }
    }

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
        let recorded = self
            .recorded
            .get_or_init(|| record(&cases, self.beside.as_ref()).map_err(|error| format!("{error:#}")));
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

    /// So are the sums of the audit's groups.
    pub fn groups_equal_truth(&self, by: GroupKind) -> Result<()> {
        let recorded = self.recorded()?;
        let groups = groups(&recorded.db, by.name())?;
        let differences = groups.differences(by, &recorded.truths, &export(&recorded.db)?);
        ensure!(differences.is_empty(), "{}", differences.join("\n"));
        Ok(())
    }

    /// The interfaces counted at least what was received over loopback.
    pub fn interfaces_count(&self) -> Result<()> {
        let recorded = self.recorded()?;
        recorded.audit()?.ensure_loopback_carried(received_over_loopback(&recorded.truths))
    }

    /// The export says how complete it is: JSON Lines in its last line, CSV on standard error.
    pub fn export_is_complete(&self) -> Result<()> {
        let recorded = self.recorded()?;
        let db = path(&recorded.db)?;
        let trailer = record::trailer(&connmon_prints(&["export", "--format", "jsonl", "--db", db])?)?;
        ensure!(trailer.runs == 1, "{} recordings", trailer.runs);
        let words = trailer.completeness["words"].as_array().map_or(0, Vec::len);
        ensure!(words > 0, "the trailer has no words");
        for command in ["export", "audit"] {
            let output = connmon(&[command, "--format", "csv", "--db", db])?;
            let stderr = String::from_utf8_lossy(&output.stderr);
            ensure!(stderr.contains("All loss counters are zero"), "{command}: {stderr}");
        }
        Ok(())
    }

    /// The audit's counters of loss are all 0.
    pub fn nothing_lost(&self) -> Result<()> {
        let recorded = self.recorded()?;
        let audit = recorded.audit()?;
        audit.ensure_complete(Host::among(&audit, &recorded.ours))
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

fn record(cases: &[String], beside: Option<&(Arc<Held>, Arc<Scenes>)>) -> Result<Recorded> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("shared.db");
    let mut held = beside.map(|(held, _)| held.begin()).transpose()?;
    let recorder = Recorder::start(&db, &[])?;
    held.iter_mut().try_for_each(HeldCases::go_on)?;
    // A guest that says nothing for long is taken for hung.
    let say = |what: &str| {
        if in_vm() {
            println!("{what}")
        }
    };
    say("the recorder is there");
    let times = times()?;
    let repeat = times.to_string();
    let mut args = vec!["case", "--repeat", &repeat];
    args.extend(cases.iter().map(String::as_str));
    let (truths, complaints) = traffic(&args)?;
    say("played the cases");
    let scenes = beside.map(|(_, scenes)| scenes.play());
    let said = recorder.stop()?;
    say("recorded");
    for truth in &truths {
        let problems = disagreements(truth);
        ensure!(problems.is_empty(), "the truth of {} is none: {}", truth.case, problems.join("\n"));
    }
    let mut records = export(&db)?;
    let mut ours = pids(&truths);
    if let Some((keeper, stage)) = beside {
        ours.extend(held.into_iter().flat_map(|held| keeper.end(held, &records, &said)));
        ours.extend(scenes.into_iter().flat_map(|scenes| stage.end(scenes, &db)));
    }
    if inexact::tracepoint(&said) {
        inexact::fold_unknown_remotes(&mut records);
    }
    let results = Results::new(truths.clone(), &records, &said, times)?;
    Ok(Recorded { db, truths, results, ours, complaints, folder })
}
