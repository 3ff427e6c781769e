//! `connmon live` on a terminal: what the screens say, and that the terminal is given back.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use connmon_live::{attach, socket_of, tui};
use connmon_tests::harness::programs::{connmon_program, path};
use connmon_tests::harness::recorder::Recorder;

/// A part of the line that starts it.
const LIVE: &str = "live --db";
/// How long a screen may take to show what it is bound to show.
const LIMIT: Duration = Duration::from_secs(60);
/// A line of the shell's own screen.
const BEFORE: &str = "this-was-there-before";

/// Makes this program a screen that panics: the socket that it is to show.
const PANIC: &str = "E2E_PANIC_ON";
/// What the panic says.
const PANICKED: &str = "a panic on purpose";

/// A terminal of 100 columns and 30 lines, with a shell.
struct Terminal {
    server: String,
}

impl Terminal {
    fn start(folder: &Path) -> Result<Self> {
        let terminal = Self { server: format!("connmon-test-{}", std::process::id()) };
        terminal.tmux(&["new-session", "-d", "-x", "100", "-y", "30", "-c", path(folder)?, "sh"])?;
        terminal.line(&format!("unset LC_ALL LANG NO_COLOR; clear; echo {BEFORE}"))?;
        terminal.wait_for("the shell", |text| text.lines().any(|line| line == BEFORE))?;
        Ok(terminal)
    }

    fn tmux(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new("tmux");
        command.args(["-u", "-L", &self.server, "-f", "/dev/null"]).args(args).env_remove("TMUX");
        let output = command.output().context("tmux is not there")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "tmux {}: {}", args.join(" "), said.trim());
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Types a line.
    fn line(&self, text: &str) -> Result<()> {
        self.tmux(&["send-keys", "-l", text])?;
        self.press("Enter")
    }

    /// Presses one key, by its name.
    fn press(&self, key: &str) -> Result<()> {
        self.tmux(&["send-keys", key]).map(drop)
    }

    fn screen(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits for a screen.
    fn wait_for(&self, what: &str, fits: impl Fn(&str) -> bool) -> Result<String> {
        let limit = Instant::now() + LIMIT;
        loop {
            let text = self.screen()?;
            if fits(&text) {
                return Ok(text);
            }
            if Instant::now() > limit {
                bail!("the screen never showed {what}, but\n{text}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Presses a key, and waits for a screen that has all of these.
    fn shows(&self, key: &str, all: &[&str]) -> Result<String> {
        self.press(key)?;
        self.wait_for(&format!("{all:?} after {key}"), |text| all.iter().all(|part| text.contains(part)))
    }

    /// Whether it is as it was: the shell's screen, a cursor, and keys that come line by line with an echo.
    ///
    /// `line` is a part of what started the program; where the terminal broke it, a blank may be lost.
    fn is_given_back(&self, line: &str) -> Result<()> {
        let dense = |text: &str| text.split_ascii_whitespace().collect::<String>();
        let shell = |text: &str| dense(text).contains(&dense(line)) && !text.contains("Connections");
        self.wait_for("the shell again", shell)?;
        let state = self.tmux(&["display-message", "-p", "#{cursor_flag} #{alternate_on}"])?;
        ensure!(state.trim() == "1 0", "cursor and alternate screen: {state}");
        self.line("clear; stty -a; echo settings-end")?;
        let text = self.wait_for("the settings", |text| text.lines().any(|line| line == "settings-end"))?;
        for setting in ["icanon", "echo", "isig"] {
            let is = text.split([' ', ';', '\n']).any(|word| word == setting);
            ensure!(is, "{setting} is off:\n{text}");
        }
        self.line(&format!("clear; echo {BEFORE}"))?;
        self.wait_for("the shell", |text| text.lines().any(|line| line == BEFORE)).map(drop)
    }

    /// The program that the shell runs.
    fn child(&self) -> Result<libc::pid_t> {
        let shell = self.tmux(&["list-panes", "-F", "#{pane_pid}"])?;
        let shell = shell.trim();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?;
        children.split_whitespace().next().context("nothing runs")?.parse().context("a process id")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

/// Where this program was started to panic: the screen of `connmon live`, on which `w` panics.
pub fn panics() -> Option<Result<()>> {
    let socket = std::env::var_os(PANIC)?;
    let options = tui::Options::new(Box::new(|_, _| panic!("{PANICKED}")));
    let shown = |updates| Ok(tui::run(&updates, options).map(drop)?);
    Some(attach::connect(Path::new(&socket)).map_err(Into::into).and_then(shown))
}

/// Every view shows real traffic; keys do what they are for; however it ends, the terminal is given back.
pub fn screen() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("live.db");
    let recorder = Recorder::start(&db, &[])?;
    let terminal = Terminal::start(folder.path())?;
    let live = format!("{} live --db {}", path(&connmon_program()?)?, path(&db)?);

    terminal.line(&format!("LC_ALL=C.UTF-8 {live}"))?;
    terminal.wait_for("the first view", |text| text.contains("LIVE") && text.contains("[1 Connections]"))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, caller) = listener.accept()?;
    client.write_all(&[7; 100_000])?;
    server.read_exact(&mut [0; 100_000])?;

    terminal.shows("/", &["for example"])?;
    terminal.tmux(&["send-keys", "-l", "contry:DE"])?;
    terminal.wait_for("the error", |text| text.contains("column 1: unknown field `contry`"))?;
    terminal.shows("Escape", &["No filter"])?;
    terminal.press("/")?;
    terminal.line(&format!("port:{port}"))?;
    let filter = format!("Filter: port:{port}");
    // Both ends of it: 100 000 bytes are 97.7 KiB.
    let both = ["→ e2e", "← e2e", &port.to_string(), "97.7 KiB", &filter, "2 of "];
    terminal.wait_for("the connection", |text| both.iter().all(|part| text.contains(part)))?;
    let own = std::process::id().to_string();
    terminal.shows("2", &["[2 Processes]", &own, "97.7 KiB", "Last minute"])?;
    terminal.shows("3", &["[3 Destinations]", "This host (loopback)", "97.7 KiB"])?;
    terminal.shows("4", &["[4 Map]", "this host", "loopback"])?;
    terminal
        .shows("5", &["▲ New   ■ Active   ○ Listen   × Closed   · Empty", "ACTIVE", "one cell is 1 s"])?;
    terminal.shows("l", &["[l Listening]"])?;
    // The highest port first.
    terminal.shows("S", &[&port.to_string(), "this host"])?;
    terminal.shows("1", &["[1 Connections]", "by total bytes"])?;
    terminal.shows("Enter", &["opened", "100 000 bytes", &caller.to_string()])?;
    terminal.press("Escape")?;
    terminal.wait_for("no details", |text| !text.contains("100 000 bytes"))?;
    terminal.shows("?", &["SYMBOLS", "pause the display"])?;
    terminal.press("Escape")?;
    terminal.wait_for("no help", |text| !text.contains("SYMBOLS"))?;
    terminal.shows("P", &["PAUSED"])?;
    // No more at once than any socket's buffers take.
    for _ in 0..9 {
        client.write_all(&[7; 100_000])?;
        server.read_exact(&mut [0; 100_000])?;
    }
    terminal.wait_for("what waits", |text| text.contains("PAUSED") && !text.contains("(0 updates"))?;
    ensure!(!terminal.screen()?.contains("977 KiB"), "it is not paused:\n{}", terminal.screen()?);
    terminal.shows("P", &["LIVE", "977 KiB"])?;

    terminal.shows("w", &["Report of this view written to"])?;
    let report = std::fs::read_dir(folder.path())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|file| file.extension().is_some_and(|extension| extension == "html"))
        .context("there is no report")?;
    ensure!(std::fs::read_to_string(report)?.starts_with("<!doctype html>"), "the report is no page");

    terminal.press("g")?;
    for (width, height) in [("60", "16"), ("140", "45"), ("80", "24")] {
        terminal.tmux(&["resize-window", "-x", width, "-y", height])?;
        let hints: usize = height.parse()?;
        let fits = |text: &str| {
            text.lines().count() == hints
                && text.lines().next_back().is_some_and(|line| line.starts_with("q quit"))
        };
        terminal.wait_for("the hints in the last line", fits)?;
    }
    drop((client, server));
    // SAFETY: the program is the shell's child, which runs until it gets this.
    ensure!(unsafe { libc::kill(terminal.child()?, libc::SIGTERM) } == 0, "connmon live is gone");
    terminal.is_given_back(LIVE)?;

    // A panic is to be read, on a terminal that is as it was.
    let (own, socket) = (std::env::current_exe()?, socket_of(&db, Path::new("")));
    terminal.line(&format!("LC_ALL=C.UTF-8 {PANIC}={} {}", path(&socket)?, path(&own)?))?;
    terminal.wait_for("the screen", |text| text.contains("LIVE") && text.contains("[1 Connections]"))?;
    terminal.press("w")?;
    // Both are on the shell's screen.
    let said = |text: &str| [PANIC, PANICKED].iter().all(|part| text.replace('\n', "").contains(part));
    terminal.wait_for("the panic", said)?;
    terminal.is_given_back(PANIC)?;

    // A terminal that can little.
    terminal.line(&format!("LC_ALL=C NO_COLOR=1 {live} --filter port:{port} -t 0.5 -w 30"))?;
    let filter = format!("{filter}  2 of ");
    terminal.wait_for("the filter", |text| text.contains(&filter) && text.contains("x > e2e"))?;
    terminal.shows("5", &["one cell is 500 ms", "15 s ago"])?;
    let plain = terminal.tmux(&["capture-pane", "-p", "-e"])?;
    ensure!(plain.is_ascii(), "not ASCII:\n{plain}");
    let colour =
        |code: &str| code.split(';').any(|part| matches!(part.parse(), Ok(30..=37 | 40..=47 | 90..=107)));
    let codes = plain.split("\u{1b}[").skip(1).filter_map(|rest| rest.split_once('m'));
    ensure!(!codes.into_iter().any(|(code, _)| colour(code)), "colours:\n{plain}");

    // When the recorder is gone, what it told stays until a key.
    recorder.stop()?;
    terminal
        .wait_for("the end", |text| text.contains("ENDED") && text.contains("Its data stays on screen"))?;
    terminal.press("q")?;
    terminal.is_given_back(LIVE)
}
