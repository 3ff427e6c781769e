//! From batches to rows in the store, and to those who look.

use crate::enrich::Enricher;
use crate::live::Update;
use crate::live::hub::{Hub, Socket};
use crate::model::{ConnectionId, Timestamp, display_safe};
use crate::store::{News, StoreError, Writer};
use crate::track::Batch;

/// How often viewers are told of the recording as a whole, nanoseconds.
const ABOUT: i64 = 1_000_000_000;
/// Matches of indicators that are told one by one, of those that are found at once.
const WARNINGS: usize = 50;

/// Batches in, rows in the store.
pub struct Sink {
    enricher: Enricher,
    pub(super) store: Writer,
    /// Where viewers will attach.
    socket: Option<Socket>,
    hub: Option<Hub>,
    /// When viewers were last told of the recording as a whole.
    about: Timestamp,
}

impl Sink {
    /// Into `store`.
    pub fn new(enricher: Enricher, store: Writer) -> Self {
        Self { enricher, store, socket: None, hub: None, about: Timestamp(0) }
    }

    /// The same, and viewers who attach here are told of what was stored.
    #[must_use]
    pub fn telling(self, socket: Socket) -> Self {
        Self { socket: Some(socket), ..self }
    }

    /// Lets viewers in. Their thread has the rights that are left when this is called.
    pub(super) fn serve(&mut self) {
        match self.socket.take().map(Socket::serve).transpose() {
            Ok(hub) => self.hub = hub,
            // A recording that nobody can watch is better than none.
            Err(error) => tracing::warn!("no viewer can attach: {error}"),
        }
    }

    /// Whether somebody looks who keeps up; a look that can be taken from elsewhere.
    pub(super) fn watched(&self) -> Box<dyn Fn() -> bool> {
        match &self.hub {
            Some(hub) => hub.watched(),
            None => Box::new(|| false),
        }
    }

    /// Writes a batch, in one transaction.
    ///
    /// # Errors
    /// The store cannot be written; nothing of the batch is stored then, and it can be tried again.
    pub fn put(&mut self, batch: &mut Batch) -> Result<(), StoreError> {
        self.complete(batch);
        self.write(batch)
    }

    /// Adds what is known of addresses.
    pub(super) fn complete(&mut self, batch: &mut Batch) {
        self.enricher.complete(batch);
    }

    /// Writes a batch that is complete.
    pub(super) fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.store.write(batch)?;
        warn_of(&self.store.take_news());
        Ok(())
    }

    /// Tells viewers of what was just written. What cannot be read back for them, they are told later.
    pub(super) fn tell(&mut self, batch: Batch) {
        let verdicts = self.store.take_verdicts();
        let Some(hub) = &mut self.hub else { return };
        let due = batch.start.is_some() || batch.ended || batch.time.0.saturating_sub(self.about.0) >= ABOUT;
        let about = due.then(|| self.store.about().ok().flatten()).flatten();
        if about.is_some() {
            self.about = batch.time;
        }
        hub.tell(Update::of(batch, verdicts, about));
    }

    /// Connections that the recording's filter did not keep.
    pub fn left_out(&self) -> u64 {
        self.store.left_out()
    }
}

/// Tells of connections that match indicators: each once an indicator, and of a crowd how many more there are.
fn warn_of(news: &[News]) {
    for News { connection, hit } in news.iter().take(WARNINGS) {
        let who = connection.owner.as_ref().map_or_else(String::new, |owner| {
            format!(" of {} ({})", if owner.exe.is_empty() { &owner.comm } else { &owner.exe }, owner.id.pid)
        });
        let line = format!(
            "connection {} to {}{who} matches {} in {}",
            ConnectionId(connection.id),
            connection.remote,
            hit.indicator,
            hit.list.name
        );
        tracing::warn!("{}", display_safe(&line));
    }
    if let more @ 1.. = news.len().saturating_sub(WARNINGS) {
        tracing::warn!("{more} more indicator matches; `connmon export --filter 'ioc:*'` lists them all");
    }
}
