//! The programs under test, linked statically: the same files run on this host and in every guest of the kernel
//! matrix, which has no libraries.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{cargo, portable, sh};

/// Where the programs are.
pub struct Programs {
    /// The recorder.
    pub connmon: PathBuf,
    /// The traffic generator.
    pub traffic: PathBuf,
    /// The end-to-end test.
    pub e2e: PathBuf,
    /// The test of the service, for the guest with systemd.
    pub systemd: PathBuf,
}

/// Builds them, as all tests are built: with optimizations that take little time, and with assertions. See `tested` in Cargo.toml.
pub fn build() -> Result<Programs> {
    let programs = cargo::program()?;
    let mut tests =
        cargo::tested(&["test", "--no-run", "--workspace", "--test", "e2e", "--test", "systemd"])?;
    let tests = cargo::executables(&mut tests)?;
    Ok(Programs {
        connmon: cargo::find(&programs, "connmon")?,
        traffic: cargo::find(&programs, "traffic")?,
        e2e: cargo::find(&tests, "e2e")?,
        systemd: cargo::find(&tests, "systemd")?,
    })
}

/// Builds connmon as it is handed out, but for its symbols.
pub fn connmon() -> Result<PathBuf> {
    let mut cmd = cargo::cargo(&["build", "--locked", "--release", "-p", "connmon", "--bin", "connmon"]);
    // Debug information only takes time here.
    let cmd = portable::statically(&mut cmd)?.env("CARGO_PROFILE_RELEASE_DEBUG", "none");
    cargo::find(&cargo::executables(cmd)?, "connmon")
}

/// Writes a program without its symbols.
pub fn strip(program: &Path, to: &Path) -> Result<()> {
    sh::output(Command::new("strip").arg("--strip-all").arg("-o").arg(to).arg(program)).map(drop)
}
