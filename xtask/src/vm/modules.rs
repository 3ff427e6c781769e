//! The few kernel modules that the tests need: most of what connmon touches is built into the kernel.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::sh;

/// Modules that are loaded in a guest of the matrix, where the kernel has them as modules. Those that they depend on come
/// along by themselves.
pub const TESTED: [&str; 11] = [
    "veth",
    "dummy",
    "tls",
    "inet_diag",
    "tcp_diag",
    "udp_diag",
    "raw_diag",
    "mptcp_diag",
    "sch_netem",
    "nft_chain_nat",
    "nft_nat",
];
/// What a guest needs that has a disk.
pub const DISK: [&str; 4] = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4"];
/// Says, beside the modules, which were looked for. Written last.
const DONE: &str = "wanted";

/// Whether a folder has all that is wanted today.
pub fn are_complete(dir: &Path, wanted: &[&str]) -> bool {
    std::fs::read_to_string(dir.join(DONE)).is_ok_and(|text| text == wanted.join("\n"))
}

/// Copies the wanted modules and what they depend on out of a kernel's module tree, uncompressed, numbered in
/// the order of loading.
pub fn extract(tree: &Path, wanted: &[&str], to: &Path) -> Result<()> {
    let mut all = BTreeMap::new();
    index(&tree.join("kernel"), &mut all)?;
    std::fs::create_dir_all(to)?;
    let mut loaded = Vec::new();
    for name in wanted {
        add(name, &all, to, &mut loaded)?;
    }
    std::fs::write(to.join(DONE), wanted.join("\n"))?;
    Ok(())
}

/// Every module of a tree, by name.
fn index(dir: &Path, all: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            index(&path, all)?;
        } else if let Some((stem, _)) =
            path.file_name().and_then(|n| n.to_str()).and_then(|n| n.split_once(".ko"))
        {
            all.insert(canonical(stem), path.clone());
        }
    }
    Ok(())
}

/// Files may have dashes where module names have underscores.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

/// Copies one module, after those that it depends on. A module that isn't there is built in or not in this kernel.
fn add(name: &str, all: &BTreeMap<String, PathBuf>, to: &Path, loaded: &mut Vec<String>) -> Result<()> {
    let name = canonical(name);
    let Some(file) = all.get(&name) else { return Ok(()) };
    if loaded.contains(&name) {
        return Ok(());
    }
    let image = uncompressed(file)?;
    for needed in depends(&image) {
        add(&needed, all, to, loaded)?;
    }
    std::fs::write(to.join(format!("{:02}-{name}.ko", loaded.len())), image)?;
    loaded.push(name);
    Ok(())
}

/// A module's ELF image; since 6.12, Debian compresses them.
fn uncompressed(file: &Path) -> Result<Vec<u8>> {
    let tool = match file.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("gz") => "gzip",
        _ => return std::fs::read(file).with_context(|| format!("cannot read {}", file.display())),
    };
    let out = Command::new("busybox").args([tool, "-dc"]).arg(file).output()?;
    ensure!(out.status.success(), "`{}` failed", sh::shown(Command::new(tool).arg("-dc").arg(file)));
    Ok(out.stdout)
}

/// The modules that an image names in its `.modinfo`, as `depends=a,b` between zero bytes (Linux, scripts/mod/modpost.c).
fn depends(image: &[u8]) -> Vec<String> {
    let field = image.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"depends=".as_slice()));
    let names = String::from_utf8_lossy(field.unwrap_or_default()).into_owned();
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_from_the_image() {
        assert_eq!(depends(b"\x7fELF\0license=GPL\0depends=inet_diag,tls\0name=x\0"), ["inet_diag", "tls"]);
        assert!(depends(b"\x7fELF\0depends=\0").is_empty());
        assert!(depends(b"\x7fELF").is_empty());
    }
}
