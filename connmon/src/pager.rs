//! Long output for people goes through a pager, as git's does: only to a terminal, by `CONNMON_PAGER`, `PAGER` or `less`.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// What `less` does unless `LESS` is set: ends by itself if all fits on one screen, shows control characters of colours, and leaves what
/// it showed on the screen. As git has it.
const LESS: &str = "FRX";

/// Columns of the terminal, remembered when its place is taken by a pager.
static COLUMNS: OnceLock<usize> = OnceLock::new();

/// The pager that standard output goes to.
pub struct Pager(Child);

impl Pager {
    /// Starts one, if standard output is a terminal and the user has not declined. From here on standard output is the pager's input.
    pub fn start() -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let pager = chosen(|name| env::var(name).ok())?;
        // What is no program would swallow the output.
        if !is_there(&pager) {
            return None;
        }
        let _ = COLUMNS.set(terminal_columns()?);
        let mut command = Command::new("sh");
        command.args(["-c", &pager]).stdin(Stdio::piped());
        for (name, value) in [("LESS", LESS), ("LV", "-c")] {
            if env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        let mut child = command.spawn().ok()?;
        let input = OwnedFd::from(child.stdin.take()?);
        // SAFETY: two descriptors that are open; the pager has the terminal, and Ctrl-C is for it.
        unsafe {
            libc::dup2(input.as_raw_fd(), libc::STDOUT_FILENO);
            libc::signal(libc::SIGINT, libc::SIG_IGN);
        }
        Some(Self(child))
    }

    /// Waits until the user has read enough.
    pub fn finish(mut self) {
        if let Ok(nothing) = File::options().write(true).open("/dev/null") {
            // SAFETY: two descriptors that are open. The pager sees the end of its input.
            unsafe { libc::dup2(nothing.as_raw_fd(), libc::STDOUT_FILENO) };
        }
        // A pager that was killed has shown what it showed.
        let _ = self.0.wait();
    }
}

/// Columns of the terminal that standard output is, or whose place a pager has taken; `COLUMNS` says otherwise.
pub fn columns() -> Option<usize> {
    let said = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    said.filter(|columns| *columns > 0).or_else(|| COLUMNS.get().copied()).or_else(terminal_columns)
}

fn terminal_columns() -> Option<usize> {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map(|(terminal_size::Width(columns), _)| usize::from(columns))
}

/// The pager that the environment names; none if that is empty or `cat`.
fn chosen(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let named = variable("CONNMON_PAGER").or_else(|| variable("PAGER")).unwrap_or_else(|| "less".into());
    (!named.trim().is_empty() && named.trim() != "cat").then_some(named)
}

/// Whether a program of that name can be started; of more than a name the shell judges.
fn is_there(command: &str) -> bool {
    let name = command.split_whitespace().next().unwrap_or_default();
    if name.contains(|c: char| !(c.is_ascii_alphanumeric() || "._+-".contains(c))) {
        return true;
    }
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pager_is_chosen_as_git_does() {
        let with = |set: &[(&str, &str)]| {
            let set: Vec<(String, String)> =
                set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            chosen(move |name| set.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
        };
        assert_eq!(with(&[]).as_deref(), Some("less"));
        assert_eq!(with(&[("PAGER", "more")]).as_deref(), Some("more"));
        assert_eq!(with(&[("PAGER", "more"), ("CONNMON_PAGER", "less -S")]).as_deref(), Some("less -S"));
        for none in ["", " ", "cat"] {
            assert_eq!(with(&[("PAGER", none)]), None, "{none:?}");
            assert_eq!(with(&[("PAGER", "more"), ("CONNMON_PAGER", none)]), None, "{none:?}");
        }
    }

    #[test]
    fn a_pager_that_is_not_there_is_not_started() {
        assert!(is_there("sh -c true") && is_there("/any/path") && is_there("LESS=R less"));
        assert!(!is_there("no-such-pager-anywhere -x"));
    }
}
