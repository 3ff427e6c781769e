//! File systems of a test's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

/// A file system in memory, mounted on a folder that is made for it; unmounted in the end.
pub struct Mounted(PathBuf);

impl Mounted {
    /// With the options of mount(8), such as `size=1m`.
    pub fn tmpfs(folder: &Path, options: &str) -> Result<Self> {
        std::fs::create_dir(folder)?;
        mount(folder, options)?;
        Ok(Self(folder.into()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Mounts it again with other options.
    pub fn change(&self, options: &str) -> Result<()> {
        mount(&self.0, &format!("remount,{options}"))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status(); // the folder goes with its owner
    }
}

fn mount(folder: &Path, options: &str) -> Result<()> {
    let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "test"]).arg(folder).status()?;
    ensure!(status.success(), "mount: {status}");
    Ok(())
}
