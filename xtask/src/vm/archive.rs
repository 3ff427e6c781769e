//! Kernels and whole systems out of Debian's archive, through an apt that is configured apart from the system's: its own sources,
//! its own lists, its own cache, an empty package database. The system's own apt is only read.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::modules;
use super::series::{self, Series};
use crate::{apt, sh, workspace};

/// The suites that have a kernel of the matrix: 5.10, 6.1 and 6.12, the newest.
const SUITES: [&str; 2] = ["bookworm", "sid"];
const BACKPORTS: &str = "bookworm-backports";
const SECURITY_SUITES: [&str; 2] = ["bullseye-security", "bookworm-security"];
/// The keys that sign all of them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// An apt of our own.
pub struct Archive {
    dir: PathBuf,
    /// Releases in the archive, e.g. `6.1.0-56-cloud-amd64`.
    releases: Vec<String>,
    /// Names of all kernel packages.
    packages: Vec<String>,
}

impl Archive {
    /// Fetches the package lists. A suite that is gone does not keep the others from being used.
    pub fn open() -> Result<Self> {
        for program in ["apt-get", "apt-cache", "dpkg"] {
            ensure!(
                sh::which(program).is_some(),
                "kernels come as Debian packages, and there is no {program} here"
            );
        }
        ensure!(Path::new(KEYRING).is_file(), "{KEYRING} is missing: install debian-archive-keyring");
        let dir = workspace::vm_dir().join("apt");
        for folder in ["lists/partial", "cache/archives/partial", "empty"] {
            std::fs::create_dir_all(dir.join(folder))?;
        }
        std::fs::write(dir.join("status"), "")?;
        std::fs::write(dir.join("apt.conf"), config(&dir))?;
        std::fs::write(dir.join("sources.list"), sources(&system_sources())?)?;
        let mut archive = Self { dir, releases: Vec::new(), packages: Vec::new() };
        if let Err(error) = sh::run(archive.apt("apt-get").args(["-q", "update"])) {
            eprintln!("warning: {error:#}");
        }
        let search = ["search", "--names-only", "^linux-(image|binary|modules)-[0-9].*-cloud-amd64$"];
        let found = sh::output(archive.apt("apt-cache").args(search))?;
        archive.packages =
            found.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect();
        archive.releases = archive.packages.iter().filter_map(|package| release(package)).collect();
        Ok(archive)
    }

    /// Brings the newest kernel of this series into the cache.
    pub fn fetch(&self, series: Series) -> Result<String> {
        let release = series::newest(series, &self.releases)?;
        let has = |name: &String| self.packages.contains(name);
        let [binary, image, modules] =
            ["binary", "image", "modules"].map(|part| format!("linux-{part}-{release}"));
        // Since 7.x the image is a package without files that depends on the other two.
        let parts = if has(&binary) { vec![binary, modules] } else { vec![image] };
        let partial = series::cache().join(format!(".{release}.partial"));
        if partial.exists() {
            std::fs::remove_dir_all(&partial)?;
        }
        std::fs::create_dir_all(partial.join("debs"))?;
        let mut download = self.apt("apt-get");
        sh::run(download.current_dir(partial.join("debs")).args(["-q", "download"]).args(parts))?;
        apt::extract(&partial.join("debs"), &partial.join("root"))?;
        let root = partial.join("root");
        let places = [format!("boot/vmlinuz-{release}"), format!("usr/lib/modules/{release}/vmlinuz")];
        let vmlinuz = places.iter().map(|place| root.join(place)).find(|path| path.is_file());
        let vmlinuz = vmlinuz.context("its packages have no bootable image")?;
        std::fs::rename(vmlinuz, partial.join("vmlinuz"))?;
        let places = [format!("lib/modules/{release}"), format!("usr/lib/modules/{release}")];
        let tree = places.iter().map(|place| root.join(place)).find(|path| path.is_dir());
        let tree = tree.context("its packages have no modules")?;
        modules::extract(&tree, &modules::TESTED, &partial.join("modules"))?;
        modules::extract(&tree, &modules::DISK, &partial.join("disk"))?;
        for rest in ["debs", "root"] {
            std::fs::remove_dir_all(partial.join(rest))?;
        }
        let place = series::cache().join(release);
        if place.exists() {
            std::fs::remove_dir_all(&place)?;
        }
        std::fs::rename(&partial, &place)?;
        Ok(release.clone())
    }

    /// Unpacks packages of a suite, and whatever they need, into a folder. None of their scripts runs.
    pub fn unpack(&self, suite: &str, names: &[&str], root: &Path) -> Result<()> {
        let plan = ["-t", suite, "install", "-s", "-qq", "-y", "--no-install-recommends"];
        let plan = sh::output(self.apt("apt-get").args(plan).args(names).env("LC_ALL", "C"))?;
        let wanted = apt::steps(&plan).filter_map(|(step, name)| (step == "Inst").then_some(name));
        let debs = root.with_extension("debs");
        std::fs::create_dir_all(&debs)?;
        let mut download = self.apt("apt-get");
        sh::run(download.current_dir(&debs).args(["-q", "-t", suite, "download"]).args(wanted))?;
        apt::extract(&debs, root)?;
        Ok(std::fs::remove_dir_all(debs)?)
    }

    /// One of apt's programs, with our configuration on top of the system's.
    fn apt(&self, program: &str) -> Command {
        let mut cmd = Command::new(program);
        cmd.arg("-c").arg(self.dir.join("apt.conf"));
        cmd
    }
}

/// Our apt.conf: everything that names a source, a list or a package database lies in `dir`.
fn config(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        r#"// Written by `cargo xtask vm`.
Dir::Etc::sourcelist "{dir}/sources.list";
Dir::Etc::sourceparts "{dir}/empty";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "{dir}/empty";
Dir::State "{dir}";
Dir::State::lists "{dir}/lists";
Dir::State::status "{dir}/status";
Dir::Cache "{dir}/cache";
// These folders may lie where apt's own user cannot reach.
APT::Sandbox::User "";
// A mirror that stands still is good enough for a kernel to test on; signatures are checked all the same.
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";
"#
    )
}

/// `6.1.0-56-cloud-amd64` of `linux-image-6.1.0-56-cloud-amd64`, but not of a series' empty package.
fn release(package: &str) -> Option<String> {
    let release = package.strip_prefix("linux-image-").or_else(|| package.strip_prefix("linux-binary-"))?;
    (series::version(release).len() > 3).then(|| release.to_owned())
}

/// Our sources.list: the suites of the matrix from the mirrors that the system uses.
fn sources(system: &str) -> Result<String> {
    let uri = |archive: &str| {
        mirror(system, archive).with_context(|| {
            format!("this system's apt sources name no mirror whose address ends in /{archive}")
        })
    };
    let (debian, security) = (uri("debian")?, uri("debian-security")?);
    let line = |uri: &str, suite: &str| format!("deb [arch=amd64 signed-by={KEYRING}] {uri} {suite} main\n");
    let plain = SUITES.into_iter().chain([BACKPORTS]).map(|suite| line(&debian, suite));
    Ok(plain.chain(SECURITY_SUITES.map(|suite| line(&security, suite))).collect())
}

/// The address of an archive among the system's sources, in either of apt's formats.
fn mirror(system: &str, archive: &str) -> Option<String> {
    let lines = system.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(str::split_whitespace).map(|word| word.trim_end_matches('/'));
    let mut addresses = words.filter(|word| word.starts_with("http://") || word.starts_with("https://"));
    addresses.find(|address| address.rsplit('/').next() == Some(archive)).map(str::to_owned)
}

/// The system's sources, all files together.
fn system_sources() -> String {
    let parts = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let files = [PathBuf::from("/etc/apt/sources.list")].into_iter().chain(parts.map(|part| part.path()));
    files.filter_map(|file| std::fs::read_to_string(file).ok()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_from_package_names() {
        let name = |package| release(package).unwrap_or_default();
        assert_eq!(name("linux-image-6.1.0-56-cloud-amd64"), "6.1.0-56-cloud-amd64");
        assert_eq!(name("linux-binary-7.2.13+deb14-cloud-amd64"), "7.2.13+deb14-cloud-amd64");
        assert_eq!(name("linux-image-6.12-cloud-amd64"), "");
        assert_eq!(name("linux-modules-7.2.13+deb14-cloud-amd64"), "");
    }

    #[test]
    fn the_mirror_is_the_systems() {
        let system = "# http://old.example/debian\nURIs: http://mirror.example/debian/\nSuites: bookworm\n\
                      deb [arch=amd64] https://sec.example/x/debian-security bookworm-security main\n";
        let list = sources(system).unwrap();
        assert!(list.contains("] http://mirror.example/debian sid main\n"), "{list}");
        assert!(list.contains("] https://sec.example/x/debian-security bullseye-security main\n"), "{list}");
        assert!(sources("").is_err());
    }
}
