//! Debian packages: what is missing is installed as root, or named in one sentence where there is no apt.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::sh;

/// A program that is needed, and the Debian package that has it.
pub struct Need {
    /// The program's name, searched in `PATH`.
    pub program: &'static str,
    /// The package to install where it is missing.
    pub package: &'static str,
}

/// Makes sure that these programs are there.
pub fn programs(needs: &[Need], why: &str) -> Result<()> {
    let missing: Vec<_> = needs.iter().filter(|need| sh::which(need.program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !available() {
        let names: Vec<_> = missing.iter().map(|need| need.program).collect();
        bail!("{why} needs {}: install it with your system's package manager", names.join(", "));
    }
    install(&missing.iter().map(|need| need.package).collect::<Vec<_>>(), why)
}

/// Whether this is a Debian-like system.
pub fn available() -> bool {
    sh::which("apt-get").is_some() && sh::which("dpkg-query").is_some()
}

/// Installs those of these packages that are not installed yet.
pub fn packages(names: &[&str], why: &str) -> Result<()> {
    let missing: Vec<&str> = names.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() { Ok(()) } else { install(&missing, why) }
}

fn is_installed(package: &str) -> bool {
    let query = sh::output(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package]));
    query.is_ok_and(|status| status == "installed")
}

/// Which installed packages would have to go if these were installed.
pub fn in_the_way(names: &[&str], why: &str) -> Result<Vec<String>> {
    listed(names, why)?;
    Ok(planned(names)?.into_iter().filter_map(|(step, name)| (step == "Remv").then_some(name)).collect())
}

/// Unpacks these packages, and whatever they need that is not installed, into the folder `root`. The system is left as
/// it is.
pub fn unpack(names: &[&str], root: &Path) -> Result<()> {
    let partial = root.with_extension("partial");
    if partial.exists() {
        std::fs::remove_dir_all(&partial)?;
    }
    let debs = partial.join("debs");
    std::fs::create_dir_all(&debs)?;
    let wanted: Vec<_> =
        planned(names)?.into_iter().filter_map(|(step, name)| (step == "Inst").then_some(name)).collect();
    let mut download = Command::new("apt-get");
    download.current_dir(&debs).args(["-q", "-oAPT::Sandbox::User=", "download"]).args(wanted);
    sh::run(&mut download)?;
    extract(&debs, &partial)?;
    std::fs::remove_dir_all(debs)?;
    std::fs::rename(partial, root)?;
    Ok(())
}

/// Unpacks every package file of a folder into another.
pub fn extract(debs: &Path, root: &Path) -> Result<()> {
    for deb in std::fs::read_dir(debs)? {
        sh::run(Command::new("dpkg").arg("-x").arg(deb?.path()).arg(root))?;
    }
    Ok(())
}

/// What apt would do to install these packages: `Inst`, `Conf` or `Remv`, and the package.
fn planned(names: &[&str]) -> Result<Vec<(String, String)>> {
    let simulate = ["install", "-s", "-qq", "-y", "--no-install-recommends"];
    let plan = sh::output(Command::new("apt-get").args(simulate).args(names).env("LC_ALL", "C"))?;
    Ok(steps(&plan).collect())
}

/// What apt says that it would do: `Inst`, `Conf` or `Remv`, and the package.
pub fn steps(plan: &str) -> impl Iterator<Item = (String, String)> + '_ {
    plan.lines().filter_map(|line| {
        let mut words = line.split(' ').map(str::to_owned);
        Some((words.next()?, words.next()?))
    })
}

/// Installs packages as root. The package lists are fetched only if these packages are not in them, or if what
/// they name can no longer be fetched. Never removes a package to make room for another (`--no-remove`).
fn install(names: &[&str], why: &str) -> Result<()> {
    eprintln!("{why} needs Debian packages that are not installed: {}", names.join(" "));
    sh::can_be_root(&format!("installing {}", names.join(" ")))?;
    let refreshed = listed(names, why)?;
    let args = ["install", "-qq", "-y", "--no-install-recommends", "--no-remove", "-oDpkg::Use-Pty=0"];
    let install = || sh::run(apt_get(why)?.args(args).args(names));
    if install().is_ok() {
        return Ok(());
    }
    if !refreshed {
        refresh(why)?;
    }
    install().with_context(|| format!("{why} needs packages that could not be installed"))
}

/// Makes sure that apt's lists have these packages; whether they had to be fetched for it.
fn listed(names: &[&str], why: &str) -> Result<bool> {
    let mut refreshed = false;
    if !names.iter().all(|name| has_candidate(name)) {
        refresh(why)?;
        refreshed = true;
    }
    if let Some(unknown) = names.iter().find(|name| !has_candidate(name)) {
        bail!("{why} needs the package {unknown}, which this system's apt sources do not have");
    }
    Ok(refreshed)
}

/// Whether apt knows a version of this package that it could install.
fn has_candidate(package: &str) -> bool {
    let policy = sh::output(Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C"));
    policy.is_ok_and(|text| text.contains("Candidate: ") && !text.contains("Candidate: (none)"))
}

/// Fetches the package lists. A source that fails is apt's to report: the others may have what we need.
fn refresh(why: &str) -> Result<()> {
    if let Err(error) = sh::run(apt_get(why)?.arg("update")) {
        eprintln!("warning: {error:#}");
    }
    Ok(())
}

fn apt_get(why: &str) -> Result<Command> {
    sh::as_root("apt-get", &[("DEBIAN_FRONTEND", OsStr::new("noninteractive"))], why)
}
