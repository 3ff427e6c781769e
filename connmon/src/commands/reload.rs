//! `connmon reload`

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::{CommandError, Outcome, done, stdout};
use crate::cli::{self, DEFAULT_DB};
use crate::daemon;
use connmon_live::attach::{connect, recorder_at};
use connmon_live::socket_of;
use connmon_record::display_safe;

/// How long a recorder may say nothing at all; it tells its viewers something several times a second.
const SILENCE: Duration = Duration::from_secs(60);

/// Asks a recorder to read its configuration again, and waits for what becomes of it.
///
/// # Errors
/// There is no recorder, it may not be asked, or it could not read the configuration.
pub fn run(args: &cli::Reload) -> Result<Outcome, CommandError> {
    let socket = args.socket.clone().unwrap_or_else(|| socket_of(&args.db, Path::new(DEFAULT_DB)));
    let recorder = recorder_at(&socket)?;
    let updates = connect(&socket)?;
    let silent = || CommandError::NoReload(socket.display().to_string());
    // Only who is told of everything is told of that too.
    updates.recv_timeout(SILENCE).map_err(|_| silent())??;
    // SAFETY: plain numbers.
    if unsafe { libc::kill(recorder, daemon::RELOAD) } != 0 {
        return Err(CommandError::Signal(recorder, std::io::Error::last_os_error()));
    }
    loop {
        let update = updates.recv_timeout(SILENCE).map_err(|_| silent())??;
        match update.reload {
            Some(note) if note.failed => return Err(CommandError::NotReloaded(note.words)),
            Some(note) => {
                let mut out = stdout();
                writeln!(out, "{}", display_safe(&note.words))?;
                return done(out, None);
            }
            None => {}
        }
    }
}
