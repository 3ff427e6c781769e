//! The HTML report of a store with hostile names.

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::{connmon_prints, path, traffic_truth};
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::text::is_unsafe;

use crate::session::Session;

fn html(session: &Session, name: &str) -> Result<String> {
    let recorded = session.recorded()?;
    let out = recorded.file(name);
    connmon_prints(&["report", "--format", "html", "--db", path(&recorded.db)?, "--out", path(&out)?])?;
    String::from_utf8(std::fs::read(out)?).context("the report is not UTF-8")
}

/// Names that are markup or control sequences are shown, but do nothing.
pub fn hostile_names() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let [db, out] = ["hostile.db", "hostile.html"].map(|name| folder.path().join(name));
    let recorder = Recorder::start(&db, &[])?;
    traffic_truth(&["case", "hostile"])?;
    recorder.stop()?;
    connmon_prints(&["report", "--format", "html", "--db", path(&db)?, "--out", path(&out)?])?;
    let html = std::fs::read_to_string(out).context("the report")?;
    ensure!(html.contains("alert(1)"), "the hostile program is not in the report");
    for markup in ["<script>alert", "<img src=x"] {
        ensure!(!html.contains(markup), "{markup} is not escaped");
    }
    let slipped = html.chars().find(|&c| is_unsafe(c) && !matches!(c, '\n' | '\t'));
    ensure!(slipped.is_none(), "the report contains {slipped:?}");
    Ok(())
}

/// One file that loads nothing and names the processes.
pub fn self_contained(session: &Session) -> Result<()> {
    let html = html(session, "report.html")?;
    ensure!(html.trim_start().to_ascii_lowercase().starts_with("<!doctype html>"), "not an HTML document");
    let recorded = session.recorded()?;
    let names = recorded
        .truths
        .iter()
        .flat_map(|truth| &truth.processes)
        .filter(|process| !process.connections.is_empty());
    for process in names.take(5) {
        let name = process.exe.rsplit('/').next().unwrap_or_default();
        ensure!(html.contains(name) || name.contains(is_unsafe), "{name} is not in the report");
    }
    let squeezed: String = html.to_ascii_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(squeezed.contains("content-security-policy"), "the report has no content security policy");
    let loads = [
        "src=\"http",
        "src='http",
        "src=http",
        "src=\"//",
        "srcset=",
        "<link ",
        "@import",
        "<base ",
        "<iframe",
        "<object",
        "<embed",
    ];
    for load in
        loads.into_iter().chain(["url(http", "url(\"http", "url('http", "url(//", "xlink:href=\"http"])
    {
        ensure!(!squeezed.contains(load), "the report loads something: {load}");
    }
    Ok(())
}
