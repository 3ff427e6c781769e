//! One live state for all browsers, and what changed on it as messages.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderStringWriter;
use serde::Serialize;
use tokio::sync::{Notify, Semaphore, broadcast};
use tokio::time::sleep;

use super::ServeError;
use crate::attach::Updates;
use crate::{LiveState, Update};
use connmon_analysis::{Completeness, Verdict, Window};
use connmon_detect::Found;
use connmon_record::{Connection, HostLocation, Run, Timestamp};
use connmon_render::report::payload::{DEFAULT_ROWS, Payload};
use connmon_system::memory;

/// Between two messages.
const PERIOD: Duration = Duration::from_millis(250);
/// A message comes this often even if no connection changes, for open ones last longer.
const QUIET: Duration = Duration::from_secs(2);
/// The messages kept for browsers that were away, and their bytes; the last one is kept whatever its size.
const RECENT: usize = 64;
const RECENT_BYTES: usize = 8 << 20;
/// Freed memory is handed back after this number of rows; after fewer, once nothing more comes.
const GIVE_BACK: usize = 10_000;
/// Messages that wait for a browser at most, before it is told to begin anew.
const WAITING: usize = 16;
/// Pages and snapshots that are made at once.
const RENDERS: usize = 2;
/// How often it is checked whether the first snapshot is complete, and the largest number of checks.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: usize = 100;
/// Before the next try to attach.
const AGAIN: Duration = Duration::from_secs(1);

/// A message to every browser.
pub(super) struct FeedMessage {
    pub(super) seq: u64,
    pub(super) text: Bytes,
}

/// Whether more is to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum RecorderStatus {
    #[default]
    On,
    Ended,
    Gone,
}

#[derive(Serialize)]
struct Head {
    now: i64,
    recorder: RecorderStatus,
    forgotten: u64,
    /// Whether nothing is known to be missing.
    complete: bool,
}

#[derive(Default, Serialize)]
struct Message {
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    gone: BTreeSet<i64>,
    head: Option<Head>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped: u64,
}

/// The changes since the last message.
#[derive(Default)]
struct PendingChanges {
    reset: bool,
    changed: BTreeSet<i64>,
    gone: BTreeSet<i64>,
}

#[derive(Default)]
struct FeedState {
    live: LiveState,
    recorder: RecorderStatus,
    seq: u64,
    pending: PendingChanges,
    recent: VecDeque<Arc<FeedMessage>>,
    /// The time and the recorder as they were last told.
    said: (Timestamp, RecorderStatus),
    /// Missed updates that browsers have been told about.
    missed: u64,
    /// The parts of a snapshot that has not come whole.
    parts: Vec<Update>,
}

impl FeedState {
    fn take(&mut self, update: &Update) {
        let changes = self.live.apply(update);
        if changes.reset {
            self.pending = PendingChanges { reset: true, ..PendingChanges::default() };
        }
        self.recorder = if self.live.has_ended() { RecorderStatus::Ended } else { RecorderStatus::On };
        self.pending.changed.extend(changes.connections);
        for id in changes.gone {
            self.pending.changed.remove(&id);
            self.pending.gone.insert(id);
        }
    }
}

/// The live state and what browsers are told of it.
pub(super) struct Feed {
    pub(super) home: Option<HostLocation>,
    /// The page's own port: every message to a browser changes the connections to this port.
    port: u16,
    epoch: String,
    state: Mutex<FeedState>,
    changed: Notify,
    ticks: broadcast::Sender<Arc<FeedMessage>>,
    pub(super) renders: Semaphore,
}

/// The live state at one moment.
pub(super) struct View {
    pub(super) runs: Vec<Run>,
    pub(super) connections: Vec<(i64, Connection)>,
    /// The last message that is in it.
    pub(super) last: String,
    pub(super) now: Timestamp,
    /// Connections that only the store has.
    pub(super) forgotten: u64,
    /// Rows that could not be handed on.
    pub(super) unseen: u64,
    /// What is worth a look.
    pub(super) found: Found,
}

/// The beginning of a browser's feed: messages to send at once, and the stream of later ones.
pub(super) struct Subscription {
    pub(super) ticks: broadcast::Receiver<Arc<FeedMessage>>,
    pub(super) first: Vec<Bytes>,
    pub(super) seq: u64,
    /// It has to begin anew.
    pub(super) anew: bool,
}

impl Feed {
    /// # Errors
    /// The system gives no random numbers.
    pub(super) fn new(home: Option<HostLocation>, port: u16, keep: usize) -> Result<Self, ServeError> {
        let mut epoch = [0; 8];
        getrandom::fill(&mut epoch).map_err(|error| ServeError::Random(error.to_string()))?;
        Ok(Self {
            home,
            port,
            epoch: format!("{:016x}", u64::from_ne_bytes(epoch)),
            state: Mutex::new(FeedState { live: LiveState::new(keep, false), ..FeedState::default() }),
            changed: Notify::new(),
            ticks: broadcast::channel(WAITING).0,
            renders: Semaphore::new(RENDERS),
        })
    }

    fn lock(&self) -> MutexGuard<'_, FeedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what recorders tell, for ever.
    pub(super) fn take(&self, mut updates: Updates, mut again: impl FnMut() -> Option<Updates>) {
        loop {
            for update in updates {
                match update {
                    Ok(update) => self.apply(update),
                    Err(error) => {
                        tracing::info!("{error}");
                        break;
                    }
                }
            }
            self.gone();
            updates = loop {
                std::thread::sleep(AGAIN);
                if let Some(updates) = again() {
                    break updates;
                }
            };
        }
    }

    /// No more comes, for now.
    pub(super) fn gone(&self) {
        let mut state = self.lock();
        state.recorder = if state.live.has_ended() { RecorderStatus::Ended } else { RecorderStatus::Gone };
        let changes = state.live.cut_off();
        state.pending.changed.extend(changes.connections);
        drop(state);
        self.changed.notify_one();
    }

    /// Takes in an update. A snapshot in parts is not shown before its last part has come: half of it would look like all.
    pub(super) fn apply(&self, update: Update) {
        let mut state = self.lock();
        let part = update.snapshot;
        if part.is_some_and(|part| part.first) {
            state.parts.clear();
        }
        state.parts.push(update);
        if part.is_some_and(|part| !part.last) {
            return;
        }
        let parts = std::mem::take(&mut state.parts);
        parts.iter().for_each(|part| state.take(part));
        if state.live.is_complete() {
            self.changed.notify_one();
        }
    }

    /// Waits a moment for what the recorder tells at first.
    pub(super) async fn ready(&self) {
        for _ in 0..LOOKS {
            if self.lock().live.is_complete() {
                return;
            }
            sleep(LOOK).await;
        }
    }

    /// Tells browsers what changed, at once after a pause and then four times a second.
    pub(super) async fn tick(self: Arc<Self>) {
        let mut told = 0;
        let mut pause = std::pin::pin!(sleep(QUIET));
        loop {
            let quiet = tokio::select! {
                () = self.changed.notified() => false,
                () = &mut pause => true,
            };
            let feed = self.clone();
            let published = tokio::task::spawn_blocking(move || {
                let published = feed.publish(quiet);
                let told = told + published.unwrap_or_default();
                let is_due = told >= GIVE_BACK || (told > 0 && quiet);
                if is_due {
                    memory::give_back();
                }
                (published.is_some(), if is_due { 0 } else { told })
            });
            // It ends early only if it panics.
            let (published, rows) = published.await.unwrap_or_default();
            told = rows;
            if published || quiet {
                pause.set(sleep(QUIET));
            }
            if published {
                sleep(PERIOD).await;
            }
        }
    }

    /// Makes a message of what changed, if anything did; gives how many rows it tells of. There is one publisher.
    pub(super) fn publish(&self, quiet: bool) -> Option<usize> {
        let mut state = self.lock();
        // Messages about the connections that carry messages would never end.
        let own = |id: &i64| {
            let row = state.live.entry(*id).map(|entry| &entry.row);
            row.is_some_and(|row| {
                [row.local, row.remote].iter().any(|end| end.port == self.port && end.ip.is_loopback())
            })
        };
        let PendingChanges { reset, changed, gone } = &state.pending;
        let nothing = changed.iter().all(own) && gone.is_empty() && !reset;
        let said = (state.live.now(), state.recorder);
        let waiting = !changed.is_empty();
        let same = if quiet { said == state.said && !waiting } else { said.1 == state.said.1 };
        if (nothing && same) || !state.live.is_complete() {
            return None;
        }
        state.said = said;
        let PendingChanges { reset, changed, gone } = std::mem::take(&mut state.pending);
        let dropped = state.live.missed() - state.missed;
        state.missed = state.live.missed();
        let run = run_of(&state.live);
        let id = run.as_ref().map_or(0, |run| run.id);
        let rows: Vec<(i64, Connection)> = if reset {
            state.live.connections().collect()
        } else {
            changed.iter().filter_map(|one| Some((id, state.live.connection(*one)?))).collect()
        };
        let now = state.live.now();
        let head = head(&state);
        let seq = state.seq + 1;
        drop(state);

        let told = rows.len() + gone.len();
        let message = Message {
            payload: payload(run.as_slice(), &rows, now),
            gone: if reset { BTreeSet::new() } else { gone },
            head: Some(head),
            dropped,
        };
        let text = self.text(if reset { "snapshot" } else { "update" }, seq, &message);
        let tick = Arc::new(FeedMessage { seq, text });

        let mut state = self.lock();
        state.seq = seq;
        if reset {
            state.recent.clear();
        }
        state.recent.push_back(tick.clone());
        let mut bytes: usize = state.recent.iter().map(|tick| tick.text.len()).sum();
        while state.recent.len() > RECENT || (bytes > RECENT_BYTES && state.recent.len() > 1) {
            bytes -= state.recent.pop_front().map_or(0, |tick| tick.text.len());
        }
        // Nobody may be there to hear it.
        let _ = self.ticks.send(tick);
        Some(told)
    }

    /// A message as browsers read it.
    fn text(&self, kind: &str, seq: u64, message: &Message) -> Bytes {
        // Plain data with text keys: serde_json can only fail at those (docs.rs/serde_json, `to_string`).
        let data = serde_json::to_string(message).unwrap_or_default();
        Bytes::from(format!("event: {kind}\nid: {}-{seq}\ndata: {data}\n\n", self.epoch))
    }

    /// Begins to tell a browser that has seen everything up to `after`.
    pub(super) fn begin(&self, after: Option<&str>) -> Subscription {
        let state = self.lock();
        let ticks = self.ticks.subscribe();
        let seq = state.seq;
        let seen = after.and_then(|id| id.strip_prefix(&self.epoch)?.strip_prefix('-')?.parse::<u64>().ok());
        let oldest = state.recent.front().map_or(seq + 1, |tick| tick.seq);
        let seen = seen.filter(|seen| *seen <= seq && *seen + 1 >= oldest);
        let mut first = Vec::new();
        if let Some(seen) = seen {
            first.extend(state.recent.iter().filter(|tick| tick.seq > seen).map(|tick| tick.text.clone()));
        }
        let hello = Message { head: Some(head(&state)), ..Message::default() };
        first.push(self.text("hello", seq, &hello));
        Subscription { ticks, first, seq, anew: seen.is_none() }
    }

    /// Everything as one message, for a browser that missed so many, and the number of the last that is in it.
    pub(super) fn snapshot(&self, dropped: u64) -> (Bytes, u64) {
        let state = self.lock();
        let (run, now, seq) = (run_of(&state.live), state.live.now(), state.seq);
        let rows: Vec<_> = state.live.connections().collect();
        let head = head(&state);
        drop(state);
        let message = Message {
            payload: payload(run.as_slice(), &rows, now),
            head: Some(head),
            dropped,
            ..Message::default()
        };
        (self.text("snapshot", seq, &message), seq)
    }

    /// The live state as it is.
    pub(super) fn view(&self) -> View {
        let state = self.lock();
        View {
            runs: state.live.run().cloned().into_iter().collect(),
            connections: state.live.connections().collect(),
            last: format!("{}-{}", self.epoch, state.seq),
            now: state.live.now(),
            forgotten: state.live.forgotten(),
            unseen: state.live.totals().unseen,
            found: state.live.findings().found(),
        }
    }
}

impl View {
    /// Extends the recording until now.
    pub(super) fn until_now(mut self) -> Self {
        for run in &mut self.runs {
            run.last_flush = run.last_flush.max(self.now);
        }
        self
    }
}

/// The recording, which lasts until now.
fn run_of(live: &LiveState) -> Option<Run> {
    let mut run = live.run()?.clone();
    run.last_flush = run.last_flush.max(live.now());
    Some(run)
}

fn head(state: &FeedState) -> Head {
    let complete = Completeness::of_last(state.live.run().map(std::slice::from_ref).unwrap_or_default())
        .is_none_or(|(_, completeness)| completeness.verdict != Verdict::Incomplete)
        && state.live.forgotten() == 0
        && state.live.totals().unseen == 0;
    Head {
        now: state.live.now().as_millis(),
        recorder: state.recorder,
        forgotten: state.live.forgotten(),
        complete,
    }
}

/// Connections as the page's script reads them.
fn payload(runs: &[Run], rows: &[(i64, Connection)], now: Timestamp) -> Option<String> {
    let mut payload = Payload::new(runs, DEFAULT_ROWS);
    for (run, connection) in rows {
        payload.add(*run, connection);
    }
    let window =
        runs.iter().map(|run| Window { from: run.started, to: now.max(Timestamp(run.started.0 + 1)) }).next();
    let mut text = EncoderStringWriter::new(&STANDARD);
    match payload.write(window, None, &mut text) {
        Ok(_) => Some(text.into_inner()),
        Err(error) => {
            tracing::warn!("a message lacks its connections: {error}");
            None
        }
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The amount of memory used beside the live state.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct Sizes {
    pub(super) recent: usize,
    pub(super) bytes: usize,
    pub(super) pending: usize,
}

#[cfg(test)]
impl Feed {
    pub(super) fn sizes(&self) -> Sizes {
        let state = self.lock();
        let PendingChanges { changed, gone, .. } = &state.pending;
        Sizes {
            recent: state.recent.len(),
            bytes: state.recent.iter().map(|tick| tick.text.len()).sum(),
            pending: changed.len() + gone.len(),
        }
    }
}
