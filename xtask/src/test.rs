//! `cargo xtask test`: every test there is, one step after the other. A step that fails does not keep the
//! others from running; the table at the end says what failed.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::apt::{self, Need};
use crate::{cargo, coverage, e2e, machine, reader, readers, scripts, setup, sh, table, tidy, vm};

/// What to test.
#[derive(clap::Args)]
pub struct Args {
    /// Only this step (may be given more than once)
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
    /// Everything at its full length, for hours: storms three times as large, each case twenty times, every test on every kernel
    /// with every backend
    #[arg(long)]
    all: bool,
}

/// The steps, in order.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
enum Step {
    /// Formatting, lints, licences, this project's rules
    Tidy,
    /// connmon without its recorder, on a store and without root
    Reader,
    /// Everything that needs neither root nor a kernel
    Unit,
    /// The page's scripts: their types and their own tests
    Scripts,
    /// The exports, by readers that are not ours
    Readers,
    /// The pages, in a real browser
    Browser,
    /// Recorded against known truth, as root on this host; what others can disturb, beside a neighbour who makes many connections and
    /// records as well
    E2e,
    /// The same in QEMU, on every kernel and backend; and the service, from its package, in a guest with systemd, in short
    Vm,
    /// The service through everything, with --all
    Systemd,
    /// What was run is what docs/coverage.md says
    Coverage,
}

/// The first step builds what all others run.
const STEPS: [Step; 10] = [
    Step::Tidy,
    Step::Reader,
    Step::Unit,
    Step::Scripts,
    Step::Readers,
    Step::Browser,
    Step::E2e,
    Step::Vm,
    Step::Systemd,
    Step::Coverage,
];
/// Tests that are steps of their own.
const OWN: [&str; 3] = ["e2e", "systemd", "browser"];
/// How often each case is played on this host: a second time must end as the first; and so often with `--all`.
const TIMES: usize = 2;
const ALL_TIMES: usize = 20;
/// Programs of this system that a test has talk to the network.
const PROGRAMS: &[Need] = &[
    Need { program: "curl", package: "curl" },
    Need { program: "ssh", package: "openssh-client" },
    Need { program: "python3", package: "python3" },
];

/// `cargo xtask test`.
pub fn run(args: &Args) -> Result<()> {
    setup::ensure()?;
    if args.only.is_empty() {
        coverage::clear()?;
    }
    let mut rows = vec![["step", "result", "time", "CPU"].map(str::to_owned).to_vec()];
    let mut failed = Vec::new();
    let (started, cpu) = (Instant::now(), machine::busy()?);
    let wanted = |step: &Step| args.only.is_empty() || args.only.contains(step);
    for step in STEPS.into_iter().filter(wanted) {
        let Done { name, outcome, time, cpu } = run_one(step, args.all);
        let result = match outcome {
            Ok(outcome) => outcome.shown(),
            Err(error) => {
                failed.push((name.clone(), error));
                "FAILED".to_owned()
            }
        };
        let cpu = cpu.map_or_else(String::new, |cpu| format!("{cpu:.0} s"));
        rows.push(vec![name, result, format!("{} s", time.as_secs()), cpu]);
    }
    let (time, cpu) = (started.elapsed().as_secs(), machine::busy()? - cpu);
    rows.push(vec!["all".to_owned(), String::new(), format!("{time} s"), format!("{cpu:.0} s")]);
    println!("\n{}", table::render(&rows));
    // Again, at the end, where one looks first.
    for (name, error) in &failed {
        eprintln!("=== {name} failed\n{error:#}\n");
    }
    let names: Vec<&str> = failed.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() { Ok(()) } else { bail!("failed: {}", names.join(", ")) }
}

/// A step that is over.
struct Done {
    name: String,
    outcome: Result<Outcome>,
    time: Duration,
    /// Seconds of all processors together, whoever used them; `None` where that is not known.
    cpu: Option<f64>,
}

/// What became of a step that did not fail.
enum Outcome {
    Passed,
    /// There is nothing to run.
    Absent(&'static str),
}

impl Outcome {
    fn shown(&self) -> String {
        match self {
            Self::Passed => "ok".to_owned(),
            Self::Absent(why) => format!("none: {why}"),
        }
    }
}

/// Runs a step, and says when it begins and how it ends.
fn run_one(step: Step, all: bool) -> Done {
    let name = format!("{step:?}").to_lowercase();
    eprintln!("\n=== {name}");
    let (started, before) = (Instant::now(), machine::busy());
    let outcome = run_step(step, all);
    let time = started.elapsed();
    let cpu = before.and_then(|before| Ok(machine::busy()? - before)).ok();
    let result = match &outcome {
        Ok(outcome) => outcome.shown(),
        Err(error) => format!("FAILED: {error:#}"),
    };
    eprintln!("=== {name}: {result} ({} s)", time.as_secs());
    Done { name, outcome, time, cpu }
}

fn run_step(step: Step, all: bool) -> Result<Outcome> {
    match step {
        Step::Tidy => tidy::run()?,
        Step::Reader => reader::run()?,
        Step::Unit => unit()?,
        Step::Scripts => scripts::unit()?,
        Step::Readers => readers::run()?,
        Step::E2e => {
            apt::programs(PROGRAMS, "the recording of real programs")?;
            coverage::keep(&e2e::run(e2e::Part::Disturbed, TIMES, &[])?)?;
            if all {
                e2e::run(e2e::Part::Long, ALL_TIMES, &[])?;
            }
        }
        Step::Vm => vm::run(&if all { vm::Args::all() } else { vm::Args::short() })?,
        Step::Systemd if !all => {
            return Ok(Outcome::Absent(
                "in short in the step before; all of it with --all, or as `cargo xtask vm --systemd`",
            ));
        }
        Step::Systemd => vm::run(&vm::Args::systemd())?,
        Step::Coverage => coverage::check()?,
        Step::Browser => browser()?,
    }
    Ok(Outcome::Passed)
}

/// `cargo test` of everything but the steps of their own.
fn unit() -> Result<()> {
    apt::programs(&[Need { program: "dbus-daemon", package: "dbus" }], "the test of notifications")?;
    let mut tests = cargo::tested(&["test", "--workspace", "--lib", "--bins"])?;
    for target in cargo::test_targets()?.iter().filter(|name| !OWN.contains(&name.as_str())) {
        tests.args(["--test", target]);
    }
    sh::run_kept(&mut tests)?;
    sh::run_kept(&mut cargo::tested(&["test", "--workspace", "--doc"])?).map(drop)
}

/// The pages, in a real browser.
fn browser() -> Result<()> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    if !names.iter().any(|name| sh::which(name).is_some()) {
        apt::programs(&[Need { program: "chromium", package: "chromium" }], "the browser test")?;
    }
    let found = names.iter().find_map(|name| sh::which(name)).context("no Chromium here")?;
    let version = sh::output(Command::new(&found).arg("--version")).unwrap_or_default();
    eprintln!("browser: {} ({})", found.display(), version.trim());
    let mut cmd = cargo::tested(&["test", "--workspace", "--test", "browser"])?;
    sh::run_kept(cmd.env("BROWSER_BIN", &found))?;
    scripts::browser(&found)
}
