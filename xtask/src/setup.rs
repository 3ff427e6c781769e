//! `cargo xtask setup`: the toolchain for eBPF, and `target/tools/bpf-toolchain`, which tells connmon's build
//! script what to use.
//!
//! Two ways lead to a `core` for `bpfel-unknown-none`; the first one found wins:
//! 1. rustup: a nightly with the `rust-src` component, from which cargo builds `core` (`-Z build-std`);
//! 2. a rustc with a `core` compiled for BPF beside it, as Debian packages it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{apt, linker, sh, workspace};

/// Debian's compiler, and its `core` for BPF.
const PACKAGES: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];
/// Where Debian's compiler lies. Never searched in `PATH`, where a rustup proxy may come first.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// A compiler that can make eBPF.
#[derive(Debug, PartialEq)]
enum Compiler {
    /// A rustup toolchain of this name; `core` is built from source.
    Rustup(String),
    /// This compiler; `core` is compiled already.
    System(PathBuf),
}

/// `cargo xtask setup`.
pub fn run() -> Result<()> {
    ensure()?;
    eprintln!("the eBPF toolchain is in place ({})", workspace::shown(&record_path()));
    Ok(())
}

/// Brings what is missing. Instant if nothing is.
pub fn ensure() -> Result<()> {
    let compiler = compiler()?;
    let linker = linker::ensure()?;
    let record = record(&compiler, &linker);
    let path = record_path();
    if std::fs::read_to_string(&path).is_ok_and(|old| old == record) {
        return Ok(());
    }
    match &compiler {
        Compiler::Rustup(name) => {
            eprintln!("eBPF is compiled by rustup's {name}, with core built from rust-src")
        }
        Compiler::System(rustc) => eprintln!("eBPF is compiled by {}, with its own core", rustc.display()),
    }
    std::fs::write(&path, record).with_context(|| format!("cannot write {}", path.display()))
}

/// Where the build script finds what we found.
fn record_path() -> PathBuf {
    workspace::tools().join("bpf-toolchain")
}

/// The lines of `bpf-toolchain`.
fn record(compiler: &Compiler, linker: &Path) -> String {
    let (rustc, toolchain) = match compiler {
        Compiler::Rustup(name) => (String::new(), name.clone()),
        Compiler::System(rustc) => (rustc.display().to_string(), String::new()),
    };
    let build_std = !toolchain.is_empty();
    let linker = linker.display();
    format!("rustc={rustc}\ntoolchain={toolchain}\nlinker={linker}\nbuild_std={build_std}\n")
}

/// A compiler that is here, else Debian's, installed now.
fn compiler() -> Result<Compiler> {
    if let Some(found) = rustup_compiler().or_else(system_compiler) {
        return Ok(found);
    }
    let advice = "`rustup toolchain install nightly --component rust-src`";
    if !apt::available() {
        bail!("no Rust compiler here can make eBPF: run {advice}");
    }
    apt::packages(&PACKAGES, "compiling eBPF")
        .with_context(|| format!("no Rust compiler here can make eBPF (run {advice} if you have rustup)"))?;
    system_compiler().with_context(|| {
        format!(
            "{SYSTEM_RUSTC} has no core for BPF, although {} are installed: run {advice}",
            PACKAGES.join(" and ")
        )
    })
}

/// The newest rustup nightly that has the sources of `core`, and an LLVM that bpf-linker can read.
fn rustup_compiler() -> Option<Compiler> {
    let home = std::env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".rustup")))?;
    let entries = std::fs::read_dir(home.join("toolchains")).ok()?;
    let toolchains = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    // `nightly-<host>` sorts after `nightly-<date>-<host>`: the undated one is preferred.
    let mut nightlies: Vec<PathBuf> = toolchains.filter(|path| is_nightly_with_source(path)).collect();
    nightlies.sort();
    let fit =
        nightlies.into_iter().rev().find(|path| llvm_of(path).is_some_and(|major| major <= linker::LLVM));
    Some(Compiler::Rustup(fit?.file_name()?.to_str()?.to_owned()))
}

fn is_nightly_with_source(toolchain: &Path) -> bool {
    let name = toolchain.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("nightly") && toolchain.join("lib/rustlib/src/rust/library/core/src/lib.rs").is_file()
}

/// The major version of a toolchain's LLVM.
fn llvm_of(toolchain: &Path) -> Option<u32> {
    llvm_version(&sh::output(Command::new(toolchain.join("bin/rustc")).arg("-vV")).ok()?)
}

fn llvm_version(version: &str) -> Option<u32> {
    version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?.split('.').next()?.parse().ok()
}

/// The system's compiler, if it has a `core` for BPF.
fn system_compiler() -> Option<Compiler> {
    let rustc = Path::new(SYSTEM_RUSTC);
    // Under /usr, a compiler's own folder is /usr; no need to ask it.
    let libs = std::fs::read_dir("/usr/lib/rustlib/bpfel-unknown-none/lib").ok()?;
    let is_core = |name: &str| name.starts_with("libcore-") && name.ends_with(".rlib");
    let has_core = libs.flatten().any(|entry| entry.file_name().to_str().is_some_and(is_core));
    (has_core && rustc.is_file()).then(|| Compiler::System(rustc.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_names_one_compiler() {
        let linker = Path::new("/tools/bpf-linker");
        assert_eq!(
            record(&Compiler::System("/usr/bin/rustc".into()), linker),
            "rustc=/usr/bin/rustc\ntoolchain=\nlinker=/tools/bpf-linker\nbuild_std=false\n"
        );
        assert_eq!(
            record(&Compiler::Rustup("nightly-x".into()), linker),
            "rustc=\ntoolchain=nightly-x\nlinker=/tools/bpf-linker\nbuild_std=true\n"
        );
    }

    #[test]
    fn llvm_is_read_from_rustc() {
        assert_eq!(llvm_version("rustc 1.97.0-nightly\nhost: x\nLLVM version: 22.1.4\n"), Some(22));
        assert_eq!(llvm_version("rustc 1.0.0\n"), None);
    }
}
