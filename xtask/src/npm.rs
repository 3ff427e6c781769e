//! Packages from the npm registry, in a folder of their own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::apt::{self, Need};
use crate::sh;

/// Installs what a `package.json` names into a folder. No package's own scripts are run.
pub fn install(package: &Path, folder: &Path, why: &str) -> Result<()> {
    let needs = [Need { program: "node", package: "nodejs" }, Need { program: "npm", package: "npm" }];
    apt::programs(&needs, why)?;
    std::fs::copy(package, folder.join("package.json"))
        .with_context(|| format!("{} is not copied", package.display()))?;
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--ignore-scripts",
        "--loglevel=error",
    ]);
    sh::run(npm.current_dir(folder)).with_context(|| format!("what {why} needs could not be installed"))
}
