//! What a short connection may cost: how often the kernel runs the recorder's programs for it. A count, not a time, so that it is the same on
//! any machine.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::size;

use super::scenes::Played;
use super::storms::listed;

/// While it holds 1, the kernel counts the runs of BPF programs.
const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";
/// Most runs per socket of a connection that is opened, carries one message each way, and is closed: 27.6 with fentry and 30.8 with
/// tracepoints when this was written, 40.2 with kprobes, where a call has a hook where it begins and another where it ends.
const MOST: f64 = 33.0;
const MOST_WITH_KPROBES: f64 = 43.0;

/// A storm of short connections is exact, and stays within the budget.
pub fn few_runs() -> Result<Played> {
    let connections = size(4_000, 1_000);
    let before = fs::read_to_string(SWITCH).with_context(|| format!("cannot read {SWITCH}"))?;
    fs::write(SWITCH, "1")?;
    let counted = count(connections);
    fs::write(SWITCH, before.trim())?;
    let (runs, played) = counted?;
    let runs = runs as f64 / f64::from(2 * connections);
    println!("{runs:.1} runs of programs per socket of a short connection");
    let has_kprobes = std::env::var_os("CONNMON_BACKEND").is_some_and(|backend| backend == "kprobe");
    let most = if has_kprobes { MOST_WITH_KPROBES } else { MOST };
    ensure!(
        runs > 1.0 && runs <= most,
        "{runs:.1} runs of programs per socket of a short connection, of {most} at most"
    );
    Ok(played)
}

fn count(connections: u32) -> Result<(u64, Played)> {
    let before = runs()?;
    let connections = connections.to_string();
    let played =
        listed(&["storm", "--list", "--connections", &connections, "--processes", "4", "--parallel", "4"])?;
    Ok((runs()?.saturating_sub(before), played))
}

/// Runs of all programs that recorders hold, so far.
fn runs() -> Result<u64> {
    let mut programs: HashMap<u64, u64> = HashMap::new();
    for process in fs::read_dir("/proc")?.flatten() {
        let path = process.path();
        // The process of a recording that holds the programs. Others come and go.
        if fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim_end() == "keeper") {
            for file in fs::read_dir(path.join("fdinfo")).into_iter().flatten().flatten() {
                programs.extend(fs::read_to_string(file.path()).ok().and_then(|text| program(&text)));
            }
        }
    }
    ensure!(!programs.is_empty(), "no recorder holds a program");
    Ok(programs.values().sum())
}

/// The number of a program and its runs, from the description of a descriptor (bpf_prog_show_fdinfo(), kernel/bpf/syscall.c).
fn program(text: &str) -> Option<(u64, u64)> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Some((field("prog_id:")?, field("run_cnt:")?))
}
