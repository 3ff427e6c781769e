//! What a process of the recording costs.

use std::fs;

use serde::{Deserialize, Serialize};

/// Ticks of `/proc/PID/stat` per second (USER_HZ, fixed at 100 on all supported architectures).
const USER_HZ: f64 = 100.0;

/// What this process has taken so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Cost {
    /// Processor time, seconds.
    pub(super) cpu_seconds: Option<f64>,
    /// Memory, bytes.
    pub(super) resident_bytes: Option<u64>,
    /// The probes, while the kernel counts their runs.
    pub(super) programs: Vec<Program>,
}

impl Cost {
    /// Of this process, and of its probes, of which `names` has numbers and names.
    pub(super) fn of_this_process(names: &[(u32, String)]) -> Self {
        Self { cpu_seconds: cpu_seconds(), resident_bytes: resident_bytes(), programs: programs(names) }
    }
}

/// A BPF program of ours, and what it has cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Program {
    /// Its number in the kernel.
    id: u32,
    name: String,
    /// Runs so far.
    pub(super) runs: u64,
    /// Time in them.
    pub(super) nanoseconds: u64,
}

impl Program {
    /// Which it is, as a label of OpenMetrics.
    pub(super) fn label(&self) -> String {
        format!("{{id=\"{}\",program=\"{}\"}}", self.id, self.name)
    }

    /// What /proc/PID/fdinfo says of a descriptor, if it is one of a program that was counted.
    fn read(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        let (id, name) = (u32::try_from(field("prog_id:")?).ok()?, String::new());
        let program = Self { id, name, runs: field("run_cnt:")?, nanoseconds: field("run_time_ns:")? };
        (program.runs > 0).then_some(program)
    }
}

/// The programs that the kernel counts the runs of, by their numbers.
fn programs(names: &[(u32, String)]) -> Vec<Program> {
    if names.is_empty() {
        return Vec::new();
    }
    let files = fs::read_dir("/proc/self/fdinfo").into_iter().flatten().flatten();
    let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    let mut programs: Vec<Program> = texts.filter_map(|text| Program::read(&text)).collect();
    programs.sort_by_key(|program| program.id);
    programs.dedup_by_key(|program| program.id);
    for program in &mut programs {
        if let Some((_, name)) = names.iter().find(|(id, _)| *id == program.id) {
            program.name.clone_from(name);
        }
    }
    programs
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may have spaces and brackets, utime and stime are the 12th and 13th (proc_pid_stat(5)).
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / USER_HZ)
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_has_cost_is_read() {
        let text =
            "pos:\t0\nprog_type:\t26\nprog_id:\t318\nrun_time_ns:\t1500\nrun_cnt:\t3\nrecursion_misses:\t0\n";
        let program = Program::read(text).unwrap();
        assert_eq!((program.id, program.runs, program.nanoseconds), (318, 3, 1500));
        assert!(Program::read("pos:\t0\nmap_id:\t3\n").is_none());
        assert!(Program::read(&text.replace("run_cnt:\t3", "run_cnt:\t0")).is_none(), "it is not counted");
    }
}
