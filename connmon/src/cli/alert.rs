//! `connmon alert`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::DEFAULT_DB;

/// Examples of `connmon alert`.
pub(super) const HELP: &str =
    "Alerts are the sections [[alert]] of the configuration. `connmon alert run` delivers them while a \
recording goes on, and may run as a service of its own with no rights but to read the store.

Examples:
  connmon alert test                          send a test message to every target
  connmon alert run                           deliver alerts until Ctrl-C
  connmon alert run --once                    deliver what is due, and end
  connmon alert status                        what waits, and why";

/// `connmon alert`
#[derive(Debug, Args)]
pub struct AlertCommands {
    /// What to do
    #[command(subcommand)]
    pub command: AlertCommand,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum AlertCommand {
    /// Deliver alerts of what the recorder finds
    #[command(after_help = "Example:
  connmon alert run --db a.db --config a.toml")]
    Run(AlertRun),
    /// Send a test message to each target of each alert
    #[command(after_help = "Example:
  connmon alert test --config a.toml")]
    Test(AlertFiles),
    /// Print what was delivered, what waits, and why
    #[command(after_help = "Example:
  connmon alert status --db a.db")]
    Status(AlertFiles),
}

/// Files of `connmon alert`.
#[derive(Clone, Debug, Args)]
pub struct AlertFiles {
    /// The store
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    pub db: PathBuf,
    /// The configuration with the alerts [default: /etc/connmon/config.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where it is kept what was told and what waits [default: beside the store]
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// `connmon alert run`
#[derive(Clone, Debug, Args)]
pub struct AlertRun {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub files: AlertFiles,
    /// Deliver what is due, and end
    #[arg(long)]
    pub once: bool,
    /// Tell also of what was found before alerts were first looked for in this store
    #[arg(long)]
    pub all: bool,
}
