//! The archive that a Linux kernel unpacks as its first file system: cpio in the `newc` format, as described in
//! Documentation/driver-api/early-userspace/buffer-format.rst. Written here so that no root is needed for the
//! device node, and no program.

/// An archive being written.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    inodes: u32,
}

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;
const CHARACTER_DEVICE: u32 = 0o020_600;

impl Archive {
    /// Adds a folder; folders come before what is in them.
    pub fn folder(&mut self, name: &str) {
        self.entry(name, FOLDER, (0, 0), &[]);
    }

    /// Adds an executable file.
    pub fn program(&mut self, name: &str, contents: &[u8]) {
        self.entry(name, PROGRAM, (0, 0), contents);
    }

    /// Adds a plain file.
    pub fn file(&mut self, name: &str, contents: &[u8]) {
        self.entry(name, FILE, (0, 0), contents);
    }

    /// Adds a character device.
    pub fn device(&mut self, name: &str, major: u32, minor: u32) {
        self.entry(name, CHARACTER_DEVICE, (major, minor), &[]);
    }

    /// The finished archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.inodes = 0;
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), contents: &[u8]) {
        let inode = self.inodes;
        self.inodes += 1;
        let (size, name_size) = (contents.len() as u32, name.len() as u32 + 1);
        let (uid, gid, links, time, checksum) = (0, 0, 1, 0, 0);
        let fields =
            [inode, mode, uid, gid, links, time, size, 0, 0, device.0, device.1, name_size, checksum];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(contents);
        self.pad();
    }

    /// Headers and contents each end at a multiple of four.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_laid_out_as_the_kernel_reads_them() {
        let mut archive = Archive::default();
        archive.file("a", b"hello");
        let bytes = archive.finish();
        // 110 bytes of header, 2 of name, none to pad; then 5 of contents, 3 to pad.
        assert_eq!(&bytes[..14], b"07070100000000");
        assert_eq!(&bytes[14..22], b"000081a4");
        assert_eq!(&bytes[54..62], b"00000005");
        assert_eq!(&bytes[110..120], b"a\0hello\0\0\0");
        assert_eq!(&bytes[120..126], b"070701");
        assert_eq!(bytes.len() % 4, 0);
        assert!(bytes.windows(11).any(|part| part == b"TRAILER!!!\0"));
    }
}
