//! `connmon live`: the recording on a terminal.
//!
//! ```text
//! Update → View::update → Items (a connection, and whether it fits the filter)
//! key → View::key → Action;  App::draw: Items → Rows of the tab → the screen
//! ```
//!
//! [`view`] is the state, which keys change and every part of the screen reads; [`app`] draws it. Neither knows a terminal or a clock: the
//! time is the live state's. [`terminal`] has the loop.

mod app;
mod columns;
mod detail;
mod draw;
mod findings;
mod header;
mod help;
mod items;
mod keys;
mod list;
mod map;
mod rows;
mod style;
mod sums;
mod tab;
mod table;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod view;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::LiveState;
use super::attach::AttachError;
use connmon_filter::Filter;

pub use terminal::{has_terminal, run};

/// Writes the report of what fits; says where it is, or why it is not.
pub type Save = Box<dyn Fn(&LiveState, &Filter) -> Result<PathBuf, String>>;

/// What the command line says.
pub struct Options {
    /// What a cell of the timeline stands for.
    pub cell: Duration,
    /// Cells of the timeline; `None` for as many as fit.
    pub width: Option<u16>,
    /// Connections that are shown at the beginning.
    pub filter: Filter,
    /// Colours.
    pub color: bool,
    /// ASCII only; so it is too where the environment's locale is not UTF-8.
    pub ascii: bool,
    /// How often the screen is drawn.
    pub refresh: Duration,
    /// Connections that are remembered after their end.
    pub keep: usize,
    /// What the key `w` does.
    pub save: Save,
    /// Set by a signal: it is to end.
    pub stop: Arc<AtomicBool>,
}

impl Options {
    /// What is usual: everything, in colour, four times a second.
    pub fn new(save: Save) -> Self {
        Self {
            cell: Duration::from_secs(1),
            width: None,
            filter: Filter::default(),
            color: true,
            ascii: false,
            refresh: Duration::from_millis(250),
            keep: 100,
            save,
            stop: Arc::default(),
        }
    }
}

/// Why the screen was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By a key.
    Quit,
    /// By a signal.
    Stopped,
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// Standard output is a file or a pipe.
    #[error("`connmon live` needs a terminal; `connmon live --scroll` writes lines to pipes and files")]
    NoTerminal,
    /// The terminal failed.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] io::Error),
    /// The recorder failed.
    #[error(transparent)]
    Attach(#[from] AttachError),
}
