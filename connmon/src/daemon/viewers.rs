//! Those who look while a recording goes on.

use connmon_live::Update;
use connmon_live::broadcaster::{Broadcaster, Socket};
use connmon_live::findings::LiveFindings;
use connmon_live::listeners::{Asked, Listening};
use connmon_live::update::ReloadNote;
use connmon_record::Timestamp;
use connmon_record::rows::Batch;
use connmon_store::Writer;

/// How often viewers are told of the recording as a whole, nanoseconds.
const ABOUT: i64 = 1_000_000_000;

/// Viewers, and the socket at which they attach, if they may.
#[derive(Default)]
pub struct Viewers {
    socket: Option<Socket>,
    broadcaster: Option<Broadcaster>,
    /// When they were last told of the recording as a whole.
    about: Timestamp,
    reload: Option<ReloadNote>,
    findings: Option<LiveFindings>,
}

impl Viewers {
    /// Who attaches here is told of what was stored.
    pub fn at(socket: Socket) -> Self {
        Self { socket: Some(socket), ..Self::default() }
    }

    /// Lets them in; what they want to know of sockets that listen.
    pub(super) fn serve(&mut self) -> Asked {
        let (listening, asked) = Listening::pair();
        match self.socket.take().map(|socket| socket.serve(listening)).transpose() {
            Ok(broadcaster) => self.broadcaster = broadcaster,
            // A recording that nobody can watch is better than none.
            Err(error) => tracing::warn!("no viewer can attach: {error}"),
        }
        asked
    }

    /// Whether somebody looks who keeps up; a look that can be taken from elsewhere.
    pub(super) fn watched(&self) -> Box<dyn Fn() -> bool + Send + Sync> {
        match &self.broadcaster {
            Some(broadcaster) => broadcaster.watched(),
            None => Box::new(|| false),
        }
    }

    /// With the next batch they are told that the configuration was read again, or could not be.
    pub(super) fn note_reload(&mut self, note: ReloadNote) {
        self.reload = Some(note);
    }

    /// With the next batch they are told what is worth a look now.
    pub(super) fn note_findings(&mut self, findings: LiveFindings) {
        self.findings = Some(findings);
    }

    /// Tells of what was just written into `store`. What cannot be read back, they are told later.
    pub(super) fn tell(&mut self, store: &mut Writer, batch: Batch) {
        let verdicts = store.take_verdicts();
        let Some(broadcaster) = &mut self.broadcaster else { return };
        let due = batch.start.is_some() || batch.ended || batch.time.0.saturating_sub(self.about.0) >= ABOUT;
        let about = due.then(|| store.about().ok().flatten()).flatten();
        if about.is_some() {
            self.about = batch.time;
        }
        let reload = self.reload.take();
        let findings = self.findings.take().map(Box::new);
        broadcaster.publish(Update { reload, findings, ..Update::from_batch(batch, verdicts, about) });
    }
}
