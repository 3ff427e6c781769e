//! What is happening now: the recorder sends viewers what it has just stored, and each viewer builds a live state from it.
//!
//! ```text
//! recorder: batch → store → Update ─(never waits)→ Broadcaster ─ UNIX socket, one line of JSON for each update →
//! viewer:   LiveState → terminal, lines, page
//! ```
//!
//! A viewer that does not keep up gets a snapshot instead of what it missed, and is told so. Figures are the store's own; nothing
//! is counted a second time.

pub mod attach;
pub mod broadcaster;
pub mod event;
pub mod findings;
pub mod listeners;
mod peer;
pub mod rate_window;
pub mod save;
pub mod scroll;
pub mod state;
#[cfg(test)]
pub(crate) mod tests;
pub mod tui;
pub mod update;
pub mod web;

pub use event::Event;
pub use state::{Changes, LiveConnection, LiveState};
pub use update::{Listener, LiveTotals, Update};

use std::path::{Path, PathBuf};

/// The place of the recorder's socket for the default store.
pub const DEFAULT_SOCKET: &str = "/run/connmon/live.sock";

/// The path of the socket of a store's recorder: beside the store, except for the default store, whose folder only root may enter.
pub fn socket_of(db: &Path, default_db: &Path) -> PathBuf {
    if db == default_db {
        return DEFAULT_SOCKET.into();
    }
    let mut name = db.as_os_str().to_owned();
    name.push(".sock");
    name.into()
}
