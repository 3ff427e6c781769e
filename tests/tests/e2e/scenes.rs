//! Scenes that need a recorder, but none of their own. On this host each has one all the same, so that it is judged alone; in a
//! guest, where a recorder takes long to get ready, all of them share that of the session.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use anyhow::{Context, Error, Result};
use connmon_tests::harness::programs::{audit, export, in_vm};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::whole::{ensure_exact_among, pids};
use connmon_tests::truth::Truth;
use tempfile::TempDir;

/// Compares a recording with what happened.
pub type Judge = Box<dyn FnOnce(&Recording) -> Result<()> + Send>;
/// Makes the traffic of a scene, under the eyes of a recorder.
pub type Play = fn() -> Result<Played>;

/// A scene that was played.
pub struct Played {
    /// What [`Recording::ensure_exact`] compares.
    pub truths: Vec<Truth>,
    /// Further processes of the scene.
    pub pids: Vec<u32>,
    /// To be called when the recording is over.
    pub judge: Judge,
}

impl Played {
    /// By this process, or by one of which nobody asks.
    pub fn by_us(judge: impl FnOnce(&Recording) -> Result<()> + Send + 'static) -> Self {
        Self { truths: Vec::new(), pids: Vec::new(), judge: Box::new(judge) }
    }
}

/// A recording that is over.
pub struct Recording {
    db: PathBuf,
    truths: Vec<Truth>,
    ours: HashSet<u32>,
    records: OnceLock<Result<Vec<Record>, String>>,
    exact: OnceLock<Result<(), String>>,
    /// Goes when the recording goes, where it is a scene's own.
    _folder: Option<TempDir>,
}

impl Recording {
    /// The store.
    pub fn db(&self) -> &Path {
        &self.db
    }

    /// All that was recorded, also of other scenes and other programs.
    pub fn records(&self) -> Result<&[Record]> {
        let records = self.records.get_or_init(|| export(&self.db).map_err(sentence_of));
        records.as_deref().map_err(|said| Error::msg(said.clone()))
    }

    /// Fails unless the store has exactly what the truths of its scenes tell, and nothing was lost.
    pub fn ensure_exact(&self) -> Result<()> {
        let compare = || {
            let records = self.records()?.to_vec();
            ensure_exact_among(&self.truths, &self.ours, &audit(&self.db)?, records)
        };
        self.exact.get_or_init(|| compare().map_err(sentence_of)).clone().map_err(Error::msg)
    }
}

fn sentence_of(error: Error) -> String {
    format!("{error:#}")
}

/// The scenes of this run.
#[derive(Default)]
pub struct Scenes {
    wanted: Mutex<Vec<(String, Play)>>,
    shared: OnceLock<Recorded>,
}

struct Recorded {
    recording: Recording,
    judges: Mutex<HashMap<String, Result<Judge, String>>>,
}

impl Scenes {
    /// Chooses a scene.
    pub fn want(&self, name: &str, play: Play) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).push((name.into(), play));
    }

    /// Nobody asks for this scene after all.
    pub fn forget(&self, name: &str) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).retain(|(wanted, _)| wanted != name);
    }

    /// Plays all of them under the eyes of whichever recorder is there.
    pub fn play(&self) -> PlayedScenes {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        PlayedScenes::play(&wanted)
    }

    /// Takes the store of that recorder, which is over; the scenes' processes.
    pub fn end(&self, played: PlayedScenes, db: &Path) -> HashSet<u32> {
        let recorded = played.recorded(db.to_owned(), None);
        let ours = recorded.recording.ours.clone();
        let _ = self.shared.set(recorded);
        ours
    }

    /// Whether the record of a scene is right: of one that was played beside others, or is played now.
    pub fn judge(&self, name: &str, play: Play) -> Result<()> {
        match self.shared.get() {
            Some(recorded) => recorded.judge(name),
            None => record(&[(name.into(), play)])?.judge(name),
        }
    }
}

impl Recorded {
    fn judge(&self, name: &str) -> Result<()> {
        let judge = self.judges.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        let judge = judge.context("the scene was not played")?.map_err(Error::msg)?;
        judge(&self.recording)
    }
}

/// Scenes of which the recording is not over.
pub struct PlayedScenes {
    truths: Vec<Truth>,
    ours: HashSet<u32>,
    judges: HashMap<String, Result<Judge, String>>,
}

impl PlayedScenes {
    fn play(scenes: &[(String, Play)]) -> Self {
        let (mut truths, mut ours, mut judges) = (Vec::new(), HashSet::new(), HashMap::new());
        for (name, play) in scenes {
            let began = Instant::now();
            let judge = play().map_err(sentence_of).map(|played| {
                ours.extend(played.pids);
                truths.extend(played.truths);
                played.judge
            });
            judges.insert(name.clone(), judge);
            // Many of them take minutes, and a guest that says nothing is taken for hung.
            if in_vm() {
                println!("played {name} in {} s", began.elapsed().as_secs());
            }
        }
        ours.extend(pids(&truths));
        Self { truths, ours, judges }
    }

    fn recorded(self, db: PathBuf, folder: Option<TempDir>) -> Recorded {
        let (records, exact) = Default::default();
        let recording =
            Recording { db, truths: self.truths, ours: self.ours, records, exact, _folder: folder };
        Recorded { recording, judges: Mutex::new(self.judges) }
    }
}

fn record(scenes: &[(String, Play)]) -> Result<Recorded> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("scenes.db");
    let recorder = Recorder::start(&db, &[])?;
    let played = PlayedScenes::play(scenes);
    recorder.stop()?;
    Ok(played.recorded(db, Some(folder)))
}
