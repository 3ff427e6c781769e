//! The count of one connection, kept by the process that uses it, and the ledger of all of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::truth::{Connection, End};

/// A shared handle on the truth about one connection.
#[derive(Clone)]
pub struct Tally(Arc<Mutex<Connection>>);

impl Tally {
    /// Starts to count on `connection`.
    pub fn new(connection: Connection) -> Self {
        Self(Arc::new(Mutex::new(connection)))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sending call returned `n`.
    pub fn sent(&self, n: usize) {
        let mut connection = self.lock();
        connection.tx_bytes += n as u64;
        connection.tx_calls += 1;
    }

    /// A receiving call returned `n`.
    pub fn received(&self, n: usize) {
        let mut connection = self.lock();
        connection.rx_bytes += n as u64;
        connection.rx_calls += 1;
    }

    /// This side knows how it ended.
    pub fn ended(&self, end: End) {
        let mut connection = self.lock();
        connection.end = Some(end);
        connection.open = false;
    }

    /// This side has closed it.
    pub fn closed(&self) {
        self.lock().open = false;
    }

    /// The same connection in the hands of a process that neither opened nor accepted it.
    pub fn borrowed(&self) -> Connection {
        Connection { owner: false, tx_bytes: 0, rx_bytes: 0, tx_calls: 0, rx_calls: 0, ..self.get() }
    }

    /// As it stands now.
    pub fn get(&self) -> Connection {
        self.lock().clone()
    }

    /// As it stands now; counting starts again at 0.
    pub fn take(&self) -> Connection {
        let mut connection = self.lock();
        let taken = connection.clone();
        connection.tx_bytes = 0;
        connection.rx_bytes = 0;
        connection.tx_calls = 0;
        connection.rx_calls = 0;
        connection.preexisting = true;
        taken
    }
}

/// All counts of a process.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Vec<Tally>>>);

impl Ledger {
    /// Starts to count on `connection`.
    pub fn open(&self, connection: Connection) -> Tally {
        let tally = Tally::new(connection);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(tally.clone());
        tally
    }

    /// Every connection that is open, or was used since the last call; counting starts again at 0.
    pub fn take(&self) -> Vec<Connection> {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = tallies.iter().map(Tally::take).collect();
        tallies.retain(|tally| tally.get().open);
        taken
    }
}
