//! Running other programs: each is printed before it runs, on stderr.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};

use crate::timing;

/// A command line as one would type it, but that long values of variables are left out.
pub fn shown(cmd: &Command) -> String {
    const LONG: usize = 80;
    let vars = cmd.get_envs().filter_map(|(name, value)| {
        let value = if value?.len() > LONG { "…".to_owned() } else { quoted(value?) };
        Some(format!("{}={value}", name.display()))
    });
    let program = if std::env::var_os("CARGO").is_some_and(|cargo| cargo == cmd.get_program()) {
        OsStr::new("cargo")
    } else {
        cmd.get_program()
    };
    let words = std::iter::once(program).chain(cmd.get_args()).map(quoted);
    vars.chain(words).collect::<Vec<_>>().join(" ")
}

/// A word, in quotes if a shell would take it apart.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+,./:@%~".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into_owned() } else { quote(&word) }
}

/// `word` in single quotes, for a POSIX shell.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Prints and runs a command; anything but success is an error.
pub fn run(cmd: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(cmd));
    let status = cmd.status().with_context(|| format!("cannot start `{}`", cmd.get_program().display()))?;
    ensure!(status.success(), "`{}` failed ({status})", shown(cmd));
    Ok(())
}

/// As [`run`], and returns what the command printed on stdout, which is shown as it comes. The error ends with what was said of
/// failures, so that it can be told again where somebody looks for it.
pub fn run_kept(cmd: &mut Command) -> Result<String> {
    eprintln!("$ {}", shown(cmd));
    let starting = || format!("cannot start `{}`", cmd.get_program().display());
    let (why, name) = (starting(), shown(cmd));
    let mut child = cmd.stdout(Stdio::piped()).spawn().context(why)?;
    let mut kept = String::new();
    for line in BufReader::new(child.stdout.take().context("piped")?).lines() {
        let line = line?;
        println!("{line}");
        kept.push_str(&line);
        kept.push('\n');
    }
    let status = child.wait()?;
    ensure!(status.success(), "`{name}` failed ({status})\n{}", told(&kept));
    Ok(kept)
}

/// What a test program told of its failures, without its lines for the table of coverage; its last lines where it did not
/// come so far.
pub fn told(output: &str) -> String {
    const LINES: usize = 100;
    let start = ["\nfailures:\n", "failing tests:\n"].iter().filter_map(|head| output.find(head)).min();
    let told = start.map_or(output, |at| &output[at..]);
    let lines: Vec<&str> = told.lines().filter(|line| !is_table(line)).collect();
    let skipped = if start.is_some() { 0 } else { lines.len().saturating_sub(LINES) };
    lines[skipped..].join("\n")
}

/// Whether a line is for the tables at the end of all.
fn is_table(line: &str) -> bool {
    line.starts_with("coverage ") || line.starts_with(timing::MARK)
}

/// What a command prints on stdout; its stderr is shown only in the error. Not printed.
pub fn output(cmd: &mut Command) -> Result<String> {
    let name = cmd.get_program().to_owned();
    let out =
        cmd.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{}`", name.display()))?;
    if !out.status.success() {
        let why = String::from_utf8_lossy(&out.stderr);
        bail!("`{}` failed ({}): {}", shown(cmd), out.status, why.trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Where a program lies, searched in `PATH` and where administrators' programs lie.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let admin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(admin).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Whether we run as root.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// Makes sure that we can become root; sudo asks for the password here, and only once.
pub fn can_be_root(why: &str) -> Result<()> {
    static SUDO: OnceLock<bool> = OnceLock::new();
    if is_root() {
        return Ok(());
    }
    ensure!(
        which("sudo").is_some(),
        "{why} needs root, and there is no sudo here: run this command as root, or install sudo"
    );
    let granted = *SUDO.get_or_init(|| {
        eprintln!("{why} needs root: asking sudo");
        run(Command::new("sudo").arg("true")).is_ok()
    });
    ensure!(granted, "{why} needs root, and sudo refused it: run this command as root");
    Ok(())
}

/// `program` to be run as root: directly if we are root, else through sudo. `vars` reach it either way.
pub fn as_root(program: impl AsRef<OsStr>, vars: &[(&str, &OsStr)], why: &str) -> Result<Command> {
    can_be_root(why)?;
    if is_root() {
        let mut cmd = Command::new(program);
        cmd.envs(vars.iter().copied());
        return Ok(cmd);
    }
    let mut cmd = Command::new("sudo");
    if !vars.is_empty() {
        cmd.arg("env");
    }
    for (key, value) in vars {
        let mut pair = OsString::from(format!("{key}="));
        pair.push(value);
        cmd.arg(pair);
    }
    cmd.arg(program);
    Ok(cmd)
}

/// Gives a folder made as root back to whoever called sudo, or to the user that we are.
pub fn give_back(folder: &Path) -> Result<()> {
    let number = |key| std::env::var(key).ok().and_then(|id| id.parse::<u32>().ok());
    let owner = match (number("SUDO_UID"), number("SUDO_GID")) {
        (Some(uid), Some(gid)) if is_root() => Some((uid, gid)),
        _ if is_root() => None,
        _ => std::fs::metadata("/proc/self").ok().map(|me| (me.uid(), me.gid())),
    };
    if let Some((uid, gid)) = owner {
        run(as_root("chown", &[], "giving the results back")?
            .arg("-R")
            .arg(format!("{uid}:{gid}"))
            .arg(folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_typed() {
        let mut cmd = Command::new("prog");
        cmd.args(["plain", "two words", "it's", ""]).env("KEY", "a b");
        cmd.env("LONG", "x".repeat(81));
        assert_eq!(shown(&cmd), r"KEY='a b' LONG=… prog plain 'two words' 'it'\''s' ''");
    }

    #[test]
    fn a_failure_is_told_at_its_place() {
        let output =
            "test a ... FAILED\n\nfailures:\n\n---- a ----\nwhy\n\ncoverage case=b result=exact\ncoverage";
        assert_eq!(told(output), "\nfailures:\n\n---- a ----\nwhy\n\ncoverage");
        assert_eq!(told("half a line"), "half a line");
        let long: String = (0..150).map(|n| format!("{n}\n")).collect();
        assert!(told(&long).starts_with("50\n51\n"));
    }

    #[test]
    fn a_failing_test_program_tells_why_in_the_error() {
        let mut failing = Command::new("sh");
        let error =
            run_kept(failing.args(["-c", "echo; echo failures:; echo why; exit 3"])).expect_err("fails");
        assert!(error.to_string().ends_with("failed (exit status: 3)\n\nfailures:\nwhy"), "{error}");
        assert_eq!(run_kept(Command::new("echo").arg("all is well")).expect("works"), "all is well\n");
    }

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let error = run(&mut Command::new("false")).expect_err("false fails");
        assert_eq!(error.to_string(), "`false` failed (exit status: 1)");
        assert!(run(&mut Command::new("no-such-program")).is_err());
    }
}
