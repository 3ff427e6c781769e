//! `connmon findings`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{DEFAULT_DB, Source};
use connmon_detect::Severity;

/// Examples of `connmon findings`.
pub(super) const HELP: &str = "A finding is never a verdict: it says what was seen and why that is worth a look, which connections \
show it, what would explain it innocently, and what would refute it. All of the store is read, so that it is known what is new; \
--since and --until choose the findings that were seen then.

Examples:
  connmon findings --db a.db
  connmon findings --db a.db --since 1d --severity low
  connmon findings --db a.db --format json | jq '.findings[].what'
  connmon findings --db a.db --severity medium --format ecs
  connmon export --db a.db --filter 'finding:beacon severity>low'
  connmon findings explain D1          what the detector does, its formula, and what would refute what it finds";

/// `connmon findings`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Findings {
    /// What else to do
    #[command(subcommand)]
    pub command: Option<FindingsCommand>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub source: Source,
    /// Show findings of this severity or above
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = SeverityArg::Info)]
    pub severity: SeverityArg,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub packages: PackagesArg,
    /// Also tell when more than a limit matches a filter within a time, such as 'count>100/1h proc:curl' or 'sum(tx)>1G/1d -public';
    /// repeatable
    #[arg(long, value_name = "RULE")]
    pub policy: Vec<String>,
    /// First keep what is found in all of the store, as a recorder does, so that later answers need not read all of it again: for a store of an
    /// earlier version or one that was merged
    #[arg(long)]
    pub keep: bool,
    /// Show each finding by itself; else those of the same kind and program are one entry
    #[arg(long)]
    pub all: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = FindingsFormat::Text)]
    pub format: FindingsFormat,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum FindingsCommand {
    /// Print what a detector does, its formula, innocent explanations, and what would refute what it finds
    #[command(after_help = "Examples:
  connmon findings explain D1
  connmon findings explain         all detectors")]
    Explain {
        /// The detector's number or name, such as D1 or beacon [default: all]
        detector: Option<String>,
    },
}

/// `--format` of `findings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FindingsFormat {
    /// Text for reading
    Text,
    /// One JSON object
    Json,
    /// Elastic Common Schema: an event of kind alert per line
    Ecs,
    /// Open Cybersecurity Schema Framework: a Detection Finding per line
    Ocsf,
    /// STIX 2.1: a bundle of indicators and sightings
    Stix,
}

/// Where packages are looked up.
#[derive(Clone, Debug, Default, Args)]
pub struct PackagesArg {
    /// The root folder of the system whose package manager (dpkg, rpm, apk) knows whom executables belong to [default: /, if the store's
    /// newest recording is of a host of this name; else none]
    #[arg(long, value_name = "DIR")]
    pub packages: Option<PathBuf>,
}

/// Examples of `connmon ack`.
pub(super) const ACK_HELP: &str =
    "The finding stays acknowledged, with name, time and note, until its severity or its score grows.

Example:
  connmon ack D1-0ea39e9290 --note 'the agent of our inventory' --db a.db";

/// `connmon ack`
#[derive(Debug, Args)]
pub struct Ack {
    /// The id of the finding, as `connmon findings` prints it
    pub id: String,
    /// Who has seen it [default: the user who called sudo, else the present one]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub packages: PackagesArg,
    /// The rule that found it, if it is a rule of your own: as for `connmon findings`; repeatable
    #[arg(long, value_name = "RULE")]
    pub policy: Vec<String>,
    /// Why it is of no concern
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// The store
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    pub db: PathBuf,
}

/// `--severity`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SeverityArg {
    /// All
    Info,
    /// Worth a look some time
    Low,
    /// Worth a look today
    Medium,
    /// Worth a look now
    High,
}

impl From<SeverityArg> for Severity {
    fn from(severity: SeverityArg) -> Self {
        match severity {
            SeverityArg::Info => Self::Info,
            SeverityArg::Low => Self::Low,
            SeverityArg::Medium => Self::Medium,
            SeverityArg::High => Self::High,
        }
    }
}
