//! The programs under test, linked statically: the same files run on this host and in every guest of the kernel
//! matrix, which has no libraries.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{cargo, sh, workspace};

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
    let (mut rust, mut c) = ("-C target-feature=+crt-static".to_owned(), String::new());
    for (path, name) in places(target_dir)? {
        let path = path.display();
        rust.push_str(&format!(" --remap-path-prefix={path}={name}"));
        c.push_str(&format!(" -ffile-prefix-map={path}={name}"));
    }
    statically(&mut cmd)
        .env(FLAGS, rust)
        .env("CFLAGS", c.trim())
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    cargo::find(&cargo::executables(&mut cmd)?, "connmon")
}

/// Folders of this machine, and the names that they have in what is handed out. The last that fits wins.
pub fn places(target_dir: &Path) -> Result<Vec<(PathBuf, String)>> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let rustc = |args: &[&str]| sh::output(Command::new("rustc").current_dir(workspace::root()).args(args));
    let (version, sysroot) = (rustc(&["-vV"])?, rustc(&["--print", "sysroot"])?);
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    // The name that the library's sources have where they are not installed.
    let library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
    let mut places = vec![
        (library, format!("/rustc/{commit}")),
        (workspace::root().to_owned(), "/connmon".to_owned()),
        (target_dir.to_owned(), "/target".to_owned()),
    ];
    places.extend(home.map(|home| (home, "/cargo".to_owned())));
    Ok(places)
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
