//! Where things lie in this workspace.

use std::path::{Path, PathBuf};

/// The workspace's root folder.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where cargo builds.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Tools installed for this workspace only: bpf-linker, cargo-deny and `bpf-toolchain`. Always in the same
/// place, whatever `CARGO_TARGET_DIR` is, because connmon's build script looks there.
pub fn tools() -> PathBuf {
    root().join("target/tools")
}

/// An installed tool.
pub fn tool(name: &str) -> PathBuf {
    tools().join("bin").join(name)
}

/// Results of `cargo xtask run`.
pub fn run_dir() -> PathBuf {
    root().join("target/run")
}

/// Exports that `cargo xtask test` has others read.
pub fn readers_dir() -> PathBuf {
    root().join("target/readers")
}

/// Where the browser's pages are made.
pub fn browser_dir() -> PathBuf {
    root().join("target/browser")
}

/// What is handed out.
pub fn dist_dir() -> PathBuf {
    root().join("target/dist")
}

/// Kernels, guests and logs of `cargo xtask vm`.
pub fn vm_dir() -> PathBuf {
    root().join("target/vm")
}

/// `path` as people read it: relative to the workspace where it lies in it.
pub fn shown(path: &Path) -> std::path::Display<'_> {
    path.strip_prefix(root()).unwrap_or(path).display()
}
