//! Files that connmon writes: for their owner only, whole or not at all, and never in the place of a record.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What a SQLite database begins with (sqlite.org/fileformat.html), what its log begins with in either order of bytes, and
/// what a capture begins with.
const RECORDS: [&[u8]; 4] = [b"SQLite format 3\0", b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83", CAPTURE];

/// What captures of every version begin with.
const CAPTURE: &[u8] = b"CONNMON";

/// A file that grows beyond the limit of its process (RLIMIT_FSIZE) is an error of writing from here on, and not the end of the program.
pub fn make_limits_errors() {
    // SAFETY: no handler, so nothing of ours runs within a signal.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Creates or empties a file that only its owner may read: what connmon writes is confidential. A file that others could have
/// open is replaced. A link is followed as in [`follow`]; what is no file, such as a device, is left as it is.
///
/// # Errors
/// The file cannot be created, or others could read or change what is in it.
pub fn create_private(path: &Path) -> io::Result<File> {
    let path = follow(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(CAREFULLY);
    let file = options.open(&path)?;
    let data = file.metadata()?;
    if data.is_file() {
        check_owner(&data)?;
        // Another name of it may be a file of somebody who relies on what is in it.
        if data.nlink() > 1 {
            return Err(io::Error::other("the file has other names as well (hard links); name another file"));
        }
        if data.mode() & 0o077 != 0 {
            fs::remove_file(&path)?;
            return options.create_new(true).open(&path);
        }
        file.set_len(0)?;
    }
    Ok(file)
}

/// A link that appears meanwhile is not followed, and a pipe is not waited for.
const CAREFULLY: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;

/// Opens a file that is ours or root's and that nobody else can write to, for reading; the path must be what [`follow`] gave.
///
/// # Errors
/// It is none, or others could change what is in it.
pub fn open_trusted(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(CAREFULLY).open(path)?;
    let data = file.metadata()?;
    if !data.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    check_owner(&data)?;
    if data.mode() & 0o022 != 0 {
        return Err(io::Error::other("other users can write to it; take that away with `chmod go-w`"));
    }
    Ok(file)
}

/// The user as whom this thread uses files: mostly its effective one (setfsuid(2)).
pub(super) fn user() -> u32 {
    // SAFETY: a user that there cannot be changes nothing, and the one that is set is returned.
    unsafe { libc::setfsuid(libc::uid_t::MAX) }.cast_unsigned()
}

/// Whether a file belongs to us or to root.
fn check_owner(data: &Metadata) -> io::Result<()> {
    match data.uid() {
        0 => Ok(()),
        uid if uid == user() => Ok(()),
        uid => Err(io::Error::other(format!("it belongs to another user (uid {uid}), who could change it"))),
    }
}

/// Bytes of a device that are read at most.
const OF_DEVICE: u64 = 1 << 20;

/// What a file holds. A pipe is read to its end; a device, which may have none, is refused where that does not come soon.
///
/// # Errors
/// It cannot be read, or is a device without an end.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    let device = kind.is_char_device() || kind.is_block_device();
    let mut bytes = Vec::new();
    file.take(if device { OF_DEVICE } else { u64::MAX }).read_to_end(&mut bytes)?;
    if device && bytes.len() as u64 == OF_DEVICE {
        return Err(io::Error::other("it is a device that does not end"));
    }
    Ok(bytes)
}

/// The same, as text.
///
/// # Errors
/// Those, or it is no UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Where a path leads. The last part of it may be a link, and that to another one, but each must be ours or root's: anybody
/// can put a link into a shared folder to have something written over.
///
/// # Errors
/// It is a link of another user, or one that leads nowhere.
pub fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        // Those of the kernel are no paths.
        if is_opened(&path) {
            return Ok(path);
        }
        match fs::symlink_metadata(&path) {
            Ok(link) if link.is_symlink() => {
                check_owner(&link).map_err(|_| {
                    io::Error::other("it is a symbolic link of another user, and not followed")
                })?;
                path = folder_of(&path).join(fs::read_link(&path)?);
            }
            _ => return Ok(path),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

/// Where a file is that is to be written to: [`follow`]ed, in a folder without links, each of which must be ours or root's as well.
///
/// # Errors
/// A link is another user's, or there is no such folder.
pub fn place_of(path: &Path) -> io::Result<PathBuf> {
    let path = follow(path)?;
    let Some(name) = path.file_name() else { return Ok(path) };
    let folder = folder_of(&path);
    for part in folder.ancestors() {
        if let Ok(data) = fs::symlink_metadata(part)
            && data.is_symlink()
        {
            check_owner(&data).map_err(|_| {
                io::Error::other("it is behind a symbolic link of another user, and not followed")
            })?;
        }
    }
    Ok(folder.canonicalize()?.join(name))
}

/// As many as the kernel follows (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// Whether a path names what a program has open already, or a device.
fn is_opened(path: &Path) -> bool {
    ["/dev/", "/proc/"].iter().any(|start| path.starts_with(start))
}

/// Makes a folder that nobody else can write to, whatever the mask, unless it is there; makes sure of that if it is.
///
/// # Errors
/// It cannot be made, or others can write to it.
pub fn make_folder(folder: &Path, mode: u32) -> io::Result<()> {
    match fs::DirBuilder::new().recursive(true).mode(mode).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let data = fs::metadata(folder)?;
    check_owner(&data)?;
    if data.mode() & 0o022 != 0 {
        return Err(io::Error::other("other users can write to it; take that away with `chmod go-w`"));
    }
    Ok(())
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
    let file = |path| fs::metadata(path).ok().map(|file: Metadata| (file.dev(), file.ino()));
    file(one).is_some_and(|file_of_one| Some(file_of_one) == file(other))
}

/// Whether a file could be written there, as far as that can be told before.
///
/// # Errors
/// It is a folder, its folder is missing, or it has a record, which nothing else may replace.
pub fn check_place(path: &Path) -> io::Result<()> {
    let path = &follow(path)?;
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
    let target = follow(path)?;
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
    if is_opened(path)
        || kind.is_fifo()
        || kind.is_char_device()
        || kind.is_block_device()
        || kind.is_socket()
    {
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
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

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
    fn a_device_without_an_end_is_not_read() {
        assert!(read(Path::new("/dev/zero")).unwrap_err().to_string().contains("device"));
        assert_eq!(read_text(Path::new("/dev/null")).unwrap(), "");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "text").unwrap();
        assert_eq!(read(&folder.path().join("a")).unwrap(), b"text");
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

    #[test]
    fn what_others_could_have_put_there_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name| folder.path().join(name);
        fs::write(place("real"), "old").unwrap();
        // An own file is emptied, and is ours alone afterwards.
        fs::set_permissions(place("real"), Permissions::from_mode(0o666)).unwrap();
        assert!(open_trusted(&place("real")).unwrap_err().to_string().contains("can write to it"));
        drop(create_private(&place("real")).unwrap());
        let data = fs::metadata(place("real")).unwrap();
        assert_eq!((data.len(), data.mode() & 0o777), (0, 0o600));
        fs::set_permissions(place("real"), Permissions::from_mode(0o644)).unwrap();
        let mut theirs = File::open(place("real")).unwrap();
        create_private(&place("real")).unwrap().write_all(b"secret").unwrap();
        assert_eq!(io::read_to_string(&mut theirs).unwrap(), "", "who had it open before sees nothing");
        fs::write(place("real"), "").unwrap();
        assert!(open_trusted(&place("real")).is_ok());
        fs::hard_link(place("real"), place("also")).unwrap();
        assert!(create_private(&place("also")).unwrap_err().to_string().contains("hard links"));
        symlink("loop", place("loop")).unwrap();
        assert_eq!(follow(&place("loop")).unwrap_err().raw_os_error(), Some(libc::ELOOP));
        let name = std::ffi::CString::new(place("pipe").to_str().unwrap()).unwrap();
        // SAFETY: the name is a string that ends.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert!(open_trusted(&place("pipe")).unwrap_err().to_string().contains("not a file"));
        // SAFETY: only returns a number.
        if unsafe { libc::geteuid() } == 0 {
            fs::write(place("theirs"), "old").unwrap();
            symlink("real", place("link")).unwrap();
            lchown(place("theirs"), Some(65_534), None).unwrap();
            lchown(place("link"), Some(65_534), None).unwrap();
            assert!(create_private(&place("theirs")).is_err() && open_trusted(&place("theirs")).is_err());
            assert_eq!(fs::read_to_string(place("theirs")).unwrap(), "old");
            for result in [put(&place("link"), "new"), create_private(&place("link")).map(drop)] {
                assert!(result.unwrap_err().to_string().contains("symbolic link of another user"));
            }
        }
    }

    #[test]
    fn folders_may_be_links_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        fs::create_dir(&real).unwrap();
        symlink("real", folder.path().join("link")).unwrap();
        let place = place_of(&folder.path().join("link/a.db")).unwrap();
        assert_eq!(place, real.canonicalize().unwrap().join("a.db"));
        // SAFETY: only returns a number.
        if unsafe { libc::geteuid() } == 0 {
            lchown(folder.path().join("link"), Some(65_534), None).unwrap();
            let refused = place_of(&folder.path().join("link/a.db")).unwrap_err();
            assert!(refused.to_string().contains("symbolic link of another user"));
        }
    }

    #[test]
    fn a_folder_is_ours_alone_whatever_the_mask() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        make_folder(&path, 0o700).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        make_folder(&path, 0o700).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        assert!(make_folder(&path, 0o700).is_err());
    }
}
