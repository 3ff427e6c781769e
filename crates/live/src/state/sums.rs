//! The sums of a recording, where they are counted: on the live state of the recorder, the only one that hears of everything.

use super::LiveState;
use crate::update::{LiveTotals, Update};

impl LiveState {
    /// Takes in what was stored, and tells in it the sums of the recording up to here.
    pub fn add_totals(&mut self, update: &mut Update) {
        let begins = update.snapshot.is_some_and(|part| part.first);
        let LiveTotals { mut tx_bytes, mut rx_bytes, .. } =
            if begins { LiveTotals::default() } else { self.totals };
        for row in &update.traffic {
            tx_bytes = tx_bytes.saturating_add(row.tx_bytes);
            rx_bytes = rx_bytes.saturating_add(row.rx_bytes);
        }
        for row in &update.left_out {
            let before = if begins { (0, 0) } else { self.moved(*row) };
            let own = update.traffic.iter().filter(|traffic| traffic.connection == *row);
            let (tx, rx) = own.fold(before, |(tx, rx), traffic| {
                (tx.saturating_add(traffic.tx_bytes), rx.saturating_add(traffic.rx_bytes))
            });
            tx_bytes = tx_bytes.saturating_sub(tx);
            rx_bytes = rx_bytes.saturating_sub(rx);
        }
        self.apply(update);
        // An update can have a row more than once: its final state here is what counts.
        update.totals = LiveTotals {
            connections: self.kept.len() as u64 + self.kept.forgotten(),
            open: self.kept.open() as u64,
            tx_bytes,
            rx_bytes,
            ..update.totals
        };
        self.totals = update.totals;
    }
}
