//! A replayed capture gives the same store and the same report, byte for byte.

use anyhow::{Result, ensure};
use connmon_tests::harness::compare::{compare, summary};
use connmon_tests::harness::programs::{connmon_prints, export, path, traffic_truth};
use connmon_tests::harness::recorder::Recorder;

/// Records with a capture, replays it, and compares everything that can be printed.
pub fn equals_live() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let (live, replayed, capture) = (file("live.db"), file("replayed.db"), file("capture"));
    let recorder = Recorder::start(&live, &["--capture", path(&capture)?])?;
    let truths = traffic_truth(&[
        "case",
        "tcp-many",
        "tcp-fork-shared",
        "tcp-refused",
        "udp-many-remotes",
        "hostile",
    ])?;
    recorder.stop()?;
    connmon_prints(&["replay", path(&capture)?, "--db", path(&replayed)?])?;

    if let Some(problems) = summary(&compare(&truths, &export(&replayed)?)) {
        anyhow::bail!("the replayed store: {problems}");
    }
    for command in ["export --format jsonl", "export --format csv", "audit --format json"] {
        let args: Vec<_> = command.split(' ').chain(["--db"]).collect();
        let print = |db| connmon_prints(&[args.as_slice(), &[path(db)?]].concat());
        ensure!(print(&live)? == print(&replayed)?, "`connmon {command}` differs");
    }
    let report = |db, out: &str| -> Result<Vec<u8>> {
        let out = file(out);
        connmon_prints(&["report", "--format", "html", "--db", path(db)?, "--out", path(&out)?])?;
        Ok(std::fs::read(out)?)
    };
    ensure!(report(&live, "live.html")? == report(&replayed, "replayed.html")?, "the reports differ");
    Ok(())
}
