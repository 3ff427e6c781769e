//! Figures about the recorder, as OpenMetrics (openmetrics.io) has them.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cost::Cost;
use connmon_detect::Severity;
use connmon_live::web::metrics::Figures;
use connmon_record::{LossCounters, Timestamp};
use serde_json::Value;

/// A recorder that said nothing for so long does not record.
const SILENCE: Duration = Duration::from_secs(30);
/// What the event loop knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded {
    /// Connections met.
    pub(super) connections: u64,
    /// Events taken from the kernel side.
    pub(super) events: u64,
    /// Application bytes sent.
    pub(super) tx_bytes: u64,
    /// Application bytes received.
    pub(super) rx_bytes: u64,
    /// What was lost.
    pub(super) losses: LossCounters,
    /// Connections that the recording's filter did not keep.
    pub(super) left_out: u64,
    /// Bytes of memory that wait for the store.
    pub(super) waiting: u64,
    /// Segments that have no rows yet.
    pub(super) debt: u64,
    /// Findings of each severity, the least first, that nobody has acknowledged.
    pub(super) findings: [u64; 4],
    /// The store cannot be written at present: the memory for what waits is used up.
    pub(super) full: bool,
    /// What the keeper has cost so far.
    pub(super) keeper: Cost,
}

/// Where the event loop notes what it knows, and who asks reads it.
pub(super) struct Board {
    store: PathBuf,
    began: Timestamp,
    noted: Mutex<(Recorded, Instant)>,
}

impl Board {
    /// For a recording into a store that began at this time.
    pub(super) fn new(store: PathBuf, began: Timestamp) -> Self {
        Self { store, began, noted: Mutex::new((Recorded::default(), Instant::now())) }
    }

    /// Notes how it goes.
    pub(super) fn note(&self, recorded: Recorded) {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = (recorded, Instant::now());
    }

    fn noted(&self) -> (Recorded, Duration) {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        (noted.0.clone(), noted.1.elapsed())
    }
}

impl Figures for Board {
    fn metrics(&self) -> String {
        let (recorded, ago) = self.noted();
        let mut out = Exposition::default();
        out.family("connmon_build", "info", "", "The version of connmon.");
        out.sample("_info", &format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1.0);
        out.gauge(
            "connmon_recording_start_time_seconds",
            "seconds",
            "When the recording began.",
            self.began.0 as f64 / 1e9,
        );
        out.gauge(
            "connmon_last_sign_seconds",
            "seconds",
            "How long ago the recorder last took in events.",
            ago.as_secs_f64(),
        );
        out.counter("connmon_connections", "", "Connections met.", recorded.connections as f64);
        out.counter("connmon_events", "", "Events taken from the kernel.", recorded.events as f64);
        out.counter(
            "connmon_sent_bytes",
            "bytes",
            "Application bytes that were sent.",
            recorded.tx_bytes as f64,
        );
        out.counter(
            "connmon_received_bytes",
            "bytes",
            "Application bytes that were received.",
            recorded.rx_bytes as f64,
        );
        out.counter(
            "connmon_excluded_connections",
            "",
            "Connections that the filter excluded.",
            recorded.left_out as f64,
        );
        out.family("connmon_losses", "counter", "", "What could not be recorded, or not exactly, by kind.");
        for (kind, count) in kinds(&recorded.losses) {
            out.sample("_total", &format!("{{kind=\"{kind}\"}}"), count as f64);
        }
        out.family("connmon_findings", "gauge", "", "Findings that nobody has acknowledged, by severity.");
        for (severity, count) in Severity::ALL.into_iter().zip(recorded.findings) {
            out.sample("", &format!("{{severity=\"{}\"}}", severity.name()), count as f64);
        }
        out.gauge(
            "connmon_debt_segments",
            "",
            "Sealed segments of which no rows have been made yet.",
            recorded.debt as f64,
        );
        out.gauge(
            "connmon_waiting_bytes",
            "bytes",
            "Memory that waits to be stored.",
            recorded.waiting as f64,
        );
        if let Some(bytes) = self.store_bytes() {
            out.gauge("connmon_store_bytes", "bytes", "The store and its log.", bytes as f64);
        }
        let (keeper, own) = (&recorded.keeper, Cost::of_this_process(&[]));
        let programs = &keeper.programs;
        if !programs.is_empty() {
            out.family(
                "connmon_probe_runs",
                "counter",
                "",
                "Runs of each probe, while kernel.bpf_stats_enabled is 1.",
            );
            programs.iter().for_each(|one| out.sample("_total", &one.label(), one.runs as f64));
            out.family(
                "connmon_probe_seconds",
                "counter",
                "seconds",
                "Time in each probe, while kernel.bpf_stats_enabled is 1.",
            );
            programs.iter().for_each(|one| out.sample("_total", &one.label(), one.nanoseconds as f64 / 1e9));
        }
        if let Some(seconds) = own.cpu_seconds {
            let seconds = seconds + keeper.cpu_seconds.unwrap_or(0.0);
            out.counter("process_cpu_seconds", "seconds", "Processor time of both processes.", seconds);
        }
        if let Some(bytes) = own.resident_bytes {
            let bytes = bytes + keeper.resident_bytes.unwrap_or(0);
            out.gauge("process_resident_memory_bytes", "bytes", "Memory of both processes.", bytes as f64);
        }
        out.text.push_str("# EOF\n");
        out.text
    }

    fn health(&self) -> Result<(), String> {
        let (recorded, ago) = self.noted();
        match () {
            () if ago >= SILENCE => Err(format!("nothing was taken in for {} s", ago.as_secs())),
            () if recorded.full => {
                Err("the store cannot be written, and the memory for what waits is used up".into())
            }
            () => Ok(()),
        }
    }
}

impl Board {
    fn store_bytes(&self) -> Option<u64> {
        let mut log = self.store.clone().into_os_string();
        log.push("-wal");
        let log = fs::metadata(log).map_or(0, |file| file.len());
        Some(fs::metadata(&self.store).ok()?.len() + log)
    }
}

/// Each loss counter with its name.
fn kinds(losses: &LossCounters) -> Vec<(String, u64)> {
    let Ok(Value::Object(all)) = serde_json::to_value(losses) else { return Vec::new() };
    all.into_iter().filter_map(|(name, value)| Some((name, value.as_u64()?))).collect()
}

/// A text of OpenMetrics.
#[derive(Default)]
struct Exposition {
    text: String,
    name: String,
}

impl Exposition {
    /// Begins a family of metrics.
    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        name.clone_into(&mut self.name);
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
        if !unit.is_empty() {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {name} {help}");
    }

    fn sample(&mut self, ending: &str, labels: &str, value: f64) {
        let _ = writeln!(self.text, "{}{ending}{labels} {value}", self.name);
    }

    fn gauge(&mut self, name: &str, unit: &str, help: &str, value: f64) {
        self.family(name, "gauge", unit, help);
        self.sample("", "", value);
    }

    fn counter(&mut self, name: &str, unit: &str, help: &str, value: f64) {
        self.family(name, "counter", unit, help);
        self.sample("_total", "", value);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Reads a text as OpenMetrics 1.0 has it, and gives its samples.
    fn samples(text: &str) -> Vec<(String, f64)> {
        let body = text.strip_suffix("# EOF\n").expect("it ends with `# EOF`");
        let (mut seen, mut family, mut kind, mut samples) = (HashSet::new(), "", "", Vec::new());
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# ") {
                let mut words = rest.splitn(3, ' ');
                let (keyword, name, value) =
                    (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
                match keyword {
                    "TYPE" => {
                        assert!(seen.insert(name), "{name} comes twice");
                        assert!(!name.ends_with("_total") && !name.ends_with("_info"), "{name}");
                        (family, kind) = (name, value);
                    }
                    "UNIT" => assert!(name == family && name.ends_with(&format!("_{value}")), "{line}"),
                    "HELP" => assert!(name == family && value.ends_with('.'), "{line}"),
                    _ => panic!("{line}"),
                }
                continue;
            }
            let (name, value) = line.rsplit_once(' ').unwrap();
            let (plain, labels) = name.split_once('{').unwrap_or((name, "}"));
            assert!(labels.ends_with('}'), "{line}");
            let ending = match kind {
                "counter" => "_total",
                "info" => "_info",
                "gauge" => "",
                _ => panic!("{kind}"),
            };
            assert_eq!(plain, format!("{family}{ending}"));
            let value: f64 = value.parse().unwrap();
            assert!(value >= 0.0 && !samples.iter().any(|(known, _)| known == name), "{line}");
            samples.push((name.to_owned(), value));
        }
        samples
    }

    #[test]
    fn figures_are_open_metrics() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("a.db");
        fs::write(&store, [0; 4096]).unwrap();
        let board = Board::new(store, Timestamp(1_700_000_000_500_000_000));
        let losses = LossCounters { lost_events: 7, ..LossCounters::default() };
        board.note(Recorded { connections: 3, losses, ..Recorded::default() });
        let samples = samples(&board.metrics());
        let value = |name: &str| samples.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        assert_eq!(value("connmon_connections_total"), Some(3.0));
        assert_eq!(value("connmon_losses_total{kind=\"lost_events\"}"), Some(7.0));
        assert_eq!(value("connmon_losses_total{kind=\"map_full\"}"), Some(0.0));
        assert_eq!(value("connmon_store_bytes"), Some(4096.0));
        assert_eq!(value("connmon_recording_start_time_seconds"), Some(1_700_000_000.5));
        assert!(value("process_resident_memory_bytes").unwrap() > 1e6);
        assert!(value("process_cpu_seconds_total").is_some());
        assert_eq!(board.health(), Ok(()));
        board.note(Recorded { full: true, ..Recorded::default() });
        assert!(board.health().unwrap_err().contains("store"));
    }
}
