//! The guest's file system: busybox, our programs, the modules, and an init.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::cpio::Archive;
use super::kernels::Kernel;
use crate::{programs, sh, workspace};

/// The programs that every guest has.
pub struct Programs {
    busybox: Vec<u8>,
    connmon: Vec<u8>,
    traffic: Vec<u8>,
    e2e: Vec<u8>,
    /// What the package for the guest with systemd is made of, and its test.
    pub service: PathBuf,
    systemd: Vec<u8>,
}

impl Programs {
    /// Builds ours, and finds busybox.
    pub fn build() -> Result<Self> {
        let ours = programs::build()?;
        let busybox = sh::which("busybox").context("there is no busybox")?;
        let busybox = read(&busybox)?;
        ensure!(
            !busybox.windows(INTERPRETER.len()).any(|part| part == INTERPRETER),
            "the busybox here is not static: install busybox-static"
        );
        Ok(Self {
            busybox,
            connmon: stripped(&ours.connmon)?,
            traffic: stripped(&ours.traffic)?,
            e2e: stripped(&ours.e2e)?,
            systemd: stripped(&ours.systemd)?,
            service: ours.connmon,
        })
    }
}

/// What a dynamically linked program names as its loader.
const INTERPRETER: &[u8] = b"/lib64/ld-linux";

/// A program without its debug information, which would only fill the guest's memory. The whole of it if it
/// cannot be stripped.
fn stripped(program: &Path) -> Result<Vec<u8>> {
    let dir = folder();
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let small = dir.join(program.file_name().unwrap_or_default());
    let strip = sh::output(Command::new("strip").arg("--strip-debug").arg("-o").arg(&small).arg(program));
    if strip.is_ok() { read(&small) } else { read(program) }
}

/// Where the stripped ones are.
fn folder() -> PathBuf {
    workspace::vm_dir().join("programs")
}

/// Writes the guest for one kernel.
pub fn pack(kernel: &Kernel, init: &str, programs: &Programs, to: &Path) -> Result<()> {
    let mut archive = bare(init, programs);
    archive.program("bin/connmon", &programs.connmon);
    archive.program("bin/traffic", &programs.traffic);
    archive.program("bin/e2e", &programs.e2e);
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
    archive.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n");
    archive.file("etc/hosts", b"127.0.0.1 localhost\n::1 localhost\n");
    add_modules(&mut archive, "modules", &kernel.modules)?;
    std::fs::write(to, archive.finish()).with_context(|| format!("cannot write {}", to.display()))
}

/// Writes what starts the system on a disk, and brings it the test.
pub fn pack_system(
    kernel: &Kernel,
    init: &str,
    programs: &Programs,
    packages: &[(&str, Vec<u8>)],
    to: &Path,
) -> Result<()> {
    let mut archive = bare(init, programs);
    archive.folder("test");
    archive.program("test/traffic", &programs.traffic);
    archive.program("test/systemd", &programs.systemd);
    for (name, bytes) in packages {
        archive.file(&format!("test/{name}"), bytes);
    }
    add_modules(&mut archive, "modules", &kernel.modules)?;
    archive.folder("disk");
    add_modules(&mut archive, "disk", &kernel.disk)?;
    std::fs::write(to, archive.finish()).with_context(|| format!("cannot write {}", to.display()))
}

/// Adds modules, whose names tell the order.
fn add_modules(archive: &mut Archive, folder: &str, from: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let module = entry?.path();
        if module.extension().is_some_and(|extension| extension == "ko") {
            let name = module.file_name().unwrap_or_default().to_string_lossy();
            archive.file(&format!("{folder}/{name}"), &read(&module)?);
        }
    }
    Ok(())
}

/// Writes a guest that has nothing but busybox.
pub fn pack_probe(init: &str, programs: &Programs, to: &Path) -> Result<()> {
    std::fs::write(to, bare(init, programs).finish())
        .with_context(|| format!("cannot write {}", to.display()))
}

/// Folders, a console, busybox and init.
fn bare(init: &str, programs: &Programs) -> Archive {
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "etc", "lib", "modules", "proc", "root", "run", "sys", "tmp", "var"] {
        archive.folder(folder);
    }
    // The kernel opens it before init mounts anything.
    archive.device("dev/console", 5, 1);
    archive.program("init", init.as_bytes());
    archive.program("bin/busybox", &programs.busybox);
    archive
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
