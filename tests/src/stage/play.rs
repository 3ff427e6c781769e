//! The coordinator: starts the roles, lets them meet, and puts their reports together.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use tempfile::TempDir;

use super::control::{Control, Message};
use super::{Family, settle};
use crate::sys::process;
use crate::truth::{Process, Truth};

/// A worker that says nothing for this long hangs.
const SILENCE: Duration = Duration::from_secs(120);

/// What a case that waits in the middle waits for.
#[derive(Clone, Debug)]
pub enum Hold {
    /// Nothing.
    Never,
    /// A line, or the end, of standard input.
    Stdin,
    /// A file to appear.
    File(PathBuf),
}

/// Who plays a role.
#[derive(Default)]
pub struct Cast {
    /// The role.
    pub role: String,
    /// Arguments, the peers' addresses among them.
    pub args: Vec<String>,
    /// Another user.
    pub uid: Option<u32>,
    /// A copy of this program under another name.
    pub exe: Option<PathBuf>,
    /// Another `argv[0]`.
    pub arg0: Option<OsString>,
}

struct Player {
    role: String,
    process: Child,
    control: Option<Control>,
}

/// What the stage has to know of the case that is played.
pub struct Script {
    /// The name of this run of it.
    pub id: String,
    /// Its roles, in the order in which they start.
    pub roles: Vec<&'static str>,
    /// Waits in the middle until it is told to go on.
    pub hold: bool,
    /// What is sent need not arrive.
    pub lossy: bool,
}

/// The coordinator's view of a running case.
pub struct Stage<'a> {
    /// IP version of this run.
    pub family: Family,
    script: Script,
    hold: &'a Hold,
    publish: &'a mut (dyn FnMut(Truth) -> Result<()> + 'a),
    players: Vec<Player>,
    processes: Vec<Process>,
    skipped: Option<String>,
    started: String,
    disguises: Vec<TempDir>,
}

impl<'a> Stage<'a> {
    /// An empty stage.
    pub fn new(
        script: Script,
        family: Family,
        hold: &'a Hold,
        publish: &'a mut (dyn FnMut(Truth) -> Result<()> + 'a),
    ) -> Self {
        let (players, processes, disguises) = (Vec::new(), Vec::new(), Vec::new());
        let (skipped, started) = (None, process::now());
        Self { family, script, hold, publish, players, processes, skipped, started, disguises }
    }

    /// The default director: each role starts when the one before is ready, and knows where.
    pub fn in_order(&mut self) -> Result<()> {
        let mut peers = Vec::new();
        let roles = self.script.roles.clone();
        for (n, role) in roles.iter().enumerate() {
            let player = self.start(role, &peers)?;
            if n + 1 < roles.len() {
                peers.extend(self.ready(player)?);
            }
        }
        Ok(())
    }

    /// The director of cases that wait: all roles report at a checkpoint, and go on when told.
    pub fn hold_in_the_middle(&mut self, phase: &str) -> Result<()> {
        self.in_order()?;
        for player in 0..self.players.len() {
            self.take_report(player)?;
        }
        self.publish(Some(phase))?;
        self.wait()?;
        for player in 0..self.players.len() {
            self.tell(player, "go on")?;
        }
        Ok(())
    }

    /// This program under another file name, for [`Cast::exe`]; gone when the case is over.
    pub fn disguise(&mut self, name: &str) -> Result<PathBuf> {
        let open_to_all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("traffic-").permissions(open_to_all).tempdir()?;
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().context("a name")?)?;
        let own = std::env::current_exe()?;
        if std::fs::hard_link(&own, &path).is_err() {
            std::fs::copy(&own, &path)?;
        }
        self.disguises.push(folder);
        Ok(path)
    }

    /// Starts a process for `role`; its number.
    pub fn start(&mut self, role: &str, args: &[String]) -> Result<usize> {
        self.start_as(Cast { role: role.to_owned(), args: args.to_vec(), ..Cast::default() })
    }

    /// Starts a process; its number.
    pub fn start_as(&mut self, cast: Cast) -> Result<usize> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(SILENCE))?;
        let mut command = Command::new(cast.exe.unwrap_or_else(|| "/proc/self/exe".into()));
        command.args(["child", &self.script.id, &cast.role]).args(&cast.args);
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        if let Some(uid) = cast.uid {
            command.uid(uid);
        }
        if let Some(arg0) = cast.arg0 {
            command.arg0(arg0);
        }
        let process = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        self.players.push(Player { role: cast.role, process, control: Some(Control::new(ours)) });
        Ok(self.players.len() - 1)
    }

    fn control(&mut self, player: usize) -> Result<&mut Control> {
        self.players[player].control.as_mut().context("its role is over")
    }

    fn receive(&mut self, player: usize) -> Result<Message> {
        let message = self.control(player)?.receive()?;
        message.with_context(|| format!("role {} hung up", self.players[player].role))
    }

    /// Waits until a player listens; where, in text.
    pub fn ready(&mut self, player: usize) -> Result<Vec<String>> {
        match self.receive(player)? {
            Message::Ready(at) => Ok(at.iter().map(ToString::to_string).collect()),
            other => bail!("expected ready, got {other:?}"),
        }
    }

    /// Waits for a player's note.
    pub fn note(&mut self, player: usize) -> Result<String> {
        match self.receive(player)? {
            Message::Note(text) => Ok(text),
            other => bail!("expected a note, got {other:?}"),
        }
    }

    /// A player's PID.
    pub fn pid(&self, player: usize) -> u32 {
        self.players[player].process.id()
    }

    /// Tells a player something.
    pub fn tell(&mut self, player: usize, text: &str) -> Result<()> {
        self.control(player)?.tell(text)
    }

    /// Waits for a report.
    fn take_report(&mut self, player: usize) -> Result<()> {
        match self.receive(player)? {
            Message::Report(report) => self.merge(report),
            other => bail!("expected a report, got {other:?}"),
        }
        Ok(())
    }

    fn merge(&mut self, report: Vec<Process>) {
        for process in report {
            match self.processes.iter_mut().find(|known| known.same(&process)) {
                Some(known) => known.merge(process),
                None => self.processes.push(process),
            }
        }
    }

    /// Waits for the outside's sign to go on.
    fn wait(&self) -> Result<()> {
        match self.hold {
            Hold::Never => {}
            Hold::Stdin => {
                std::io::stdin().read_line(&mut String::new())?;
            }
            Hold::File(path) => {
                while !path.exists() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
        Ok(())
    }

    /// Takes all reports and waits for all processes, and for the kernel to be done with their sockets.
    pub fn finish(&mut self) -> Result<()> {
        for player in 0..self.players.len() {
            self.end(player)?;
        }
        settle(&mut self.processes)?;
        let phase = if self.script.hold { Some("after") } else { None };
        self.publish(phase)
    }

    /// Takes a player's reports until it hangs up, and waits for its end.
    pub fn end(&mut self, player: usize) -> Result<()> {
        while self.players[player].control.is_some() {
            match self.control(player)?.receive()? {
                None => self.players[player].control = None,
                Some(Message::Report(report)) => self.merge(report),
                Some(other) => bail!("expected a report, got {other:?}"),
            }
        }
        let status = self.players[player].process.wait()?;
        ensure!(status.success(), "role {}: {status}", self.players[player].role);
        Ok(())
    }

    /// Tells, instead of what was done, why the case cannot be played here.
    pub fn skip(&mut self, why: String) -> Result<()> {
        self.processes.clear();
        self.skipped = Some(why);
        self.publish(None)
    }

    /// Publishes what is known and starts anew.
    fn publish(&mut self, phase: Option<&str>) -> Result<()> {
        let mut processes = std::mem::take(&mut self.processes);
        processes.push(process::identity("coordinator"));
        (self.publish)(Truth {
            case: self.script.id.clone(),
            phase: phase.map(ToOwned::to_owned),
            lossy: self.script.lossy,
            skipped: self.skipped.take(),
            started: std::mem::replace(&mut self.started, process::now()),
            ended: process::now(),
            processes,
        })
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        for player in &mut self.players {
            let _ = player.process.kill();
            let _ = player.process.wait();
        }
    }
}
