//! Writes down which commit is built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

fn main() {
    if let Err(message) = build() {
        println!("cargo::error={message}");
        exit(1);
    }
}

fn build() -> Result<(), String> {
    let root = variable("CARGO_MANIFEST_DIR")?.join("../..");
    println!("cargo::rustc-env=CONNMON_COMMIT={}", commit(&root));
    Ok(())
}

fn variable(name: &str) -> Result<PathBuf, String> {
    env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("{name} is not set"))
}

/// The commit that is built, with `+` for changes on top of it; empty where git does not tell.
fn commit(root: &Path) -> String {
    // A new commit, and changes of what is built here.
    for file in [".git/logs/HEAD", "connmon/src", "crates", "templates"].map(|file| root.join(file)) {
        if file.exists() {
            println!("cargo::rerun-if-changed={}", file.display());
        }
    }
    let git = |args: &[&str]| {
        let output = Command::new("git").current_dir(root).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "HEAD"]) else { return String::new() };
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|lines| !lines.is_empty());
    commit + if changed { "+" } else { "" }
}
