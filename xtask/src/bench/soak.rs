//! Whether anything grows with what has happened: rounds of storms, remotes, processes and namespaces under one recorder, and the
//! memory of its two processes after each.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::recorder::Recorder;
use super::{Bench, sh, table};
use crate::machine;

/// Of each round: connections, the processes that make them, remotes of one socket, and executions of one process.
const CONNECTIONS: &str = "50000";
const PROCESSES: &str = "500";
const REMOTES: &str = "20000";
const EXECS: &str = "2000";
/// Options of the recorder under which a flow is over before the next round.
const OPTIONS: [&str; 2] = ["--udp-idle", "5s"];
/// A process that executes a program so many times.
const CHAIN: &str = r#"[ "$1" -gt 0 ] && exec sh -c "$0" "$0" $(($1 - 1)); true"#;
/// Processes that live for a moment.
const FORKS: &str = "i=0; while [ $i -lt 2000 ]; do (:); i=$((i + 1)); done";
/// Until what a round left behind is over, and written.
const PAUSE: Duration = Duration::from_secs(8);

/// Plays the rounds, and prints what each left.
pub fn run(bench: &Bench, rounds: usize) -> Result<()> {
    let bench = &bench.with_options(&OPTIONS);
    let recorder = Recorder::start(bench, "soak")?;
    let db = bench.dir.join("soak.db");
    let mut rows = vec![["round", "seconds", "recorder", "keeper", "store"].map(str::to_owned).to_vec()];
    let began = Instant::now();
    for round in 1..=rounds {
        play(bench)?;
        std::thread::sleep(PAUSE);
        let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
        let size = std::fs::metadata(&db).context("the store")?.len();
        let row = vec![
            round.to_string(),
            began.elapsed().as_secs().to_string(),
            mib(recorder.now()?.peak_kib),
            mib(machine::process(recorder.keeper()?)?.1),
            mib(size >> 10),
        ];
        eprintln!("{}", row.join("  "));
        rows.push(row);
    }
    recorder.stop()?;
    println!("\n{}", table::render(&rows));
    let mut audit = Command::new(&bench.connmon);
    println!("{}", sh::output(audit.args(["audit", "--by", "proto", "--db"]).arg(&db))?);
    Ok(())
}

/// One round.
fn play(bench: &Bench) -> Result<()> {
    let traffic = |args: &[&str]| sh::output(Command::new(&bench.traffic).args(args)).map(drop);
    traffic(&[
        "storm",
        "--netns",
        "--connections",
        CONNECTIONS,
        "--processes",
        PROCESSES,
        "--parallel",
        "8",
    ])?;
    traffic(&["crowd", "spray", REMOTES])?;
    traffic(&["case", "netns-many-v4", "--check"])?;
    sh::output(Command::new("sh").args(["-c", CHAIN, CHAIN, EXECS]))?;
    sh::output(Command::new("sh").args(["-c", FORKS])).map(drop)
}
