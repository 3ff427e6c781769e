//! The page's scripts: their types, their own tests, and the page in a real browser. What that needs comes from the npm
//! registry, in the versions that `tests/browser/package.json` names.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{cargo, npm, sh, workspace};

const WHY: &str = "the tests of the page";
const CAPTURE: &str = "tests/golden/mixed.cap";
/// Connections of the made-up page.
const ROWS: &str = "100000";

/// Checks the types of the scripts, and runs their tests.
pub fn unit() -> Result<()> {
    let tools = install()?;
    let scripts = workspace::root().join("templates/js");
    let mut tsc = Command::new(tools.join("node_modules/.bin/tsc"));
    tsc.arg("-p").arg(&scripts).arg("--typeRoots").arg(tools.join("node_modules/@types"));
    sh::run(&mut tsc)?;
    node_test(&tests_in(&scripts.join("test"))?, &[])
}

/// Opens pages in a browser: one that was recorded, a week with findings, a made-up one, and one with hostile names.
pub fn browser(chromium: &Path) -> Result<()> {
    let tools = install()?;
    let folder = workspace::browser_dir();
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let built = cargo::program()?;
    let connmon = cargo::find(&built, "connmon")?;
    let sample = cargo::find(&built, "sample_report")?;
    let week = folder.join("week.cap");
    sh::run(Command::new(cargo::find(&built, "sample_week")?).arg(&week).arg(folder.join("week.txt")))?;
    for (name, capture) in [("recorded", workspace::root().join(CAPTURE)), ("week", week)] {
        let db = folder.join(format!("{name}.db"));
        // No geo databases of this machine: beside the store there are none.
        let mut replay = Command::new(&connmon);
        sh::run(replay.env("CONNMON_GEO_DIR", &folder).arg("replay").arg(capture).arg("--db").arg(&db))?;
        let page = folder.join(format!("{name}.html"));
        sh::run(Command::new(&connmon).args(["report", "--db"]).arg(&db).arg("--out").arg(page))?;
    }
    sh::run(Command::new(&sample).args(["--home", "--rows", ROWS]).arg(folder.join("sample.html")))?;
    sh::run(
        Command::new(&sample)
            .args(["--hostile", "--lossy", "--rows", "500"])
            .arg(folder.join("hostile.html")),
    )?;
    let variables = [
        ("BROWSER_BIN", chromium.to_owned()),
        ("CONNMON_BIN", connmon),
        ("PAGES", folder),
        ("PLAYWRIGHT", tools.join("node_modules/playwright-core/index.mjs")),
    ];
    node_test(&tests_in(&workspace::root().join("tests/browser"))?, &variables)
}

/// Runs files with Node's own test runner.
fn node_test(files: &[PathBuf], variables: &[(&str, PathBuf)]) -> Result<()> {
    let mut node = Command::new("node");
    // A test that fails may leave a server or a page open, and the others shall run all the same.
    node.args(["--test", "--test-force-exit", "--test-reporter=spec"]).args(files);
    node.envs(variables.iter().map(|(name, value)| (name, value)));
    sh::run_kept(&mut node).map(drop)
}

/// The test files of a folder.
fn tests_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".test.js"));
    files.sort();
    ensure!(!files.is_empty(), "{} has no tests", folder.display());
    Ok(files)
}

/// Brings what the tests need, and says where it is. Instant if these versions are there.
fn install() -> Result<PathBuf> {
    let tools = workspace::tools().join("browser");
    let source = workspace::root().join("tests/browser/package.json");
    let wanted =
        std::fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
    let installed = tools.join("installed");
    if std::fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(tools);
    }
    if tools.exists() {
        std::fs::remove_dir_all(&tools).with_context(|| format!("cannot empty {}", tools.display()))?;
    }
    std::fs::create_dir_all(&tools).with_context(|| format!("cannot make {}", tools.display()))?;
    npm::install(&source, &tools, WHY)?;
    // Last: what was cut off is begun anew.
    std::fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(tools)
}
