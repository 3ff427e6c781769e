//! Doing something to a file as the user whom it belongs to.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic;
use std::path::Path;
use std::thread;

use super::files;

/// Does some work with a file that is to be written to; for root, if it belongs to another user, as that user: what is made beside it
/// belongs to him as well, and he cannot make root write anywhere else. Of a file that is not there yet its folder tells.
///
/// # Errors
/// Root may not become that user.
pub fn act<T: Send>(file: &Path, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    if files::user() != 0 {
        return Ok(work());
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let owner = match fs::metadata(file).or_else(|_| fs::metadata(folder)) {
        Ok(data) if data.uid() != 0 => (data.uid(), data.gid()),
        _ => return Ok(work()),
    };
    let done = thread::scope(|scope| scope.spawn(|| become_user(owner).map(|()| work())).join());
    done.unwrap_or_else(|panic| panic::resume_unwind(panic))
}

/// Makes the calling thread, and no other, one of this user and group, without any privilege: the C library's functions would
/// change all threads.
fn become_user((uid, gid): (u32, u32)) -> io::Result<()> {
    let done = |result: libc::c_long| {
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: these calls take numbers only; an empty list of groups needs no memory.
    unsafe {
        done(libc::syscall(libc::SYS_setgroups, 0, 0))?;
        done(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        done(libc::syscall(libc::SYS_setresuid, uid, uid, uid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: u32 = 65_534;

    /// Who makes a file.
    fn makes(file: &Path, other: &Path) -> u32 {
        act(file, || fs::write(other, "")).expect("root may").expect("it is his folder");
        fs::metadata(other).expect("made").uid()
    }

    #[test]
    fn root_works_as_the_owner_and_anybody_else_as_himself() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        fs::write(file("a"), "").expect("a file");
        let own = fs::metadata(file("a")).expect("there").uid();
        assert_eq!(makes(&file("a"), &file("b")), own);
        if own != 0 {
            return;
        }
        for path in [folder.path(), &file("a")] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        assert_eq!(makes(&file("a"), &file("c")), NOBODY);
        assert_eq!(makes(&file("none"), &file("d")), NOBODY, "of a new file its folder tells");
        let roots = tempfile::tempdir().expect("a folder");
        let refused = act(&file("a"), || fs::write(roots.path().join("x"), "")).expect("root may");
        assert_eq!(refused.expect_err("it is root's").kind(), io::ErrorKind::PermissionDenied);
        fs::write(roots.path().join("x"), "").expect("this thread is root still");
    }
}
