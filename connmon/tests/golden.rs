//! Golden output: every command that reads a store, over every recorded capture in `tests/golden`.
//!
//! The captures were recorded in a virtual machine of the kernel matrix. `BLESS=1 cargo test -p connmon --test golden`
//! writes what is expected anew; look at the difference before you commit it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const COMMANDS: &[(&str, &[&str])] = &[
    ("export.jsonl", &["export", "--format", "jsonl"]),
    ("export.csv", &["export", "--format", "csv"]),
    ("audit.txt", &["audit", "--format", "table"]),
    ("audit.csv", &["audit", "--format", "csv"]),
    ("audit.json", &["audit", "--format", "json"]),
    ("report.html", &["report", "--format", "html", "--out", "-"]),
    ("report.txt", &["report", "--format", "txt", "--out", "-"]),
    ("report.json", &["report", "--format", "json", "--out", "-"]),
    ("timeline.svg", &["report", "--format", "svg-timeline", "--out", "-"]),
    ("space.svg", &["report", "--format", "svg-hilbert", "--out", "-"]),
    ("bars.svg", &["report", "--format", "svg-bars", "--out", "-"]),
    ("redacted.csv", &["report", "--format", "csv", "--out", "-", "--redact", "users,cmdline,internal"]),
];

fn connmon(args: &[&str], db: &Path) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connmon"));
    // No geo databases of this machine: beside the store there are none.
    command.args(args).arg("--db").arg(db).env("CONNMON_GEO_DIR", db.parent().unwrap());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What is agreed of an output: of a page, what stands before its data, without style and policy. After the data come the
/// manifest, which names the commit, and the script; the policy is a digest of both, and the browser holds them to it.
fn agreed(output: Vec<u8>) -> Vec<u8> {
    if !output.starts_with(b"<!doctype html>") {
        return output;
    }
    let page = without(output, b"<script type=\"text/plain\"", b"</html>");
    let page = without(page, b"<style>", b"</style>");
    without(page, b"<meta http-equiv=\"Content-Security-Policy\"", b">")
}

/// `page` without the first part of it that begins with `first` and ends before `last`, if there is one.
fn without(mut page: Vec<u8>, first: &[u8], last: &[u8]) -> Vec<u8> {
    let find = |text: &[u8], part: &[u8]| text.windows(part.len()).position(|window| window == part);
    if let Some(start) = find(&page, first) {
        let end = find(&page[start..], last).map_or(page.len(), |length| start + length);
        page.drain(start..end);
    }
    page
}

#[test]
fn every_command_over_every_capture() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let captures: Vec<PathBuf> = fs::read_dir(&golden)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cap"))
        .collect();
    assert!(!captures.is_empty(), "there is no capture in {}", golden.display());
    let folder = tempfile::tempdir().unwrap();
    let mut differences = Vec::new();
    for capture in captures {
        let name = capture.file_stem().unwrap().to_str().unwrap();
        let db = folder.path().join(name);
        connmon(&["replay", capture.to_str().unwrap()], &db);
        for (suffix, args) in COMMANDS {
            let output = agreed(connmon(args, &db));
            let path = golden.join(format!("{name}.{suffix}"));
            if std::env::var_os("BLESS").is_some() {
                fs::write(&path, output).unwrap();
            } else if fs::read(&path).unwrap_or_default() != output {
                differences.push(path.display().to_string());
            }
        }
    }
    assert!(
        differences.is_empty(),
        "other output than in {}; if that is meant: BLESS=1 cargo test -p connmon --test golden",
        differences.join(", ")
    );
}
