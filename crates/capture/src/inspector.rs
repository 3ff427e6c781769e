//! Looks at programs that have sockets: the hash of the executable, whether it still has a name, and what the container
//! runtime calls its container. Off the hot path, on a thread of its own; what it finds comes back as frames.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::sys::boot_time_ns;
use super::{executable, privileges};
use connmon_record::frame::{ProgramFacts, Subject};
use connmon_record::{Container, Untrusted, display_safe, from_bytes, hex};

/// Larger executables are not hashed; bytes.
const LARGEST: u64 = 512 << 20;
/// Bytes for which it rests a second.
const RATE: f64 = 128e6;
/// Hashes that are remembered.
const REMEMBERED: usize = 8192;
/// Programs that wait to be looked at.
const WAITING: usize = 16_384;

/// A file that gives nothing for so long does not answer.
const SILENCE: Duration = Duration::from_secs(10);
/// Threads that may wait for such files for ever.
const MOST_GIVEN_UP: u32 = 8;
/// The note about such a file.
const SILENT: &str = "its file system did not answer in time";
/// The note about a file for which the end of a recording did not wait.
const ENDED: &str = "the recording ended before its executable was read";

/// A thread that looks, and the ways to it and back. It ends with its owner.
pub struct ExecutableInspector {
    subjects: SyncSender<Subject>,
    facts: Receiver<ProgramFacts>,
    shared: Arc<InspectorState>,
    worker: Thread,
    /// Threads that were given up.
    given_up: u32,
}

/// The state that the owner and the thread share.
struct InspectorState {
    to_look_at: Mutex<Receiver<Subject>>,
    found: Mutex<Sender<ProgramFacts>>,
    /// What is looked at by the thread of that number, and since when nothing came of it (CLOCK_BOOTTIME).
    at: Mutex<(u32, Option<(u64, Subject)>)>,
    /// No more rests: somebody waits for the end.
    hurry: AtomicBool,
    look: InspectFunction,
}

/// Looks at a program, and calls back whenever something comes of it.
type InspectFunction = fn(&Subject, &mut Hashes, &dyn Fn()) -> ProgramFacts;

impl InspectorState {
    fn at(&self) -> MutexGuard<'_, (u32, Option<(u64, Subject)>)> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a thread looks at; whether the thread has not been given up.
    fn note(&self, thread: u32, subject: Option<Subject>) -> bool {
        let mut at = self.at();
        let is_it = at.0 == thread;
        if is_it {
            at.1 = subject.map(|subject| (boot_time_ns(), subject));
        }
        is_it
    }

    /// Something came.
    fn note_progress(&self) {
        if let Some((since, _)) = &mut self.at().1 {
            *since = boot_time_ns();
        }
    }

    /// Does the work of a thread.
    fn work(&self, thread: u32) {
        let mut hashes = Hashes::default();
        loop {
            // One thread at a time waits here: one that is given up looks at something.
            let next = self.to_look_at.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(subject) = next else { return };
            self.note(thread, Some(subject.clone()));
            let facts = (self.look)(&subject, &mut hashes, &|| self.note_progress());
            if !self.note(thread, None) {
                return;
            }
            // The owner has gone: nobody wants to know.
            if self.found.lock().unwrap_or_else(PoisonError::into_inner).send(facts).is_err() {
                return;
            }
            let pause = std::mem::take(&mut hashes.pause);
            if !self.hurry.load(Ordering::Relaxed) {
                thread::park_timeout(pause);
            }
        }
    }
}

impl ExecutableInspector {
    /// Starts the thread.
    ///
    /// # Errors
    /// There is no room for a thread.
    pub fn start() -> io::Result<Self> {
        Self::with(inspect_program)
    }

    fn with(look: InspectFunction) -> io::Result<Self> {
        let (subjects, to_look_at) = mpsc::sync_channel::<Subject>(WAITING);
        let (found, facts) = mpsc::channel();
        let shared = Arc::new(InspectorState {
            to_look_at: Mutex::new(to_look_at),
            found: Mutex::new(found),
            at: Mutex::new((0, None)),
            hurry: AtomicBool::new(false),
            look,
        });
        let worker = Self::spawn(&shared, 0)?;
        Ok(Self { subjects, facts, shared, worker, given_up: 0 })
    }

    fn spawn(shared: &Arc<InspectorState>, number: u32) -> io::Result<Thread> {
        let shared = Arc::clone(shared);
        let thread = thread::Builder::new().name("executables".into());
        let work = move || {
            privileges::only_look();
            shared.work(number);
        };
        Ok(thread.spawn(work)?.thread().clone())
    }

    /// Asks for a look; the answer where there is no room to wait.
    pub fn inspect(&self, subject: Subject) -> Option<ProgramFacts> {
        if self.given_up > MOST_GIVEN_UP {
            return Some(answer(&subject, Err(SILENT.into())));
        }
        match self.subjects.try_send(subject) {
            Ok(()) => None,
            Err(TrySendError::Full(subject) | TrySendError::Disconnected(subject)) => {
                Some(answer(&subject, Err("too many new programs at once".into())))
            }
        }
    }

    /// What has been found since the last call. A file that does not answer, because whoever serves its file system does not,
    /// keeps one thread, and the next one goes on without it.
    pub fn take_results(&mut self) -> Vec<ProgramFacts> {
        let mut found: Vec<ProgramFacts> = self.facts.try_iter().collect();
        found.extend(self.give_up(SILENCE));
        found
    }

    fn give_up(&mut self, silence: Duration) -> Option<ProgramFacts> {
        let now = boot_time_ns();
        let is_awaited =
            |(since, _): &(u64, Subject)| u128::from(now.saturating_sub(*since)) < silence.as_nanos();
        let mut at = self.shared.at();
        if at.1.as_ref().is_none_or(is_awaited) || self.given_up > MOST_GIVEN_UP {
            return None;
        }
        let (_, subject) = at.1.take()?;
        at.0 += 1;
        let number = at.0;
        drop(at);
        self.given_up += 1;
        tracing::warn!("{}: {SILENT}", display_safe(&subject.exe));
        if self.given_up > MOST_GIVEN_UP {
            tracing::warn!("no more executables are hashed, because too many files do not answer");
        } else if let Ok(worker) = Self::spawn(&self.shared, number) {
            self.worker = worker;
        }
        Some(answer(&subject, Err(SILENT.into())))
    }

    /// Waits for all that was asked, but not longer than `patience` for any of it: then the answer is that the recording ended.
    pub fn finish(self, patience: Duration) -> Vec<ProgramFacts> {
        let Self { subjects, facts, shared, worker, .. } = self;
        shared.hurry.store(true, Ordering::Relaxed);
        worker.unpark();
        let left = Arc::downgrade(&shared);
        // With the thread's own, that was the last sender of facts.
        drop((subjects, shared));
        let mut found = Vec::new();
        loop {
            match facts.recv_timeout(patience) {
                Ok(facts) => found.push(facts),
                Err(RecvTimeoutError::Disconnected) => return found,
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        if let Some(shared) = left.upgrade() {
            let looked_at = shared.at().1.take().map(|(_, subject)| subject);
            let waiting = shared.to_look_at.lock().unwrap_or_else(PoisonError::into_inner);
            let unanswered = looked_at.into_iter().chain(waiting.try_iter());
            found.extend(unanswered.map(|subject| answer(&subject, Err(ENDED.into()))));
        }
        found
    }
}

fn answer(subject: &Subject, sha256: Result<String, String>) -> ProgramFacts {
    ProgramFacts {
        tgid: subject.tgid,
        start_ns: subject.start_ns,
        since_ns: subject.since_ns,
        deleted: false,
        sha256,
        container_name: None,
        container_image: None,
    }
}

/// Calls `beat` whenever something comes of it.
fn inspect_program(subject: &Subject, hashes: &mut Hashes, beat: &dyn Fn()) -> ProgramFacts {
    let file = executable::open(subject);
    beat();
    let deleted = matches!(file, Ok((_, true)));
    let mut found = answer(subject, file.and_then(|(file, _)| hashes.sha256_of(file, beat)));
    beat();
    found.deleted = deleted;
    if let Some(container) = &subject.container {
        (found.container_name, found.container_image) = named(container).unwrap_or_default();
    }
    found
}

/// Device, inode, size, and time of the last change in seconds and nanoseconds.
type Version = (u64, u64, u64, i64, i64);

/// Hashes of files by what would change with their content.
#[derive(Default)]
struct Hashes {
    known: HashMap<Version, String>,
    /// To be rested before the next look.
    pause: Duration,
}

impl Hashes {
    fn sha256_of(&mut self, mut file: File, beat: &dyn Fn()) -> Result<String, String> {
        let data = file.metadata().map_err(|error| error.to_string())?;
        if data.len() > LARGEST {
            return Err(format!("larger than {} MiB", LARGEST >> 20));
        }
        let version = (data.dev(), data.ino(), data.len(), data.ctime(), data.ctime_nsec());
        if let Some(hash) = self.known.get(&version) {
            return Ok(hash.clone());
        }
        let hash = sha256(&mut file, beat).map_err(|error| error.to_string())?;
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(version, hash.clone());
        self.pause = Duration::from_secs_f64(data.len() as f64 / RATE);
        Ok(hash)
    }
}

fn sha256(file: &mut File, beat: &dyn Fn()) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
        beat();
    }
}

/// Name and image of a container, from the files of its runtime.
fn named(container: &Container) -> Option<(Option<Untrusted>, Option<Untrusted>)> {
    let json = |path: String| -> Option<Value> { serde_json::from_slice(&fs::read(path).ok()?).ok() };
    let text = |value: &Value| value.as_str().map(|text| Untrusted::from(from_bytes(text.as_bytes())));
    let id = container.id.raw();
    match container.runtime.raw() {
        "docker" => {
            let config = json(format!("/var/lib/docker/containers/{id}/config.v2.json"))?;
            let name =
                text(&config["Name"]).map(|name| name.map(|name| name.trim_start_matches('/').to_owned()));
            Some((name, text(&config["Config"]["Image"])))
        }
        "podman" => {
            let all = json("/var/lib/containers/storage/overlay-containers/containers.json".into())?;
            let it = all.as_array()?.iter().find(|it| it["id"].as_str() == Some(id))?;
            let metadata: Option<Value> =
                it["metadata"].as_str().and_then(|it| serde_json::from_str(it).ok());
            Some((text(&it["names"][0]), metadata.and_then(|it| text(&it["image-name"]))))
        }
        "cri-o" => {
            let folder = format!("/var/lib/containers/storage/overlay-containers/{id}/userdata");
            let config = json(format!("{folder}/config.json"))?;
            let note = |key: &str| text(&config["annotations"][key]);
            Some((note("io.kubernetes.container.name"), note("io.kubernetes.cri-o.ImageName")))
        }
        "containerd" => {
            let spaces = fs::read_dir("/run/containerd/io.containerd.runtime.v2.task").ok()?.flatten();
            let mut files = spaces.map(|space| space.path().join(id).join("config.json"));
            let config = json(files.find(|file| file.exists())?.to_str()?.to_owned())?;
            let note = |key: &str| text(&config["annotations"][key]);
            let name = note("io.kubernetes.cri.container-name").or_else(|| note("nerdctl/name"));
            Some((name, note("io.kubernetes.cri.image-name")))
        }
        // Their names are their ids.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connmon_record::frame::Executable;

    fn me() -> Subject {
        let stat = procfs::process::Process::myself().unwrap().stat().unwrap();
        let exe = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
        let file = executable::file_at("/proc/self/exe").ok();
        // Within the tick that procfs tells.
        let start_ns = stat.starttime * 10_000_000;
        Subject { tgid: std::process::id(), start_ns, exe: exe.into(), file, ..Subject::default() }
    }

    #[test]
    fn a_live_process_is_hashed_through_procfs() {
        let inspector = ExecutableInspector::start().unwrap();
        assert_eq!(inspector.inspect(me()), None);
        let found = inspector.finish(Duration::from_secs(120));
        let expected = sha256(&mut File::open("/proc/self/exe").unwrap(), &|| {}).unwrap();
        assert_eq!((found.len(), found[0].sha256.clone()), (1, Ok(expected)));
        assert!(!found[0].deleted);
    }

    #[test]
    fn a_file_that_does_not_answer_keeps_nobody_else_waiting() {
        /// Opens what `exe` names, which waits for ever where that is a pipe that nobody writes to.
        fn open(subject: &Subject, hashes: &mut Hashes, beat: &dyn Fn()) -> ProgramFacts {
            let hash = File::open(subject.exe.raw()).map_err(|error| error.to_string());
            answer(subject, hash.and_then(|file| hashes.sha256_of(file, beat)))
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let pipe = std::ffi::CString::new(path("pipe")).unwrap();
        // SAFETY: a text that ends with NUL.
        assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
        fs::write(path("file"), "abc").unwrap();
        let subject = |tgid, name| Subject { tgid, exe: path(name).into(), ..Subject::default() };
        let mut inspector = ExecutableInspector::with(open).unwrap();
        let mut refused = Vec::new();
        for tgid in 0..=MOST_GIVEN_UP {
            assert_eq!(inspector.inspect(subject(tgid, "pipe")), None);
            assert_eq!(inspector.inspect(subject(100 + tgid, "file")), None);
            let begun = std::time::Instant::now();
            while !refused.iter().any(|facts: &ProgramFacts| facts.tgid == tgid) {
                assert!(begun.elapsed() < Duration::from_secs(60), "nobody gives it up");
                refused.extend(
                    inspector.give_up(Duration::from_millis(500)).filter(|facts| facts.sha256.is_err()),
                );
                thread::yield_now();
            }
        }
        assert!(refused.iter().all(|facts| facts.sha256 == Err(SILENT.into())));
        // With so many no thread is left, and that is said at once.
        assert_eq!(inspector.inspect(me()).map(|facts| facts.sha256), Some(Err(SILENT.into())));
        let found = inspector.finish(Duration::from_secs(2));
        let hashed = found.iter().filter(|facts| facts.sha256.is_ok()).count();
        assert_eq!(hashed, MOST_GIVEN_UP as usize, "files behind those that do not answer");
    }

    #[test]
    fn what_the_end_of_a_recording_does_not_wait_for_has_that_for_a_reason() {
        let look: InspectFunction = |subject, _, _| {
            if subject.tgid == 2 {
                thread::sleep(Duration::from_secs(3600));
            }
            answer(subject, Ok("hash".into()))
        };
        let inspector = ExecutableInspector::with(look).unwrap();
        for tgid in 1..=4 {
            assert!(inspector.inspect(Subject { tgid, ..Subject::default() }).is_none());
        }
        let mut found = inspector.finish(Duration::from_millis(500));
        found.sort_by_key(|facts| facts.tgid);
        let found: Vec<_> = found.into_iter().map(|facts| (facts.tgid, facts.sha256)).collect();
        let ended = || Err(ENDED.to_owned());
        assert_eq!(found, [(1, Ok("hash".to_owned())), (2, ended()), (3, ended()), (4, ended())]);
    }

    #[test]
    fn a_living_process_that_runs_another_file_is_not_hashed_for_it() {
        let mut hashes = Hashes::default();
        let (mut other_device, mut other_inode) = (me(), me());
        other_device.file.as_mut().unwrap().device.1 += 1;
        other_inode.file.as_mut().unwrap().inode += 1;
        for twin in [other_device, other_inode] {
            let why = inspect_program(&twin, &mut hashes, &|| {}).sha256.unwrap_err();
            assert_eq!(why, "the process runs another program now, and its executable is not at its path");
        }
        let unseen = Subject { file: None, ..me() };
        assert_eq!(
            inspect_program(&unseen, &mut hashes, &|| {}).sha256.unwrap_err(),
            "which file it runs was not to be seen"
        );
    }

    #[test]
    fn a_process_that_has_gone_is_hashed_by_path_only_if_it_is_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, "abc").unwrap();
        let exe = path.to_str().unwrap().to_owned();
        let file = executable::file_at(&exe).unwrap();
        let gone = |file| Subject {
            tgid: u32::MAX >> 1,
            exe: exe.clone().into(),
            file: Some(file),
            ..Subject::default()
        };
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let mut hashes = Hashes::default();
        let mut of = |file| inspect_program(&gone(file), &mut hashes, &|| {}).sha256;
        assert_eq!(of(file.clone()), Ok(abc.to_owned()));
        for other in [
            Executable { inode: file.inode + 1, ..file.clone() },
            Executable { device: (file.device.0, file.device.1 + 1), ..file.clone() },
        ] {
            let why = of(other).unwrap_err();
            assert_eq!(why, "the process had gone, and its executable is not at its path");
        }
        let (s, ns) = file.changed;
        let earlier = Executable { changed: (s - 1, ns), ..file };
        let why = of(earlier).unwrap_err();
        assert_eq!(why, "the process had gone, and its executable has been changed since");
    }

    #[test]
    fn a_file_that_changed_in_place_is_hashed_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let mut hashes = Hashes::default();
        let mut of = |content: &str| {
            fs::write(&path, content).unwrap();
            hashes.sha256_of(File::open(&path).unwrap(), &|| {}).unwrap()
        };
        assert_ne!(of("abc"), of("abcd"));
    }
}
