//! `connmon config`

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{Cli, Command, RecordArgs, TextFormat};

/// `connmon config`
#[derive(Debug, Args)]
pub struct ConfigCommands {
    /// What to do
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// The subcommands of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a configuration file, and every list and database that it names, as a recording would
    Check(ConfigFile),
    /// Print the options in force and where each comes from: the file's line, the environment or the default
    Show(ConfigShow),
}

/// The configuration file of a subcommand.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration file [default: /etc/connmon/config.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "CONNMON_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
}

/// `connmon config show`
#[derive(Debug, Args)]
pub struct ConfigShow {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub file: ConfigFile,
    /// Output format; text is a configuration file itself
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// The options of a recording without a command line: only values from the environment are set.
///
/// # Panics
/// Never: the words are a valid command line.
pub fn plain_recording() -> RecordArgs {
    match Cli::parse_from(["connmon", "record"]).command {
        Command::Record(args) => args,
        other => unreachable!("not {other:?}: the line above asks for a recording"),
    }
}
