//! What is kept, and how long.

use clap::Args;

/// Limits of a store, as options.
#[derive(Clone, Debug, Default, Args)]
pub struct RetentionArgs {
    /// Prune details of connections that ended longer ago than this, such as 30d; their sums by day stay, for `connmon audit`
    #[arg(long, value_name = "TIME")]
    pub max_age: Option<String>,
    /// Prune the oldest details while the store is larger than this, such as 20G; their sums stay
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<String>,
    /// Prune segments, from which details can be made again, at this age instead of --max-age
    #[arg(long, value_name = "TIME")]
    pub segments_max_age: Option<String>,
    /// Prune the oldest segments while all segments are larger than this
    #[arg(long, value_name = "SIZE")]
    pub segments_max_size: Option<String>,
}
