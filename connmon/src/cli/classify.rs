//! `connmon label`, `connmon baseline`, `connmon ioc`, and their options that other commands have too.

use std::path::PathBuf;

use clap::Args;

use super::{DEFAULT_DB, Source, TextFormat};

/// Examples of `connmon label`.
pub(super) const LABEL_HELP: &str = r##"A rule in the configuration file; the first that matches labels a connection:
  [[rule]]
  label = "backup"
  color = "teal"                      a name, or #rrggbb
  match = "proc:restic bytes>1M"      in the query language
  text  = true                        false: a report shows only the colour

Example:
  connmon label --config rules.toml --db a.db && connmon audit --by label --db a.db"##;

/// Examples of `connmon baseline`.
pub(super) const BASELINE_HELP: &str = "Examples:
  connmon baseline --at-least 50% --db a.db > known.txt
  connmon report --db a.db --filter-file '!known.txt' --out unknown.html";

/// Examples of `connmon ioc`.
pub(super) const IOC_HELP: &str = "A list is plain text (one indicator per line), CSV, a STIX 2.1 bundle, a MISP event or other JSON; the format is detected. \
Indicators are addresses, networks, ranges, domains, URLs (matched by host) and SHA-256 of executables, also defanged \
as in 192.0.2[.]1 or hxxp://. The store stays as it is, unless --keep is given.

Examples:
  connmon ioc --db a.db --ioc feed.csv --ioc bundle.json
  connmon ioc --db a.db --ioc feed.csv --keep && connmon audit --db a.db --filter 'ioc:feed.csv'";

/// Lists of indicators with which connections are compared.
#[derive(Clone, Debug, Default, Args)]
pub struct ClassificationArgs {
    /// Warn of connections that match this list of indicators, and store the hits; repeatable
    #[arg(long, value_name = "FILE")]
    pub ioc: Vec<PathBuf>,
}

/// `connmon label`
#[derive(Debug, Args)]
pub struct LabelArgs {
    /// The configuration file with the rules [default: /etc/connmon/config.toml]
    #[arg(long, value_name = "FILE", env = "CONNMON_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// The store
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    pub db: PathBuf,
}

/// `connmon baseline`
#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// List addresses that were connected for at least this share of the recorded time
    #[arg(long, value_name = "PERCENT", default_value = "50%")]
    pub at_least: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub source: Source,
    /// Write to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `connmon ioc`
#[derive(Debug, Args)]
pub struct Ioc {
    /// A list of indicators; repeatable
    #[arg(long, value_name = "FILE", required = true)]
    pub ioc: Vec<PathBuf>,
    /// The store
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    pub db: PathBuf,
    /// Write the hits into the store, with each list's name, SHA-256 and date, for `ioc:` in filters and for reports
    #[arg(long)]
    pub keep: bool,
    /// List every entry that cannot be matched, with its line and the reason
    #[arg(long)]
    pub explain: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}
