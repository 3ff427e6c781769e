//! `cargo xtask demo`: a report and a map of a made-up day, and a made-up week in which there is something to find, without root and without
//! recording anything.

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
    let build = ["build", "--release", "-p", "connmon", "--bin", "connmon"];
    let examples = ["--example", "sample_report", "--example", "sample_week"];
    let built = cargo::executables(&mut cargo::cargo(&[&build[..], &examples].concat()))?;
    let mut made = Command::new(cargo::find(&built, "sample_report")?);
    made.args(["--home", "--rows", DAY]).args([folder.join("report.html"), folder.join("map.svg")]);
    sh::run(&mut made)?;

    let [capture, list, db, page] =
        ["week.cap", "week.txt", "week.db", "week.html"].map(|name| folder.join(name));
    for old in [&capture, &db] {
        // A capture is not overwritten, and a store would have the week twice.
        if old.exists() {
            std::fs::remove_file(old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
    }
    sh::run(Command::new(cargo::find(&built, "sample_week")?).args([&capture, &list]))?;
    let program = cargo::find(&built, "connmon")?;
    let connmon = |command: &str| {
        let mut connmon = Command::new(&program);
        connmon.arg(command).arg("--db").arg(&db);
        connmon
    };
    sh::run(connmon("replay").arg(&capture).arg("--ioc").arg(&list))?;
    sh::run(connmon("report").arg("--out").arg(&page))?;
    sh::run(connmon("findings").args(["--severity", "low"]))?;
    println!("{}\n{}", workspace::shown(&folder.join("report.html")), workspace::shown(&page));
    Ok(())
}
