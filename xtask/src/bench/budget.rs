//! The budget of the probes: how often each runs, and for how long, per socket of short TCP connections and per small datagram. The kernel
//! counts both while `kernel.bpf_stats_enabled` is 1, which itself costs some 20 to 50 ns a run.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use super::recorder::Recorder;
use super::work::Work;
use super::{Bench, table};

/// The kernel's switch.
const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";
/// Connections of the storm, each of which is two sockets.
const CONNECTIONS: u64 = 20_000;
/// Longer than the recorder keeps a figure.
const PAUSE: Duration = Duration::from_secs(12);

/// Measures both workloads and prints the tables.
pub fn run(bench: &Bench) -> Result<()> {
    let before = fs::read_to_string(SWITCH).context("the kernel does not count runs of BPF programs")?;
    fs::write(SWITCH, "1").with_context(|| format!("cannot write {SWITCH}"))?;
    let done = measure(bench, &Work::storm(CONNECTIONS), "socket", 2.0).and_then(|()| {
        let packets = Work::all(0).into_iter().find(|work| work.name == "packets").context("no such work")?;
        measure(bench, &packets, "datagram", 1.0)
    });
    fs::write(SWITCH, before.trim()).with_context(|| format!("cannot write {SWITCH}"))?;
    done
}

/// Runs a workload, of which each thing counts as `each` units.
fn measure(bench: &Bench, work: &Work, unit: &str, each: f64) -> Result<()> {
    // Free until a moment ago: the bench runs by itself.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let recorder = Recorder::start(&bench.with_options(&["--metrics", &address]), "budget")?;
    std::thread::sleep(PAUSE);
    let before = figures(&address)?;
    let done = work.run(bench)?.done * each;
    std::thread::sleep(PAUSE);
    let after = figures(&address)?;
    recorder.stop()?;
    let mut rows = vec![["program", "runs", "ns a run", "ns"].map(str::to_owned).to_vec()];
    let mut costs: Vec<(f64, f64, &str)> = Vec::new();
    for (name, (runs, seconds)) in &after {
        let (runs_before, seconds_before) = before.get(name).copied().unwrap_or_default();
        costs.push((runs - runs_before, (seconds - seconds_before) * 1e9, name));
    }
    costs.sort_by(|a, b| b.1.total_cmp(&a.1));
    let all = costs.iter().fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
    costs.push((all.0, all.1, "all"));
    for (runs, ns, name) in costs.into_iter().filter(|cost| cost.0 / done >= 0.005) {
        let cells = [runs / done, ns / runs, ns / done];
        rows.push(vec![
            name.to_owned(),
            format!("{:.2}", cells[0]),
            format!("{:.0}", cells[1]),
            format!("{:.0}", cells[2]),
        ]);
    }
    println!("\n{}, per {unit} of {done}:\n{}", work.name, table::render(&rows));
    Ok(())
}

/// Runs and seconds of each program so far.
fn figures(address: &str) -> Result<BTreeMap<String, (f64, f64)>> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let mut figures: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, runs)) = sample(line, "connmon_probe_runs_total") {
            figures.entry(name.to_owned()).or_default().0 = runs;
        }
        if let Some((name, seconds)) = sample(line, "connmon_probe_seconds_total") {
            figures.entry(name.to_owned()).or_default().1 = seconds;
        }
    }
    Ok(figures)
}

/// The program's name and the value in a line of this metric: `metric{id="7",program="name"} 3`.
fn sample<'a>(line: &'a str, metric: &str) -> Option<(&'a str, f64)> {
    let (labels, value) = line.strip_prefix(metric)?.rsplit_once("} ")?;
    let name = labels.split_once("program=\"")?.1.split('"').next()?;
    Some((name, value.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_metric_is_read() {
        let line = r#"connmon_probe_runs_total{id="7",program="tcp_destroy_sock"} 12"#;
        assert_eq!(sample(line, "connmon_probe_runs_total"), Some(("tcp_destroy_sock", 12.0)));
        assert_eq!(sample(line, "connmon_probe_seconds_total"), None);
        assert_eq!(sample("# EOF", "connmon_probe_runs_total"), None);
    }
}
