//! Whom executables belong to, by the package manager of this host or of a mounted image.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use connmon_detect::Owner;
use connmon_record::{Process, Run};
use connmon_system::packages::{self, Packages};

/// Folders of package managers that keep no list of files.
const ELSEWHERE: [&str; 4] = ["/snap/", "/nix/store/", "/gnu/store/", "/app/"];
/// Answers that are kept at most.
const MOST_ANSWERS: usize = 10_000;

/// The packages of the system below `root`, or of this host if the newest recording is of a host of this name; `None` where none can
/// be asked, which is told if one was named.
///
/// # Errors
/// The packages of a named root cannot be read.
pub fn packages(root: Option<&Path>, runs: &[Run]) -> std::io::Result<Option<Packages>> {
    match root {
        Some(root) => Packages::read(root),
        None if is_here(runs) => Ok(Packages::read(Path::new("/")).unwrap_or_else(|error| {
            tracing::warn!("the packages of this host cannot be read: {error}");
            None
        })),
        None => Ok(None),
    }
}

/// The packages of this host. Answers are kept as long as nothing is installed or removed; the lists, which take room, until they are released.
#[derive(Clone, Default)]
pub struct HostPackages(Arc<Mutex<Answers>>);

#[derive(Default)]
struct Answers {
    lists: Option<Packages>,
    /// When what is installed last changed.
    changed: Option<SystemTime>,
    by_path: HashMap<String, Owner>,
}

impl HostPackages {
    /// Whom the executable of a process belongs to.
    pub fn owner(&self, process: &Process) -> Owner {
        let Some(path) = path_of(process) else { return Owner::Unknown };
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = packages::changed(Path::new("/"));
        if answers.changed != changed || answers.by_path.len() > MOST_ANSWERS {
            *answers = Answers { changed, ..Answers::default() };
        }
        if let Some(known) = answers.by_path.get(path) {
            return known.clone();
        }
        if answers.lists.is_none() {
            answers.lists = Packages::read(Path::new("/")).unwrap_or_else(|error| {
                tracing::debug!("the packages of this host cannot be read: {error}");
                None
            });
        }
        let owner = answers.lists.as_mut().map_or(Owner::Unknown, |lists| owner_of(lists, path));
        answers.by_path.insert(path.to_owned(), owner.clone());
        owner
    }

    /// Forgets the lists.
    pub fn release(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lists = None;
    }
}

/// Whether the newest recording is of a host that is called as this one.
pub fn is_here(runs: &[Run]) -> bool {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Run::newest(runs).is_some_and(|run| !name.trim().is_empty() && run.host.raw() == name.trim())
}

/// Whom the executable of a process belongs to.
pub fn owner(packages: &mut Packages, process: &Process) -> Owner {
    path_of(process).map_or(Owner::Unknown, |path| owner_of(packages, path))
}

/// The executable of a process, if lists of packages can tell of it: not in a container, and not from a package manager without lists.
fn path_of(process: &Process) -> Option<&str> {
    let path = process.exe.raw();
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let is_elsewhere = ELSEWHERE.iter().any(|folder| path.starts_with(folder));
    (!is_elsewhere && process.place.container.is_none() && path.starts_with('/')).then_some(path)
}

fn owner_of(packages: &mut Packages, path: &str) -> Owner {
    packages.owner(path).map_or(Owner::Nobody, |name| Owner::Package(name.into()))
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
        let mut packages = packages(Some(root.path()), &[]).unwrap().unwrap();
        let process = |exe: &str| Process { exe: exe.into(), ..Process::default() };
        for (exe, expected) in [
            ("/usr/bin/curl", Owner::Package("curl".into())),
            ("/usr/bin/curl (deleted)", Owner::Package("curl".into())),
            ("/usr/bin/agent", Owner::Nobody),
            ("/snap/firefox/1/firefox", Owner::Unknown),
            ("/memfd:x (deleted)", Owner::Nobody),
            ("", Owner::Unknown),
        ] {
            assert_eq!(owner(&mut packages, &process(exe)), expected, "{exe}");
        }
        let place = Workload { container: Some(Container::default()), ..Workload::default() };
        let contained = Process { place, ..process("/usr/bin/agent") };
        assert_eq!(owner(&mut packages, &contained), Owner::Unknown);
        assert!(
            super::packages(None, &[]).unwrap().is_none(),
            "of no recording it is not known where it was"
        );
    }
}
