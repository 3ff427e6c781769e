//! Which package of the system a file belongs to, by the package manager's own files: offline, and without running it.
//!
//! Known are dpkg (Debian, Ubuntu), rpm (Fedora, openSUSE, Red Hat) and apk (Alpine). Of a system without any nothing is known, which is not the same as that a file
//! belongs to nobody.

mod apk;
mod digest;
mod dpkg;
mod rpm;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Bytes of lists that are read at most.
const MOST: u64 = 256 << 20;
/// Answers that are kept at most.
const MOST_ANSWERS: usize = 10_000;

/// Whom a file belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOwner {
    /// There is no package manager that is known.
    Unknown,
    /// No package.
    Nobody,
    /// The package of this name.
    Package(String),
}

/// The packages of a system. Their lists are read when they are needed first, and answers are kept until something is installed or removed.
pub struct Packages {
    root: PathBuf,
    /// The name of each package, and its files, each between line breaks.
    lists: Option<Vec<(String, String)>>,
    /// When what is installed last changed.
    changed: Option<SystemTime>,
    known: HashMap<String, FileOwner>,
}

impl Packages {
    /// The packages of the system below this root, such as `/`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), lists: None, changed: None, known: HashMap::new() }
    }

    /// Whom a file belongs to, by its path.
    ///
    /// # Errors
    /// The lists cannot be read, or are larger than any system's.
    pub fn owner(&mut self, path: &str) -> io::Result<&FileOwner> {
        let changed = changed(&self.root);
        if self.changed != changed || self.known.len() > MOST_ANSWERS {
            *self = Self { changed, ..Self::new(&self.root) };
        }
        if !self.known.contains_key(path) {
            let owner = find(self.lists()?, path);
            self.known.insert(path.to_owned(), owner);
        }
        Ok(&self.known[path])
    }

    /// The lists; none where there is no package manager that is known.
    ///
    /// # Errors
    /// They cannot be read, or are larger than any system's.
    pub fn lists(&mut self) -> io::Result<&[(String, String)]> {
        if self.lists.is_none() {
            self.lists = Some(read(&self.root)?);
        }
        Ok(self.lists.as_deref().unwrap_or_default())
    }

    /// Whether a file that belongs to a package is another one than the package has; `None` where that is not known: if the file is no longer
    /// the one with this SHA-256, if its package has no digest of it, or while packages are being installed.
    ///
    /// # Errors
    /// The file or the list cannot be read.
    pub fn is_altered(&self, package: &str, path: &str, sha256: &str) -> io::Result<Option<bool>> {
        for listed in [dpkg::digest, rpm::digest] {
            if let Some(listed) = listed(&self.root, package, &spellings(path))? {
                return digest::differs(&self.root.join(path.trim_start_matches('/')), sha256, &listed);
            }
        }
        Ok(None)
    }

    /// Gives back the room that the lists take; answers stay.
    pub fn release(&mut self) {
        self.lists = None;
    }
}

fn read(root: &Path) -> io::Result<Vec<(String, String)>> {
    // A Debian system may have rpm installed, with nothing in it.
    for lists in [dpkg::lists, rpm::lists, apk::lists] {
        if let Some(lists) = lists(root, MOST)? {
            return Ok(lists);
        }
    }
    Ok(Vec::new())
}

fn find(lists: &[(String, String)], path: &str) -> FileOwner {
    if lists.is_empty() {
        return FileOwner::Unknown;
    }
    // A line break would make two of it.
    if !path.starts_with('/') || path.contains('\n') {
        return FileOwner::Nobody;
    }
    let found = spellings(path).into_iter().find_map(|path| {
        let line = format!("\n{path}\n");
        lists.iter().find(|(_, files)| files.contains(&line))
    });
    found.map_or(FileOwner::Nobody, |(name, _)| FileOwner::Package(name.clone()))
}

/// The paths that lists can have for a file: since /bin is a link to /usr/bin, packages still list what they were built with.
fn spellings(path: &str) -> [String; 2] {
    let other = match path.strip_prefix("/usr") {
        Some(rest) if ["/bin/", "/sbin/", "/lib"].iter().any(|folder| rest.starts_with(folder)) => {
            rest.to_owned()
        }
        _ => format!("/usr{path}"),
    };
    [path.to_owned(), other]
}

/// When what is installed below the root of a system last changed; `None` if there is no package manager that is known.
fn changed(root: &Path) -> Option<SystemTime> {
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
        let mut packages = Packages::new(root);
        for (path, owner) in cases {
            let owner = owner.map_or(FileOwner::Nobody, |name| FileOwner::Package(name.to_owned()));
            assert_eq!(packages.owner(path).unwrap(), &owner, "{path:?}");
            packages.release();
            assert_eq!(packages.owner(path).unwrap(), &owner, "{path:?} again");
            assert!(packages.lists.is_none(), "an answer that is known needs no lists");
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

    /// Of "x" with a line break: MD5, and SHA-256.
    const MD5: &str = "401b30e3b8b5d629635a5c613cdb7919";
    const SHA256: &str = "73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac";
    /// SHA-256 of "y" with a line break.
    const OTHER: &str = "3bb2abb69ebb27fbfe63c7639624c6ec5e331b841a5bc8c3ebc10b9285e90877";

    #[test]
    fn a_file_is_compared_with_the_digest_of_dpkg() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str, text: &str| put(root.path(), path, text);
        at("usr/bin/bash", "x\n");
        at("usr/bin/other", "x\n");
        at("var/lib/dpkg/info/bash.md5sums", &format!("00  bin/bas\n{MD5}  bin/bash\n"));
        at("var/lib/dpkg/info/libc6:amd64.md5sums", &format!("{MD5}  usr/bin/other\n"));
        let packages = Packages::new(root.path());
        let altered =
            |package: &str, path: &str, hash: &str| packages.is_altered(package, path, hash).unwrap();
        assert_eq!(altered("bash", "/usr/bin/bash", SHA256), Some(false));
        assert_eq!(altered("libc6", "/usr/bin/other", SHA256), Some(false));
        assert_eq!(altered("bash", "/usr/bin/other", SHA256), None, "its package has no digest of it");
        // It is another file now than the one that was recorded: an update replaced it.
        assert_eq!(altered("bash", "/usr/bin/bash", OTHER), None);
        at("usr/bin/bash", "y\n");
        assert_eq!(altered("bash", "/usr/bin/bash", SHA256), None);
        assert_eq!(altered("bash", "/usr/bin/bash", OTHER), Some(true));
        // It belongs to nobody where an administrator diverted the package's own.
        at("var/lib/dpkg/diversions", "/bin/bash\n/bin/bash.distrib\n:\n");
        assert_eq!(altered("bash", "/usr/bin/bash", OTHER), None);
        at("var/lib/dpkg/diversions", "/bin/sh\n/bin/sh.distrib\n:\n");
        assert_eq!(altered("bash", "/usr/bin/bash", OTHER), Some(true));
        // While packages are being installed, lists and files are not of the same version.
        at("var/lib/dpkg/updates/0001", "");
        assert_eq!(altered("bash", "/usr/bin/bash", OTHER), None);
        assert!(packages.is_altered("libc6", "/usr/bin/gone", SHA256).unwrap().is_none());
    }

    #[test]
    fn a_file_is_compared_with_the_digest_of_rpm() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("usr/lib/sysimage/rpm/rpmdb.sqlite");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, rpmdb()).unwrap();
        put(root.path(), "usr/bin/curl-demo", "x\n");
        let packages = Packages::new(root.path());
        let altered = |hash: &str| packages.is_altered("curl-demo", "/usr/bin/curl-demo", hash).unwrap();
        assert_eq!(altered(SHA256), Some(false));
        put(root.path(), "usr/bin/curl-demo", "y\n");
        assert_eq!((altered(SHA256), altered(OTHER)), (None, Some(true)));
        assert_eq!(packages.is_altered("agent-demo", "/usr/bin/curl-demo", OTHER).unwrap(), None);
        // Its log has something in it while packages are being installed.
        put(root.path(), "usr/lib/sysimage/rpm/rpmdb.sqlite-wal", "x");
        assert_eq!(altered(OTHER), None);
    }

    fn rpmdb() -> Vec<u8> {
        zstd::decode_all(&include_bytes!("../../../tests/golden/rpmdb.sqlite.zst")[..]).unwrap()
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
        let bytes = rpmdb();
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
        assert!(Packages::new(root.path()).owner("/usr/bin/curl").is_err(), "a damaged one is told");
    }

    #[test]
    fn where_there_is_no_package_manager_nothing_is_known() {
        let root = tempfile::tempdir().unwrap();
        let mut packages = Packages::new(root.path());
        assert_eq!(packages.owner("/usr/bin/curl").unwrap(), &FileOwner::Unknown);
        // Until there is one.
        put(root.path(), "var/lib/dpkg/info/curl.list", "/usr/bin/curl\n");
        assert_eq!(packages.owner("/usr/bin/curl").unwrap(), &FileOwner::Package("curl".to_owned()));
    }
}
