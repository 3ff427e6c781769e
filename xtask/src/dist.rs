//! `cargo xtask dist`: what is handed out: a `.deb`, a tarball for any distribution, an SBOM and their digests. With
//! `--twice` it shows that the same commit, built with the same tools in another folder, gives the same bytes.

mod deb;
mod sbom;
mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::apt::{self, Need};
use crate::{cargo, portable, programs, setup, sh, table, workspace};
use tree::Tree;

/// What to check.
#[derive(clap::Args)]
pub struct Args {
    /// Build the commit a second time, from nothing in another folder, and compare the digests
    #[arg(long)]
    twice: bool,
}

/// The package of a connmon that is built already, as one of a version.
pub fn package(connmon: &Path, version: &str, out: &Path) -> Result<PathBuf> {
    let made = tree(connmon, version, out)?;
    deb::write(&made.package, version, &made.epoch, &out.join("connmon.deb"))
}

/// The files of the packages, below `out`: the program is the one that is given, without its symbols.
fn tree(connmon: &Path, version: &str, out: &Path) -> Result<Tree> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let small = out.join("connmon");
    programs::strip(connmon, &small)?;
    Tree::new(&out.join("tree"), &small, version)
}

/// The digests of what is handed out, beside it.
const SUMS: &str = "SHA256SUMS";

/// Builds the commit in a clone of its own, which is gone afterwards, and returns the digests.
fn elsewhere(folder: &Path) -> Result<String> {
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(workspace::root()).args(args);
        git
    };
    let changes = sh::output(&mut git(&["status", "--porcelain", "--untracked-files=no"]))?;
    ensure!(
        changes.is_empty(),
        "a second build is one of a commit, and these files differ from it:\n{changes}"
    );
    remove(folder)?;
    sh::run(git(&["clone", "--quiet", "--shared", "."]).arg(folder))?;
    let tools = folder.join("target/tools");
    std::fs::create_dir_all(folder.join("target")).context("cannot make a folder to build in")?;
    std::os::unix::fs::symlink(workspace::tools(), &tools).context("cannot link the tools")?;
    sh::run(cargo::cargo(&["xtask", "dist"]).current_dir(folder).env_remove("CARGO_TARGET_DIR"))?;
    let sums = folder.join("target/dist").join(SUMS);
    let sums = std::fs::read_to_string(&sums).with_context(|| format!("cannot read {}", sums.display()))?;
    remove(folder)?;
    Ok(sums)
}

/// What is handed out of one build.
struct Handout {
    files: Vec<PathBuf>,
}

/// `cargo xtask dist`.
pub fn run(args: &Args) -> Result<()> {
    setup::ensure()?;
    apt::programs(&[Need { program: "xz", package: "xz-utils" }], "packaging")?;
    let dir = workspace::dist_dir();
    let first = Handout::make(&dir)?;
    let digests = first.digests()?;
    std::fs::write(dir.join(SUMS), &digests).with_context(|| format!("cannot write {SUMS}"))?;
    if args.twice {
        let second = elsewhere(&dir.join("again"))?;
        ensure!(digests == second, "two builds differ:\n{digests}\n{second}");
        eprintln!("two builds in two folders, the same bytes");
    }
    let mut rows = vec![["file", "bytes", "sha256"].map(str::to_owned).to_vec()];
    for (file, line) in first.files.iter().zip(digests.lines()) {
        let size = std::fs::metadata(file)?.len().to_string();
        let digest = line.split(' ').next().unwrap_or_default().to_owned();
        rows.push(vec![workspace::shown(file).to_string(), size, digest]);
    }
    println!("{}", table::render(&rows));
    Ok(())
}

impl Handout {
    /// Builds, and puts what is handed out into a folder.
    fn make(out: &Path) -> Result<Self> {
        let connmon = programs::connmon()?;
        for (place, _) in portable::places()? {
            ensure!(
                !mentions(&connmon, &place)?,
                "the program names {}, a folder of this machine",
                place.display()
            );
        }
        let version = version()?;
        let made = tree(&connmon, &version, out)?;
        let files = vec![
            deb::write(
                &made.package,
                &version,
                &made.epoch,
                &out.join(format!("connmon_{version}_amd64.deb")),
            )?,
            made.tarball(&out.join(format!("connmon-{version}-x86_64-linux.tar.xz")))?,
            sbom::write(&out.join(format!("connmon-{version}.cdx.json")))?,
        ];
        Ok(Self { files })
    }

    /// A line a file, as sha256sum(1) has it.
    fn digests(&self) -> Result<String> {
        let folder = self.files.first().and_then(|file| file.parent()).context("nothing was made")?;
        let names = self.files.iter().filter_map(|file| file.file_name());
        sh::output(Command::new("sha256sum").current_dir(folder).args(names))
    }
}

/// The version in Cargo.toml.
fn version() -> Result<String> {
    let metadata = sbom::metadata(&["--no-deps"])?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let ours = packages.iter().find(|package| package["name"] == "connmon");
    Ok(ours.and_then(|package| package["version"].as_str()).context("connmon has no version")?.to_owned())
}

/// The time that all files have: that of the last commit, or what `SOURCE_DATE_EPOCH` says.
fn epoch() -> Result<String> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    let log =
        sh::output(Command::new("git").current_dir(workspace::root()).args(["log", "-1", "--format=%ct"]));
    Ok(log?.trim().to_owned())
}

/// Whether a file has this path in it.
fn mentions(file: &Path, path: &Path) -> Result<bool> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let path = path.as_os_str().as_bytes();
    Ok(bytes.windows(path.len()).any(|part| part == path))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    Ok(())
}
