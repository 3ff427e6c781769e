//! What coordinator and worker tell each other: JSON lines one way, text lines the other.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::Unsupported;
use crate::truth::Process;

/// From a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// It listens here; the next role may start.
    Ready(Vec<SocketAddr>),
    /// Whatever this case has agreed upon.
    Note(String),
    /// What it and its forks did since the last report.
    Report(Vec<Process>),
    /// The kernel lacks what the role is about.
    Unsupported(String),
    /// It gave up.
    Failed(String),
}

impl Message {
    /// Why a role did not reach its end.
    pub fn of_error(who: &str, error: &anyhow::Error) -> Self {
        match error.downcast_ref::<Unsupported>() {
            Some(Unsupported(what)) => Self::Unsupported(what.clone()),
            None => Self::Failed(format!("{who}: {error:#}")),
        }
    }
}

/// One end of the line.
pub struct Control(BufReader<UnixStream>);

impl Control {
    /// Speaks over `stream`.
    pub fn new(stream: UnixStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// The socket itself, to wait on.
    pub fn stream(&self) -> &UnixStream {
        self.0.get_ref()
    }

    /// Worker to coordinator.
    pub fn send(&mut self, message: &Message) -> Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.0.get_mut().write_all(&line).context("the coordinator is gone")
    }

    /// The next message of a worker; `None` when it has hung up.
    pub fn receive(&mut self) -> Result<Option<Message>> {
        let line = self.line()?;
        if line.is_empty() {
            return Ok(None);
        }
        match serde_json::from_str(&line)? {
            Message::Failed(why) => bail!("{why}"),
            Message::Unsupported(what) => Err(Unsupported(what).into()),
            message => Ok(Some(message)),
        }
    }

    /// Coordinator to worker.
    pub fn tell(&mut self, text: &str) -> Result<()> {
        writeln!(self.0.get_mut(), "{text}").context("the worker is gone")
    }

    /// The next line of the other side; empty when it has hung up.
    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).context("no word from the other side")?;
        line.truncate(line.trim_end_matches('\n').len());
        Ok(line)
    }
}
