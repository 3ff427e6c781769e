//! What a short connection may cost: how often the kernel runs the recorder's programs for it; and what a start may: instructions that the
//! kernel's verifier looks at. Counts, not times, so that they are the same on any machine.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::size;
use connmon_tests::sys::bpf::program_name;

use super::scenes::Played;
use super::storms::listed;

/// While it holds 1, the kernel counts the runs of BPF programs.
const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";
/// Most runs per socket of a connection that is opened, carries one message each way, and is closed: 27.6 with fentry and 30.8 with
/// tracepoints when this was written, 40.2 with kprobes, where a call has a hook where it begins and another where it ends.
const MOST: f64 = 33.0;
const MOST_WITH_KPROBES: f64 = 43.0;
/// The same where the kernel can preempt programs, so that each has [`COPIES`]: 92.2 with tracepoints.
const MOST_WITH_COPIES: f64 = 97.0;
const COPIES: usize = 6;
/// Most instructions that the verifier looks at for one program, by all ways through it: 44 533 on Linux 6.18 when this was written, 260 596
/// on 6.1, to which fewer ways look alike. It refuses programs with a million (BPF_COMPLEXITY_LIMIT_INSNS, include/linux/bpf.h).
const MOST_VERIFIED: u64 = 400_000;

/// A storm of short connections is exact, and stays within the budget.
pub fn few_runs() -> Result<Played> {
    let connections = size(4_000, 1_000);
    let before = fs::read_to_string(SWITCH).with_context(|| format!("cannot read {SWITCH}"))?;
    fs::write(SWITCH, "1")?;
    let counted = count(connections);
    fs::write(SWITCH, before.trim())?;
    let (mut programs, played) = counted?;
    programs.sort_by_key(|program| std::cmp::Reverse(program.runs));
    let per_socket = |runs: u64| runs as f64 / f64::from(2 * connections);
    let runs = per_socket(programs.iter().map(|program| program.runs).sum());
    let verified: u64 = programs.iter().filter_map(|program| program.verified).sum();
    println!(
        "{runs:.1} runs of programs per socket of a short connection; {verified} instructions were verified"
    );
    let has_kprobes = std::env::var_os("CONNMON_BACKEND").is_some_and(|backend| backend == "kprobe");
    let mut copies: HashMap<String, usize> = HashMap::new();
    programs.iter().for_each(|program| *copies.entry(program.name()).or_default() += 1);
    let most = match copies.into_values().max() {
        Some(COPIES..) => MOST_WITH_COPIES,
        _ if has_kprobes => MOST_WITH_KPROBES,
        _ => MOST,
    };
    let table = || -> Vec<String> {
        let lines = programs.iter().filter(|program| program.runs > 0);
        lines.map(|program| format!("{} {:.1}", program.name(), per_socket(program.runs))).collect()
    };
    ensure!(
        runs > 1.0 && runs <= most,
        "{runs:.1} runs of programs per socket of a short connection, of {most} at most: {}",
        table().join(", ")
    );
    for program in &programs {
        let verified = program.verified.unwrap_or_default();
        ensure!(
            verified <= MOST_VERIFIED,
            "the verifier looks at {verified} instructions of {}",
            program.name()
        );
    }
    Ok(played)
}

/// A program of a recorder.
struct Program {
    id: u32,
    /// How often it ran.
    runs: u64,
    /// Instructions that the verifier looked at; Linux 5.16 and newer tell.
    verified: Option<u64>,
}

impl Program {
    fn name(&self) -> String {
        program_name(self.id).unwrap_or_else(|_| self.id.to_string())
    }
}

/// Each program, and how often it runs in a storm.
fn count(connections: u32) -> Result<(Vec<Program>, Played)> {
    let before: HashMap<u32, u64> = held()?.into_iter().map(|program| (program.id, program.runs)).collect();
    let connections = connections.to_string();
    let played =
        listed(&["storm", "--list", "--connections", &connections, "--processes", "4", "--parallel", "4"])?;
    let mut programs = held()?;
    for program in &mut programs {
        program.runs -= before.get(&program.id).copied().unwrap_or_default();
    }
    Ok((programs, played))
}

/// The programs that recorders hold.
fn held() -> Result<Vec<Program>> {
    let mut programs = HashMap::new();
    for process in fs::read_dir("/proc")?.flatten() {
        let path = process.path();
        // The process of a recording that holds the programs. Others come and go.
        if fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim_end() == "keeper") {
            for file in fs::read_dir(path.join("fdinfo")).into_iter().flatten().flatten() {
                let found = fs::read_to_string(file.path()).ok().and_then(|text| program(&text));
                programs.extend(found.map(|program| (program.id, program)));
            }
        }
    }
    ensure!(!programs.is_empty(), "no recorder holds a program");
    Ok(programs.into_values().collect())
}

/// The description of a descriptor, if it is that of a program (bpf_prog_show_fdinfo(), kernel/bpf/syscall.c).
fn program(text: &str) -> Option<Program> {
    let field =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    let id = u32::try_from(field("prog_id:")?).ok()?;
    Some(Program { id, runs: field("run_cnt:")?, verified: field("verified_insns:") })
}
