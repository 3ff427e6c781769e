//! `connmon report`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Source;
use connmon_render::report::payload::DEFAULT_ROWS;

/// Shown after its options.
pub(super) const HELP: &str = "Examples:
  connmon report --db a.db --out a.html
  connmon report --since 14:00 --until 15:00 --case 2026-017 --operator 'M. Example'
  connmon report --filter 'proc:curl -local' --format svg-map --out map.svg
  connmon report --redact users,cmdline,internal --out for-others.html
  connmon report --sql 'SELECT id FROM connection WHERE remote_port = 4444'
  connmon report --compare before.db after.db --format txt
  connmon report --daily --format txt --out - | mail -s 'connmon' root
  connmon report --compare 2026-01-30..2026-01-31 2026-01-31..2026-02-01";

/// `connmon report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub source: Source,
    /// Output format [default: by the name of --out, else html]
    #[arg(long, value_enum)]
    pub format: Option<ReportFormat>,
    /// Output file; `-` for stdout [default: connmon-report with the format's extension]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Maximum number of connections in the page; if there are more, half are those with the most bytes and half the newest
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ROWS)]
    pub rows: usize,
    /// Title of the page, instead of the host's name
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Case number, shown at the top
    #[arg(long, value_name = "TEXT")]
    pub case: Option<String>,
    /// Name of the person making the report, shown at the top
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// Redact before sharing
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub redact: Vec<Redact>,
    /// Only the connections whose ids this query returns, in its column `id` or in its first column
    #[arg(long, value_name = "SELECT", conflicts_with = "compare")]
    pub sql: Option<String>,
    /// Show what is new, gone and grown from BEFORE to AFTER; each is a store or an interval FROM..TO
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"], conflicts_with_all = ["since", "until"])]
    pub compare: Vec<String>,
    /// A digest of the last 24 hours, up to --until or now: what is worth a look, and what is new, grown and gone since the day before
    #[arg(long, conflicts_with_all = ["compare", "since", "sql", "location"])]
    pub daily: bool,
    /// Location of the host, instead of the recorded one: latitude and longitude, as in 53.55,9.99
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true)]
    pub location: Option<String>,
}

/// `--format` of `report`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// One page with everything
    Html,
    /// The world map
    SvgMap,
    /// Remote addresses over time
    SvgTimeline,
    /// The IPv4 address space
    SvgHilbert,
    /// Ranked bars
    SvgBars,
    /// A timeline and statistics as text
    Txt,
    /// The figures as one JSON object
    Json,
    /// The connections, as in `connmon export --format csv`
    Csv,
}

impl ReportFormat {
    /// The end of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::SvgMap | Self::SvgTimeline | Self::SvgHilbert | Self::SvgBars => "svg",
            Self::Txt => "txt",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }
}

/// `--redact`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Redact {
    /// Names and numbers of users
    Users,
    /// Command lines and working folders
    Cmdline,
    /// Internal addresses and names, and this host's name
    Internal,
}
