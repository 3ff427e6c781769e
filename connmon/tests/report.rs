//! `connmon report` and `connmon verify` as they are typed, over a recorded capture.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/mixed.cap");

/// Exit code, standard output, and standard error.
fn connmon(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connmon"));
    let output = command.args(args).current_dir(folder).env("CONNMON_GEO_DIR", folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A folder with a store.
fn recorded() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(connmon(folder.path(), &["replay", CAPTURE, "--db", "a.db"]).0, 0);
    let path = folder.path().to_owned();
    (folder, path)
}

#[test]
fn a_report_verifies_until_it_is_altered() {
    let (_kept, folder) = recorded();
    assert_eq!(
        connmon(&folder, &["report", "--db", "a.db", "--case", "2026-017", "--operator", "M. Example"]).0,
        0
    );
    let page = folder.join("connmon-report.html");
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.contains("2026-017") && text.contains("M. Example"));
    let (code, said, _) = connmon(&folder, &["verify", "connmon-report.html"]);
    assert!(code == 0 && said.matches("as written").count() == 3, "{said}");
    fs::write(&page, text.replacen("2026-017", "2026-018", 1)).unwrap();
    let (code, said, _) = connmon(&folder, &["verify", "connmon-report.html"]);
    assert!(code == 1 && said.contains("page    ✗ altered"), "{said}");
    assert_eq!(connmon(&folder, &["verify", CAPTURE]).0, 2, "neither a report nor a store");
}

#[test]
fn a_query_chooses_exactly_its_connections() {
    let (_kept, folder) = recorded();
    let json = |args: &[&str]| -> serde_json::Value {
        let all = [&["report", "--db", "a.db", "--format", "json", "--out", "-"], args].concat();
        serde_json::from_str(&connmon(&folder, &all).1).unwrap()
    };
    let all = json(&[])["totals"]["connections"].as_u64().unwrap();
    let some = json(&["--sql", "SELECT id FROM connection WHERE direction = 'in'"]);
    let filtered = json(&["--filter", "dir:in"]);
    assert_eq!(some["totals"], filtered["totals"]);
    assert!(some["totals"]["connections"].as_u64().unwrap() < all);
    assert_eq!(some["filter"], "SQL: SELECT id FROM connection WHERE direction = 'in'");
    for wrong in [
        "DELETE FROM connection",
        "SELECT",
        "SELECT comm FROM process",
        "UPDATE run SET host = 'x' RETURNING id",
    ] {
        let (code, _, said) = connmon(&folder, &["report", "--db", "a.db", "--sql", wrong]);
        assert!(code == 2 && said.contains("the query cannot be used"), "{wrong}: {said}");
    }
    assert_eq!(json(&[])["totals"]["connections"], all);
}

#[test]
fn a_comparison_says_what_is_new_and_gone() {
    let (_kept, folder) = recorded();
    let text = |a: &str, b: &str| {
        let args = ["report", "--db", "a.db", "--format", "txt", "--out", "-", "--compare", a, b];
        let (code, said, error) = connmon(&folder, &args);
        assert_eq!(code, 0, "{error}");
        said
    };
    let same = text("a.db", "..");
    assert!(same.contains("Programs: 0 new, 0 grown, 0 gone"), "{same}");
    let gone = text("a.db", "..2001-01-01");
    assert!(gone.contains("  gone   127.0.0.1") && gone.contains(" 0 new"), "{gone}");
    let new = text("..2001-01-01", "a.db");
    assert!(new.contains("  new    127.0.0.1"), "{new}");
    // An interval that is wider than the recording says that it was not recorded, and not that something was lost.
    let wide = text("2001-01-01..2100-01-01", "a.db");
    assert!(wide.contains("Not all of this time was recorded"), "{wide}");
    assert!(!wide.contains("were lost"), "{wide}");
    for wrong in [["nothere.db", "a.db"], ["soon..later", "a.db"]] {
        let (code, _, said) = connmon(&folder, &[&["report", "--compare"], wrong.as_slice()].concat());
        assert!(code == 2 && said.lines().count() <= 3, "{said}");
    }
}

#[test]
fn a_digest_says_what_a_day_brought() {
    let (_kept, folder) = recorded();
    let digest = |format: &str, until: &str| {
        let args = ["report", "--db", "a.db", "--daily", "--until", until, "--format", format, "--out", "-"];
        let (code, said, error) = connmon(&folder, &args);
        assert_eq!(code, 0, "{error}");
        said
    };
    let day = digest("txt", "2026-11-22T00:00:00Z");
    assert!(day.starts_with("Daily digest of connmon-vm\n\nWorth a look, never a verdict: "), "{day}");
    assert!(day.contains("Odd executables: /tmp/traffic-"), "{day}");
    assert!(day.contains("before 24 hours: 2026-11-20 00:00:00 to 2026-11-21 00:00:00 UTC"), "{day}");
    assert!(day.contains("  new    127.0.0.1"), "{day}");
    let later = digest("txt", "2026-11-23T00:00:00Z");
    assert!(later.contains("  gone   127.0.0.1") && !later.contains("Worth a look"), "{later}");
    let json: serde_json::Value = serde_json::from_str(&digest("json", "2026-11-22T00:00:00Z")).unwrap();
    assert_eq!((json["findings"].as_array().unwrap().len(), &json["host"]), (2, &"connmon-vm".into()));
    let page = digest("html", "2026-11-22T00:00:00Z");
    assert!(page.contains("<title>Daily digest of connmon-vm · connmon</title>"));
    assert!(page.contains("<section id=\"findings\"") && !page.contains('\u{202e}'));
    assert_eq!(connmon(&folder, &["report", "--daily", "--since", "1d"]).0, 2);
}
