//! As whom the recorder uses files once it has no capability: root without them is a user like any other, and cannot write into the
//! home of the one who called sudo.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Access, folder_of, readable};
use connmon_capture::privileges;

/// As whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Whoever it is.
    Own,
    /// The one who called sudo.
    Caller(Caller),
    /// Nobody who may use all files: it has to pass over their permissions.
    PassingOver,
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
        if !is_root || may_use(None, access) {
            return Self::Own;
        }
        match Caller::of_environment().filter(|caller| may_use(Some(*caller), access)) {
            Some(caller) => Self::Caller(caller),
            None => Self::PassingOver,
        }
    }
}

/// Whether a thread without capabilities may use all files. Tried on one of its own, which ends.
fn may_use(caller: Option<Caller>, access: &Access) -> bool {
    std::thread::scope(|scope| {
        let tried = scope.spawn(|| {
            if let Some(caller) = caller {
                caller.take();
            }
            privileges::none();
            let written = access.written.iter().all(|path| {
                let folder = folder_of(path);
                is_accessible(folder, libc::R_OK | libc::W_OK | libc::X_OK)
                    && (path.symlink_metadata().is_err() || is_accessible(path, libc::R_OK | libc::W_OK))
            });
            // What does not exist is told when it is read.
            written
                && access.read.iter().all(|path| {
                    !path.exists()
                        && path.symlink_metadata().is_err()
                        && is_accessible(readable(path), libc::X_OK)
                        || is_accessible(path, libc::R_OK)
                })
        });
        tried.join().unwrap_or(false)
    })
}

/// Whether this thread may, as it is now: faccessat2(2) with AT_EACCESS asks with the rights that files are opened with, since Linux 5.8.
fn is_accessible(path: &Path, mode: libc::c_int) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: the path ends with a zero byte.
    unsafe { libc::syscall(libc::SYS_faccessat2, libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_EACCESS) == 0 }
}
