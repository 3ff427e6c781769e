//! What runs inside a guest, and how its output reads.

use std::fmt;

use crate::sh;

/// A way of counting that connmon can be told to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Backend {
    /// fentry and fexit programs
    Fentry,
    /// kprobes and kretprobes
    Kprobe,
    /// Tracepoints and cgroup programs
    Tracepoint,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
        })
    }
}

/// Begins each line by which init says where it is.
pub const MARK: &str = "@@connmon-vm";
/// Begins the line that is put after the output of a guest that had to be stopped.
pub const STOPPED: &str = "@@connmon-vm stopped ";

/// The init of a guest that only shows that it runs.
pub fn probe() -> String {
    format!(
        "#!/bin/busybox sh\n# Written by `cargo xtask vm`.\n/bin/busybox echo '{MARK} runs'\n/bin/busybox poweroff -f\n"
    )
}

/// A part of the end-to-end test. The longest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Everything.
    All,
    /// What a kernel makes a difference to, and what only a guest can be asked for.
    Oldest,
    /// What a kernel makes a difference to.
    Kernel,
    /// What every backend makes a difference to.
    Backend,
}

impl Part {
    /// Its name for the test program.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Kernel => "kernel",
            Self::Backend => "backend",
            Self::Oldest => "oldest",
        }
    }
}

/// The init script: sets the guest up, runs a part of the end-to-end test with a backend, switches off.
pub fn init(release: &str, backend: Backend, part: Part, times: usize, e2e: &[String]) -> String {
    let args: String = e2e.iter().map(|arg| format!(" {}", sh::quote(arg))).collect();
    let long = if part == Part::All { "E2E_LONG=1 " } else { "" };
    let part = part.name();
    format!(
        r#"#!/bin/busybox sh
# Written by `cargo xtask vm`.
export PATH=/bin HOME=/root TMPDIR=/tmp NO_COLOR=1 TERM=dumb
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mkdir -p /var/lib
ln -s /run /var/run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t securityfs securityfs /sys/kernel/security
hostname connmon-vm
ip link set lo up
for module in /modules/*.ko; do
    [ ! -e "$module" ] || insmod "$module" || echo "cannot load $module"
done
# A small machine's limit is soon reached, and beyond it connections that end in order are reset.
echo 262144 > /proc/sys/net/ipv4/tcp_max_tw_buckets
ulimit -n 65536
export VM=1 ZOO_TIMES={times} CONNMON_KERNEL={release} CONNMON_BIN=/bin/connmon TRAFFIC_BIN=/bin/traffic
echo "{MARK} begin {backend}"
started=$(cut -d. -f1 /proc/uptime)
CONNMON_BACKEND={backend} {long}E2E_PART={part} /bin/e2e{args}
status=$?
seconds=$(($(cut -d. -f1 /proc/uptime) - started))
echo
echo "{MARK} end {backend} status=$status seconds=$seconds"
poweroff -f
"#
    )
}

/// What became of one backend.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    /// Why it did not pass.
    pub failure: Option<String>,
    /// Whether it came to its end.
    pub ended: bool,
    /// Tests that passed.
    pub passed: u64,
    /// Time that it took, by the guest's clock.
    pub seconds: u64,
    /// All that it printed.
    pub output: String,
}

impl Outcome {
    /// Nothing ran.
    pub fn failed(why: String) -> Self {
        Self { failure: Some(why), ended: false, passed: 0, seconds: 0, output: String::new() }
    }
}

/// Reads what became of a backend from all that the guest printed.
pub fn result(log: &str, backend: Backend) -> Outcome {
    let (begin, end) = (format!("{MARK} begin {backend}\n"), format!("{MARK} end {backend} "));
    let failed = |why: String, output: &str| {
        let output = output.trim().to_owned();
        Outcome { passed: passed(&output), output, ..Outcome::failed(why) }
    };
    let stopped = log.split_once(STOPPED).and_then(|(_, why)| why.lines().next());
    let early = |what: &str| stopped.map_or(format!("the guest ended before {what}"), str::to_owned);
    let Some((_, rest)) = log.split_once(&begin) else { return failed(early("it began"), log) };
    let Some((output, rest)) = rest.split_once(&end) else { return failed(early("it was done"), rest) };
    let verdict = rest.lines().next().unwrap_or_default();
    let number = |key: &str| {
        verdict.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('=')?.parse::<u64>().ok())
    };
    let (passed, seconds) = (passed(output), number("seconds").unwrap_or(0));
    let failure = match number("status") {
        Some(0) if passed == 0 => Some("no test ran".to_owned()),
        Some(0) => None,
        Some(status) => Some(format!("exit status {status}")),
        None => Some("no exit status".to_owned()),
    };
    Outcome { failure, ended: true, passed, seconds, output: output.trim().to_owned() }
}

/// The end of what a guest printed whose kernel panicked because a fault could not even be handled: a processor in a state
/// that programs cannot bring it into.
pub fn double_fault(log: &str) -> Option<String> {
    const SHOWN: usize = 80;
    if !log.contains("PANIC: double fault") || !log.contains("Kernel panic - not syncing") {
        return None;
    }
    let lines: Vec<&str> = log.lines().collect();
    Some(lines[lines.len().saturating_sub(SHOWN)..].join("\n"))
}

/// The tests that passed, by the closing line of the test program: `test result: ok. 3 passed; …`.
fn passed(output: &str) -> u64 {
    let count = |line: &str| {
        let (before, _) = line.split_once(" passed;")?;
        before.rsplit(' ').next()?.parse::<u64>().ok()
    };
    output.lines().filter(|line| line.contains("test result:")).filter_map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "booting\n@@connmon-vm begin fentry\ntest a ... ok\n\
        test result: ok. 12 passed; 0 failed; 0 ignored\n\n@@connmon-vm end fentry status=0 seconds=31\n\
        @@connmon-vm begin kprobe\ntest a ... FAILED\ntest result: FAILED. 11 passed; 1 failed;\n\n\
        @@connmon-vm end kprobe status=101 seconds=4\n@@connmon-vm begin tracepoint\nhalf\n";

    #[test]
    fn each_backend_has_its_own_result() {
        let ok = result(LOG, Backend::Fentry);
        assert_eq!((ok.failure, ok.passed, ok.seconds), (None, 12, 31));
        let bad = result(LOG, Backend::Kprobe);
        assert_eq!((bad.failure.as_deref(), bad.passed), (Some("exit status 101"), 11));
        assert!(bad.output.starts_with("test a ... FAILED"));
        assert!(!bad.output.contains("begin tracepoint"));
    }

    #[test]
    fn a_guest_that_ends_early_has_failed() {
        let half = result(LOG, Backend::Tracepoint);
        assert_eq!(half.failure.as_deref(), Some("the guest ended before it was done"));
        assert!(!half.ended && result(LOG, Backend::Kprobe).ended);
        let none = result("panic\n", Backend::Fentry);
        assert_eq!(none.failure.as_deref(), Some("the guest ended before it began"));
        let late = result(&format!("{LOG}\n{STOPPED}stopped after 15 min\n"), Backend::Tracepoint);
        assert_eq!(late.failure.as_deref(), Some("stopped after 15 min"));
    }

    #[test]
    fn a_double_fault_is_no_other_panic() {
        assert_eq!(double_fault(LOG), None);
        const END: &str = "[ 866.1] Kernel panic - not syncing: Fatal exception in interrupt\n";
        assert_eq!(double_fault(&format!("{LOG}{END}")), None);
        let log = format!("{LOG}[ 866.0] traps: PANIC: double fault, error_code: 0x0\n{END}");
        assert!(
            double_fault(&log)
                .is_some_and(|end| end.ends_with("interrupt") && end.contains("begin tracepoint"))
        );
    }

    #[test]
    fn no_test_is_no_success() {
        let log = "@@connmon-vm begin fentry\n\n@@connmon-vm end fentry status=0 seconds=0\n";
        assert_eq!(result(log, Backend::Fentry).failure.as_deref(), Some("no test ran"));
    }

    #[test]
    fn arguments_reach_the_test_as_they_were_given() {
        let args = ["--exact".into(), "it's".into()];
        let script = init("6.1.0", Backend::Kprobe, Part::Kernel, 20, &args);
        assert!(script.contains("export VM=1 ZOO_TIMES=20 "));
        assert!(script.contains(r"CONNMON_BACKEND=kprobe E2E_PART=kernel /bin/e2e '--exact' 'it'\''s'"));
    }
}
