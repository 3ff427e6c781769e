//! `connmon live`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Choice, DEFAULT_DB};

/// Shown after its options.
pub(super) const HELP: &str = "Attaches to the recorder of the store, which needs no root for members of the group `connmon`. If none is running, it records \
into that store itself, as root, but into a store that was named and has a record only with `--record`; options after `--` are then options of `connmon record`.

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
    /// The recorder's socket [default: as for `connmon record`]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// If no recorder is running, add a recording to the store even if it already has one
    #[arg(long = "record", conflicts_with_all = ["socket", "no_store"])]
    pub go_on: bool,
    /// If no recorder is running, record, and keep nothing at the end
    #[arg(long, conflicts_with_all = ["db", "socket"])]
    pub no_store: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub choice: Choice,
    /// One line per event instead of a screen, for pipes; with a filter, only events of matching connections
    #[arg(long)]
    pub scroll: bool,
    /// Format of `--scroll`
    #[arg(long, value_enum, default_value_t = ScrollFormat::Text, requires = "scroll")]
    pub format: ScrollFormat,
    /// Seconds per cell of the timeline
    #[arg(short = 't', long, value_name = "SECONDS", default_value_t = 1.0)]
    pub time_unit: f64,
    /// Number of cells of the timeline [default: as many as fit]
    #[arg(short, long, value_name = "CELLS")]
    pub width: Option<u16>,
    /// Number of closed connections to keep in view, besides the open ones
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub keep: usize,
    /// Draw with ASCII only
    #[arg(long)]
    pub ascii: bool,
    /// Options of `connmon record`, used when no recorder is running
    #[arg(last = true)]
    pub record: Vec<String>,
}

/// `--format` of `live --scroll`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScrollFormat {
    /// Columns for reading; their meaning is stable
    Text,
    /// One JSON object per line
    Jsonl,
}
