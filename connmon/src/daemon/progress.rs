//! The line on stderr while recording.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::Pipeline;
use super::writing::Writing;
use crate::stderr::{self, Stderr};
use connmon_analysis::format::{bytes, count, grouped};
use connmon_record::LossCounters;
use connmon_record::rows::Batch;

/// Without a terminal, a line this often.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// What waits for the store is told from so many bytes on: less is a batch on its way.
const WORTH_TELLING: usize = 1 << 20;

/// Sums for the progress line and the final summary.
pub struct Progress {
    terminal: bool,
    shown: Instant,
    tx_bytes: u64,
    rx_bytes: u64,
    completeness: LossCounters,
    left_out: u64,
    /// Bytes of memory that wait for the store.
    waiting: usize,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            shown: Instant::now(),
            tx_bytes: 0,
            rx_bytes: 0,
            completeness: LossCounters::default(),
            left_out: 0,
            waiting: 0,
        }
    }

    /// Takes what was just written.
    pub(super) fn add(&mut self, batch: &Batch) {
        self.tx_bytes += batch.traffic.iter().map(|row| row.tx_bytes).sum::<u64>();
        self.rx_bytes += batch.traffic.iter().map(|row| row.rx_bytes).sum::<u64>();
        if let Some(completeness) = &batch.completeness {
            self.completeness = completeness.clone();
        }
    }

    /// Takes how the store keeps up.
    pub(super) fn waits(&mut self, writing: &Writing) {
        self.left_out = writing.left_out();
        self.waiting = writing.waiting();
    }

    pub(super) fn show(&mut self, pipeline: &Pipeline) {
        if self.terminal {
            stderr::refresh(&format!("\r\x1b[K{}", self.line(pipeline)));
        } else if self.shown.elapsed() >= LOG_INTERVAL {
            let _ = writeln!(Stderr, "{}", self.line(pipeline));
            self.shown = Instant::now();
        }
    }

    /// The summary at the end, when everything is stored.
    pub(super) fn finish(&mut self, pipeline: &Pipeline) {
        self.waiting = 0;
        let start = if self.terminal { "\r\x1b[K" } else { "" };
        let _ = writeln!(Stderr, "{start}recorded {}", self.line(pipeline));
    }

    fn line(&self, pipeline: &Pipeline) -> String {
        let lost = self.completeness.lost_events;
        let left_out = match self.left_out {
            0 => String::new(),
            n => format!(" · {} excluded by the filter", grouped(n)),
        };
        let waiting = match self.waiting {
            0..WORTH_TELLING => String::new(),
            waiting => format!(" · {} wait to be stored", bytes(waiting as u64)),
        };
        let unattributed = self.completeness.unattributed_tx_bytes + self.completeness.unattributed_rx_bytes;
        format!(
            "{} · {} sent · {} received · {} · {} lost · {} unattributed{left_out}{waiting}",
            count(u64::try_from(pipeline.connections()).unwrap_or(0), "connection", "connections"),
            bytes(self.tx_bytes),
            bytes(self.rx_bytes),
            count(pipeline.frames(), "event", "events"),
            grouped(lost),
            bytes(unattributed),
        )
    }
}
