//! A Debian package (deb(5)): an `ar` archive with a version, and two tarballs: what dpkg needs to know, and the files.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::tree::{pack, write as put};
use crate::{sh, workspace};

/// What dpkg runs.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Packs the files below `tree`.
pub(super) fn write(tree: &Path, version: &str, epoch: &str, to: &Path) -> Result<PathBuf> {
    let control = tree.with_extension("control");
    let source = workspace::root().join("packaging/debian");
    let read = |name: &str| {
        let path = source.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let (files, bytes) = files(tree)?;
    let about =
        read("control")?.replace("{version}", version).replace("{size}", &bytes.div_ceil(1024).to_string());
    put(&control.join("control"), about, 0o644)?;
    let settings: Vec<String> =
        files.iter().filter(|file| file.starts_with("etc/")).map(|file| format!("/{file}\n")).collect();
    put(&control.join("conffiles"), settings.concat(), 0o644)?;
    let mut sums = Command::new("md5sum");
    put(&control.join("md5sums"), sh::output(sums.current_dir(tree).args(&files))?, 0o644)?;
    for script in SCRIPTS {
        put(&control.join(script), read(script)?, 0o755)?;
    }
    let parts = [("control.tar.xz", &control), ("data.tar.xz", &tree.to_owned())];
    let mut archive = b"!<arch>\n".to_vec();
    member(&mut archive, "debian-binary", epoch, b"2.0\n");
    for (name, folder) in parts {
        let packed = tree.with_extension(name);
        pack(folder, ".", epoch, &packed)?;
        member(&mut archive, name, epoch, &std::fs::read(&packed)?);
    }
    std::fs::write(to, archive).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(to.to_owned())
}

/// Adds a file to an archive (ar(5)).
fn member(archive: &mut Vec<u8>, name: &str, epoch: &str, bytes: &[u8]) {
    let head = format!("{name:<16}{epoch:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 100_644, bytes.len());
    archive.extend_from_slice(head.as_bytes());
    archive.extend_from_slice(bytes);
    if bytes.len() % 2 == 1 {
        archive.push(b'\n');
    }
}

/// The files below a folder, sorted, and how many bytes they have.
fn files(folder: &Path) -> Result<(Vec<String>, u64)> {
    let list = sh::output(Command::new("find").current_dir(folder).args([
        ".",
        "-type",
        "f",
        "-printf",
        "%P\\t%s\\n",
    ]))?;
    let mut files = Vec::new();
    let mut bytes = 0;
    for line in list.lines() {
        let (name, size) = line.split_once('\t').context("find lists no size")?;
        files.push(name.to_owned());
        bytes += size.parse::<u64>()?;
    }
    files.sort();
    Ok((files, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_heads_of_60_bytes_and_even_lengths() {
        let mut archive = Vec::new();
        member(&mut archive, "debian-binary", "1700000000", b"2.0\n");
        member(&mut archive, "x", "0", b"odd");
        let text = String::from_utf8(archive).expect("text");
        let first = "debian-binary   1700000000  0     0     100644  4         `\n2.0\n";
        assert_eq!(
            text,
            format!("{first}x               0           0     0     100644  3         `\nodd\n")
        );
    }
}
