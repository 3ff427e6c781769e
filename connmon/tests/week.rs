//! The demonstration's week, as a user meets it: a capture is replayed, and what is planted in it is among the first ten findings.

use std::process::Command;

use connmon_fixtures::week::{self, INDICATOR, PLANTED, WEEK};
use connmon_fixtures::{frames, rows};
use serde_json::Value;

#[test]
fn what_is_planted_in_a_week_is_among_the_first_ten_findings() {
    let folder = tempfile::tempdir().unwrap();
    let [capture, list, db] =
        ["week.cap", "list.txt", "week.db"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let (planted, questions) = week::planted();
    let series = [week::ordinary(), planted].concat();
    rows::capture(capture.as_ref(), &frames::frames("demo", &series, &questions, WEEK));
    std::fs::write(&list, format!("{INDICATOR}\n")).unwrap();
    let connmon = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_connmon"));
        command
            .args(args)
            .args(["--db", &db])
            .env_remove("CONNMON_CONFIG")
            .env("CONNMON_GEO_DIR", folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    connmon(&["replay", &capture, "--ioc", &list]);
    let all: Value = serde_json::from_str(&connmon(&["findings", "--format", "json"])).unwrap();
    let all = all["findings"].as_array().unwrap();
    let words =
        |one: &Value| ["severity", "detector", "score", "what"].map(|name| one[name].to_string()).join(" ");
    let first: Vec<String> = all.iter().take(25).map(words).collect();
    for (what, detector, exe) in PLANTED {
        let is_it = |one: &Value| one["detector"] == detector && one["exe"] == exe;
        assert!(all.iter().take(10).any(is_it), "{what} is not among the first ten: {first:#?}");
    }
    let is_noise =
        |one: &&Value| one["severity"] != "info" && PLANTED.iter().all(|(_, _, exe)| one["exe"] != *exe);
    let noise: Vec<String> = all.iter().filter(is_noise).map(words).collect();
    assert!(noise.is_empty(), "{noise:#?}");
}
