//! What connections are judged by: rules and lists of indicators.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::ConfigError;
use connmon_filter::ioc::{self, LARGEST, List};
use connmon_record::Timestamp;

/// Reads lists of indicators.
///
/// # Errors
/// One cannot be read, or nothing in it can be used.
pub fn lists(paths: &[PathBuf]) -> Result<Vec<List>, ConfigError> {
    paths.iter().map(|path| list(path)).collect()
}

fn list(path: &Path) -> Result<List, ConfigError> {
    let name = || path.display().to_string();
    let (bytes, modified) = content(path).map_err(|error| ConfigError::IocFile(name(), error))?;
    let file = path.file_name().map_or_else(name, |file| file.to_string_lossy().into_owned());
    ioc::read(&file, &bytes, modified).map_err(|error| ConfigError::Ioc(name(), error))
}

/// What a file holds, up to what a list may have, and when it was changed last.
fn content(path: &Path) -> io::Result<(Vec<u8>, Option<Timestamp>)> {
    let file = File::open(path)?;
    let modified = file.metadata()?.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.and_then(|since| i64::try_from(since.as_nanos()).ok()).map(Timestamp);
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok((bytes, modified))
}
