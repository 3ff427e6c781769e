//! D12: programs that call themselves what they are not.

use connmon_record::Process;
use serde::{Deserialize, Serialize};

use super::per_group::PerPlace;
use super::{Detector, Seen};
use crate::card::Card;
use crate::draft::View;
use crate::finding::{Figure, Severity};
use crate::findings::Findings;
use crate::program::{Home, Program};
use crate::world::Moved;

/// Beginnings of names that only kernel threads have.
const KERNEL: [&str; 16] = [
    "kworker/",
    "ksoftirqd/",
    "kthreadd",
    "migration/",
    "rcu_",
    "kswapd",
    "jbd2/",
    "watchdogd",
    "kdevtmpfs",
    "kcompactd",
    "khugepaged",
    "scsi_eh_",
    "cpuhp/",
    "irq/",
    "kauditd",
    "idle_inject/",
];
/// Services of the system, which lie where packages put them.
const SERVICES: [&str; 22] = [
    "systemd",
    "systemd-journald",
    "systemd-journal",
    "systemd-udevd",
    "systemd-logind",
    "systemd-resolved",
    "systemd-resolve",
    "systemd-network",
    "systemd-timesyn",
    "sshd",
    "cron",
    "crond",
    "atd",
    "dbus-daemon",
    "rsyslogd",
    "chronyd",
    "ntpd",
    "agetty",
    "polkitd",
    "auditd",
    "NetworkManager",
    "udisksd",
];

pub(crate) static CARD: Card = Card {
    code: "D12",
    name: "masquerade",
    title: "Names that imitate the system",
    does: "Looks for a program that bears the name of a kernel thread or of a service of the system, while its executable is \
           another: a miner that calls itself kworker, an agent that calls itself sshd.",
    formula: "The kernel's name of the process, the file name of its executable, or the first word of its command line. A kernel \
              thread's name (kworker/…, ksoftirqd/…, [anything in brackets]), but the process has an executable: high. A service's \
              name (systemd, sshd, cron, dbus-daemon, …), but the executable is outside of the folders that packages fill: high; or \
              the executable is an interpreter or a shell: medium.",
    innocent: &[
        "a service that the administrator built and put elsewhere",
        "containers and chroots with a system of their own below a folder",
        "programs that were written to be found under an older name",
    ],
    refuted_by: &[
        "the executable's hash is that of the service's package",
        "the process is the service manager's own, by its unit",
    ],
};

/// The state of the detector: whether a program was told.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Masquerade {
    programs: PerPlace<bool>,
}

impl Detector for Masquerade {
    fn connection(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        if *self.programs.at(seen.place.program) {
            return;
        }
        let Some(process) = seen.connection.owner.as_deref() else { return };
        let Some((aspect, severity)) = imitates(process, seen.program()) else { return };
        *self.programs.at(seen.place.program) = true;
        tell(seen.view, seen, process, (aspect, severity), findings);
    }

    fn forget(&mut self, moved: &Moved) {
        self.programs.forget(&moved.programs, drop);
    }
}

fn tell(
    view: View<'_>,
    seen: &Seen<'_>,
    process: &Process,
    (aspect, severity): (&'static str, Severity),
    findings: &mut Findings,
) {
    let mut finding = view.about_program(&CARD, aspect, seen.program());
    let (program, _) = finding.subject.words();
    let of = if aspect == "kernel" { "a kernel thread" } else { "a service of the system" };
    finding.what = format!("{program} calls itself {}, as {of} does", process.comm.raw()).into();
    finding.severity = severity;
    finding.score = 0.9;
    finding.connections = 1;
    (finding.first, finding.last) = (seen.connection.opened, seen.time);
    finding.figures = vec![
        Figure::text("name", process.comm.clone()),
        Figure::text("path", process.exe.clone()),
        Figure::text("command_line", process.cmdline.clone()),
    ];
    findings.put(finding);
}

/// What a process imitates.
fn imitates(process: &Process, program: &Program) -> Option<(&'static str, Severity)> {
    // A kernel thread has no executable, and of a process of which nothing else is known there is nothing to compare.
    if process.kernel_thread || process.exe.is_empty() {
        return None;
    }
    let first = process.cmdline.raw().split(' ').next().unwrap_or_default();
    let file = program.name();
    let names = [process.comm.raw(), file.raw()];
    let in_brackets = first.len() > 2 && first.starts_with('[') && first.ends_with(']');
    if in_brackets || names.iter().any(|name| KERNEL.iter().any(|known| name.starts_with(known))) {
        return Some(("kernel", Severity::High));
    }
    // `kworker` without a number is no name of a thread, but nobody else's either.
    if names.iter().any(|name| ["kworker", "ksoftirqd", "kthread"].contains(name)) {
        return Some(("kernel", Severity::High));
    }
    if !names.iter().any(|name| SERVICES.contains(name)) {
        return None;
    }
    match program.home {
        Home::System if program.is_tool() => Some(("service", Severity::Medium)),
        // A service under another name: what it is called elsewhere is its own business.
        Home::System => None,
        _ => Some(("service", Severity::High)),
    }
}
