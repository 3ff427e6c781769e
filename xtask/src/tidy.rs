//! `cargo xtask tidy`: what a machine can check about the source. [`rules`] are this project's own.

mod circles;
mod code;
mod crates;
mod imports;
mod layers;
mod rules;
mod stack;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cargo, linker, sh, workspace};

/// The version of cargo-deny that `deny.toml` is written for.
const DENY: &str = "0.20.2";
/// The folders that hold our own source.
const FOLDERS: [&str; 6] = ["connmon", "connmon-ebpf", "crates", "tests", "xtask", "templates"];

/// A check that reports what it finds, and fails if there is anything.
type Check = fn() -> Result<()>;

/// `cargo xtask tidy`: every check runs, whatever the others said.
pub fn run() -> Result<()> {
    let checks: [(&str, Check); 6] = [
        ("source rules", source),
        ("crates", crates::check),
        ("circles", circles::check),
        ("formatting", || sh::run(&mut cargo::cargo(&["fmt", "--all", "--check"]))),
        ("clippy, and the stack of the kernel side", clippy),
        ("dependencies", dependencies),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        if let Err(error) = check() {
            eprintln!("error: {error:#}");
            failed.push(name);
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("tidy failed: {}", failed.join(", ")) }
}

/// Clippy, on everything, and the stack that the programs in the eBPF object use, which is built for it.
fn clippy() -> Result<()> {
    crate::setup::ensure()?;
    let object = cargo::lints("capture")?.join("connmon-ebpf.o");
    let bytes = std::fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
    eprintln!("the longest chain of calls in the kernel side has {}", stack::check(&bytes)?);
    Ok(())
}

/// Licences, bans and sources of all dependencies, by cargo-deny.
fn dependencies() -> Result<()> {
    let tools = workspace::tools();
    let deny = workspace::tool("cargo-deny");
    if !deny.is_file() || !linker::is_installed(&tools, "cargo-deny", DENY) {
        eprintln!("cargo-deny {DENY} is built into {} (about a minute)", workspace::shown(&tools));
        // Without optimisation: it takes a third of the time to build, and a second to run.
        let mut install = cargo::cargo(&["install", "cargo-deny", "--version", DENY, "--locked", "--force"]);
        install.args(["--debug", "--no-default-features", "--root"]).arg(&tools);
        sh::run(install.env("CARGO_PROFILE_DEV_DEBUG", "0")).context("cargo-deny could not be built")?;
    }
    // Offline, it needs the manifests of all dependencies, also of those for other systems.
    sh::run(&mut cargo::cargo(&["fetch", "--locked", "--quiet"]))?;
    let mut check = Command::new(deny);
    check.current_dir(workspace::root()).args(["--offline", "--log-level", "error"]);
    sh::run(check.args(["check", "licenses", "bans", "sources"]))?;
    eprintln!(
        "cargo-deny: advisories are not checked, they would need the network (run `cargo deny check advisories`)"
    );
    Ok(())
}

/// Our own rules, on every file.
fn source() -> Result<()> {
    eprintln!("$ check this project's own rules");
    let mut files = Vec::new();
    for folder in FOLDERS {
        list(&workspace::root().join(folder), &mut files)?;
    }
    files.sort();
    let mut findings = 0;
    for file in &files {
        let path = workspace::shown(file).to_string();
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        for finding in rules::check(&path, &String::from_utf8_lossy(&bytes)) {
            findings += 1;
            eprintln!("{path}:{}: {}", finding.line, finding.rule);
        }
    }
    if findings == 0 {
        eprintln!("{} files follow them", files.len());
        return Ok(());
    }
    bail!("{findings} places break this project's own rules")
}

/// All files below a folder that a rule may apply to.
fn list(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.file_name() != "target" && entry.file_name() != "node_modules" {
            list(&path, files)?;
        } else if kind.is_file() && rules::apply_to(&path) {
            files.push(path);
        }
    }
    Ok(())
}
