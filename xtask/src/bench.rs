//! `cargo xtask bench`: what recording costs, as medians of pairs with and without it on this machine.
//!
//! Not a test: the figures are for people, and go into docs/performance.md by hand with their reasons.

mod budget;
mod live;
mod recorder;
mod scale;
mod soak;
mod work;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::machine::median;
use crate::{cargo, setup, sh, table, workspace};
use recorder::Recorder;
use work::{Sample, Work};

/// Connections of the storm unless told otherwise.
const STORM: u64 = 100_000;

/// What to measure.
#[derive(clap::Args)]
pub struct Args {
    /// Pairs of each workload
    #[arg(long, value_name = "N", default_value_t = 7)]
    pairs: usize,
    /// Only these workloads or parts: storm, bulk-1, bulk-8, packets, idle, memory, live, replay (and the
    /// report of what was replayed); only if it is named: scale, which reads a made store, soak, which shows whether memory grows, and budget, which
    /// shows the runs and the time of each probe
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Connections of the storm [default: 100000], or of the made store [default: 1000000]
    #[arg(long, value_name = "N")]
    connections: Option<u64>,
    /// Rounds of the soak, of 50 000 connections, 20 000 remotes, 2000 executions and 500 network namespaces each
    #[arg(long, value_name = "N", default_value_t = 20)]
    rounds: usize,
    /// Further options for the recorder, such as --no-wire
    #[arg(last = true)]
    record: Vec<String>,
}

/// The programs under measurement, and where their files go.
pub struct Bench {
    connmon: PathBuf,
    traffic: PathBuf,
    dir: PathBuf,
    options: Vec<String>,
}

/// `cargo xtask bench`.
pub fn run(args: &Args) -> Result<()> {
    setup::ensure()?;
    if args.only.iter().any(|only| only == "scale") {
        ensure!(args.only.len() == 1, "scale is measured by itself");
        return scale::run(args.connections);
    }
    ensure!(sh::is_root(), "the bench records all the time: run it as root");
    let built = &mut cargo::cargo(&["build", "--release", "-p", "connmon", "-p", "connmon-tests", "--bins"]);
    let made = cargo::executables(built)?;
    let dir = folder()?;
    let bench = Bench {
        connmon: cargo::find(&made, "connmon")?,
        traffic: cargo::find(&made, "traffic")?,
        dir,
        options: args.record.clone(),
    };
    if args.only.iter().any(|only| only == "soak") {
        ensure!(args.only.len() == 1, "the soak is measured by itself");
        return soak::run(&bench, args.rounds);
    }
    if args.only.iter().any(|only| only == "budget") {
        ensure!(args.only.len() == 1, "the budget is measured by itself");
        return budget::run(&bench);
    }
    let connections = args.connections.unwrap_or(STORM);
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let mut rows = vec![Row::head()];
    for work in Work::all(connections) {
        if wanted(work.name) {
            rows.push(pairs(&bench, &work, args.pairs)?);
        }
    }
    let cells: Vec<_> = rows.iter().map(|row| row.0.clone()).collect();
    if cells.len() > 1 {
        println!("\n{}", table::render(&cells));
    }
    if wanted("idle") {
        idle(&bench)?;
    }
    if wanted("memory") {
        memory(&bench)?;
    }
    if wanted("live") {
        live::run(&bench, args.pairs)?;
    }
    if wanted("replay") {
        replay(&bench, connections)?;
    }
    Ok(())
}

/// Where the files of the bench go.
fn folder() -> Result<PathBuf> {
    let dir = workspace::run_dir().with_file_name("bench");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// The path of a store that does not exist yet.
fn new_db(dir: &Path, name: &str) -> Result<PathBuf> {
    let db = dir.join(format!("{name}.db"));
    for end in ["", "-wal", "-shm"] {
        let file = PathBuf::from(format!("{}{end}", db.display()));
        if file.exists() {
            std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
    }
    Ok(db)
}

/// A line of the table.
struct Row(Vec<String>);

impl Row {
    fn head() -> Self {
        let head = [
            "workload",
            "without",
            "recording",
            "ratio",
            "spread of ratios",
            "daemon CPU s",
            "all CPU s more",
            "per",
            "peak RSS",
        ];
        Self(head.map(str::to_owned).to_vec())
    }
}

/// Runs a workload in pairs, in alternating order.
fn pairs(bench: &Bench, work: &Work, count: usize) -> Result<Row> {
    let (mut plain, mut recorded, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut daemon, mut more, mut peak) = (Vec::new(), Vec::new(), 0);
    work.run(bench)?; // once for nothing: caches, and the first TIME_WAITs
    for nth in 0..count {
        let first = if nth % 2 == 0 { Some(work.run(bench)?) } else { None };
        let recorder = Recorder::start(bench, work.name)?;
        let with = work.run(bench)?;
        let usage = recorder.stop()?;
        let without = match first {
            Some(without) => without,
            None => work.run(bench)?,
        };
        ratios.push(with.rate() / without.rate());
        daemon.push(usage.cpu / with.units());
        more.push(with.cpu / with.units() - without.cpu / without.units());
        peak = peak.max(usage.peak_kib);
        eprintln!(
            "{} {}/{count}: {} without, {} recording, {:.3}",
            work.name,
            nth + 1,
            work.shown(without.rate()),
            work.shown(with.rate()),
            with.rate() / without.rate()
        );
        plain.push(without.rate());
        recorded.push(with.rate());
    }
    let spread = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        format!("{:.3}..{:.3}", sorted.first().unwrap_or(&0.0), sorted.last().unwrap_or(&0.0))
    };
    Ok(Row(vec![
        work.name.to_owned(),
        work.shown(median(&plain)),
        work.shown(median(&recorded)),
        format!("{:.3}", median(&ratios)),
        spread(&ratios),
        format!("{:.2}", median(&daemon)),
        format!("{:.2}", median(&more)),
        work.unit.to_owned(),
        format!("{:.0} MiB", peak as f64 / 1024.0),
    ]))
}

/// What the recorder takes when nothing happens.
fn idle(bench: &Bench) -> Result<()> {
    const SECONDS: u64 = 20;
    let recorder = Recorder::start(bench, "idle")?;
    let before = recorder.now()?;
    std::thread::sleep(std::time::Duration::from_secs(SECONDS));
    let after = recorder.now()?;
    recorder.stop()?;
    println!(
        "idle: {:.2} % of a core over {SECONDS} s, {:.0} MiB resident",
        100.0 * (after.cpu - before.cpu) / SECONDS as f64,
        after.peak_kib as f64 / 1024.0
    );
    Ok(())
}

/// What the recorder takes at its worst in storms of each kind.
fn memory(bench: &Bench) -> Result<()> {
    const STORMS: [(&str, &str, u64); 5] = [
        ("300 000 connections, one after the other", "storm --netns --processes 8 --connections 300000", 0),
        ("50 000 connections open at once", "crowd open 50000", 0),
        (
            "20 000 processes with one connection each",
            "storm --connections 20000 --processes 20000 --parallel 8",
            0,
        ),
        ("100 000 remotes of one UDP socket", "crowd spray 100000", 0),
        ("the recorder stopped for 10 s meanwhile", "storm --netns --processes 8 --connections 100000", 10),
    ];
    let head = ["storm", "peak RSS", "daemon CPU s"].map(str::to_owned).to_vec();
    let mut rows = vec![head];
    for (name, args, stopped) in STORMS {
        let recorder = Recorder::start(bench, "memory")?;
        let begin = std::time::Instant::now();
        if stopped > 0 {
            recorder.signal("STOP")?;
        }
        sh::output(Command::new(&bench.traffic).args(args.split(' ')))?;
        if stopped > 0 {
            let length = std::time::Duration::from_secs(stopped);
            std::thread::sleep(length.saturating_sub(begin.elapsed()));
            recorder.signal("CONT")?;
        }
        let usage = recorder.stop()?;
        let peak = format!("{:.0} MiB", usage.peak_kib as f64 / 1024.0);
        rows.push(vec![name.to_owned(), peak, format!("{:.2}", usage.cpu)]);
    }
    println!("\n{}", table::render(&rows));
    Ok(())
}

/// Connections of a single storm.
const MOST_AT_ONCE: u64 = 500_000;

/// How fast a capture goes through the pipeline.
fn replay(bench: &Bench, connections: u64) -> Result<()> {
    let capture = bench.dir.join("replay.cap");
    let with = bench.with_options(&["--capture", &capture.display().to_string()]);
    let recorder = Recorder::start(&with, "capture")?;
    // A storm that lasts for minutes would try its processes' patience.
    let mut rest = connections;
    while rest > 0 {
        let part = rest.min(MOST_AT_ONCE);
        Work::storm(part).run(&with)?;
        rest -= part;
    }
    recorder.stop()?;
    let mut rates = Vec::new();
    let sockets = 2 * connections;
    for _ in 0..5 {
        let db = bench.db("replayed")?;
        let started = std::time::Instant::now();
        let mut replay = Command::new(&bench.connmon);
        sh::output(replay.arg("replay").arg(&capture).arg("--db").arg(&db))?;
        rates.push(sockets as f64 / started.elapsed().as_secs_f64());
    }
    println!("replay: {:.0} connections/s of {sockets} (median of 5)", median(&rates));
    std::fs::remove_file(&capture).with_context(|| format!("cannot remove {}", capture.display()))?;
    report(bench, sockets)
}

/// How long a report of the replayed store takes, with all of its connections and with as many as it carries by itself.
fn report(bench: &Bench, sockets: u64) -> Result<()> {
    let (db, page) = (bench.dir.join("replayed.db"), bench.dir.join("report.html"));
    for rows in [sockets, sockets.min(100_000)] {
        let mut seconds = Vec::new();
        for _ in 0..3 {
            let started = std::time::Instant::now();
            let mut report = Command::new(&bench.connmon);
            report.args(["report", "--rows", &rows.to_string()]).arg("--db").arg(&db).arg("--out").arg(&page);
            sh::output(&mut report)?;
            seconds.push(started.elapsed().as_secs_f64());
        }
        let size = std::fs::metadata(&page).with_context(|| format!("cannot read {}", page.display()))?.len();
        println!(
            "report: {rows} of {sockets} connections in the page, {:.2} s (median of 3), {:.1} MB",
            median(&seconds),
            size as f64 / 1e6
        );
    }
    Ok(())
}

impl Bench {
    /// The same with further options for the recorder.
    fn with_options(&self, further: &[&str]) -> Self {
        Self {
            connmon: self.connmon.clone(),
            traffic: self.traffic.clone(),
            dir: self.dir.clone(),
            options: self
                .options
                .iter()
                .cloned()
                .chain(further.iter().map(|one| (*one).to_owned()))
                .collect(),
        }
    }

    /// The path of a store that does not exist yet.
    fn db(&self, name: &str) -> Result<PathBuf> {
        new_db(&self.dir, name)
    }
}

impl Sample {
    fn rate(&self) -> f64 {
        self.done / self.seconds
    }

    /// In the unit for which CPU seconds are told.
    fn units(&self) -> f64 {
        self.done / self.unit
    }
}
