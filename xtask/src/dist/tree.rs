//! The files of the packages, as they are installed.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{epoch, remove};
use crate::{sh, workspace};

/// What the package installs of `packaging/`.
const INSTALLED: [(&str, &str); 5] = [
    ("connmon.service", "usr/lib/systemd/system/connmon.service"),
    ("connmon-alert.service", "usr/lib/systemd/system/connmon-alert.service"),
    ("sysusers.conf", "usr/lib/sysusers.d/connmon.conf"),
    ("tmpfiles.conf", "usr/lib/tmpfiles.d/connmon.conf"),
    ("connmon.toml", "etc/connmon/config.toml"),
];
/// Completions: the shell, and where it looks for them.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/connmon"),
    ("zsh", "usr/share/zsh/vendor-completions/_connmon"),
    ("fish", "usr/share/fish/vendor_completions.d/connmon.fish"),
];
const LICENCES: [&str; 3] = ["LICENSE-MIT", "LICENSE-APACHE", "LICENSE-DATA.md"];

/// The files of one build, in two folders: for the package, and for the tarball.
pub(super) struct Tree {
    pub(super) package: PathBuf,
    tarball: PathBuf,
    /// The name of the tarball's only folder.
    name: String,
    pub(super) epoch: String,
}

impl Tree {
    /// Puts everything together in `folder`, which is emptied.
    pub(super) fn new(folder: &Path, connmon: &Path, version: &str) -> Result<Self> {
        remove(folder)?;
        let name = format!("connmon-{version}-x86_64-linux");
        let tree = Self {
            package: folder.join("package"),
            tarball: folder.join("tarball"),
            name: name.clone(),
            epoch: epoch()?,
        };
        let manual = folder.join("man");
        std::fs::create_dir_all(&manual)?;
        sh::run(Command::new(connmon).arg("man").arg("--out").arg(&manual))?;
        let portable = tree.tarball.join(&name);
        put(connmon, &tree.package.join("usr/bin/connmon"), 0o755)?;
        put(connmon, &portable.join("connmon"), 0o755)?;
        for page in std::fs::read_dir(&manual)? {
            let page = page?;
            let to = tree.package.join("usr/share/man/man1").join(page.file_name());
            put(&page.path(), &to, 0o644)?;
            sh::output(Command::new("gzip").arg("-9n").arg(&to))?;
            put(&page.path(), &portable.join("man").join(page.file_name()), 0o644)?;
        }
        for (shell, place) in COMPLETIONS {
            let script = sh::output(Command::new(connmon).args(["completions", shell]))?;
            let name = Path::new(place).file_name().unwrap_or_default();
            let own = portable.join("completions").join(shell).join(name);
            for to in [tree.package.join(place), own] {
                write(&to, &script, 0o644)?;
            }
        }
        let root = workspace::root();
        for (from, to) in INSTALLED {
            put(&root.join("packaging").join(from), &tree.package.join(to), 0o644)?;
        }
        for licence in LICENCES {
            put(&root.join(licence), &tree.package.join("usr/share/doc/connmon").join(licence), 0o644)?;
            put(&root.join(licence), &portable.join(licence), 0o644)?;
        }
        put(&root.join("packaging/connmon.toml"), &portable.join("config.toml"), 0o644)?;
        put(&root.join("docs/service.md"), &portable.join("service.md"), 0o644)?;
        Ok(tree)
    }

    /// Makes the tarball.
    pub(super) fn tarball(&self, to: &Path) -> Result<PathBuf> {
        pack(&self.tarball, &self.name, &self.epoch, to)?;
        Ok(to.to_owned())
    }
}

/// Packs `what` below `folder`: the same files give the same bytes.
pub(super) fn pack(folder: &Path, what: &str, epoch: &str, to: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=gnu", "--sort=name", "--numeric-owner", "--owner=0", "--group=0"]);
    tar.arg(format!("--mtime=@{epoch}")).args(["--mode=u+rw,go-w", "--xz"]).env("XZ_OPT", "-6 -T1");
    sh::run(tar.arg("--file").arg(to).arg("--directory").arg(folder).arg(what))
}

/// Copies a file, with the folders that it needs.
fn put(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let bytes = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    write(to, bytes, mode)
}

/// Writes a file, with the folders that it needs.
pub(super) fn write(to: &Path, bytes: impl AsRef<[u8]>, mode: u32) -> Result<()> {
    let failed = || format!("cannot write {}", to.display());
    let folder = to.parent().unwrap_or(to);
    std::fs::create_dir_all(folder).with_context(failed)?;
    std::fs::write(to, bytes).with_context(failed)?;
    std::fs::set_permissions(to, PermissionsExt::from_mode(mode)).with_context(failed)?;
    // Whatever the mask is.
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).with_context(failed)
}
