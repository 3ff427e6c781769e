//! Builds the eBPF object with the toolchain that `cargo xtask setup` found, and puts it where
//! `capture::OBJECT` embeds it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::{env, fs};

fn main() {
    if let Err(message) = variable("CARGO_MANIFEST_DIR").and_then(|here| build(&here.join("../.."))) {
        println!("cargo::error={message}");
        exit(1);
    }
}

fn variable(name: &str) -> Result<PathBuf, String> {
    env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("{name} is not set"))
}

/// Builds it; the reason in one sentence if that cannot be.
fn build(root: &Path) -> Result<(), String> {
    let out = variable("OUT_DIR")?;
    // One for all profiles and targets of the host's side: to link the programs takes minutes, and they are the same.
    let built = root.join("target/ebpf");
    let toolchain = root.join("target/tools/bpf-toolchain");
    println!("cargo::rerun-if-changed={}", toolchain.display());
    println!("cargo::rerun-if-changed={}", root.join("connmon-ebpf").display());

    let text = fs::read_to_string(&toolchain)
        .map_err(|_| "the eBPF toolchain is not set up: run `cargo xtask setup` first".to_owned())?;
    let settings: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let setting = |key: &str| settings.get(key).copied().unwrap_or_default();
    let linker = setting("linker");
    if !Path::new(linker).exists() {
        return Err(format!("{linker} is not there any more: run `cargo xtask setup` again"));
    }

    let arch = env::var("CARGO_CFG_TARGET_ARCH").map_err(|error| error.to_string())?;
    let mut cargo = if setting("rustc").is_empty() {
        let mut rustup = Command::new("rustup");
        rustup.args(["run", setting("toolchain"), "cargo"]);
        rustup
    } else {
        Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    };
    // The outer build's settings are for the host.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if (text.starts_with("CARGO") && text != "CARGO_HOME")
            || text.starts_with("RUST") && text != "RUSTUP_HOME"
        {
            cargo.env_remove(&name);
        }
    }
    if !setting("rustc").is_empty() {
        cargo.env("RUSTC", setting("rustc"));
    }
    cargo
        .current_dir(root.join("connmon-ebpf"))
        .args(["build", "--quiet", "--release", "--locked", "--features", "bpf", "--bin", "connmon-ebpf"])
        .args(["--target", "bpfel-unknown-none", "--target-dir"])
        .arg(&built)
        // aya-ebpf uses the unstable asm_experimental_arch.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags(root, linker, &arch).join("\u{1f}"));
    if setting("build_std") == "true" {
        cargo.args(["-Z", "build-std=core"]);
    }
    let output = cargo.output().map_err(|error| format!("cannot run cargo for the eBPF object: {error}"))?;
    if !output.status.success() {
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            println!("cargo::warning={line}");
        }
        return Err("the eBPF object does not build; the lines above say why".into());
    }
    let object = built.join("bpfel-unknown-none/release/connmon-ebpf");
    let bytes = fs::read(&object).map_err(|error| format!("{}: {error}", object.display()))?;
    let bytes = without_debug(&bytes).map_err(|error| format!("{}: {error}", object.display()))?;
    let small = out.join("connmon-ebpf.o");
    fs::write(&small, bytes).map_err(|error| format!("{}: {error}", small.display()))
}

/// What rustc is told. The names of files, which the kernel shows with a refused program, are the same wherever that is built.
fn flags(root: &Path, linker: &str, arch: &str) -> Vec<String> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    // The last that fits wins.
    let places = [(home, "/cargo"), (root.canonicalize().ok(), "/connmon")];
    let named = places
        .into_iter()
        .filter_map(|(path, name)| Some(format!("--remap-path-prefix={}={name}", path?.display())));
    let options =
        [format!("linker={linker}"), "link-arg=--btf".into(), "debuginfo=2".into(), "panic=abort".into()];
    let options = options.into_iter().flat_map(|option| ["-C".to_owned(), option]);
    options.chain([format!("--cfg=bpf_target_arch=\"{arch}\"")]).chain(named).collect()
}

/// The object without its DWARF sections, from which the linker has made BTF: they are most of it.
fn without_debug(bytes: &[u8]) -> Result<Vec<u8>, object::build::Error> {
    let mut elf = object::build::elf::Builder::read64(bytes)?;
    for section in &mut elf.sections {
        let name = section.name.to_string();
        section.delete = name.starts_with(".debug_") || name.starts_with(".rel.debug_");
    }
    elf.delete_orphans();
    // LLVM keeps the sections' names with those of the symbols, the builder apart.
    let names = elf.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = object::elf::SHT_STRTAB;
    names.data = object::build::elf::SectionData::SectionString;
    let mut small = Vec::new();
    elf.write(&mut small)?;
    Ok(small)
}
