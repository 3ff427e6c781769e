//! Programs that processes run: the file of each, and what is found out about it.

use connmon_ebpf::ExecRecord;
use serde::{Deserialize, Serialize};

use crate::untrusted::exact;
use crate::{Container, Untrusted};

/// The identity of a file: no other file has the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executable {
    /// Its inode number, which a file of another file system can have as well.
    pub inode: u64,
    /// Major and minor number of its file system.
    pub device: (u32, u32),
    /// When the inode was last changed, seconds since 1970 and nanoseconds: a device number and an inode number can come back,
    /// this does not, and a file that was written to has another one.
    pub changed: (i64, u32),
}

impl From<&ExecRecord> for Executable {
    fn from(exec: &ExecRecord) -> Self {
        // MAJOR() and MINOR(), include/linux/kdev_t.h.
        let device = (exec.device >> 20, exec.device & 0xf_ffff);
        Self { inode: exec.inode, device, changed: (exec.changed_s, exec.changed_ns) }
    }
}

/// A program to be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Thread group id.
    pub tgid: u32,
    /// Start of the process, nanoseconds of CLOCK_BOOTTIME.
    pub start_ns: u64,
    /// When it began this program.
    pub since_ns: u64,
    /// Path of the executable.
    pub exe: Untrusted,
    /// The file that it is: as exec told, or where the program is older than the recording as procfs did.
    pub file: Option<Executable>,
    /// Its container.
    pub container: Option<Container>,
}

/// Facts about a program that were found out after it began, while other events were recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFacts {
    /// Thread group id.
    pub tgid: u32,
    /// Start of the process, nanoseconds of CLOCK_BOOTTIME.
    pub start_ns: u64,
    /// When it began this program.
    pub since_ns: u64,
    /// The executable has no name any more.
    pub deleted: bool,
    /// SHA-256 of the executable, in hexadecimal; else the reason why it could not be had.
    pub sha256: Result<String, String>,
    /// The name of the container in the runtime's files.
    #[serde(serialize_with = "exact")]
    pub container_name: Option<Untrusted>,
    /// The image of the container in the runtime's files.
    #[serde(serialize_with = "exact")]
    pub container_image: Option<Untrusted>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_devices_are_the_kernels() {
        let exec = ExecRecord { device: 8 << 20 | 17, inode: 5, ..bytemuck::Zeroable::zeroed() };
        assert_eq!(Executable::from(&exec).device, (8, 17));
    }
}
