//! Calling cargo from within `cargo xtask`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{portable, sh, workspace};

/// Cargo in the workspace's root, without what cargo told *us* about ourselves: build scripts would see it.
pub fn cargo(args: &[&str]) -> Command {
    let mut cmd = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cmd.env_remove(&key);
        }
    }
    cmd.current_dir(workspace::root()).args(args);
    cmd
}

/// Cargo for the builds that tests run and nobody is handed: everything is compiled once, with one profile, for this host and for guests.
/// `xtask/compile` compiles our own crates, with clippy's driver where it can, so that its lints need no second pass over everything. They are
/// warnings here; [`lints`] and [`reader`] make them errors. `args` begins with a subcommand that builds, and does not end the options for cargo.
pub fn tested(args: &[&str]) -> Result<Command> {
    let mut cmd = cargo(args);
    cmd.args(["--profile", "tested"])
        .env("RUSTC_WORKSPACE_WRAPPER", workspace::root().join("xtask/compile"))
        .env_remove("CLIPPY_ARGS");
    portable::statically(&mut cmd)?;
    Ok(cmd)
}

/// The programs under test, and the examples that make pages and a week up. Like all builds for tests it selects the whole workspace: the features of a
/// dependency are those that all selected packages want, so another selection would build most dependencies once more.
pub const PROGRAMS: [&str; 10] = [
    "build",
    "--workspace",
    "--bin",
    "connmon",
    "--bin",
    "traffic",
    "--example",
    "sample_report",
    "--example",
    "sample_week",
];

/// Builds [`PROGRAMS`].
pub fn program() -> Result<Vec<Executable>> {
    executables(&mut tested(&PROGRAMS)?)
}

/// Something that can be run, as cargo built it.
#[derive(Debug)]
pub struct Executable {
    /// The target's name.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// Runs a `cargo build` or `cargo test --no-run` and returns the executables that it made.
pub fn executables(cmd: &mut Command) -> Result<Vec<Executable>> {
    Ok(parse_executables(&messages(cmd, "json-render-diagnostics")?))
}

/// Builds all there is, as tests will run it, and fails if a lint has anything to say. The folder that a package's build script filled.
pub fn lints(package: &str) -> Result<PathBuf> {
    let all = ["test", "--no-run", "--workspace", "--all-targets", "--features", "connmon-fuzz/targets"];
    let messages = linted(&mut tested(&all)?)?;
    parse_script_folder(&messages, package).with_context(|| format!("cargo ran no build script of {package}"))
}

/// Builds [`PROGRAMS`] without the recorder, and fails if a lint has anything to say.
pub fn reader() -> Result<Vec<Executable>> {
    Ok(parse_executables(&linted(tested(&PROGRAMS)?.arg("--no-default-features"))?))
}

/// Runs a command of [`tested`], and fails if it warns. Cargo's messages.
fn linted(cmd: &mut Command) -> Result<String> {
    let messages = messages(cmd, "json")?;
    let said: Vec<String> = messages.lines().filter_map(parse_warning).collect();
    for warning in &said {
        eprintln!("{warning}");
    }
    ensure!(said.is_empty(), "clippy warns, as shown above");
    Ok(messages)
}

/// Runs cargo with its messages for programs, in this format.
fn messages(cmd: &mut Command, format: &str) -> Result<String> {
    eprintln!("$ {}", sh::shown(cmd));
    let out = cmd
        .arg(format!("--message-format={format}"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    let messages = String::from_utf8_lossy(&out.stdout).into_owned();
    if !out.status.success() {
        messages.lines().filter_map(parse_warning).for_each(|said| eprintln!("{said}"));
        bail!("`{}` failed ({})", sh::shown(cmd), out.status);
    }
    Ok(messages)
}

/// What the compiler said, as it shows it to people: of our own crates only, because cargo silences the others.
fn parse_warning(line: &str) -> Option<String> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_said = message["reason"] == "compiler-message";
    message["message"]["rendered"].as_str().filter(|_| is_said).map(str::to_owned)
}

/// The last folder that a build script of this package was given, which `package_id` names behind a path: `…/connmon#0.1.0`.
fn parse_script_folder(messages: &str, package: &str) -> Option<PathBuf> {
    let folder = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let id = message["package_id"].as_str()?.split('#').next()?;
        let is_it = message["reason"] == "build-script-executed" && id.rsplit('/').next()? == package;
        is_it.then(|| message["out_dir"].as_str().map(PathBuf::from)).flatten()
    };
    messages.lines().filter_map(folder).next_back()
}

/// The executables in cargo's messages, one JSON object a line. What is not a message is passed over.
fn parse_executables(messages: &str) -> Vec<Executable> {
    let artifact = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let name = message["target"]["name"].as_str()?.to_owned();
        let path = PathBuf::from(message["executable"].as_str()?);
        Some(Executable { name, path })
    };
    messages.lines().filter_map(artifact).collect()
}

/// The executable of this name among those that cargo made.
pub fn find(made: &[Executable], name: &str) -> Result<PathBuf> {
    let found = made.iter().find(|exe| exe.name == name);
    Ok(found.with_context(|| format!("cargo built no executable named {name}"))?.path.clone())
}

/// Names of all test targets (the files under `tests/` of the packages).
pub fn test_targets() -> Result<Vec<String>> {
    let text = sh::output(&mut cargo(&["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata printed no JSON")?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    Ok(list(&metadata["packages"])
        .iter()
        .flat_map(|found| list(&found["targets"]))
        .filter(|target| list(&target["kind"]).iter().any(|kind| kind == "test"))
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
        .collect())
}

/// The profile's argument for `cargo build`.
pub fn profile(release: bool) -> &'static [&'static str] {
    if release { &["--release"] } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_among_other_messages() {
        let messages = concat!(
            "not json\n",
            r#"{"reason":"compiler-artifact","target":{"name":"lib"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"e2e"},"executable":"/t/e2e-1"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let made = parse_executables(messages);
        assert_eq!(made.len(), 1);
        assert_eq!(find(&made, "e2e").expect("there"), PathBuf::from("/t/e2e-1"));
        assert!(find(&made, "lib").is_err());
    }

    #[test]
    fn what_the_compiler_said_is_found() {
        let said = r#"{"reason":"compiler-message","message":{"level":"warning","rendered":"warning: x\n"}}"#;
        assert_eq!(parse_warning(said).as_deref(), Some("warning: x\n"));
        assert_eq!(parse_warning(r#"{"reason":"build-finished","success":true}"#), None);
    }

    #[test]
    fn the_folder_of_a_build_script_is_found_by_its_package() {
        let messages = concat!(
            r#"{"reason":"build-script-executed","package_id":"registry+https://a/index#libc@0.2.1","out_dir":"/t/libc"}"#,
            "\n",
            r#"{"reason":"build-script-executed","package_id":"path+file:///w/connmon#0.1.0","out_dir":"/t/ours"}"#,
        );
        assert_eq!(parse_script_folder(messages, "connmon"), Some(PathBuf::from("/t/ours")));
        assert_eq!(parse_script_folder(messages, "xtask"), None);
    }
}
