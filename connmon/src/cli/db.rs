//! `connmon db`

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::{DEFAULT_DB, RetentionArgs, TextFormat};

/// Shown below the help of `connmon db`.
pub const HELP: &str = "Examples:
  connmon db stats --db a.db
  connmon db prune --max-age 30d --keep label:evidence
  connmon db backup copy.db";

/// `connmon db`
#[derive(Debug, Args)]
pub struct DbCommands {
    /// What to do
    #[command(subcommand)]
    pub command: DbCommand,
}

/// What to do with a store.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Show what a store consists of: tables, rows, bytes, recordings, what was pruned
    Stats(DbShow),
    /// Check a store: the file, the references between its rows, and the values in its rows
    Check(DbShow),
    /// Prune details of a store that nobody records into; their sums stay
    Prune(DbPrune),
    /// Make the rows of a store anew from its segments, in a copy that then replaces it; labels and matches of indicators stay
    Rebuild(DbChange),
    /// Make the file of a store as small as possible
    Vacuum(DbStore),
    /// Delete everything in a store
    Reset(DbChange),
    /// Copy a store, also while it is recorded into
    Backup(DbBackup),
    /// Replace a store by a copy
    Restore(DbRestore),
    /// Add another host's store to a store
    Merge(DbMerge),
}

/// The store of a subcommand.
#[derive(Debug, Args)]
pub struct DbStore {
    /// The store
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    pub db: PathBuf,
}

/// `connmon db stats`, `connmon db check`
#[derive(Debug, Args)]
pub struct DbShow {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub store: DbStore,
    /// Output format
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// Arguments of a subcommand that cannot be undone.
#[derive(Debug, Args)]
pub struct DbChange {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub store: DbStore,
    /// Do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
}

/// `connmon db prune`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("limits").args(["max_age", "max_size", "segments_max_age", "segments_max_size"])
    .required(true).multiple(true))]
pub struct DbPrune {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub change: DbChange,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub retention: RetentionArgs,
    /// Keep connections that match, such as label:evidence; repeatable
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    pub keep: Vec<String>,
}

/// `connmon db backup`
#[derive(Debug, Args)]
pub struct DbBackup {
    /// Where to write the copy; the file must not exist yet
    pub to: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub store: DbStore,
}

/// `connmon db restore`
#[derive(Debug, Args)]
pub struct DbRestore {
    /// The copy
    pub from: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub change: DbChange,
}

/// `connmon db merge`
#[derive(Debug, Args)]
pub struct DbMerge {
    /// The store to add; it is not changed
    pub other: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub change: DbChange,
}
