//! bpf-linker: makes one eBPF object with BTF out of what rustc emits. Built from its published source into
//! `target/tools`, against the LLVM that is here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{apt, cargo, sh, workspace};

/// The version that is known to work.
const VERSION: &str = "0.13.0";
/// The major version of LLVM that it is built against. Reads bitcode of this and of older versions, no newer.
pub const LLVM: u32 = 22;

/// bpf-linker's path; it is installed first if it isn't there.
pub fn ensure() -> Result<PathBuf> {
    let tools = workspace::tools();
    let linker = workspace::tool("bpf-linker");
    if !linker.is_file() || !is_installed(&tools, "bpf-linker", VERSION) {
        install(&tools)?;
    }
    Ok(linker)
}

/// Whether `cargo install --root tools` has put this version there, by cargo's own record.
pub fn is_installed(tools: &Path, name: &str, version: &str) -> bool {
    let record = std::fs::read_to_string(tools.join(".crates.toml")).unwrap_or_default();
    record.lines().any(|line| line.starts_with(&format!("\"{name} {version} ")))
}

fn install(tools: &Path) -> Result<()> {
    let llvm = llvm_prefix()?;
    eprintln!("bpf-linker {VERSION} is built into {} (about a minute)", workspace::shown(tools));
    let feature = format!("llvm-{LLVM}");
    let mut cmd = cargo::cargo(&["install", "bpf-linker", "--version", VERSION, "--locked", "--force"]);
    // Without optimisation: it takes half the time to build and no longer to run, since all of its work is LLVM's.
    cmd.args(["--debug", "--no-default-features", "--features", &feature, "--root"]).arg(tools);
    cmd.env("LLVM_PREFIX", llvm).env("CARGO_PROFILE_DEV_DEBUG", "0");
    sh::run(&mut cmd).context("bpf-linker could not be built")
}

/// The folder of LLVM's libraries and headers: `LLVM_PREFIX` if set, else what is installed, else Debian's packages.
fn llvm_prefix() -> Result<PathBuf> {
    if let Some(prefix) = std::env::var_os("LLVM_PREFIX") {
        return Ok(prefix.into());
    }
    let debian = PathBuf::from(format!("/usr/lib/llvm-{LLVM}"));
    if apt::available() {
        let [dev, polly] = ["llvm", "libpolly"].map(|name| format!("{name}-{LLVM}-dev"));
        // Apart from LLVM itself: the libraries that LLVM's configuration names, which its package leaves out.
        let packages = [&*dev, "libzstd-dev", "zlib1g-dev", "libxml2-dev", &*polly];
        apt::packages(&packages, "building bpf-linker")?;
        return Ok(debian);
    }
    for program in [format!("llvm-config-{LLVM}"), "llvm-config".to_owned()] {
        let ask = |what| sh::output(Command::new(&program).arg(what)).map(|text| text.trim().to_owned());
        if ask("--version").is_ok_and(|version| version.starts_with(&format!("{LLVM}."))) {
            return ask("--prefix").map(PathBuf::from);
        }
    }
    bail!(
        "building bpf-linker needs LLVM {LLVM} with its headers: install it, or name its folder in LLVM_PREFIX"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_version_counts_as_installed() {
        let dir = std::env::temp_dir().join(format!("connmon-xtask-linker-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("temporary folder");
        let record =
            "[v1]\n\"bpf-linker 0.13.0 (registry+https://example.invalid/index)\" = [\"bpf-linker\"]\n";
        std::fs::write(dir.join(".crates.toml"), record).expect("written");
        assert!(is_installed(&dir, "bpf-linker", "0.13.0"));
        assert!(!is_installed(&dir, "bpf-linker", "0.13"));
        assert!(!is_installed(&dir, "linker", "0.13.0"));
        std::fs::remove_dir_all(&dir).expect("removed");
        assert!(!is_installed(&dir, "bpf-linker", "0.13.0"));
    }
}
