//! Files that connmon writes: for their owner only, whole or not at all, and never in the place of a record.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What a SQLite database begins with (sqlite.org/fileformat.html), what its log begins with in either order of bytes, and
/// what a capture begins with.
const RECORDS: [&[u8]; 4] = [b"SQLite format 3\0", b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83", CAPTURE];

/// What captures of every version begin with.
const CAPTURE: &[u8] = b"CONNMON";

/// Creates or empties a file that only its owner may read: what connmon writes is confidential.
///
/// # Errors
/// The file cannot be created.
pub fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Makes sure that what a folder lists survives a loss of power.
///
/// # Errors
/// It cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Whether two paths name the same file.
pub fn same(one: &Path, other: &Path) -> bool {
    let file = |path| fs::metadata(path).ok().map(|file: fs::Metadata| (file.dev(), file.ino()));
    file(one).is_some_and(|file_of_one| Some(file_of_one) == file(other))
}

/// Whether a file could be written there, as far as that can be told before.
///
/// # Errors
/// It is a folder, its folder is missing, or it has a record, which nothing else may replace.
pub fn check_place(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(file) if file.is_dir() => Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")),
        Ok(file) if !file.is_file() => Ok(()),
        Ok(_) => {
            let mut start = Vec::new();
            File::open(path)?.take(16).read_to_end(&mut start)?;
            if RECORDS.iter().any(|record| start.starts_with(record)) {
                return Err(io::Error::other(
                    "it is a database or a capture and will not be overwritten; name another file",
                ));
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = folder_of(path);
            if folder.is_dir() {
                Ok(())
            } else {
                Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("the folder {} does not exist", folder.display()),
                ))
            }
        }
        Err(error) => Err(error),
    }
}

/// Writes a file beside its place, syncs it, and renames it. A link is followed. What is no file, such as a pipe or
/// a device, is written to as it is.
///
/// # Errors
/// It cannot be written, or `write` fails; then the place is as it was.
pub fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    check_place(path)?;
    if let Some(file) = as_it_is(path)? {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        return out.flush();
    }
    let target: PathBuf = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let mut beside = tempfile::Builder::new();
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // Made anew under a name that nobody can know, for its owner only; gone again unless it takes its place.
    let beside = beside.prefix(&format!(".{name}.")).suffix(".partial").tempfile_in(folder_of(&target))?;
    let mut out = BufWriter::new(beside.as_file().try_clone()?);
    write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    beside.persist(&target)?;
    Ok(())
}

/// What is written to without another file beside it: pipes, devices, and what a program has open already.
fn as_it_is(path: &Path) -> io::Result<Option<File>> {
    let Ok(file) = fs::metadata(path) else { return Ok(None) };
    let kind = file.file_type();
    let opened = ["/dev/", "/proc/"].iter().any(|start| path.starts_with(start));
    if opened || kind.is_fifo() || kind.is_char_device() || kind.is_block_device() || kind.is_socket() {
        return OpenOptions::new().append(true).open(path).map(Some);
    }
    Ok(None)
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn put(path: &Path, text: &str) -> io::Result<()> {
        replace(path, |out| out.write_all(text.as_bytes()))
    }

    #[test]
    fn a_record_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name| folder.path().join(name);
        for (name, start) in
            [("a.db", &b"SQLite format 3\0rest"[..]), ("b", b"CONNMON2..."), ("c-wal", RECORDS[2])]
        {
            fs::write(place(name), start).unwrap();
            symlink(place(name), place("link")).unwrap();
            for path in [place(name), place("link")] {
                assert!(put(&path, "new").unwrap_err().to_string().contains("not be overwritten"));
            }
            fs::remove_file(place("link")).unwrap();
            assert_eq!(fs::read(place(name)).unwrap(), start);
        }
    }

    #[test]
    fn what_lies_beside_stays_and_links_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name| folder.path().join(name);
        fs::write(place("a.partial"), "mine").unwrap();
        fs::write(place("real"), "old").unwrap();
        symlink("real", place("a")).unwrap();
        put(&place("a"), "new").unwrap();
        assert_eq!(fs::read_to_string(place("real")).unwrap(), "new");
        assert!(place("a").is_symlink());
        assert_eq!(fs::read_to_string(place("a.partial")).unwrap(), "mine");
        assert_eq!(fs::metadata(place("real")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left behind");
        let failed = replace(&place("a"), |_| Err(io::Error::other("no")));
        assert!(failed.is_err() && fs::read_to_string(place("real")).unwrap() == "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nor then");
    }

    #[test]
    fn a_pipe_stays_a_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: the name is a string that ends.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let reader = std::thread::spawn({
            let path = path.clone();
            move || fs::read_to_string(path).unwrap()
        });
        put(&path, "through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
    }

    #[test]
    fn a_place_that_cannot_be_is_known_before() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_place(folder.path()).unwrap_err().to_string().contains("folder"));
        assert!(
            check_place(&folder.path().join("no/such")).unwrap_err().to_string().contains("does not exist")
        );
        assert!(check_place(&folder.path().join("new")).is_ok());
        assert!(check_place(Path::new("new")).is_ok());
    }
}
