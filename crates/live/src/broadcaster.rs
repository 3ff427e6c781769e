//! The recorder's end: hands on what was stored, to any number of viewers, and waits for none.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::listeners::Listening;
use super::update::{FORMAT, Listener, MAX_LINE, Update};
use super::{DEFAULT_SOCKET, LiveState, peer};

/// Updates that wait for the broadcaster at most. It does less with each than the store did.
const WAITING: usize = 64;
/// The largest number of rows that wait while the broadcaster's queue is full: about as many as a line of [`MAX_LINE`] has.
const MAX_PENDING: usize = 150_000;
/// The largest number of lines that wait for a viewer; a viewer for which there are more is slow.
const LINES: usize = 16;
/// Bytes that wait for a viewer at most before it counts as slow.
const MAX_UNREAD: u64 = 8 << 20;
/// Viewers at most.
const MAX_VIEWERS: usize = 64;
/// The number of ended connections that are still sent to new viewers.
const KEPT: usize = 5_000;
/// The interval at which slow viewers are checked.
const CATCH_UP: Duration = Duration::from_millis(250);
/// The interval at which listening sockets are looked for while a viewer is attached.
const LISTENERS: Duration = Duration::from_secs(5);
/// How long the end of a recording waits for viewers: while none of them reads anything, and in all.
const PATIENCE: Duration = Duration::from_secs(3);
const LAST_WORD: Duration = Duration::from_secs(10);
/// The interval at which their progress is checked.
const LOOK: Duration = Duration::from_millis(10);
/// The number of bytes written to a viewer at once.
const PIECE: usize = 1 << 16;

/// Why there is no live socket; the recording goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum BroadcasterError {
    /// Another recorder has it.
    #[error("{0} belongs to another recorder")]
    Taken(PathBuf),
    /// It cannot be made.
    #[error("{0}: {1}")]
    Socket(PathBuf, io::Error),
}

/// A socket that viewers can attach to, before anything is told.
pub struct Socket {
    path: SocketPath,
    listener: std::os::unix::net::UnixListener,
    group: Option<u32>,
}

/// The path of a socket, which is removed when this is dropped.
struct SocketPath(PathBuf);

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Socket {
    /// Makes the socket: for root and the group `connmon`, if there is one. One that a dead recorder left is replaced.
    ///
    /// # Errors
    /// Another recorder has it, or the path cannot be used.
    pub fn bind(path: &Path) -> Result<Self, BroadcasterError> {
        let error = |error| BroadcasterError::Socket(path.into(), error);
        // Only the default folder is made: any other folder that is missing is a mistyped path.
        let folder =
            Path::new(DEFAULT_SOCKET).parent().filter(|own| path.parent() == Some(own) && !own.exists());
        if let Some(folder) = folder {
            connmon_system::files::make_folder(folder, 0o755).map_err(error)?;
        }
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(BroadcasterError::Taken(path.into())),
            // Nobody listens: what is there was left behind.
            Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => {
                let kind = std::fs::symlink_metadata(path).map_err(error)?.file_type();
                if !std::os::unix::fs::FileTypeExt::is_socket(&kind) {
                    return Err(error(io::Error::other("a file that is not a socket is in its place")));
                }
                std::fs::remove_file(path).map_err(error)?;
            }
            Err(_) => {}
        }
        // Nobody may enter before it is known who may. The mask is the process's; nothing else makes files yet.
        // SAFETY: only sets and returns a number.
        let mask = unsafe { libc::umask(0o177) };
        let listener = std::os::unix::net::UnixListener::bind(path);
        // SAFETY: as above.
        unsafe { libc::umask(mask) };
        let listener = listener.map_err(error)?;
        let made = SocketPath(path.into());
        listener.set_nonblocking(true).map_err(error)?;
        let group = peer::group();
        if let Some(group) = group {
            std::os::unix::fs::chown(path, None, Some(group)).map_err(error)?;
        }
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o660)).map_err(error)?;
        Ok(Self { path: made, listener, group })
    }

    /// Serves viewers, on a thread of its own; it asks for the listening sockets through `listeners`.
    ///
    /// # Errors
    /// The thread or its runtime cannot be created.
    pub fn serve(self, listeners: Listening) -> io::Result<Broadcaster> {
        let (sender, receiver) = channel(WAITING);
        let watched = Arc::new(AtomicUsize::new(0));
        let unseen = Arc::new(AtomicU64::new(0));
        let state = BroadcasterState {
            live: LiveState::new(KEPT, false),
            seq: 0,
            viewers: Vec::new(),
            watched: watched.clone(),
            unseen: unseen.clone(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let Self { path, listener, group } = self;
        let shown = path.0.clone();
        let thread = std::thread::Builder::new().name("live".into()).spawn(move || {
            let listener = {
                let _guard = runtime.enter();
                UnixListener::from_std(listener)
            };
            match listener {
                Ok(listener) => runtime.block_on(run(state, receiver, &listener, group, listeners)),
                Err(error) => tracing::warn!("{}: {error}", shown.display()),
            }
            // What viewers have not read by now is dropped.
            runtime.shutdown_timeout(Duration::ZERO);
        })?;
        let (sender, thread) = (Some(sender), Some(thread));
        Ok(Broadcaster { _path: path, sender, pending: None, watched, unseen, thread })
    }
}

/// The channel through which a recorder passes on what it has stored.
pub struct Broadcaster {
    _path: SocketPath,
    sender: Option<Sender<Update>>,
    pending: Option<Update>,
    watched: Arc<AtomicUsize>,
    unseen: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Broadcaster {
    /// A function that says, on any thread, whether there is a viewer that keeps up.
    pub fn watched(&self) -> Box<dyn Fn() -> bool + Send + Sync> {
        let watched = self.watched.clone();
        Box::new(move || watched.load(Ordering::Relaxed) > 0)
    }

    /// Hands on an update. Never waits: while the broadcaster is busy, updates become one; what is too much even so is counted, and
    /// viewers are told the count.
    pub fn publish(&mut self, update: Update) {
        let Some(sender) = &self.sender else { return };
        let update = match self.pending.take() {
            Some(mut pending) if pending.rows() + update.rows() <= MAX_PENDING => {
                pending.absorb(update);
                pending
            }
            Some(pending) => {
                self.unseen.fetch_add(update.rows() as u64, Ordering::Relaxed);
                pending
            }
            None => update,
        };
        if let Err(TrySendError::Full(update)) = sender.try_send(update) {
            self.pending = Some(update);
        }
    }
}

impl Drop for Broadcaster {
    fn drop(&mut self) {
        // The broadcaster takes in this last update, and ends when the channel is closed.
        if let Some((sender, update)) = self.sender.take().zip(self.pending.take()) {
            let _ = sender.blocking_send(update);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A viewer as the broadcaster sees it.
struct Viewer {
    lines: Sender<Arc<str>>,
    pace: ViewerPace,
    /// The bytes that were queued for it, and those of them that were written to it.
    given: u64,
    taken: Arc<AtomicU64>,
}

impl Viewer {
    /// Whether there is something that it has not taken yet.
    fn waits(&self) -> bool {
        !self.lines.is_closed() && (self.waiting() > 0 || self.pace != ViewerPace::Up)
    }

    /// Bytes that wait for it.
    fn waiting(&self) -> u64 {
        self.given.saturating_sub(self.taken.load(Ordering::Relaxed))
    }

    /// Puts a line into its queue, if there is room.
    fn enqueue(&mut self, line: Arc<str>) -> Result<(), TrySendError<Arc<str>>> {
        let length = line.len() as u64;
        self.lines.try_send(line)?;
        self.given += length;
        Ok(())
    }
}

/// The progress of a viewer.
#[derive(Clone, Copy, PartialEq)]
enum ViewerPace {
    /// It has had nothing yet.
    New,
    /// It has had everything.
    Up,
    /// It was slow and has missed this number of updates.
    Missed(u64),
}

struct BroadcasterState {
    live: LiveState,
    seq: u64,
    viewers: Vec<Viewer>,
    watched: Arc<AtomicUsize>,
    unseen: Arc<AtomicU64>,
}

async fn run(
    mut state: BroadcasterState,
    mut updates: Receiver<Update>,
    listener: &UnixListener,
    group: Option<u32>,
    mut listening: Listening,
) {
    let mut look = tokio::time::interval(LISTENERS);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut catch_up = tokio::time::interval(CATCH_UP);
    catch_up.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            update = updates.recv() => match update {
                Some(update) => state.publish(update),
                None => break,
            },
            stream = listener.accept() => match stream {
                Ok((stream, _)) => {
                    if state.admit(stream, group) {
                        listening.look();
                    }
                }
                Err(error) => {
                    tracing::debug!("a viewer could not be accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(found) = listening.found.recv() => state.listening(found),
            _ = look.tick() => {
                if state.watched.load(Ordering::Relaxed) > 0 {
                    listening.look();
                }
            }
            _ = catch_up.tick() => state.catch_up(),
        }
    }
    let drained = async {
        let (mut before, mut idle) = (0, Duration::ZERO);
        while state.viewers.iter().any(Viewer::waits) && idle < PATIENCE {
            state.catch_up();
            tokio::time::sleep(LOOK).await;
            let taken = state.viewers.iter().map(|viewer| viewer.taken.load(Ordering::Relaxed)).sum();
            idle = if taken == before { idle + LOOK } else { Duration::ZERO };
            before = taken;
        }
    };
    let _ = tokio::time::timeout(LAST_WORD, drained).await;
}

impl BroadcasterState {
    /// Takes in what was stored, and hands it on.
    fn publish(&mut self, mut update: Update) {
        self.seq += 1;
        (update.format, update.seq) = (FORMAT, self.seq);
        update.totals.unseen = self.unseen.load(Ordering::Relaxed);
        self.live.add_totals(&mut update);
        self.forward(&update);
    }

    /// Hands on an update to those that keep up.
    fn forward(&mut self, update: &Update) {
        let mut line: Option<Arc<str>> = None;
        self.viewers.retain_mut(|viewer| {
            match &mut viewer.pace {
                ViewerPace::Up => {}
                ViewerPace::New => return !viewer.lines.is_closed(),
                ViewerPace::Missed(missed) => {
                    *missed += 1;
                    return !viewer.lines.is_closed();
                }
            }
            // Checked before the line is made, because nobody might take it.
            if viewer.waiting() > MAX_UNREAD {
                viewer.pace = ViewerPace::Missed(1);
                return !viewer.lines.is_closed();
            }
            let line = line.get_or_insert_with(|| update.to_line().into());
            // No viewer accepts a line that is too long: a snapshot has the same in parts.
            let is_too_long = line.len() > MAX_LINE;
            let sent = if is_too_long { Ok(()) } else { viewer.enqueue(line.clone()) };
            if is_too_long || matches!(sent, Err(TrySendError::Full(_))) {
                viewer.pace = ViewerPace::Missed(1);
            }
            !matches!(sent, Err(TrySendError::Closed(_)))
        });
        self.note_watched();
    }

    /// Sends a snapshot to viewers that are new or have missed updates, once they have read all that was queued. Viewers that have missed
    /// the same number share its text.
    fn catch_up(&mut self) {
        // Nothing has been stored yet: there is nothing to show.
        if self.live.run().is_none() {
            return;
        }
        let mut made: Option<(u64, Arc<str>)> = None;
        for viewer in self.viewers.iter_mut().filter(|viewer| viewer.waiting() == 0) {
            let missed = match viewer.pace {
                ViewerPace::Up => continue,
                ViewerPace::New => 0,
                ViewerPace::Missed(missed) => missed,
            };
            if made.as_ref().is_none_or(|(of, _)| *of != missed) {
                // In one piece: half a snapshot is none.
                let text: String = self.live.snapshot(missed).iter().map(Update::to_line).collect();
                made = Some((missed, text.into()));
            }
            let text = made.as_ref().map(|(_, text)| text.clone());
            if text.is_some_and(|text| viewer.enqueue(text).is_ok()) {
                viewer.pace = ViewerPace::Up;
            }
        }
        self.note_watched();
    }

    /// Notes how many viewers keep up: while there are any, the recorder looks for changes more often.
    fn note_watched(&self) {
        let keeping_up = self.viewers.iter().filter(|viewer| viewer.pace == ViewerPace::Up).count();
        self.watched.store(keeping_up, Ordering::Relaxed);
    }

    fn listening(&mut self, found: Vec<Listener>) {
        if found != self.live.listeners() {
            let update = Update {
                time: self.live.now(),
                listeners: Some(found),
                ended: self.live.has_ended(),
                ..Update::default()
            };
            self.publish(update);
        }
    }

    /// Takes in a viewer, if it is permitted, and sends it a snapshot; returns whether it was taken in.
    fn admit(&mut self, stream: UnixStream, group: Option<u32>) -> bool {
        let allowed = stream
            .peer_cred()
            .is_ok_and(|peer| peer::may_look(stream.as_fd(), peer.uid(), peer.gid(), group));
        self.viewers.retain(|viewer| !viewer.lines.is_closed());
        if !allowed || self.viewers.len() >= MAX_VIEWERS {
            tracing::warn!(
                "a viewer was refused: {}",
                if allowed { "there are too many" } else { "it is not permitted" }
            );
            return false;
        }
        let (lines, receiver) = channel(LINES);
        let taken = Arc::new(AtomicU64::new(0));
        tokio::spawn(write(stream, receiver, taken.clone()));
        self.viewers.push(Viewer { lines, pace: ViewerPace::New, given: 0, taken });
        self.catch_up();
        true
    }
}

/// Writes to a viewer what is for it, until it goes or says anything: viewers have nothing to say.
async fn write(stream: UnixStream, mut lines: Receiver<Arc<str>>, taken: Arc<AtomicU64>) {
    tracing::debug!("a viewer came, descriptor {}", stream.as_raw_fd());
    let (mut reader, mut writer) = stream.into_split();
    let mut byte = [0; 1];
    let said = reader.read(&mut byte);
    tokio::pin!(said);
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            _ = &mut said => return,
        };
        let Some(line) = line else { return };
        for piece in line.as_bytes().chunks(PIECE) {
            tokio::select! {
                written = writer.write_all(piece) => if written.is_err() { return },
                _ = &mut said => return,
            }
            taken.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
    }
}
