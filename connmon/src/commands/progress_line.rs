//! How far a command is that takes longer than a second: a line on a terminal, which is gone when it is done.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::clock::moment;

/// What takes no longer is not worth a line.
const AFTER: Duration = Duration::from_secs(1);
/// How often the line changes at most.
const PAUSE: Duration = Duration::from_millis(100);

/// The line. It is on standard error, and only where that is a terminal.
pub(super) struct ProgressLine {
    what: &'static str,
    begun: Instant,
    /// When it was written last, if it was.
    shown: Mutex<Option<Instant>>,
    is_terminal: bool,
}

impl ProgressLine {
    /// Nothing is shown yet. `what` says what takes so long.
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, begun: moment(), shown: Mutex::new(None), is_terminal: stderr().is_terminal() }
    }

    /// For commands that print while they read: on a terminal, the line would be in what they print.
    pub(super) fn beside_output(what: &'static str) -> Self {
        let mut line = Self::new(what);
        line.is_terminal &= !std::io::stdout().is_terminal();
        line
    }

    /// Shows how much is done, from 0 to 1; the line goes with the last that knows of it.
    pub(super) fn watch(self) -> impl Fn(f64) + Send + 'static {
        move |done| self.tell(done)
    }

    fn tell(&self, done: f64) {
        if !self.is_terminal || self.begun.elapsed() < AFTER {
            return;
        }
        // Nothing that holds it can fail.
        let Ok(mut shown) = self.shown.lock() else { return };
        if done >= 1.0 {
            if shown.take().is_some() {
                let _ = write!(stderr(), "\r\x1b[K");
            }
            return;
        }
        if shown.is_some_and(|shown| shown.elapsed() < PAUSE) {
            return;
        }
        *shown = Some(moment());
        // Cleared up to its end, since the one before may have been longer.
        let _ = write!(stderr(), "\r{}: {:.0} %\x1b[K", self.what, (100.0 * done).floor());
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.shown.get_mut().is_ok_and(|shown| shown.is_some()) {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
