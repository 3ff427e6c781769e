//! Files that connmon writes: for their owner only, and whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Creates or empties a file that only its owner may read: what connmon writes is confidential.
///
/// # Errors
/// The file cannot be created.
pub fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Makes sure that what a folder lists survives a loss of power.
///
/// # Errors
/// It cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes a file beside its place, syncs it, and renames it.
///
/// # Errors
/// It cannot be written, or `write` fails; then the place is as it was.
pub fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".partial");
    let beside = Path::new(&beside);
    let result = (|| {
        let mut out = BufWriter::new(create_private(beside)?);
        write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(beside, path)
    })();
    if result.is_err() {
        // What is half-written helps nobody; the failure itself is what counts.
        let _ = fs::remove_file(beside);
    }
    result
}
