//! `cargo xtask demo`: a report and a map of a made-up day, without root and without recording anything.

use std::process::Command;

use anyhow::{Context, Result};

use crate::{cargo, setup, sh, workspace};

/// Connections: a day of a busy machine.
const DAY: &str = "10000";

/// Makes them.
pub fn run() -> Result<()> {
    setup::ensure()?;
    let folder = workspace::root().join("target/demo");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let built = cargo::executables(&mut cargo::cargo(&[
        "build",
        "--release",
        "-p",
        "connmon",
        "--example",
        "sample_report",
    ]))?;
    let sample = cargo::find(&built, "sample_report")?;
    let mut made = Command::new(sample);
    made.args(["--home", "--rows", DAY]).args([folder.join("report.html"), folder.join("map.svg")]);
    sh::run(&mut made)?;
    println!("{}", workspace::shown(&folder.join("report.html")));
    Ok(())
}
