//! The connmon that is built without its recorder: it needs no BPF toolchain and no aya, and answers from a store without root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::{cargo, sh, workspace};

/// What brings programs into the kernel: none of it may be needed.
const RECORDER: [&str; 3] = ["aya", "aya-obj", "caps"];
/// Answers from a store that `replay` made; the last one checks the page that was made before.
const ANSWERS: [&[&str]; 5] = [
    &["replay", "mixed.cap", "--db", "s.db"],
    &["audit", "--db", "s.db"],
    &["export", "--db", "s.db", "--format", "jsonl"],
    &["report", "--db", "s.db", "--out", "s.html"],
    &["verify", "s.html"],
];

/// Builds it and asks it, as a user who is not root.
pub fn run() -> Result<()> {
    let mut tree = cargo::cargo(&["tree", "-p", "connmon", "--no-default-features", "-e", "normal,build"]);
    let tree = sh::output(tree.args(["--prefix", "none"]))?;
    let needed = tree.lines().filter_map(|line| line.split(' ').next()).find(|name| RECORDER.contains(name));
    if let Some(name) = needed {
        bail!("without its recorder connmon still needs {name}");
    }
    let built = cargo::find(&cargo::reader()?, "connmon")?;
    let folder = std::env::temp_dir().join(format!("connmon-reader-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let done = ask(&folder, &built);
    fs::remove_dir_all(&folder)?;
    // It took the place of the whole one, which whoever runs it next expects there.
    cargo::program()?;
    done
}

fn ask(folder: &Path, built: &Path) -> Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777))?;
    let program = folder.join("connmon");
    fs::copy(built, &program)?;
    fs::copy(workspace::root().join("tests/golden/mixed.cap"), folder.join("mixed.cap"))?;
    let connmon = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        if !sh::is_root() {
            command = Command::new("env");
        } else {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        }
        command.current_dir(folder).arg(&program).args(args);
        command
    };
    for args in ANSWERS {
        sh::output(&mut connmon(args))?;
    }
    let refused = connmon(&["record", "--db", "x.db"]).output()?;
    let words = String::from_utf8_lossy(&refused.stderr);
    ensure!(
        refused.status.code() == Some(2) && words.contains("built without the recorder"),
        "`connmon record` without a recorder says: {words}"
    );
    Ok(())
}
