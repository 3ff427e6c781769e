//! The terminal: taken at the beginning, given back whatever happens.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::TryRecvError;
use std::thread;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste, Event};
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute, queue};

use super::app::App;
use super::tab::Action;
use super::{Ended, Options, TuiError};
use crate::attach::{AttachError, Updates};

/// How long is waited for a key before updates and signals are looked at again.
const LOOK: Duration = Duration::from_millis(50);
/// The number of updates, or of keys, that are taken before the other kind has its turn.
const AT_ONCE: usize = 64;

/// Shows what the updates tell until a key, or a signal, ends it. When the recorder is gone, what it told stays on the screen.
///
/// # Errors
/// There is no terminal, or the recorder tells nothing.
pub fn run(updates: &Updates, options: Options) -> Result<Ended, TuiError> {
    if !has_terminal() {
        return Err(TuiError::NoTerminal);
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let ascii = options.ascii || !draws_unicode(variable);
    let stop = options.stop.clone();
    let mut app = App::new(Options { ascii, ..options });
    let _screen = Screen::take()?;
    let mut terminal = Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout())))?;
    show(&mut app, &mut terminal, updates, &stop)
}

/// Whether there is a terminal to draw on, and keys to read.
pub fn has_terminal() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

/// Whether the locale is UTF-8, and the terminal can draw more than letters.
pub(super) fn draws_unicode(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(&variable).unwrap_or_default();
    let locale = locale.to_ascii_lowercase().replace('-', "");
    // The Linux console has no braille.
    locale.contains("utf8") && variable("TERM").is_none_or(|term| term != "linux")
}

type Screened = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

fn show(
    app: &mut App,
    terminal: &mut Screened,
    updates: &Updates,
    stop: &AtomicBool,
) -> Result<Ended, TuiError> {
    let mut waited = Duration::MAX;
    let mut changed = true;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(Ended::Stopped);
        }
        let began = app.live().is_complete();
        changed |= take(app, updates)?;
        // What comes first is shown at once.
        let first = !began && app.live().is_complete();
        if changed && (waited >= app.refresh() || first) {
            draw(app, terminal)?;
            (waited, changed) = (Duration::ZERO, false);
        }
        let mut wait = LOOK;
        let mut touched = false;
        for _ in 0..AT_ONCE {
            if is_gone(wait)? {
                return Ok(Ended::Stopped);
            }
            if !ready()? {
                break;
            }
            wait = Duration::ZERO;
            let action = match event::read()? {
                Event::Key(key) => app.key(key),
                Event::Paste(text) => {
                    app.paste(&text);
                    Action::Draw
                }
                Event::Resize(..) => Action::Draw,
                _ => Action::Nothing,
            };
            match action {
                Action::Quit => return Ok(Ended::Quit),
                Action::Draw => touched = true,
                Action::Nothing => {}
            }
        }
        if touched {
            draw(app, terminal)?;
        }
        // Only full waits are counted: waits that were cut short make drawings rarer, never more frequent.
        if !wait.is_zero() {
            waited = waited.saturating_add(LOOK);
        }
    }
}

/// Waits until there may be an event; returns whether the terminal is gone. On a terminal that is gone, crossterm would read for ever.
fn is_gone(wait: Duration) -> io::Result<bool> {
    let mut keys = libc::pollfd { fd: libc::STDIN_FILENO, events: libc::POLLIN, revents: 0 };
    let wait = libc::c_int::try_from(wait.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: one entry, which outlives the call.
    if unsafe { libc::poll(&raw mut keys, 1, wait) } < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) };
    }
    Ok(keys.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0)
}

/// Whether there is an event.
fn ready() -> io::Result<bool> {
    match event::poll(Duration::ZERO) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        ready => ready,
    }
}

/// Takes in what has come; whether that was anything.
fn take(app: &mut App, updates: &Updates) -> Result<bool, TuiError> {
    let mut changed = false;
    for _ in 0..AT_ONCE {
        match updates.try_recv() {
            Ok(Ok(update)) => app.update(&update),
            Ok(Err(error)) if !app.live().is_complete() => return Err(error.into()),
            Ok(Err(error)) => {
                let why = gone(app, &error);
                app.gone(why);
            }
            Err(TryRecvError::Disconnected) if app.over.is_none() => {
                if !app.live().is_complete() {
                    return Err(AttachError::Gone.into());
                }
                let why = gone(app, &AttachError::Gone);
                app.gone(why);
            }
            Err(_) => break,
        }
        changed = true;
    }
    Ok(changed)
}

fn gone(app: &App, error: &AttachError) -> String {
    if app.has_ended() {
        "The recording has ended. Its data stays on screen; q quits.".into()
    } else {
        format!("No more updates: {error}. The data so far stays on screen; q quits.")
    }
}

fn draw(app: &mut App, terminal: &mut Screened) -> io::Result<()> {
    queue!(terminal.backend_mut(), BeginSynchronizedUpdate)?;
    terminal.draw(|frame| app.draw(frame))?;
    execute!(terminal.backend_mut(), EndSynchronizedUpdate)
}

type Hook = Box<dyn Fn(&panic::PanicHookInfo<'_>) + Sync + Send + 'static>;

/// The terminal while it is ours.
struct Screen {
    /// The panic hook that was set before.
    hook: Option<Arc<Hook>>,
}

impl Screen {
    fn take() -> io::Result<Self> {
        let before: Arc<Hook> = Arc::new(panic::take_hook());
        let (then, ours) = (before.clone(), thread::current().id());
        panic::set_hook(Box::new(move |info| {
            // The message is to be read afterwards. A panic elsewhere does not end the screen.
            if thread::current().id() == ours {
                give_back();
                then(info);
            }
        }));
        let screen = Self { hook: Some(before) };
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
        // While a panic unwinds, hooks cannot be changed.
        if let Some(hook) = self.hook.take().filter(|_| !thread::panicking()) {
            drop(panic::take_hook());
            if let Ok(hook) = Arc::try_unwrap(hook) {
                panic::set_hook(hook);
            }
        }
    }
}

/// Restores the terminal. An error here has nobody to be reported to.
fn give_back() {
    let _ = execute!(io::stdout(), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
    let _ = io::stdout().flush();
}
