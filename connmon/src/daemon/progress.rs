//! The line on stderr while recording.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::Pipeline;
use super::writing::{Writing, Written};
use crate::stderr::{self, Stderr};
use connmon_analysis::format::{bytes, count, grouped};

/// Without a terminal, a line this often.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// What waits for the store is told from so many bytes on: less is a batch on its way.
const WORTH_TELLING: usize = 1 << 20;

/// Sums for the progress line and the final summary.
pub struct Progress {
    terminal: bool,
    shown: Instant,
    written: Written,
    /// Bytes of memory that wait for the store.
    waiting: usize,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            shown: Instant::now(),
            written: Written::default(),
            waiting: 0,
        }
    }

    /// Takes how the store keeps up.
    pub(super) fn waits(&mut self, writing: &Writing) {
        self.written = writing.written();
        self.waiting = writing.waiting();
    }

    /// Takes what is in the store at the end.
    pub(super) fn ends(&mut self, written: Written) {
        self.written = written;
        self.waiting = 0;
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
        let start = if self.terminal { "\r\x1b[K" } else { "" };
        let _ = writeln!(Stderr, "{start}recorded {}", self.line(pipeline));
    }

    fn line(&self, pipeline: &Pipeline) -> String {
        let Written { tx_bytes, rx_bytes, completeness, left_out, connections } = &self.written;
        let left_out = match *left_out {
            0 => String::new(),
            n => format!(" · {} excluded by the filter", grouped(n)),
        };
        let waiting = match self.waiting {
            0..WORTH_TELLING => String::new(),
            waiting => format!(" · {} wait to be stored", bytes(waiting as u64)),
        };
        let unattributed = completeness.unattributed_tx_bytes + completeness.unattributed_rx_bytes;
        format!(
            "{} · {} sent · {} received · {} · {} lost · {} unattributed{left_out}{waiting}",
            count(*connections, "connection", "connections"),
            bytes(*tx_bytes),
            bytes(*rx_bytes),
            count(pipeline.frames(), "event", "events"),
            grouped(completeness.lost_events),
            bytes(unattributed),
        )
    }
}
