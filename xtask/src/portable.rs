//! Programs that run on any Linux, whatever libraries it has, and are the same wherever they are built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{sh, workspace};

const TARGET: &str = "x86_64-unknown-linux-gnu";

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

/// Makes a call of cargo build programs that are linked statically and do not name this machine's folders. For our target only: a plain
/// `RUSTFLAGS` would reach the compilation of the eBPF object as well.
pub fn statically(cmd: &mut Command) -> Result<&mut Command> {
    let (mut rust, mut c) = ("-C target-feature=+crt-static".to_owned(), String::new());
    for (path, name) in places()? {
        let path = path.display();
        rust.push_str(&format!(" --remap-path-prefix={path}={name}"));
        c.push_str(&format!(" -ffile-prefix-map={path}={name}"));
    }
    cmd.args(["--target", TARGET]);
    cmd.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    Ok(cmd.env(FLAGS, rust).env("CFLAGS", c.trim()))
}
