//! `connmon verify`

use std::path::PathBuf;

use clap::Args;

/// `connmon verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// The report, or the store
    pub file: PathBuf,
}
