//! The programs under test, linked statically: the same files run on this host and in every guest of the kernel
//! matrix, which has no libraries.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cargo;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Where the programs are.
pub struct Programs {
    /// The recorder.
    pub connmon: PathBuf,
    /// The traffic generator.
    pub traffic: PathBuf,
    /// The end-to-end test.
    pub e2e: PathBuf,
}

/// Builds them.
pub fn build() -> Result<Programs> {
    let common = ["--release", "--target", TARGET];
    let mut bins = cargo::cargo(&["build", "-p", "connmon", "-p", "connmon-tests", "--bins"]);
    let bins = cargo::executables(statically(bins.args(common)))?;
    let mut tests = cargo::cargo(&["test", "--no-run", "-p", "connmon-tests", "--test", "e2e"]);
    let tests = cargo::executables(statically(tests.args(common)))?;
    Ok(Programs {
        connmon: cargo::find(&bins, "connmon")?,
        traffic: cargo::find(&bins, "traffic")?,
        e2e: cargo::find(&tests, "e2e")?,
    })
}

/// Static linking for our target only: a plain `RUSTFLAGS` would reach the compilation of the eBPF object as well.
/// Without debug information, which here only takes time.
fn statically(cmd: &mut Command) -> &mut Command {
    cmd.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cmd.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-C target-feature=+crt-static");
    cmd.env("CARGO_PROFILE_RELEASE_DEBUG", "none")
}
