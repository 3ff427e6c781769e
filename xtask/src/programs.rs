//! The programs under test, linked statically: the same files run on this host and in every guest of the kernel
//! matrix, which has no libraries.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{cargo, workspace};

const TARGET: &str = "x86_64-unknown-linux-gnu";

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

/// Builds them.
pub fn build() -> Result<Programs> {
    let common = ["--release", "--target", TARGET];
    let mut bins = cargo::cargo(&["build", "-p", "connmon", "-p", "connmon-tests", "--bins"]);
    let bins = cargo::executables(statically(bins.args(common)))?;
    let mut tests =
        cargo::cargo(&["test", "--no-run", "-p", "connmon-tests", "--test", "e2e", "--test", "systemd"]);
    let tests = cargo::executables(statically(tests.args(common)))?;
    Ok(Programs {
        connmon: cargo::find(&bins, "connmon")?,
        traffic: cargo::find(&bins, "traffic")?,
        e2e: cargo::find(&tests, "e2e")?,
        systemd: cargo::find(&tests, "systemd")?,
    })
}

/// Builds the connmon that is handed out, in a folder of its own: without symbols, and without this machine's paths.
pub fn to_hand_out(target_dir: &Path) -> Result<PathBuf> {
    let mut cmd = cargo::cargo(&["build", "--locked", "--release", "-p", "connmon", "--bin", "connmon"]);
    cmd.args(["--target", TARGET, "--target-dir"]).arg(target_dir);
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    // The last that fits wins.
    let places = [
        (home, "/cargo"),
        (Some(workspace::root().to_owned()), "/connmon"),
        (Some(target_dir.to_owned()), "/target"),
    ];
    let places = places.into_iter().filter_map(|(path, name)| Some((path?.display().to_string(), name)));
    let (mut rust, mut c) = ("-C target-feature=+crt-static".to_owned(), String::new());
    for (path, name) in places {
        rust.push_str(&format!(" --remap-path-prefix={path}={name}"));
        c.push_str(&format!(" -ffile-prefix-map={path}={name}"));
    }
    statically(&mut cmd)
        .env(FLAGS, rust)
        .env("CFLAGS", c.trim())
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    cargo::find(&cargo::executables(&mut cmd)?, "connmon")
}

/// What rustc is told for our target only.
const FLAGS: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS";

/// Static linking for our target only: a plain `RUSTFLAGS` would reach the compilation of the eBPF object as well.
/// Without debug information, which here only takes time.
fn statically(cmd: &mut Command) -> &mut Command {
    cmd.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cmd.env(FLAGS, "-C target-feature=+crt-static");
    cmd.env("CARGO_PROFILE_RELEASE_DEBUG", "none")
}
