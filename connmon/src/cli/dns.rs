//! `connmon dns`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::DEFAULT_DB;

/// `connmon dns`
#[derive(Debug, Args)]
pub struct Dns {
    /// The store
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    pub db: PathBuf,
    /// Queries at this time or later, as for `connmon export`
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Queries before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value_t = LookupFormat::Text)]
    pub format: LookupFormat,
    /// Read and show times in this host's time zone; JSON stays in UTC
    #[arg(long)]
    pub local: bool,
}

/// `--format` of `dns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LookupFormat {
    /// Text for reading
    Text,
    /// One JSON object per line
    Jsonl,
}
