//! Bad input: exit code 2, one sentence on standard error, nothing on standard output.

use anyhow::{Result, ensure};
use connmon_tests::harness::programs::{connmon, path};
use connmon_tests::harness::recorder::Recorder;

use crate::session::Session;

/// Stores that are none.
pub fn store(_: &Session) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let missing = folder.path().join("missing.db");
    let text = folder.path().join("text.db");
    let cut = folder.path().join("cut.db");
    let missing_folder = folder.path().join("none/x.db");
    std::fs::write(&text, "this is not a database, but it is long enough to be looked at\n".repeat(100))?;
    std::fs::write(&cut, b"SQLite format 3\0")?;
    for db in [&missing, &text, &cut, &missing_folder, &folder.path().to_owned()] {
        let db = path(db)?;
        refused(&["export", "--format", "jsonl", "--db", db])?;
        refused(&["audit", "--format", "json", "--db", db])?;
        let out = folder.path().join("report.html");
        refused(&["report", "--format", "html", "--db", db, "--out", path(&out)?])?;
        ensure!(!out.exists(), "a report was left behind");
    }
    ensure!(!missing.exists(), "reading created a store");
    ensure!(std::fs::read(&text)?.starts_with(b"this is not"), "a foreign file was changed");
    refused(&["record", "--db", path(&text)?])?;
    refused(&["record", "--db", path(&missing_folder)?])?;
    refused(&["replay", path(&text)?, "--db", path(&folder.path().join("new.db"))?])
}

/// Arguments that mean nothing.
pub fn arguments(session: &Session) -> Result<()> {
    let recorded = session.recorded()?;
    let db = path(&recorded.db)?;
    for bad in [["--since", "yesterdayish"], ["--until", "2026-13-41T00:00:00Z"]] {
        refused(&[&["audit", "--format", "json", "--db", db], bad.as_slice()].concat())?;
        refused(&[&["export", "--format", "jsonl", "--db", db], bad.as_slice()].concat())?;
    }
    let missing = recorded.file("none.txt");
    let wrong = recorded.file("wrong.txt");
    std::fs::write(&wrong, "10.0.0.0/8 # fine\nexample.org\n")?;
    for list in [&missing, &wrong] {
        refused(&["audit", "--db", db, "--filter-file", path(list)?])?;
    }
    for (filter, caret) in [("prot:tcp", 3), ("port:443 bytes>1X", 18), ("(dir:in", 3), ("proc:/(/", 8)] {
        let replayed = recorded.file("never.db");
        let capture = path(&recorded.db)?;
        for call in [
            ["audit", "--db", db].as_slice(),
            &["export", "--db", db],
            &["report", "--db", db],
            &["record", "--db", path(&replayed)?],
            &["replay", capture, "--db", path(&replayed)?],
        ] {
            pointed_out(&[call, &["--filter", filter]].concat(), caret)?;
        }
        ensure!(!replayed.exists(), "a wrong filter left a store behind");
    }
    refused(&["show", "7", "--db", db])?;
    let nowhere = recorded.file("none/r.html");
    refused(&["report", "--format", "html", "--db", db, "--out", path(&nowhere)?])?;
    // the parser's own complaints may have more lines
    for bad in [
        ["export", "--format", "poem", "--db", db],
        ["record", "--backend", "magic", "--db", db],
        ["audit", "--by", "mood", "--db", db],
        ["audit", "--sort", "mood", "--db", db],
        ["audit", "--top", "0", "--db", db],
        ["show", "first", "--format", "json", db],
    ] {
        ensure!(connmon(&bad)?.status.code() == Some(2), "connmon {}: not exit code 2", bad.join(" "));
    }
    Ok(())
}

/// What would be written over a record, or into one that another recorder writes.
pub fn records(session: &Session) -> Result<()> {
    let recorded = session.recorded()?;
    let db = path(&recorded.db)?;
    let before = std::fs::read(&recorded.db)?;
    refused(&["report", "--db", db, "--out", db])?;
    refused(&["export", "--db", db, "--out", db])?;
    refused(&["baseline", "--db", db, "--out", db])?;
    let (new, capture) = (recorded.file("new.db"), recorded.file("new.capture"));
    let (new, capture) = (path(&new)?, path(&capture)?);
    refused(&["record", "--for", "1s", "--db", new, "--capture", db])?;
    refused(&["record", "--for", "1s", "--db", new, "--capture", new])?;
    refused(&["record", "--for", "1s", "--db", new, "--report", new])?;
    refused(&["record", "--for", "1s", "--db", new, "--capture", capture, "--report", capture])?;
    refused(&["record", "--for", "1s", "--db", new, "--report", path(&recorded.file("none/r.html"))?])?;
    ensure!(std::fs::read(&recorded.db)? == before, "the store was changed");

    let recorder = Recorder::start(new.as_ref(), &[])?;
    refused(&["record", "--for", "1s", "--db", new])?;
    recorder.stop()?;
    let out = recorded.file("nothing.jsonl");
    let nothing = connmon(&["export", "--db", db, "--filter", "proc:nobody-has-it", "--out", path(&out)?])?;
    ensure!(nothing.status.code() == Some(1), "nothing fits: {}, not exit code 1", nothing.status);
    Ok(())
}

/// One sentence, the filter, and below it a caret in this column.
fn pointed_out(args: &[&str], column: usize) -> Result<()> {
    let output = connmon(args)?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let call = format!("connmon {}", args.join(" "));
    ensure!(output.status.code() == Some(2) && output.stdout.is_empty(), "{call}: {}", output.status);
    let lines: Vec<&str> = stderr.lines().collect();
    let [_, _, carets] = lines.as_slice() else { anyhow::bail!("{call}: not three lines but: {stderr}") };
    ensure!(carets.find('^') == Some(column - 1), "{call}: the caret is not in column {column}:\n{stderr}");
    Ok(())
}

fn refused(args: &[&str]) -> Result<()> {
    let output = connmon(args)?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let call = format!("connmon {}", args.join(" "));
    ensure!(output.status.code() == Some(2), "{call}: {}, not exit code 2: {stderr}", output.status);
    ensure!(stderr.trim_end().lines().count() == 1, "{call}: not one line but: {stderr}");
    ensure!(output.stdout.is_empty(), "{call}: printed something all the same");
    Ok(())
}
