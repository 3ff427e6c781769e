//! The exports, read by programs that are not ours: a recorded capture is replayed and exported in every format, and
//! `tests/readers/check.py` reads the files. What it needs is installed once, in the versions written down beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::apt::{self, Need};
use crate::{cargo, npm, sh, workspace};

const WHY: &str = "reading the exports";
const CAPTURE: &str = "tests/golden/mixed.cap";
const FORMATS: [&str; 8] = ["jsonl", "csv", "ecs", "ocsf", "zeek", "zeek-json", "timesketch", "parquet"];

/// The formats of findings; the first is what the others are compared with.
const FINDINGS: [&str; 3] = ["json", "ocsf", "stix"];

/// Exports and reads them.
pub fn run() -> Result<()> {
    let tools = install()?;
    let connmon = cargo::find(&cargo::program()?, "connmon")?;
    let folder = workspace::readers_dir();
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let db = folder.join("connmon.db");
    // No geo databases of this machine: beside the store there are none.
    let connmon = |args: &[&str]| {
        let mut cmd = Command::new(&connmon);
        cmd.current_dir(workspace::root()).env("CONNMON_GEO_DIR", &folder).args(args).arg("--db").arg(&db);
        cmd
    };
    sh::run(&mut connmon(&["replay", CAPTURE]))?;
    for format in FORMATS {
        let out = folder.join(format!("export.{format}"));
        sh::run(connmon(&["export", "--format", format]).arg("--out").arg(out))?;
    }
    for format in FINDINGS {
        let found = sh::output(&mut connmon(&["findings", "--format", format]))?;
        std::fs::write(folder.join(format!("findings.{format}")), found)?;
    }
    let mut check = Command::new(tools.join("python/bin/python"));
    // `-B`: nothing is left beside the sources.
    check.arg("-B").arg(source("check.py")).arg(&folder).arg(tools.join("ecs.json"));
    sh::run(&mut check)
}

/// A file of this test.
fn source(name: &str) -> PathBuf {
    workspace::root().join("tests/readers").join(name)
}

/// Brings the readers, and says where they are. Instant if these versions are there.
fn install() -> Result<PathBuf> {
    let tools = workspace::tools().join("readers");
    let wanted = ["requirements.txt", "package.json"].map(|name| {
        let path = source(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    });
    let [python, node] = wanted;
    let wanted = python? + &node?;
    let installed = tools.join("installed");
    if std::fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(tools);
    }
    eprintln!("the readers are installed into {} (about a minute)", workspace::shown(&tools));
    if tools.exists() {
        std::fs::remove_dir_all(&tools).with_context(|| format!("cannot empty {}", tools.display()))?;
    }
    std::fs::create_dir_all(&tools).with_context(|| format!("cannot make {}", tools.display()))?;
    python_packages(&tools.join("python"))?;
    schema(&tools)?;
    // Last: what was cut off is begun anew.
    std::fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(tools)
}

/// Python's packages, all of them named with their versions: none brings others, nor does building one.
fn python_packages(folder: &Path) -> Result<()> {
    apt::programs(&[Need { program: "python3", package: "python3" }], WHY)?;
    let can_make = ["-c", "import ensurepip, venv"];
    if sh::output(Command::new("python3").args(can_make)).is_err() {
        apt::packages(&["python3-venv"], WHY)?;
    }
    sh::run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"]);
    sh::run(pip.arg(source("requirements.txt")).env("PIP_CONSTRAINT", source("requirements.txt")))
        .context("the Python packages could not be installed")
}

/// The Elastic Common Schema, as its makers publish it: a module for Node, made JSON.
fn schema(tools: &Path) -> Result<()> {
    npm::install(&source("package.json"), tools, WHY)?;
    let print = "console.log(JSON.stringify(require('@elastic/ecs').EcsFlat))";
    let json = sh::output(Command::new("node").current_dir(tools).args(["-e", print]))?;
    ensure!(json.len() > 100_000, "@elastic/ecs holds no schema any more");
    std::fs::write(tools.join("ecs.json"), json).context("the schema cannot be written")
}
