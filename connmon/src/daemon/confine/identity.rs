//! As whom the recorder uses files once it has no capability: root without them is a user like any other, and cannot write into the
//! home of the one who called sudo.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Access, folder_of, readable};
use connmon_capture::privileges;

/// As whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Whoever it is.
    Own,
    /// The one who called sudo.
    Caller(Caller),
    /// Nobody who may use all files, such as this one: it has to pass over their permissions.
    PassingOver(PathBuf),
}

/// Who called sudo(8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    uid: libc::uid_t,
    gid: libc::gid_t,
}

impl Caller {
    fn of_environment() -> Option<Self> {
        let number = |name| std::env::var(name).ok()?.parse().ok();
        Some(Self { uid: number("SUDO_UID")?, gid: number("SUDO_GID")? })
    }

    /// From here on this thread, and each that it starts, uses files as the caller.
    pub(super) fn take(self) {
        // SAFETY: settings of this thread (setfsuid(2)), which return what was before and cannot fail otherwise.
        unsafe {
            libc::setfsgid(self.gid);
            libc::setfsuid(self.uid);
        }
    }
}

impl Identity {
    /// The first that may use all files without a capability.
    pub(super) fn choose(access: &Access) -> Self {
        // SAFETY: only returns a number.
        let is_root = unsafe { libc::geteuid() } == 0;
        let Some(refused) = refused(None, access).filter(|_| is_root) else { return Self::Own };
        let caller = Caller::of_environment().filter(|caller| self::refused(Some(*caller), access).is_none());
        caller.map_or(Self::PassingOver(refused), Self::Caller)
    }
}

/// What a thread without capabilities may not use. Tried on one of its own, which ends.
fn refused(caller: Option<Caller>, access: &Access) -> Option<PathBuf> {
    let (all, readable_only) = (libc::R_OK | libc::W_OK | libc::X_OK, libc::R_OK);
    let written =
        access.written.iter().flat_map(|path| [(folder_of(path), all), (path, libc::R_OK | libc::W_OK)]);
    let read = access.read.iter().flat_map(|path| [(readable(path), libc::X_OK), (path, readable_only)]);
    let mut needed = written.chain(read);
    std::thread::scope(|scope| {
        let tried = scope.spawn(|| {
            if let Some(caller) = caller {
                caller.take();
            }
            privileges::none();
            needed.find(|(path, mode)| !is_usable(path, *mode)).map(|(path, _)| path.to_owned())
        });
        tried.join().unwrap_or_default()
    })
}

/// Whether this thread may, as it is now: faccessat2(2) with AT_EACCESS asks with the rights that files are opened with, since Linux 5.8.
/// What is not there is told when it is opened.
fn is_usable(path: &Path, mode: libc::c_int) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return true };
    // SAFETY: the path ends with a zero byte.
    let refused =
        unsafe { libc::syscall(libc::SYS_faccessat2, libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_EACCESS) }
            != 0;
    !refused || io::Error::last_os_error().raw_os_error() != Some(libc::EACCES)
}
