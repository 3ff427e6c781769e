//! One record against the truth about it.

use std::collections::BTreeMap;

use super::expected::{Bytes, Expected};
use super::record::Record;
use super::text;
use crate::truth::{Direction, End, Proto};

/// Every difference, in words.
pub(super) fn differences(expected: &Expected<'_>, record: &Record) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |what: &str, equal: bool, truth: &dyn std::fmt::Debug, recorded: &dyn std::fmt::Debug| {
        if !equal {
            found.push(format!("{what} is {truth:?}, recorded {recorded:?}"));
        }
    };
    let truth = expected.connection;
    check("family", truth.family == record.family, &truth.family, &record.family);
    if truth.proto == Proto::Tcp {
        let unknown = truth.preexisting && record.direction == Direction::Unknown;
        let equal = truth.direction == record.direction || unknown;
        check("direction", equal, &truth.direction, &record.direction);
        check(
            "preexisting",
            truth.preexisting == record.preexisting,
            &truth.preexisting,
            &record.preexisting,
        );
    }

    let owner = expected.owner;
    check("owner", record.pid() == owner.known_pid(), &owner.known_pid(), &record.pid());
    if let Some(process) = record.process.as_ref().filter(|process| process.pid == owner.pid) {
        let exe = process.exe.as_deref().is_some_and(|exe| text::same(&owner.exe, exe));
        check("exe", exe, &owner.exe, &process.exe);
        check("uid", process.uid == Some(owner.uid), &owner.uid, &process.uid);
        check("ppid", process.ppid == Some(owner.ppid), &owner.ppid, &process.ppid);
        let cmdline = process.cmdline.as_ref().is_some_and(|shown| {
            std::iter::once(&owner.cmdline).chain(&owner.also).any(|args| text::same_cmdline(args, shown))
        });
        check("cmdline", cmdline, &owner.cmdline, &process.cmdline);
    }

    let recorded = traffic(record);
    check("traffic per PID", expected.traffic == recorded, &expected.traffic, &recorded);
    let (sum, recorded) = (expected.sum(), (record.tx_bytes, record.rx_bytes));
    check("tx/rx bytes", sum == recorded, &sum, &recorded);

    if truth.open {
        // While it was recorded, and afterwards.
        let open = matches!(record.end.as_deref(), None | Some("recording-ended"));
        check("end", record.closed.is_none() && open, &"open", &record.end);
    } else if let Some(end) = truth.end {
        check("end", record.end.as_deref() == Some(name(end)), &end, &record.end);
        check("closed", record.closed.is_some(), &"set", &record.closed);
    }
    if truth.end == Some(End::Fin) && !truth.open && !truth.preexisting && !expected.lossy {
        let kernel = record.kernel.as_ref().map(|kernel| (kernel.tx_bytes, kernel.rx_bytes));
        check("kernel's tx/rx bytes", kernel == Some(sum), &sum, &kernel);
    }
    found
}

/// Bytes of each process, those without any left out.
pub(super) fn traffic(record: &Record) -> BTreeMap<u32, Bytes> {
    let mut bytes: BTreeMap<u32, Bytes> = BTreeMap::new();
    for traffic in record.traffic.iter().filter(|traffic| (traffic.tx_bytes, traffic.rx_bytes) != (0, 0)) {
        let sum = bytes.entry(traffic.pid).or_default();
        sum.0 += traffic.tx_bytes;
        sum.1 += traffic.rx_bytes;
    }
    bytes
}

/// As in the export.
fn name(end: End) -> &'static str {
    match end {
        End::Fin => "fin",
        End::Rst => "rst",
        End::Timeout => "timeout",
        End::Refused => "refused",
        End::Abort => "abort",
        End::Unreachable => "unreachable",
    }
}
