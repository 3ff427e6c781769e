//! Which package of the system a file belongs to, by the package manager's own files: offline, and without running it.
//!
//! Known are dpkg (Debian, Ubuntu), rpm (Fedora, openSUSE, Red Hat) and apk (Alpine). Of a system without any nothing is known, which is not the same as that a file
//! belongs to nobody.

mod apk;
mod dpkg;
mod rpm;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Bytes of lists that are read at most.
const MOST: u64 = 256 << 20;

/// The lists of files of all installed packages.
pub struct Packages {
    /// The name of each package, and its files, each between line breaks.
    lists: Vec<(String, String)>,
    /// Answers that were given.
    known: HashMap<String, Option<usize>>,
}

impl Packages {
    /// Reads the lists below the root of a system, such as `/`; `None` if there is no package manager that is known.
    ///
    /// # Errors
    /// They cannot be read, or are larger than any system's.
    pub fn read(root: &Path) -> io::Result<Option<Self>> {
        let mut lists = None;
        // A Debian system may have rpm installed, with nothing in it.
        for read in [dpkg::lists, rpm::lists, apk::lists] {
            if lists.is_none() {
                lists = read(root, MOST)?;
            }
        }
        Ok(lists.map(|lists| Self { lists, known: HashMap::new() }))
    }

    /// The package that a file belongs to, by its path; `None` if it belongs to none.
    pub fn owner(&mut self, path: &str) -> Option<&str> {
        if !self.known.contains_key(path) {
            let found = self.find(path);
            self.known.insert(path.to_owned(), found);
        }
        let place = self.known.get(path).copied().flatten()?;
        self.lists.get(place).map(|(name, _)| name.as_str())
    }

    fn find(&self, path: &str) -> Option<usize> {
        // A line break would make two of it.
        if !path.starts_with('/') || path.contains('\n') {
            return None;
        }
        // Since /bin is a link to /usr/bin, packages still list what they were built with.
        let other = match path.strip_prefix("/usr") {
            Some(rest) if ["/bin/", "/sbin/", "/lib"].iter().any(|folder| rest.starts_with(folder)) => {
                Some(rest.to_owned())
            }
            _ => Some(format!("/usr{path}")),
        };
        [Some(path.to_owned()), other].into_iter().flatten().find_map(|path| {
            let line = format!("\n{path}\n");
            self.lists.iter().position(|(_, files)| files.contains(&line))
        })
    }
}

/// When what is installed below the root of a system last changed; `None` if there is no package manager that is known.
pub fn changed(root: &Path) -> Option<SystemTime> {
    let databases = [dpkg::FOLDER, apk::DATABASE].into_iter().chain(rpm::DATABASES);
    databases.filter_map(|path| fs::metadata(root.join(path)).ok()?.modified().ok()).max()
}

/// More than any system has.
fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "the lists of packages are larger than any system's")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Each file belongs to this package, whether it is asked for first or again.
    fn owned_by(root: &Path, cases: &[(&str, Option<&str>)]) {
        let mut packages = Packages::read(root).unwrap().unwrap();
        for (path, owner) in cases {
            assert_eq!(packages.owner(path), *owner, "{path:?}");
            assert_eq!(packages.owner(path), *owner, "{path:?} again");
        }
    }

    #[test]
    fn files_of_dpkg() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "var/lib/dpkg/info/curl.list", "/.\n/usr\n/usr/bin\n/usr/bin/curl\n");
        put(root.path(), "var/lib/dpkg/info/bash.list", "/.\n/bin/bash\n/usr/share/doc/bash\n");
        put(root.path(), "var/lib/dpkg/info/libc6:amd64.list", "/usr/lib/x86_64-linux-gnu/libc.so.6\n");
        put(root.path(), "var/lib/dpkg/info/curl.md5sums", "0  usr/bin/no-list\n");
        owned_by(
            root.path(),
            &[
                ("/usr/bin/curl", Some("curl")),
                ("/usr/bin/bash", Some("bash")),
                ("/bin/bash", Some("bash")),
                ("/bin/curl", Some("curl")),
                ("/usr/lib/x86_64-linux-gnu/libc.so.6", Some("libc6")),
                ("/usr/bin/cur", None),
                ("/usr/bin/curl2", None),
                ("/usr/bin/no-list", None),
                ("usr/bin/curl", None),
                ("/usr/bin\n/usr/bin/curl", None),
                ("", None),
            ],
        );
    }

    #[test]
    fn files_of_apk() {
        let root = tempfile::tempdir().unwrap();
        let text = "C:Q1x=\nP:busybox\nV:1.36\nF:bin\nR:busybox\nZ:Q1y=\nF:etc/network\nR:if-up\n\nP:curl\nF:usr/bin\nR:curl\n";
        put(root.path(), "lib/apk/db/installed", text);
        owned_by(
            root.path(),
            &[
                ("/bin/busybox", Some("busybox")),
                ("/etc/network/if-up", Some("busybox")),
                ("/usr/bin/curl", Some("curl")),
                ("/bin/if-up", None),
            ],
        );
    }

    /// What rpm 4.18 wrote for two packages that were made with rpmbuild.
    #[test]
    fn files_of_rpm() {
        let bytes = zstd::decode_all(&include_bytes!("../../../tests/golden/rpmdb.sqlite.zst")[..]).unwrap();
        let root = tempfile::tempdir().unwrap();
        assert_eq!(changed(root.path()), None);
        let file = root.path().join("usr/lib/sysimage/rpm/rpmdb.sqlite");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &bytes).unwrap();
        assert_eq!(changed(root.path()), fs::metadata(&file).unwrap().modified().ok());
        owned_by(
            root.path(),
            &[
                ("/usr/bin/curl-demo", Some("curl-demo")),
                ("/usr/lib/demo/helper", Some("curl-demo")),
                ("/usr/bin/agent-demo", Some("agent-demo")),
                ("/opt/agent/helper", Some("agent-demo")),
                ("/usr/bin/curl", None),
                ("helper", None),
            ],
        );
        fs::write(&file, &bytes[..5000]).unwrap();
        assert!(Packages::read(root.path()).is_err(), "a damaged one is told");
    }

    #[test]
    fn where_there_is_no_package_manager_nothing_is_known() {
        let root = tempfile::tempdir().unwrap();
        assert!(Packages::read(root.path()).unwrap().is_none());
    }
}
