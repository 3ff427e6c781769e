//! `connmon live`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Choice, DEFAULT_DB};

/// Shown after its options.
pub(super) const HELP: &str = "It attaches to the recorder of the store, which needs no root for members of the group `connmon`. If there is none, it records
by itself, as root, into that store; what stands after `--` are options of `connmon record` then.

Examples:
  sudo connmon live
  connmon live --db a.db --filter 'proc:curl -local'
  connmon live --scroll --format jsonl | jq 'select(.event == \"closed\")'
  sudo connmon live --no-store -- --backend tracepoint";

/// `connmon live`
#[derive(Debug, Args)]
pub struct Live {
    /// The store that is recorded into
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    pub db: PathBuf,
    /// Where its recorder lets viewers attach [default: as `connmon record` has it]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Record by itself, and keep nothing at the end
    #[arg(long, conflicts_with_all = ["db", "socket"])]
    pub no_store: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub choice: Choice,
    /// One line an event instead of a screen, for pipes; with a filter, only events of connections that fit
    #[arg(long)]
    pub scroll: bool,
    /// How `--scroll` writes events
    #[arg(long, value_enum, default_value_t = ScrollFormat::Text, requires = "scroll")]
    pub format: ScrollFormat,
    /// Seconds that a cell of the timeline stands for
    #[arg(short = 't', long, value_name = "SECONDS", default_value_t = 1.0)]
    pub time_unit: f64,
    /// Cells of the timeline [default: as many as fit]
    #[arg(short, long, value_name = "CELLS")]
    pub width: Option<u16>,
    /// Connections that are remembered after their end, besides those that are open
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub keep: usize,
    /// Draw with ASCII only
    #[arg(long)]
    pub ascii: bool,
    /// Options of `connmon record`, for when it records by itself
    #[arg(last = true)]
    pub record: Vec<String>,
}

/// `--format` of `live --scroll`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScrollFormat {
    /// Columns for people; what they mean does not change
    Text,
    /// One JSON object a line
    Jsonl,
}
