//! How what a command prints is shown: in colours, and page by page.

use clap::ValueEnum;

use super::{Cli, Command, ConfigCommand, ExportFormat, GeoCommand, ServiceCommand};

/// `--color`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Cli {
    /// Whether the output of a command is meant to be read in a pager.
    pub fn is_for_reading(&self) -> bool {
        match &self.command {
            Command::Audit(_) | Command::Show(_) | Command::Dns(_) | Command::Findings(_) => true,
            Command::Doctor(_) | Command::Ioc(_) => true,
            Command::Export(args) => args.out.is_none() && args.format != Some(ExportFormat::Parquet),
            Command::Baseline(args) => args.out.is_none(),
            Command::Geo(args) => matches!(args.command, GeoCommand::Status(_) | GeoCommand::Lookup(_)),
            Command::Config(args) => matches!(args.command, ConfigCommand::Show(_)),
            Command::Service(args) => matches!(args.command, ServiceCommand::Status(_)),
            _ => false,
        }
    }
}
