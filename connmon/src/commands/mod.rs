//! The subcommands, one file each.

mod ack;
mod alert;
mod audit;
mod baseline;
mod config;
mod db;
mod dns;
mod doctor;
mod export;
mod findings;
mod geo;
mod ioc;
mod label;
mod live;
mod man;
mod progress_line;
#[cfg(feature = "record")]
mod record;
#[cfg(feature = "record")]
mod reload;
mod replay;
mod report;
mod serve;
mod service;
mod settle;
mod show;
mod verify;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::cli::{Cli, Command};
use crate::config::{ConfigError, FileError};
use crate::indexer::IndexError;
use connmon_record::ConnectionId;
use connmon_store::StoreError;

/// How a command ended when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Done,
    /// Exit code 1: there was nothing to show, in words.
    Nothing(&'static str),
    /// A report is not what was written: exit code 1.
    Altered,
}

/// A failure that is told in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The options contradict each other or cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows of what was recorded.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The recording.
    #[cfg(feature = "record")]
    #[error(transparent)]
    Record(#[from] crate::daemon::RecordError),
    /// Recording is wanted of a program that cannot.
    #[error(
        "this connmon was built without the recorder: it answers from stores and replays captures; to record, build it with the \
         feature `record`"
    )]
    NoRecorder,
    /// The live page.
    #[error(transparent)]
    Serve(#[from] connmon_live::web::ServeError),
    /// A geo database.
    #[error(transparent)]
    Geo(#[from] connmon_enrich::geo::GeoError),
    /// A geo database that was to be added.
    #[error(transparent)]
    Install(#[from] geo::InstallError),
    /// The network.
    #[error(transparent)]
    Fetch(#[from] geo::FetchError),
    /// What was recorded lacks its beginning.
    #[error("the first frame is not the start of a recording, and the rest cannot be read without it")]
    NoStart,
    /// A capture file.
    #[error("{0}: {1}")]
    Capture(String, connmon_record::segment::file::ReadError),
    /// A file cannot be written.
    #[error("--compare writes html, txt or json")]
    CompareFormat,
    /// Grouping by what cannot be.
    #[error("--by takes one or two different things, such as exe or user,day")]
    By,
    /// The name of a file is that of another format.
    #[error(transparent)]
    OtherFormat(#[from] crate::cli::OtherFormat),
    /// There is no manual page.
    #[error("there is no command `connmon {0}`; `connmon man` lists the commands")]
    NoPage(String),
    /// A file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, io::Error),
    /// A file is no report.
    #[error("{0} {1}")]
    NoReport(String, connmon_render::report::verify::NoReport),
    /// A file cannot be written.
    #[error("{0} cannot be written: {1}")]
    File(String, io::Error),
    /// Standard output.
    #[error("standard output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// A terminal shows text only.
    #[error("{0} is binary: name a file with --out, or redirect the output to one")]
    Terminal(&'static str),
    /// Asked for one connection that is not there.
    #[error("{1} has no connection {0}; `connmon export` lists their ids")]
    NoConnection(ConnectionId, String),
    /// A rule of the user's own.
    #[error("--policy {0}: {1}")]
    Policy(String, connmon_detect::PolicyError),
    /// There is no alert in the configuration.
    #[error("there is no [[alert]] in {0}; docs/findings.md has examples")]
    NoAlerts(String),
    /// There is no such finding.
    #[error("{1} has no finding {0}; `connmon findings` lists them")]
    NoFinding(String, String),
    /// There is no detector.
    #[error("there is no detector {0}; `connmon findings explain` lists them")]
    NoDetector(String),
    /// The recorder of something live.
    #[error(transparent)]
    Attach(#[from] connmon_live::attach::AttachError),
    /// The screen.
    #[error(transparent)]
    Screen(#[from] connmon_live::tui::TuiError),
    /// A recorder of our own did not start.
    #[error("recording did not begin: {0}")]
    Recorder(String),
    /// Options for a recorder, and there is one already.
    #[error(
        "a recorder answers at {0} already; remove the options after `--`, or name another store with --db"
    )]
    RecordsAlready(String),
    /// The service cannot be installed, or removed.
    #[error(transparent)]
    Service(#[from] service::ServiceError),
    /// A recorder that says nothing.
    #[error("the recorder at {0} does not answer: it may be another version, or be stopped")]
    NoReload(String),
    /// A recorder that may not be asked.
    #[error("the recorder, process {0}, cannot be contacted: {1}; try again as root")]
    Signal(i32, io::Error),
    /// A configuration that the recorder cannot use.
    #[error("{0}; the recorder keeps its configuration")]
    NotReloaded(String),
    /// A store that would be added to by looking.
    #[error(
        "nobody records into {0}; `--record` adds a recording to this store, `connmon report` shows its content"
    )]
    RecordsNothing(String),
    /// What cannot be undone was not asked for clearly.
    #[error("{0}; add --yes to do it without confirmation")]
    Unconfirmed(String),
    /// It was asked, and the answer was no.
    #[error("nothing was done")]
    Declined,
}

impl CommandError {
    /// Lines that point at what is wrong.
    pub fn picture(&self) -> Option<String> {
        match self {
            Self::Config(ConfigError::Filter(error)) => Some(error.picture()),
            Self::Config(ConfigError::File(FileError::Wrong { picture, .. })) => picture.clone(),
            _ => None,
        }
    }

    /// Whether the reader of our output has gone, which is no failure of ours.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Runs what was asked for.
///
/// # Errors
/// One sentence that says what, why and what to do.
pub fn run(cli: Cli) -> Result<Outcome, CommandError> {
    match cli.command {
        #[cfg(feature = "record")]
        Command::Record(args) => record::run(args),
        #[cfg(not(feature = "record"))]
        Command::Record(_) | Command::Reload(_) => Err(CommandError::NoRecorder),
        #[cfg(feature = "record")]
        Command::Reload(args) => reload::run(&args),
        Command::Replay(args) => replay::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Export(args) => export::run(args),
        Command::Show(args) => show::run(&args),
        Command::Dns(args) => dns::run(&args),
        Command::Findings(args) => findings::run(&args),
        Command::Ack(args) => ack::run(args),
        Command::Alert(args) => alert::run(args),
        Command::Label(args) => label::run(&args),
        Command::Baseline(args) => baseline::run(&args),
        Command::Ioc(args) => ioc::run(&args),
        Command::Live(args) => live::run(args),
        Command::Report(args) => report::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Verify(args) => verify::run(&args),
        Command::Geo(args) => geo::run(args),
        Command::Db(args) => db::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Config(args) => config::run(args),
        Command::Service(args) => service::run(args),
        Command::Completions { shell } => {
            crate::cli::write_completions(shell, &mut io::stdout())?;
            Ok(Outcome::Done)
        }
        Command::Man(args) => man::run(&args),
    }
}

/// Writes a file whole or not at all.
fn write_file(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<fs::File>) -> io::Result<()>,
) -> Result<(), CommandError> {
    connmon_system::files::replace(path, write)
        .map_err(|error| CommandError::File(path.display().to_string(), error))
}

/// Like [`write_file`], for what can fail for other reasons than the file; what `write` gives.
fn write_file_with<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<fs::File>) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let mut result = Err(CommandError::Output(io::Error::other("nothing was written")));
    let written = write_file(path, |out| {
        result = write(out);
        match &result {
            Err(CommandError::Output(error)) => Err(io::Error::from(error.kind())),
            Err(error) => Err(io::Error::other(error.to_string())),
            Ok(_) => Ok(()),
        }
    });
    match (written, result) {
        // What could not be read says more than the file that was not written for it.
        (Err(_), Err(cause)) if !matches!(cause, CommandError::Output(_)) => Err(cause),
        (Err(error), _) => Err(error),
        (Ok(()), result) => result,
    }
}

/// Standard output, buffered.
fn stdout() -> BufWriter<io::Stdout> {
    BufWriter::with_capacity(1 << 16, io::stdout())
}

/// Columns of the terminal, or a customary number of them.
fn terminal_width() -> usize {
    crate::pager::columns().map_or(100, |columns| columns.max(40))
}

/// Said where a filter or an interval leaves nothing.
const NO_CONNECTION: &str = "no connections match";

/// Flushes, so that a failure is seen. `nothing` is what to say where there was nothing to show.
fn done(mut out: impl Write, nothing: Option<&'static str>) -> Result<Outcome, CommandError> {
    out.flush()?;
    Ok(outcome(nothing))
}

/// How a command ended that may have found nothing.
fn outcome(nothing: Option<&'static str>) -> Outcome {
    nothing.map_or(Outcome::Done, Outcome::Nothing)
}
