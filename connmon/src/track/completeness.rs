//! What was lost, and how the two planes compare.

use connmon_ebpf::{SockEntry, flag, stat};

use crate::capture::Counters;
use crate::model::{Completeness, Reconciliation};

/// Running totals.
#[derive(Default)]
pub struct Tally {
    counters: Counters,
    reconciliation: Reconciliation,
    /// Bytes of lost connections that had been recorded before they were lost.
    recorded_tx: u64,
    recorded_rx: u64,
}

impl Tally {
    /// Takes the capture's counters.
    pub fn counters(&mut self, counters: &Counters) {
        self.counters = *counters;
    }

    /// A connection was lost of which so many bytes are in rows: the kernel side counts all its bytes as lost.
    pub fn recorded_of_lost(&mut self, tx: u64, rx: u64) {
        self.recorded_tx = self.recorded_tx.saturating_add(tx);
        self.recorded_rx = self.recorded_rx.saturating_add(rx);
    }

    /// Compares a finished connection's application bytes with the kernel's totals.
    pub fn reconcile(&mut self, entry: &SockEntry, tx: u64, rx: u64) {
        // What rides on a connection adds bytes of its own to the kernel's totals.
        if entry.flags & flag::TOTALS == 0 || entry.flags & (flag::PREEXISTING | flag::LAYERED) != 0 {
            return;
        }
        let r = &mut self.reconciliation;
        let kernel_rx = entry.kernel_rx.saturating_sub(u64::from(entry.flags & flag::FIN_RECEIVED != 0));
        r.compared += 1;
        if (tx, rx) == (entry.kernel_tx, kernel_rx) {
            r.equal += 1;
        } else if tx < entry.kernel_tx || rx > kernel_rx {
            r.unexplained += 1;
        } else {
            r.tx_undelivered_bytes = r.tx_undelivered_bytes.saturating_add(tx - entry.kernel_tx);
            r.rx_unread_bytes = r.rx_unread_bytes.saturating_add(kernel_rx - rx);
        }
    }

    /// The statement for the store.
    pub fn total(&self) -> Completeness {
        let kernel = |stat: u32| self.counters.kernel[stat as usize];
        // A capture file can say anything.
        let sum = |counts: &[u64]| counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        let lost_connections = sum(&[kernel(stat::LOST_CONNECTIONS), kernel(stat::SOCKS_FULL)]);
        let lost_processes = kernel(stat::LOST_PROCESSES);
        Completeness {
            lost_events: sum(&[lost_connections, lost_processes, self.counters.malformed]),
            lost_connections,
            lost_processes,
            unattributed_tx_bytes: sum(&[kernel(stat::UNATTRIBUTED_TX), kernel(stat::LOST_TX)])
                .saturating_sub(self.recorded_tx),
            unattributed_rx_bytes: sum(&[kernel(stat::UNATTRIBUTED_RX), kernel(stat::LOST_RX)])
                .saturating_sub(self.recorded_rx),
            map_full: sum(&[kernel(stat::SOCKS_FULL), kernel(stat::FLOWS_FULL), kernel(stat::ACCT_FULL)]),
            read_errors: kernel(stat::READ_ERRORS),
            malformed: self.counters.malformed,
            probe_misses: sum(&[self.counters.misses, kernel(stat::CALLS_FULL), kernel(stat::ENDS_UNSEEN)]),
            names_missed: kernel(stat::PAYLOADS_LOST),
            evicted: 0,
            reconciliation: self.reconciliation.clone(),
        }
    }
}
