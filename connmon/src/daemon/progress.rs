//! The line on stderr while recording, or what a service manager shows of it.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Pipeline;
use super::cost::Cost;
use super::metrics::{Board, Recorded};
use super::notify::Notifier;
use super::writing::{Writing, Written};
use crate::stderr::{self, Stderr};
use connmon_analysis::format::{bytes, count, grouped};
use connmon_live::update::ReloadNote;
use connmon_record::display_safe;

/// Without a terminal and a service manager, a line this often.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// What waits for the store is told from so many bytes on: less is a batch on its way.
const WORTH_TELLING: usize = 1 << 20;

/// Segments without rows are told from so many on: a few are always on their way.
const WORTH_TELLING_DEBT: u64 = 5;

/// Sums for the progress line and the final summary.
pub struct Progress {
    terminal: bool,
    manager: Option<Notifier>,
    board: Option<Arc<Board>>,
    full: bool,
    shown: Instant,
    written: Written,
    /// Bytes of memory that wait for the store.
    waiting: usize,
    keeper: Cost,
}

impl Progress {
    pub(super) fn new(manager: Option<Notifier>) -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            manager,
            board: None,
            full: false,
            shown: Instant::now(),
            written: Written::default(),
            waiting: 0,
            keeper: Cost::default(),
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

    /// Figures for monitoring are noted here from now on.
    pub(super) fn note_to(&mut self, board: Arc<Board>) {
        self.board = Some(board);
    }

    /// Whether the memory for what waits is used up.
    pub(super) fn is_full(&mut self, full: bool) {
        if full && !self.full {
            tracing::warn!(
                "the memory for data that waits to be stored is used up: from here on events may be lost"
            );
        }
        self.full = full;
    }

    /// Takes what the keeper costs.
    pub(super) fn costs(&mut self, cost: Cost) {
        self.keeper = cost;
    }

    /// Everything is recorded from now on.
    pub(super) fn begin(&self) {
        self.manager.iter().for_each(Notifier::ready);
    }

    /// The configuration is being read again.
    pub(super) fn reloads(&self) {
        self.manager.iter().for_each(Notifier::reloading);
    }

    /// It has been, or not.
    pub(super) fn reloaded(&self, note: &ReloadNote) {
        let words = display_safe(&note.words);
        if note.failed {
            tracing::warn!(
                "the configuration could not be read again, and the previous one stays in force: {words}"
            );
        } else {
            let _ = writeln!(Stderr, "{words}");
        }
        self.begin();
    }

    /// The recording ends in order.
    pub(super) fn end(&self) {
        self.manager.iter().for_each(Notifier::stopping);
    }

    pub(super) fn show(&mut self, pipeline: &Pipeline) {
        if let Some(board) = &self.board {
            let written = &self.written;
            board.note(Recorded {
                connections: written.connections,
                events: pipeline.frames(),
                tx_bytes: written.tx_bytes,
                rx_bytes: written.rx_bytes,
                losses: written.completeness.clone(),
                left_out: written.left_out,
                waiting: self.waiting as u64,
                debt: written.debt,
                findings: written.findings,
                full: self.full,
                keeper: self.keeper.clone(),
            });
        }
        if let Some(mut manager) = self.manager.take() {
            manager.goes_on(|| self.line(pipeline));
            self.manager = Some(manager);
        } else if self.terminal {
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
        let Written { tx_bytes, rx_bytes, completeness, left_out, connections, debt, findings: _ } =
            &self.written;
        let left_out = match *left_out {
            0 => String::new(),
            n => format!(" · {} excluded by the filter", grouped(n)),
        };
        let debt = match *debt {
            0..WORTH_TELLING_DEBT => String::new(),
            debt => format!(" · {} without rows", count(debt, "segment", "segments")),
        };
        let waiting = match self.waiting {
            0..WORTH_TELLING => String::new(),
            waiting => format!(" · {} wait to be stored", bytes(waiting as u64)),
        };
        let unattributed = completeness.unattributed_tx_bytes + completeness.unattributed_rx_bytes;
        format!(
            "{} · {} sent · {} received · {} · {} lost · {} unattributed{left_out}{debt}{waiting}",
            count(*connections, "connection", "connections"),
            bytes(*tx_bytes),
            bytes(*rx_bytes),
            count(pipeline.frames(), "event", "events"),
            grouped(completeness.lost_events),
            bytes(unattributed),
        )
    }
}
