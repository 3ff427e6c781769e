//! `connmon service` and `connmon reload`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::TextFormat;

/// `connmon reload`
#[derive(Debug, Args)]
pub struct Reload {
    /// The store that is being recorded into
    #[arg(long, default_value = super::DEFAULT_DB, value_name = "FILE")]
    pub db: PathBuf,
    /// The recorder's socket [default: /run/connmon/live.sock; for another store, its name and .sock]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// `connmon service`
#[derive(Debug, Args)]
pub struct ServiceCommands {
    /// What to do
    #[command(subcommand)]
    pub command: ServiceCommand,
}

/// The subcommands of `service`.
#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Install this program as a systemd service that records from now on and after each boot
    Install(ServiceFiles),
    /// Say whether the service records, since when, how large its store is, when it was last written, and what was lost
    Status(ServiceStatus),
    /// Remove what `install` installed; configuration and store stay
    Uninstall(Uninstall),
}

/// The place of the files of the service.
#[derive(Debug, Args)]
pub struct ServiceFiles {
    /// Write the files below this folder, as for a disk image, and start nothing
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

/// `connmon service uninstall`
#[derive(Debug, Args)]
pub struct Uninstall {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub files: ServiceFiles,
    /// Remove configuration, store and user as well
    #[arg(long)]
    pub purge: bool,
}

/// `connmon service status`
#[derive(Debug, Args)]
pub struct ServiceStatus {
    /// The store
    #[arg(long, value_name = "FILE", default_value = super::DEFAULT_DB)]
    pub db: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}
