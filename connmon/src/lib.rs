//! connmon: the flight recorder for a Linux host's network.
//!
//! The library behind the `connmon` command. ARCHITECTURE.md has the code map; data flows one way:
//! capture → track → enrich → store → summary → report and export.

pub mod capture;
pub mod cli;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod enrich;
pub mod export;
pub mod model;
pub mod report;
pub mod store;
pub mod summary;
pub mod track;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

/// Creates or empties a file that only its owner may read: what connmon writes is confidential.
///
/// # Errors
/// The file cannot be created.
pub fn private_file(path: &std::path::Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}
