//! Whom executables belong to, by the package manager of this host or of a mounted image.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use connmon_detect::Owner;
use connmon_record::{ExeHash, Process, Run};
use connmon_system::packages::{FileOwner, Packages};

/// Folders of package managers that keep no list of files.
const ELSEWHERE: [&str; 4] = ["/snap/", "/nix/store/", "/gnu/store/", "/app/"];

/// Whom a program belongs to.
pub type Owners = Box<dyn FnMut(&Process) -> Owner + Send>;

/// The packages of a system, which several may ask.
#[derive(Clone)]
pub struct Ownership(Arc<Mutex<Packages>>);

impl Ownership {
    /// Of this host.
    pub fn here() -> Self {
        Self::below(Path::new("/"))
    }

    fn below(root: &Path) -> Self {
        Self(Arc::new(Mutex::new(Packages::new(root))))
    }

    /// Of the system below `root`, or else of this host if the newest recording is of a host of this name; `None` where nobody can be asked.
    ///
    /// # Errors
    /// The packages of a named root cannot be read.
    pub fn of(root: Option<&Path>, runs: &[Run]) -> io::Result<Option<Self>> {
        let Some(root) = root else { return Ok(is_here(runs).then(Self::here)) };
        let own = Self::below(root);
        own.packages().lists()?;
        Ok(Some(own))
    }

    /// Whom the executable of a process belongs to.
    pub fn owner(&self, process: &Process) -> Owner {
        let Some(path) = path_of(process) else { return Owner::Unknown };
        let mut packages = self.packages();
        match packages.owner(path) {
            Ok(FileOwner::Unknown) => Owner::Unknown,
            Ok(FileOwner::Nobody) => Owner::Nobody,
            Ok(FileOwner::Package(name)) => {
                let name = name.clone();
                if is_altered(&packages, &name, path, process) {
                    Owner::Altered(name.into())
                } else {
                    Owner::Package(name.into())
                }
            }
            Err(error) => {
                tracing::debug!("packages cannot be read: {error}");
                Owner::Unknown
            }
        }
    }

    /// Gives back the room that lists of packages take.
    pub fn release(&self) {
        self.packages().release();
    }

    fn packages(&self) -> MutexGuard<'_, Packages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom programs belong to, as far as somebody can be asked.
pub fn owners(ownership: Option<Ownership>) -> Owners {
    match ownership {
        Some(ownership) => Box::new(move |process| ownership.owner(process)),
        None => Box::new(|_| Owner::Unknown),
    }
}

/// Whether the newest recording is of a host that is called as this one.
fn is_here(runs: &[Run]) -> bool {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Run::newest(runs).is_some_and(|run| !name.trim().is_empty() && run.host.raw() == name.trim())
}

/// Whether the executable is another file than its package has, as far as that is known.
fn is_altered(packages: &Packages, package: &str, path: &str, process: &Process) -> bool {
    let ExeHash::Sha256(hash) = &process.exe_hash else { return false };
    packages.is_altered(package, path, hash).unwrap_or_else(|error| {
        tracing::debug!("an executable cannot be compared with its package: {error}");
        None
    }) == Some(true)
}

/// The executable of a process, if lists of packages can tell of it: not in a container, and not from a package manager without lists.
fn path_of(process: &Process) -> Option<&str> {
    let path = process.exe.raw();
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let is_elsewhere = ELSEWHERE.iter().any(|folder| path.starts_with(folder));
    (!is_elsewhere && process.place.container.is_none() && path.starts_with('/')).then_some(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use connmon_record::{Container, Workload};

    use super::*;

    #[test]
    fn containers_and_other_package_managers_are_not_judged() {
        let root = tempfile::tempdir().unwrap();
        let info = root.path().join("var/lib/dpkg/info");
        fs::create_dir_all(&info).unwrap();
        fs::write(info.join("curl.list"), "/usr/bin/curl\n").unwrap();
        let packages = Ownership::of(Some(root.path()), &[]).unwrap().unwrap();
        let process = |exe: &str| Process { exe: exe.into(), ..Process::default() };
        for (exe, expected) in [
            ("/usr/bin/curl", Owner::Package("curl".into())),
            ("/usr/bin/curl (deleted)", Owner::Package("curl".into())),
            ("/usr/bin/agent", Owner::Nobody),
            ("/snap/firefox/1/firefox", Owner::Unknown),
            ("/memfd:x (deleted)", Owner::Nobody),
            ("", Owner::Unknown),
        ] {
            assert_eq!(packages.owner(&process(exe)), expected, "{exe}");
        }
        let place = Workload { container: Some(Container::default()), ..Workload::default() };
        let contained = Process { place, ..process("/usr/bin/agent") };
        assert_eq!(packages.owner(&contained), Owner::Unknown);
        assert!(Ownership::of(None, &[]).unwrap().is_none(), "of no recording it is not known where it was");
    }
}
