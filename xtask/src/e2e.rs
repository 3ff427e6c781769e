//! The end-to-end test on this host, as root. Cargo itself stays with its user: only the test program is started
//! through sudo.

use std::process::Command;

use anyhow::Result;

use crate::apt::{self, Need};
use crate::{programs, sh};

/// How often, and which part.
#[derive(clap::Args)]
pub struct Zoo {
    /// How often each case is played
    #[arg(long, value_name = "N", default_value_t = 20)]
    times: usize,
}

/// `cargo xtask zoo`: all cases so many times, in one recording, with the same result each time.
pub fn zoo(args: &Zoo) -> Result<()> {
    // what has `::` in its name and is a case, or looks at the store of all cases
    run(
        Part::Long,
        args.times,
        &["::", "--skip", "report::", "--skip", "bad-input::", "--skip", "load-small::"],
    )
    .map(drop)
}

/// What a test run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything, what others can disturb beside a neighbour who uses the host.
    Disturbed,
    /// Everything, with the storms in their long form.
    Long,
}

/// Plays each case `times` times; what the test printed.
pub fn run(part: Part, times: usize, args: &[&str]) -> Result<String> {
    sh::can_be_root("this test")?;
    let needs = ["tmux", "strace"].map(|name| Need { program: name, package: name });
    apt::programs(&needs, "the end-to-end test")?;
    let programs = programs::build()?;
    let (connmon, traffic) = (programs.connmon.display().to_string(), programs.traffic.display().to_string());
    let (part, long) = match part {
        Part::Disturbed => ("disturbed", None),
        Part::Long => ("all", Some(("E2E_LONG", "1".to_owned()))),
    };
    let vars = [
        ("CONNMON_BIN", connmon),
        ("TRAFFIC_BIN", traffic),
        ("ZOO_TIMES", times.to_string()),
        ("E2E_PART", part.to_owned()),
    ];
    let vars: Vec<_> = vars.into_iter().chain(long).collect();
    let mut cmd = if sh::is_root() {
        Command::new(&programs.e2e)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("env").args(vars.iter().map(|(key, value)| format!("{key}={value}")));
        sudo.arg(&programs.e2e);
        sudo
    };
    sh::run_kept(cmd.args(args).envs(vars))
}
