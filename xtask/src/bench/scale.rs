//! What it costs to read a store of thirty days: a made one, so that every number of connections can be had in minutes.

use std::ffi::CString;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{cargo, folder, new_db, sh};
use crate::machine::median;

/// Connections of the store unless told otherwise.
const CONNECTIONS: u64 = 1_000_000;
/// How often each command runs, unless the first time takes longer than so many seconds.
const RUNS: usize = 3;
const LONG: f64 = 20.0;
/// Bytes that a connection takes at most, with room for the log while they are written.
const BYTES: u64 = 450;

/// The rules of `connmon label`.
const RULES: &str = "
[[rule]]
label = \"web\"
match = \"port:443 dir:out\"
[[rule]]
label = \"large\"
match = \"bytes>1M\"
";

/// The commands, their arguments apart by spaces; `SINCE`, `REMOTE`, `LIST`, `RULES` and `OUT` stand for what is known of the store.
const COMMANDS: [(&str, &str); 11] = [
    ("`audit --since 1h`", "audit --since SINCE"),
    ("`audit` (all)", "audit"),
    ("`export --filter ip:…`", "export --filter ip:REMOTE"),
    ("`dns --since 1h`", "dns --since SINCE"),
    ("`report --since 1h`", "report --since SINCE --out OUT"),
    ("`report` (all)", "report --out OUT"),
    ("`ioc`, 100 000 indicators", "ioc --ioc LIST"),
    ("`doctor`", "doctor"),
    ("`baseline`", "baseline"),
    ("`label`", "label --config RULES"),
    ("`label` again", "label --config RULES"),
];

/// Makes a store and prints the table.
pub fn run(connections: Option<u64>) -> Result<()> {
    let connections = connections.unwrap_or(CONNECTIONS);
    let built = [
        "build",
        "--release",
        "-p",
        "connmon",
        "--bin",
        "connmon",
        "-p",
        "connmon-store",
        "--example",
        "made_store",
    ];
    let made = cargo::executables(&mut cargo::cargo(&built))?;
    let (connmon, dir) = (cargo::find(&made, "connmon")?, folder()?);
    let db = new_db(&dir, "scale")?;
    let (free, wanted) = (free(&dir)?, connections * BYTES);
    ensure!(
        free > wanted,
        "{} has {} GB free, and such a store takes up to {} GB",
        dir.display(),
        free >> 30,
        wanted >> 30
    );
    let mut make = Command::new(cargo::find(&made, "made_store")?);
    let said = sh::output(make.arg(&db).arg(connections.to_string()))?;
    let about: Value = serde_json::from_str(&said).context("made_store printed no JSON")?;
    let figure = |name: &str| about[name].as_f64().unwrap_or(f64::NAN);
    println!(
        "made: {connections} connections in {:.0} s, {:.1} µs and {:.0} bytes each; their sums in {:.0} s\n",
        figure("seconds"),
        1e6 * figure("seconds") / connections as f64,
        figure("bytes") / connections as f64,
        figure("sums")
    );
    let (list, rules) = (beside(&db, "ioc"), beside(&db, "toml"));
    std::fs::write(&rules, RULES).with_context(|| format!("cannot write {}", rules.display()))?;
    let text = |name: &str| about[name].as_str().unwrap_or_default().to_owned();
    let words = [
        ("SINCE", text("since")),
        ("REMOTE", text("remote")),
        ("LIST", list.display().to_string()),
        ("RULES", rules.display().to_string()),
        ("OUT", dir.join("scale.html").display().to_string()),
    ];
    let mut keep = Command::new(&connmon);
    let took = measured(keep.args(["findings", "--keep", "--db"]).arg(&db))?;
    println!(
        "findings of all of it, kept as a recorder does: {:.0} s, {:.1} µs a connection, {:.0} MiB\n",
        took.seconds,
        1e6 * took.cpu / connections as f64,
        took.peak_kib as f64 / 1024.0
    );
    println!("| {connections} connections | time | CPU | peak memory |\n|---|--:|--:|--:|");
    for (name, line) in COMMANDS {
        let line = words.iter().fold(line.to_owned(), |line, (word, text)| line.replace(word, text));
        let (mut seconds, mut cpu, mut peak) = (Vec::new(), Vec::new(), 0);
        for _ in 0..RUNS {
            let mut command = Command::new(&connmon);
            let took = measured(command.args(line.split(' ')).arg("--db").arg(&db))?;
            seconds.push(took.seconds);
            cpu.push(took.cpu);
            peak = peak.max(took.peak_kib);
            if took.seconds > LONG {
                break;
            }
        }
        println!(
            "| {name} | {:.2} s | {:.2} s | {:.0} MiB |",
            median(&seconds),
            median(&cpu),
            peak as f64 / 1024.0
        );
    }
    let mut prune = Command::new(cargo::find(&made, "made_store")?);
    let said = sh::output(prune.arg(&db).arg("prune"))?;
    let steps: Value = serde_json::from_str(&said).context("made_store printed no JSON")?;
    let ms = |of: &str, place: usize| 1e3 * steps[of][place].as_f64().unwrap_or(f64::NAN);
    println!(
        "\npruning half of it{}: {} steps",
        if steps["done"] == true { "" } else { ", as far as it came in five minutes" },
        steps["steps"]
    );
    for (of, name) in [("clock", "by the clock"), ("cpu", "of a processor")] {
        println!(
            "{name}: {:.0} ms (median), 999 of 1000 within {:.0} ms, the longest {:.0} ms",
            ms(of, 0),
            ms(of, 1),
            ms(of, 2)
        );
    }
    // It is gigabytes.
    new_db(&dir, "scale")?;
    for file in [list, rules] {
        std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(())
}

fn beside(db: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}.{end}", db.display()))
}

/// Bytes that can be written into a folder.
fn free(dir: &Path) -> Result<u64> {
    let path = CString::new(dir.as_os_str().as_bytes())?;
    // SAFETY: a plain record of numbers, for which zeros are valid.
    let mut about: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends with a zero byte, and the place is valid for writing.
    let done = unsafe { libc::statvfs(path.as_ptr(), &raw mut about) };
    ensure!(done == 0, "cannot look how much room there is: {}", std::io::Error::last_os_error());
    Ok(about.f_bavail * about.f_frsize)
}

/// What a command took.
struct Took {
    seconds: f64,
    cpu: f64,
    /// Of its resident size.
    peak_kib: i64,
}

/// Runs a command whose output nobody reads.
fn measured(command: &mut Command) -> Result<Took> {
    let begun = Instant::now();
    let null = || File::options().write(true).open("/dev/null");
    let child = command.stdin(Stdio::null()).stdout(null()?).stderr(null()?).spawn();
    let pid = child.with_context(|| format!("cannot start `{}`", sh::shown(command)))?.id();
    let mut status = 0;
    // SAFETY: a plain record of numbers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both places are valid for writing, and the child is ours and not waited for by anybody else.
    let waited = unsafe { libc::wait4(pid as i32, &raw mut status, 0, &raw mut usage) };
    ensure!(waited == pid as i32, "cannot wait for it: {}", std::io::Error::last_os_error());
    let status = std::process::ExitStatus::from_raw(status);
    // 1: there was nothing to show.
    ensure!(matches!(status.code(), Some(0 | 1)), "`{}` failed ({status})", sh::shown(command));
    let cpu = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Took {
        seconds: begun.elapsed().as_secs_f64(),
        cpu: cpu(usage.ru_utime) + cpu(usage.ru_stime),
        peak_kib: usage.ru_maxrss,
    })
}
