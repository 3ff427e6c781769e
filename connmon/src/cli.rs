//! What was typed. The only place that knows clap.

mod alert;
mod audit;
mod classify;
mod config;
mod db;
mod dns;
mod findings;
mod format;
mod geo;
mod live;
mod reading;
mod report;
mod retention;
mod serve;
mod service;
mod verify;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use connmon_record::ConnectionId;

pub use alert::{AlertCommand, AlertCommands, AlertFiles, AlertRun};
pub use audit::AuditArgs;
pub use classify::{BaselineArgs, ClassificationArgs, Ioc, LabelArgs};
pub use config::{ConfigCommand, ConfigCommands, ConfigFile, ConfigShow, plain_recording};
pub use db::{DbBackup, DbChange, DbCommand, DbCommands, DbMerge, DbPrune, DbRestore, DbShow, DbStore};
pub use dns::{Dns, LookupFormat};
pub use findings::{Ack, Findings, FindingsCommand, FindingsFormat, PackagesArg, SeverityArg};
pub use format::{OtherFormat, chosen};
pub use geo::{
    DEFAULT_GEO_DIR, Databases, Fetch, GeoArgs, GeoCommand, GeoCommands, Import, Install, LookupArgs,
    StatusArgs,
};
pub use live::{Live, ScrollFormat};
pub use reading::When;
pub use report::{Redact, ReportArgs, ReportFormat};
pub use retention::RetentionArgs;
pub use serve::Serve;
pub use service::{Reload, ServiceCommand, ServiceCommands, ServiceFiles, ServiceStatus, Uninstall};
pub use verify::Verify;

/// The default store.
pub const DEFAULT_DB: &str = "/var/lib/connmon/connmon.db";

/// Flight recorder for a Linux host's network: which process talked to whom, when, and how much.
#[derive(Debug, Parser)]
#[command(name = "connmon", version, max_term_width = 100)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// Log more to stderr; repeat for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = When::Auto)]
    pub color: When,
    /// Do not show long output in a pager
    #[arg(long, global = true)]
    pub no_pager: bool,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record until Ctrl-C, or for a given time
    #[command(after_help = "Examples:
  connmon record                                      until Ctrl-C, into the default store
  connmon record --for 30s --db a.db --report a.html  half a minute, then a report
  connmon record --capture a.cap                      keep the segments in a file too, for `connmon replay`
  connmon record --config a.toml --ioc feed.csv       label connections, and warn of those on a list")]
    Record(RecordArgs),
    /// Rebuild a store from a capture file: the same rows, the same report
    #[command(after_help = "Example:
  connmon replay a.cap --db b.db --report b.html")]
    Replay(Replay),
    /// Bytes and connections per process, user, remote address and so on
    #[command(after_help = "Examples:
  connmon audit --db a.db
  connmon audit --by exe --top 10
  connmon audit --by day --format csv > days.csv
  connmon audit --since 14:00 --until 15:00 --format json
  connmon audit --filter 'proc:curl country:DE,HK bytes>1M -org:google'")]
    Audit(AuditArgs),
    /// Export every connection, in a format of your choice
    #[command(after_help = "Examples:
  connmon export --db a.db --format jsonl | jq 'select(.remote.port == 443)'
  connmon export --db a.db --format csv > a.csv
  connmon export --db a.db --format parquet --out a.parquet
  connmon export --db a.db --format zeek > conn.log
  connmon export --db a.db --filter '-local' --filter-file '!known.txt'")]
    Export(Export),
    /// Show everything known about one connection
    #[command(after_help = "Example:
  connmon show 1.42 --db a.db --format json")]
    Show(Show),
    /// List DNS queries: which process asked which server for what, and the answer
    #[command(after_help = "Example:
  connmon dns --db a.db --since 1h --format jsonl")]
    Dns(Dns),
    /// List what is worth a look, and why: beacons, odd executables, scans and more
    #[command(after_help = findings::HELP)]
    Findings(Findings),
    /// Note in the store that you have seen a finding
    #[command(after_help = findings::ACK_HELP)]
    Ack(Ack),
    /// Tell somebody of what is found while a recording goes on
    #[command(subcommand_required = true, arg_required_else_help = true, after_help = alert::HELP)]
    Alert(AlertCommands),
    /// Relabel the connections of a store by the rules of a configuration file
    #[command(after_help = classify::LABEL_HELP)]
    Label(LabelArgs),
    /// List the remote addresses that are connected most of the time, for --filter-file
    #[command(after_help = classify::BASELINE_HELP)]
    Baseline(BaselineArgs),
    /// Match a store against lists of indicators of compromise
    #[command(after_help = classify::IOC_HELP)]
    Ioc(Ioc),
    /// Watch connections live: full screen, or one line per event
    #[command(after_help = live::HELP)]
    Live(Live),
    /// Write a report: one HTML file with map, timeline, tables and every connection; or SVG, text, JSON, CSV
    #[command(after_help = report::HELP)]
    Report(ReportArgs),
    /// Serve a live report to browsers
    #[command(after_help = serve::HELP)]
    Serve(Serve),
    /// Check that a report or a store has not been altered
    #[command(after_help = "Examples:
  connmon verify a.html
  connmon verify a.db        the chain of its segments, and its tables against them")]
    Verify(Verify),
    /// List, query and add geo databases
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        after_help = "Examples:
  connmon geo status
  connmon geo lookup 8.8.8.8"
    )]
    Geo(GeoCommands),
    /// Maintain a store: statistics, checks, pruning, copies, merging
    #[command(subcommand_required = true, arg_required_else_help = true, after_help = db::HELP)]
    Db(DbCommands),
    /// Check which backends this kernel allows, what could make figures wrong, and what a store lacks
    #[command(after_help = "Examples:
  sudo connmon doctor       which backend works on this kernel, and why the others do not
  connmon doctor --db a.db  also what the store holds and what it lacks")]
    Doctor(Doctor),
    /// Install connmon as a service, remove the service, or show its state
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        after_help = "Examples:
  sudo ./connmon service install
  sudo connmon service status"
    )]
    Service(ServiceCommands),
    /// Make a recorder read its rules, lists, geo databases and redactions again
    #[command(after_help = "Example:
  connmon config check && sudo connmon reload")]
    Reload(Reload),
    /// Check the configuration, or print the options in force
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        after_help = "Examples:
  connmon config check --config new.toml
  connmon config show --format json"
    )]
    Config(ConfigCommands),
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page, or write them all
    #[command(after_help = "Examples:
  connmon man | man -l -
  connmon man geo fetch | man -l -
  sudo connmon man --out /usr/local/share/man/man1")]
    Man(Man),
}

/// `connmon record`
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// The store to record into; created if missing [default: /var/lib/connmon/connmon.db]
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Configuration file: options of a recording and labelling rules; the command line takes precedence [default:
    /// /etc/connmon/config.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "CONNMON_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub choice: Choice,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub classification: ClassificationArgs,
    /// How to observe calls; `auto`, the default, takes the first backend that the kernel allows
    #[arg(long, value_enum)]
    pub backend: Option<BackendArg>,
    /// Stop after this time, such as 30s, 10m or 2h
    #[arg(long = "for", value_name = "TIME")]
    pub length: Option<String>,
    /// Also write the segments to a capture file, for `connmon replay`
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
    /// Write an HTML report of this store when done
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub retention: RetentionArgs,
    /// The socket to which `connmon live` and `connmon serve` attach [default: /run/connmon/live.sock; for another store, its name
    /// and .sock]
    #[arg(long, value_name = "PATH", conflicts_with = "no_socket")]
    pub socket: Option<PathBuf>,
    /// Offer no socket to viewers
    #[arg(long)]
    pub no_socket: bool,
    /// Size of the ring buffer between kernel and recorder: a power of two, at least 4096 [default: 8388608]
    #[arg(long, value_name = "BYTES")]
    pub ring_bytes: Option<u32>,
    /// Connections that can be open at once; the kernel reserves about 1100 bytes for each [default: 131072]
    #[arg(long, value_name = "N")]
    pub max_connections: Option<u32>,
    /// End a UDP (or other datagram) connection after a pause of this length; later datagrams begin a new one [default: 120s]
    #[arg(long, value_name = "TIME")]
    pub udp_idle: Option<String>,
    /// Do not count packets, only the bytes that processes send and receive
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_wire: Option<bool>,
    /// Do not collect names: parse neither DNS messages nor the first bytes of connections
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_names: Option<bool>,
    /// Resolve remote addresses by reverse DNS, at most 20 a second, with this host's servers or the one given; otherwise recording
    /// sends nothing to the network
    #[arg(long, value_name = "IP[:PORT]", num_args = 0..=1, require_equals = true)]
    pub resolve: Option<Option<String>>,
    /// Offer figures about the recorder at this address: OpenMetrics at /metrics, and /healthz; the figures name no process and no
    /// address
    #[arg(long, value_name = "IP:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Let the probes log each failure to record, such as a full table, as it happens
    #[arg(long)]
    pub probe_log: bool,
    /// Record nothing: the probes return at once, which shows what calling them costs
    #[arg(long, hide = true)]
    pub empty_probes: bool,
    /// For tests: do not see ends (1), beginnings (2), or both (3) of some sockets
    #[arg(long, value_name = "BITS", hide = true, default_value_t = 0)]
    pub blind: u32,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub places: GeoArgs,
}

/// `connmon replay`
#[derive(Debug, Args)]
pub struct Replay {
    /// The capture, from `connmon record --capture`, or a store, whose segments are read
    pub capture: PathBuf,
    /// The store to write into; created if missing
    #[arg(long, value_name = "FILE")]
    pub db: PathBuf,
    /// Configuration file, as for `connmon record`; without this option none is read
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub classification: ClassificationArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub choice: Choice,
    /// Write an HTML report of this store when done
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub places: GeoArgs,
}

/// The connections that a command is about.
#[derive(Clone, Debug, Default, Args)]
pub struct Choice {
    /// Only connections that match, such as 'proc:curl country:DE,HK bytes>1M -org:google'; docs/queries.md describes the language
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    pub filter: Option<String>,
    /// Only connections with the addresses and networks in this file, one per line; '!FILE' selects all others
    #[arg(long, value_name = "FILE")]
    pub filter_file: Vec<String>,
}

/// A store, and the part of it that a command reads.
#[derive(Debug, Args)]
pub struct Source {
    /// The store
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    pub db: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub choice: Choice,
    /// Connections that were open at this time or later: 2026-01-31T14:02:00Z, "2026-01-31 14:02", 14:02, today,
    /// yesterday, or 2h ago as 2h or -2h; in UTC unless it names a zone
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Connections that were opened before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Read --since and --until in this host's time zone if they name no zone; filters and output stay in UTC
    #[arg(long)]
    pub local: bool,
}

/// `connmon export`
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub source: Source,
    /// Output format [default: by the name of --out, else jsonl]
    #[arg(long, value_enum)]
    pub format: Option<ExportFormat>,
    /// Write to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `connmon show`
#[derive(Debug, Args)]
pub struct Show {
    /// The connection's id, such as 1.42, or the number that `connmon export` prints as `id`
    pub id: ConnectionId,
    /// The store
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    pub db: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
    /// Show times in this host's time zone; JSON stays in UTC
    #[arg(long)]
    pub local: bool,
}

/// `connmon man`
#[derive(Debug, Args)]
pub struct Man {
    /// The command whose page to print [default: connmon itself]
    pub command: Vec<String>,
    /// Write the pages of all commands into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub out: Option<PathBuf>,
}

/// `connmon doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Check this store too
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// `--backend`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackendArg {
    /// The first of the following that works
    Auto,
    /// Trampolines on the protocols' functions (Linux 5.8 and later)
    Fentry,
    /// Probes on the same functions
    Kprobe,
    /// Socket tracepoints and cgroup programs (Linux 6.3 and later)
    Tracepoint,
}

/// `--format` of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Text for reading
    Table,
    /// Comma-separated, for spreadsheets
    Csv,
    /// One JSON object
    Json,
}

/// `--format` of `export`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON object per line
    Jsonl,
    /// Comma-separated, for spreadsheets
    Csv,
    /// Elastic Common Schema: one JSON event per connection
    Ecs,
    /// Open Cybersecurity Schema Framework: a Network Activity per connection, one JSON object per line
    Ocsf,
    /// Zeek's conn.log
    Zeek,
    /// Zeek's conn.log, one JSON object per line
    ZeekJson,
    /// JSON Lines for Timesketch: an event when a connection begins, and one when it ends
    Timesketch,
    /// Apache Parquet: the columns of `csv`, with types
    Parquet,
}

/// `--format` of `doctor` and `show`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    /// Text for reading
    Text,
    /// One JSON object
    Json,
}

impl BackendArg {
    /// What was meant: one backend, or any.
    pub fn wanted(self) -> Option<connmon_record::Backend> {
        match self {
            Self::Auto => None,
            Self::Fentry => Some(connmon_record::Backend::Fentry),
            Self::Kprobe => Some(connmon_record::Backend::Kprobe),
            Self::Tracepoint => Some(connmon_record::Backend::Tracepoint),
        }
    }
}

impl From<connmon_record::Backend> for BackendArg {
    fn from(backend: connmon_record::Backend) -> Self {
        match backend {
            connmon_record::Backend::Fentry => Self::Fentry,
            connmon_record::Backend::Kprobe => Self::Kprobe,
            connmon_record::Backend::Tracepoint => Self::Tracepoint,
        }
    }
}

/// Writes the completion script of a shell.
///
/// # Errors
/// The writer's.
pub fn write_completions(shell: clap_complete::Shell, out: &mut impl std::io::Write) -> std::io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut <Cli as clap::CommandFactory>::command(), "connmon", &mut script);
    out.write_all(&script)
}

/// A manual page: its name, such as `connmon-geo-fetch.1`, and its text.
type ManualPage = (String, Vec<u8>);

/// The manual pages of a command and of those below it.
fn pages(command: &clap::Command, all: &mut Vec<ManualPage>) -> std::io::Result<()> {
    let page = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    all.push((page.get_filename(), text));
    command.get_subcommands().filter(|command| !command.is_hide_set()).try_for_each(|below| pages(below, all))
}

/// The manual pages of all commands.
///
/// # Errors
/// None that are known: the writer is memory.
pub fn manual() -> std::io::Result<Vec<ManualPage>> {
    let mut command = <Cli as clap::CommandFactory>::command().disable_help_subcommand(true);
    command.build();
    let mut all = Vec::new();
    pages(&command, &mut all)?;
    Ok(all)
}

/// Reads the command line; wrong usage ends the program with a message and exit code 2, help with 0.
pub fn parse() -> Cli {
    Cli::parse()
}
