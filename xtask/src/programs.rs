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
    let connmon = connmon()?;
    // With connmon, so that its dependencies are not built once more for the features that tests want.
    let mut tests = cargo::cargo(&["test", "--no-run", "-p", "connmon", "-p", "connmon-tests"]);
    tests.args(["--test", "e2e", "--test", "systemd"]);
    let tests = cargo::executables(statically(&mut tests)?)?;
    Ok(Programs {
        connmon,
        traffic: cargo::find(&tests, "traffic")?,
        e2e: cargo::find(&tests, "e2e")?,
        systemd: cargo::find(&tests, "systemd")?,
    })
}

/// Builds connmon as it is handed out, but for its symbols: what is tested is what is packaged.
pub fn connmon() -> Result<PathBuf> {
    let mut cmd = cargo::cargo(&["build", "--locked", "-p", "connmon", "--bin", "connmon"]);
    cargo::find(&cargo::executables(statically(&mut cmd)?)?, "connmon")
}

/// Writes a program without its symbols.
pub fn strip(program: &Path, to: &Path) -> Result<()> {
    sh::output(Command::new("strip").arg("--strip-all").arg("-o").arg(to).arg(program)).map(drop)
}

/// Folders of this machine, and the names that they have in what is handed out. The last that fits wins.
pub fn places() -> Result<Vec<(PathBuf, String)>> {
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
        (workspace::target_dir(), "/target".to_owned()),
    ];
    places.extend(home.map(|home| (home, "/cargo".to_owned())));
    Ok(places)
}

/// What rustc is told for our target only.
const FLAGS: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS";

/// Linked statically, with optimizations, without this machine's folders, and without debug information, which here only takes
/// time. For our target only: a plain `RUSTFLAGS` would reach the compilation of the eBPF object as well.
fn statically(cmd: &mut Command) -> Result<&mut Command> {
    let (mut rust, mut c) = ("-C target-feature=+crt-static".to_owned(), String::new());
    for (path, name) in places()? {
        let path = path.display();
        rust.push_str(&format!(" --remap-path-prefix={path}={name}"));
        c.push_str(&format!(" -ffile-prefix-map={path}={name}"));
    }
    cmd.args(["--release", "--target", TARGET]);
    cmd.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cmd.env(FLAGS, rust).env("CFLAGS", c.trim());
    Ok(cmd.env("CARGO_PROFILE_RELEASE_DEBUG", "none"))
}
