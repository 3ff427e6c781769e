//! The kernels of the matrix: from the cache of those that were fetched, else from Debian's archive.

use std::path::PathBuf;

use anyhow::Result;

use super::archive::Archive;
use super::modules;
use super::series::{Series, cache, version};

/// A kernel that can be booted.
pub struct Kernel {
    /// Its series.
    pub series: Series,
    /// What `uname -r` says.
    pub release: String,
    /// The bootable image.
    pub vmlinuz: PathBuf,
    /// The folder of its modules, in the order of loading (see [`modules`]).
    pub modules: PathBuf,
    /// The folder of those that a disk needs.
    pub disk: PathBuf,
}

/// Kernels that are not tested, and why.
pub type Untested = Vec<(Series, String)>;

/// One kernel for each series: the newest in the cache, else the newest in Debian's archive.
pub fn fetch(wanted: &[Series]) -> Result<(Vec<Kernel>, Untested)> {
    let (mut kernels, mut untested) = (Vec::new(), Vec::new());
    let mut archive = None;
    for series in wanted.iter().copied() {
        if let Some(kernel) = cached(series) {
            kernels.push(kernel);
            continue;
        }
        if archive.is_none() {
            archive = Some(Archive::open());
        }
        match archive.as_ref() {
            Some(Ok(archive)) => match archive.fetch(series) {
                Ok(release) => kernels.push(at(series, release)),
                Err(why) => untested.push((series, format!("{why:#}"))),
            },
            Some(Err(why)) => untested.push((series, format!("{why:#}"))),
            None => {}
        }
    }
    for (series, why) in &untested {
        eprintln!("kernel {series} untested: {why}");
    }
    Ok((kernels, untested))
}

/// A kernel in the cache.
fn at(series: Series, release: String) -> Kernel {
    let dir = cache().join(&release);
    Kernel {
        series,
        release,
        vmlinuz: dir.join("vmlinuz"),
        modules: dir.join("modules"),
        disk: dir.join("disk"),
    }
}

/// The newest usable kernel of this series in the cache.
fn cached(series: Series) -> Option<Kernel> {
    let entries = std::fs::read_dir(cache()).ok()?;
    let releases = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let usable = releases.map(|release| at(series, release)).filter(|kernel| {
        series.has(&kernel.release)
            && kernel.vmlinuz.is_file()
            && modules::are_complete(&kernel.modules, &modules::TESTED)
            && modules::are_complete(&kernel.disk, &modules::DISK)
    });
    usable.max_by_key(|kernel| version(&kernel.release))
}
