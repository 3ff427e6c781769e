//! A small Debian on a disk image: systemd, dpkg, and what they need, unpacked from their packages. No package's script has
//! run; what those would have done of which anything is needed is done here.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::archive::Archive;
use crate::{sh, workspace};

/// Debian 12: systemd 252.
const SUITE: &str = "bookworm";
/// What is installed, with whatever these need.
const PACKAGES: [&str; 16] = [
    "base-files",
    "base-passwd",
    "coreutils",
    "dash",
    "diffutils",
    "dpkg",
    "findutils",
    "grep",
    "libc-bin",
    "login",
    "mount",
    "passwd",
    "sed",
    "systemd-sysv",
    "tar",
    "util-linux",
];
/// Folders that are links into /usr on every system, but not in these packages.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];
/// Of no use in a guest, and half of it all.
const LEFT_OUT: [&str; 5] =
    ["usr/share/doc", "usr/share/locale", "usr/share/man", "usr/share/i18n", "usr/lib/udev/hwdb.d"];
/// What it would do at each start without use.
const MASKED: [&str; 12] = [
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "getty.target",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount",
    "systemd-logind.service",
    "systemd-networkd.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-timesyncd.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
];
/// Bytes of the disk: little beside what is on it, so that it can be filled soon.
const SIZE: &str = "420M";

/// The image, from the cache if it is there.
pub fn image() -> Result<PathBuf> {
    let dir = workspace::vm_dir().join("debian");
    let (image, contents) = (dir.join("disk.img"), dir.join("contents"));
    let wanted = [&[SUITE, SIZE][..], &PACKAGES, &MASKED, &LEFT_OUT].concat().join("\n");
    if image.is_file() && std::fs::read_to_string(&contents).is_ok_and(|text| text == wanted) {
        return Ok(image);
    }
    let (root, partial) = (dir.join("root"), dir.join("partial.img"));
    if root.exists() {
        std::fs::remove_dir_all(&root).context("cannot remove what is left of an attempt")?;
    }
    std::fs::create_dir_all(&root)?;
    Archive::open()?.unpack(SUITE, &PACKAGES, &root)?;
    settle(&root)?;
    let mut mke2fs = Command::new(sh::which("mke2fs").context("there is no mke2fs")?);
    // Without checksums the kernel needs no module for them.
    mke2fs.args(["-q", "-F", "-t", "ext4", "-O", "^metadata_csum", "-E", "root_owner=0:0", "-d"]);
    sh::run(mke2fs.arg(&root).arg(&partial).arg(SIZE))?;
    std::fs::remove_dir_all(&root)?;
    std::fs::rename(partial, &image)?;
    std::fs::write(contents, wanted)?;
    Ok(image)
}

/// What the scripts of the packages would have done.
fn settle(root: &Path) -> Result<()> {
    for folder in LEFT_OUT.iter().map(|folder| root.join(folder)).filter(|folder| folder.exists()) {
        std::fs::remove_dir_all(folder)?;
    }
    for name in MERGED {
        let (from, to) = (root.join(name), root.join("usr").join(name));
        std::fs::create_dir_all(&to)?;
        sh::run(Command::new("cp").arg("-a").arg(from.join(".")).arg(&to))?;
        std::fs::remove_dir_all(&from)?;
        symlink(Path::new("usr").join(name), from)?;
    }
    for name in ["passwd", "group"] {
        let of = root.join("usr/share/base-passwd").join(format!("{name}.master"));
        std::fs::copy(&of, root.join("etc").join(name)).with_context(|| of.display().to_string())?;
    }
    let files = [
        ("etc/shadow", "root:*:20000:0:99999:7:::\n"),
        ("etc/gshadow", "root:*::\n"),
        ("etc/hostname", "guest\n"),
        ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
        ("etc/fstab", ""),
        ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        ("var/lib/dpkg/status", ""),
        ("var/lib/dpkg/available", ""),
    ];
    for (name, text) in files {
        let file = root.join(name);
        std::fs::create_dir_all(file.parent().unwrap_or(root))?;
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    let units = root.join("etc/systemd/system");
    std::fs::create_dir_all(&units)?;
    for unit in MASKED {
        symlink("/dev/null", units.join(unit))?;
    }
    symlink("/usr/lib/systemd/system/multi-user.target", units.join("default.target"))?;
    if !root.join("bin/sh").exists() {
        symlink("dash", root.join("usr/bin/sh"))?;
    }
    Ok(())
}
