//! The log of the probes themselves (`record --probe-log`): aya-log's records, as lines of this program's log.

use aya::Ebpf;
use aya_log::EbpfLogger;
use connmon_ebpf::stat;
use log::{Log, Metadata, Record};

/// The lines that wait.
pub(super) struct ProbeLog(EbpfLogger<ToTracing>);

impl ProbeLog {
    /// Takes the probes' log from the loaded object; the reason if that cannot be.
    pub(super) fn from_object(ebpf: &mut Ebpf) -> Result<Self, String> {
        EbpfLogger::init_with_logger(ebpf, ToTracing).map(Self).map_err(|error| error.to_string())
    }

    /// Hands on what waits.
    pub(super) fn flush(&mut self) {
        self.0.flush();
    }
}

/// The destination of aya-log's records.
struct ToTracing;

impl Log for ToTracing {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        tracing::warn!("probe: {}", in_words(&record.args().to_string()));
    }

    fn flush(&self) {}
}

/// The meaning of a line of `connmon-ebpf/src/probe_log.rs`: a counter of [`stat`] and its value on a CPU.
fn in_words(line: &str) -> String {
    let named = line.split_once(' ').and_then(|(stat, total)| {
        let name = stat::NAMES.get(stat.parse::<usize>().ok()?)?;
        Some(format!("{name} is {total} on one CPU"))
    });
    named.unwrap_or_else(|| connmon_record::display_safe(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_has_its_name() {
        assert_eq!(in_words("4 16"), "SOCKS_FULL is 16 on one CPU");
        assert_eq!(in_words("999 1"), "999 1");
        assert_eq!(stat::NAMES[stat::POOL_LEFT as usize], "POOL_LEFT");
        assert_eq!(stat::NAMES[stat::PAYLOADS_LOST as usize], "PAYLOADS_LOST");
        assert!(stat::is_trouble(stat::SOCKS_FULL) && !stat::is_trouble(stat::IDS));
    }
}
