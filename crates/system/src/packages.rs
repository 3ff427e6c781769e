//! Which package of the system a file belongs to, by the package manager's own files: offline, and without running it.
//!
//! Known are dpkg (Debian, Ubuntu) and apk (Alpine). Of a system without either nothing is known, which is not the same as that a file
//! belongs to nobody.

mod apk;
mod dpkg;

use std::collections::HashMap;
use std::io;
use std::path::Path;

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
        let lists = match dpkg::lists(root, MOST)? {
            Some(lists) => Some(lists),
            None => apk::lists(root, MOST)?,
        };
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

/// More than any system has.
fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "the lists of packages are larger than any system's")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn files_of_dpkg() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "var/lib/dpkg/info/curl.list", "/.\n/usr\n/usr/bin\n/usr/bin/curl\n");
        put(root.path(), "var/lib/dpkg/info/bash.list", "/.\n/bin/bash\n/usr/share/doc/bash\n");
        put(root.path(), "var/lib/dpkg/info/libc6:amd64.list", "/usr/lib/x86_64-linux-gnu/libc.so.6\n");
        put(root.path(), "var/lib/dpkg/info/curl.md5sums", "0  usr/bin/no-list\n");
        let mut packages = Packages::read(root.path()).unwrap().unwrap();
        for (path, owner) in [
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
        ] {
            assert_eq!(packages.owner(path), owner, "{path:?}");
            assert_eq!(packages.owner(path), owner, "{path:?} again");
        }
    }

    #[test]
    fn files_of_apk() {
        let root = tempfile::tempdir().unwrap();
        let text = "C:Q1x=\nP:busybox\nV:1.36\nF:bin\nR:busybox\nZ:Q1y=\nF:etc/network\nR:if-up\n\nP:curl\nF:usr/bin\nR:curl\n";
        put(root.path(), "lib/apk/db/installed", text);
        let mut packages = Packages::read(root.path()).unwrap().unwrap();
        for (path, owner) in [
            ("/bin/busybox", Some("busybox")),
            ("/etc/network/if-up", Some("busybox")),
            ("/usr/bin/curl", Some("curl")),
            ("/bin/if-up", None),
        ] {
            assert_eq!(packages.owner(path), owner, "{path:?}");
        }
    }

    #[test]
    fn where_there_is_no_package_manager_nothing_is_known() {
        let root = tempfile::tempdir().unwrap();
        assert!(Packages::read(root.path()).unwrap().is_none());
    }
}
