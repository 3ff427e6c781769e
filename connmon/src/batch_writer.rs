//! From batches to rows in the store.

use connmon_enrich::Enricher;
use connmon_record::rows::Batch;
use connmon_record::{ConnectionId, display_safe};
use connmon_store::{NewHit, StoreError, Writer};

/// Matches of indicators that are told one by one, of those that are found at once.
const WARNINGS: usize = 50;

/// Batches in, rows in the store.
pub struct BatchWriter {
    enricher: Enricher,
    store: Writer,
}

impl BatchWriter {
    /// Into `store`.
    pub fn new(enricher: Enricher, store: Writer) -> Self {
        Self { enricher, store }
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
    pub fn complete(&mut self, batch: &mut Batch) {
        self.enricher.complete(batch);
    }

    /// Writes a batch that is complete.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.store.write(batch)?;
        warn_of(&self.store.take_news());
        Ok(())
    }

    /// The store.
    pub fn store(&mut self) -> &mut Writer {
        &mut self.store
    }

    /// Connections that the recording's filter did not keep.
    pub fn left_out(&self) -> u64 {
        self.store.left_out()
    }
}

/// Tells of connections that match indicators: each once an indicator, and of a crowd how many more there are.
fn warn_of(news: &[NewHit]) {
    for NewHit { connection, hit } in news.iter().take(WARNINGS) {
        let who = connection.owner.as_ref().map_or_else(String::new, |owner| {
            format!(
                " of {} ({})",
                if owner.exe.is_empty() { owner.comm.shown() } else { owner.exe.shown() },
                owner.id.pid
            )
        });
        let line = format!(
            "connection {} to {}{who} matches {} in {}",
            ConnectionId(connection.id),
            connection.remote,
            hit.indicator.shown(),
            hit.list.name.shown()
        );
        tracing::warn!("{}", display_safe(&line));
    }
    if let more @ 1.. = news.len().saturating_sub(WARNINGS) {
        tracing::warn!("{more} more indicator matches; `connmon export --filter 'ioc:*'` lists them all");
    }
}
