//! Rules, indicator lists and baselines as they are typed, over a recorded capture.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/mixed.cap");
/// Of the program that made the traffic: it comes after its first connections.
const HASH: &str = "647d42d8a68cee8e74ec7abc9db930160de3c0f854829696310ed813c5b9f99d";
const RULES: &str = r##"
[[rule]]
label = "hashed"
color = "#0a0b0c"
match = "hash:647d42d8* proto:udp"

[[rule]]
label = "big </script>"
match = "bytes>1M"
text = false

[[rule]]
label = "listed"
color = "red"
match = "ioc:feed"

[[rule]]
label = "refused"
match = "end:refused"
"##;

fn connmon(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connmon"));
    command.args(args).current_dir(folder).env("CONNMON_GEO_DIR", folder).output().unwrap()
}

fn done(folder: &Path, args: &[&str]) -> (String, String) {
    let output = connmon(folder, args);
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {words}");
    (String::from_utf8(output.stdout).unwrap(), words)
}

/// Leaves something in the log beside a store, as a recorder does that is killed.
fn leave_log(path: &Path) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    db.execute("UPDATE run SET tool_version = tool_version || '+'", []).unwrap();
    db.close().unwrap();
    assert!(path.with_extension("db-wal").metadata().unwrap().len() > 0);
}

/// The lines of an export.
fn rows(folder: &Path, db: &str, filter: &str) -> Vec<Value> {
    let output = connmon(folder, &["export", "--db", db, "--filter", filter]);
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.filter(|row| row.get("trailer").is_none()).collect()
}

/// The same without the times at which indicators were found.
fn timeless(mut rows: Vec<Value>) -> Vec<Value> {
    for row in &mut rows {
        for hit in row.get_mut("ioc").and_then(Value::as_array_mut).into_iter().flatten() {
            assert!(hit.as_object_mut().unwrap().remove("time").is_some());
        }
    }
    rows
}

fn of<'a>(rows: &'a [Value], key: &str) -> Vec<Option<&'a str>> {
    rows.iter().map(|row| row.get(key).and_then(Value::as_str)).collect()
}

#[test]
fn judged_live_or_afterwards_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("c.toml"), RULES).unwrap();
    fs::write(folder.join("feed.txt"), "# a list\n::1/128\n198.51.100[.]7\n").unwrap();
    fs::write(folder.join("programs\u{1b}[2J.csv"), format!("name,sha256\nx,{HASH}\n")).unwrap();
    let lists = ["--ioc", "feed.txt", "--ioc", "programs\u{1b}[2J.csv"];
    let (_, words) = done(
        folder,
        &[["replay", CAPTURE, "--db", "live.db", "--config", "c.toml"].as_slice(), &lists].concat(),
    );
    assert!(!words.contains('\u{1b}') || !words.contains("\u{1b}[2J"), "{words}");
    assert!(words.contains("feed.txt (text): 2 indicators"), "{words}");
    assert!(words.contains("matches ::1 in feed.txt"), "{words}");
    done(folder, &["replay", CAPTURE, "--db", "later.db"]);
    assert!(rows(folder, "later.db", "label:*").is_empty());
    let before = fs::read(folder.join("later.db")).unwrap();
    let (found, _) = done(folder, &[["ioc", "--db", "later.db"].as_slice(), &lists].concat());
    assert!(fs::read(folder.join("later.db")).unwrap() == before, "without --keep the store stays as it is");
    let (kept, _) = done(folder, &[["ioc", "--keep", "--db", "later.db"].as_slice(), &lists].concat());
    assert_eq!(kept, found);
    assert!(found.contains("connections match feed.txt"), "{found}");
    done(folder, &["label", "--db", "later.db", "--config", "c.toml"]);
    let (live, later) = (rows(folder, "live.db", ""), rows(folder, "later.db", ""));
    assert_eq!(timeless(live.clone()), timeless(later));

    // What a rule wants is what has its label, also where the hash came after the connection.
    let labels = of(&live, "label");
    for label in ["hashed", "big </script>", "listed", "refused"] {
        assert!(labels.contains(&Some(label)), "{label}: {labels:?}");
    }
    assert_eq!(rows(folder, "live.db", "label:hashed"), rows(folder, "live.db", "hash:647d42d8* proto:udp"));
    assert_eq!(rows(folder, "live.db", "ioc:feed.txt"), rows(folder, "live.db", "ip:::1"));
    assert_eq!(rows(folder, "live.db", &format!("ioc:{HASH}")), rows(folder, "live.db", "hash:647d42d8*"));
    assert_eq!(rows(folder, "live.db", "-ioc:*").len() + rows(folder, "live.db", "ioc:*").len(), live.len());

    // Twice is as once.
    let again = rows(folder, "later.db", "");
    leave_log(&folder.join("later.db"));
    done(folder, &[["ioc", "--keep", "--db", "later.db"].as_slice(), &lists].concat());
    assert_eq!(rows(folder, "later.db", ""), again);
    assert!(!folder.join("later.db-wal").exists(), "what was left in the log is in the file");

    let (audit, _) = done(folder, &["audit", "--by", "label", "--db", "live.db"]);
    assert!(audit.contains("(no label)") && audit.contains("indicator lists: feed.txt ("), "{audit}");
    let (audit, _) = done(folder, &["audit", "--by", "label", "--db", "live.db", "--format", "json"]);
    let audit: Value = serde_json::from_str(&audit).unwrap();
    assert_eq!(audit["indicators"]["lists"][1]["name"], "programs\\u{1b}[2J.csv");
    assert_eq!(audit["indicators"]["connections"], rows(folder, "live.db", "ioc:*").len());
    let listed = &rows(folder, "live.db", "label:listed")[0];
    let (shown, _) = done(folder, &["show", &listed["id"].to_string(), "--db", "live.db"]);
    assert!(shown.contains("label         listed") && shown.contains("address ::1"), "{shown}");
    let (report, _) = done(folder, &["report", "--db", "live.db", "--out", "-"]);
    assert!(report.contains("fill=\"#0a0b0c\""), "the label's colour is drawn");
    assert!(report.contains("indicator lists:") && !report.contains("big </script>"));
    let (found, _) =
        done(folder, &[["ioc", "--db", "live.db", "--format", "json"].as_slice(), &lists].concat());
    let found: Value = serde_json::from_str(&found).unwrap();
    let matches = found["matches"].as_array().unwrap();
    assert_eq!(matches.len(), rows(folder, "live.db", "ioc:*").len());
    assert_eq!(found["indicators"]["connections"], matches.len());
    fs::write(folder.join("quiet.txt"), "203.0.113.9\n").unwrap();
    let quiet = connmon(folder, &["ioc", "--keep", "--db", "live.db", "--ioc", "quiet.txt"]);
    assert_eq!(quiet.status.code(), Some(1));
    assert!(String::from_utf8(quiet.stdout).unwrap().starts_with("0 connections match quiet.txt of 2"));
}

#[test]
fn what_a_list_has_besides_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, &["replay", CAPTURE, "--db", "a.db"]);
    fs::write(folder.join("feed.csv"), "value,type\n::1,ip\nno\u{1b}[2Jthing,ip\n").unwrap();
    fs::write(folder.join("none.txt"), "nothing\n").unwrap();
    let (_, words) = done(folder, &["ioc", "--db", "a.db", "--ioc", "feed.csv", "--explain"]);
    assert!(
        words.contains("feed.csv, line 3, column 1: cells that are not an indicator: no\\u{1b}[2Jthing\n"),
        "{words}"
    );
    let refused = connmon(folder, &["ioc", "--db", "a.db", "--ioc", "none.txt", "--explain"]);
    let words = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(words.contains("none.txt, line 1: lines that are not an indicator: nothing\n"), "{words}");
}

#[test]
fn a_recording_keeps_by_labels_and_indicators() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("c.toml"), format!("ioc = 'feed.txt'\nfilter = 'label:refused or ioc:*'\n{RULES}"))
        .unwrap();
    fs::write(folder.join("feed.txt"), "::1\n").unwrap();
    done(folder, &["replay", CAPTURE, "--db", "part.db", "--config", "c.toml"]);
    done(folder, &["replay", CAPTURE, "--db", "all.db"]);
    let ids = |rows: Vec<Value>| rows.into_iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    let kept = ids(rows(folder, "part.db", ""));
    assert_eq!(kept, ids(rows(folder, "all.db", "end:refused or ip:::1")));
    assert!(!kept.is_empty());
}

#[test]
fn a_baseline_is_a_filter() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, &["replay", CAPTURE, "--db", "a.db"]);
    let (list, _) = done(folder, &["baseline", "--at-least", "1%", "--db", "a.db", "--out", "known.txt"]);
    assert!(list.is_empty());
    let list = fs::read_to_string(folder.join("known.txt")).unwrap();
    assert!(list.contains("127.0.0.1  # ") && list.contains(" % of the time"), "{list}");
    let known = done(folder, &["export", "--db", "a.db", "--filter-file", "known.txt"]).0;
    assert!(known.contains("\"ip\":\"127.0.0.1\""));
    let unknown = connmon(folder, &["export", "--db", "a.db", "--filter-file", "!known.txt"]);
    assert!(!String::from_utf8(unknown.stdout).unwrap().contains("\"remote\":{\"ip\":\"127.0.0.1\""));
    assert_eq!(connmon(folder, &["baseline", "--at-least", "99.9%", "--db", "a.db"]).status.code(), Some(1));
}

#[test]
fn bad_input_is_told_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, &["replay", CAPTURE, "--db", "a.db"]);
    fs::write(folder.join("wrong.toml"), "[[rule]]\nlabel = 'x'\nmatch = 'port:'\n").unwrap();
    fs::write(folder.join("none.toml"), "").unwrap();
    fs::write(folder.join("other.json"), "{\"a\": 1}").unwrap();
    fs::write(folder.join("cut.json"), "{\"type\": \"bundle\", ").unwrap();
    fs::write(folder.join("words.txt"), "nothing\nto see\n").unwrap();
    for (args, says) in [
        (
            ["label", "--db", "a.db", "--config", "wrong.toml"].as_slice(),
            "wrong.toml, line 3, column 9: in this expression, ",
        ),
        (&["label", "--db", "a.db", "--config", "none.toml"], "none.toml has no [[rule]]"),
        (&["label", "--db", "a.db", "--config", "missing.toml"], "missing.toml cannot be read"),
        (&["label", "--db", "missing.db", "--config", "wrong.toml"], "line 3"),
        (&["ioc", "--db", "a.db", "--ioc", "missing.txt"], "missing.txt cannot be read"),
        (&["ioc", "--db", "a.db", "--ioc", "other.json"], "neither a STIX 2.1 bundle nor a MISP event"),
        (&["ioc", "--db", "a.db", "--ioc", "cut.json"], "cannot be parsed"),
        (&["ioc", "--db", "a.db", "--ioc", "words.txt"], "lines that are not an indicator (2)"),
        (&["ioc", "--db", "missing.db", "--ioc", "known.txt"], "known.txt cannot be read"),
        (&["baseline", "--db", "a.db", "--at-least", "half"], "such as 50%"),
        (&["replay", CAPTURE, "--db", "never.db", "--ioc", "other.json"], "neither"),
        (&["replay", CAPTURE, "--db", "never.db", "--config", "wrong.toml"], "line 3"),
    ] {
        let output = connmon(folder, args);
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {words}");
        let sentence = words.lines().find(|line| line.starts_with("connmon: ")).unwrap();
        assert!(sentence.contains(says), "{args:?}: {words}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    assert!(!folder.join("never.db").exists() && !folder.join("missing.db").exists());
}
