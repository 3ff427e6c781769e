//! A whole recording against the truth, on a host that may be in use by others.
//!
//! What a recorder counts as lost is the whole host's. Where the test had the host for itself, nothing may be lost and
//! every record must be exact. Where others used it too, losses may be theirs: then each record of ours must be right or
//! say that it is not exact, and none may be missing.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::audit::Audit;
use super::compare::{compare, summary};
pub use super::host::Host;
use super::programs::{audit, export};
use super::record::{Kernel, Record};
use crate::truth::Truth;

impl Host {
    /// By the processes that were recorded: those of the truth and this one are the test's.
    pub fn of(audit: &Audit, truths: &[Truth]) -> Self {
        Self::among(audit, &pids(truths))
    }

    /// The same where more processes than those of a truth are the test's.
    pub fn among(audit: &Audit, ours: &HashSet<u32>) -> Self {
        let is_ours = |pid: u32| pid == std::process::id() || ours.contains(&pid);
        let others = audit.processes.iter().filter(|row| !is_ours(row.pid));
        match others.map(|row| row.tcp.connections).sum() {
            0 => Self::Alone,
            connections => Self::Shared(connections),
        }
    }
}

/// The processes of truths.
pub fn pids(truths: &[Truth]) -> HashSet<u32> {
    truths.iter().flat_map(|truth| &truth.processes).map(|process| process.pid).collect()
}

/// Fails unless a store has exactly what happened, but for ends that the kernel showed to no probe, which the counter tells.
///
/// # Errors
/// What is wrong, in words.
pub fn ensure_exact(truths: &[Truth], db: &Path) -> Result<()> {
    ensure_exact_among(truths, &pids(truths), &audit(db)?, export(db)?)
}

/// The same of a store that has been read, in which more processes than those of the truths are the test's.
///
/// # Errors
/// What is wrong, in words.
pub fn ensure_exact_among(
    truths: &[Truth],
    ours: &HashSet<u32>,
    audit: &Audit,
    mut records: Vec<Record>,
) -> Result<()> {
    let host = Host::among(audit, ours);
    let unseen = settle_unseen(&mut records);
    if let Host::Shared(connections) = host {
        println!("others had {connections} connections meanwhile: losses may be theirs");
    }
    let (blurred, records): (Vec<_>, Vec<_>) = records
        .into_iter()
        .partition(|record| host.is_shared() && !record.exact && record.inexact_reason.is_some());
    if blurred.is_empty() {
        if let Some(problems) = summary(&compare(truths, &records)) {
            bail!("{problems}");
        }
        let differences = audit.differences(truths);
        ensure!(differences.is_empty(), "{}", differences.join("\n"));
    } else {
        ensure_right_or_blurred(truths, &records, &blurred)?;
    }
    match host {
        Host::Alone => audit.ensure_complete_but(unseen),
        Host::Shared(_) => Ok(()),
    }
}

/// Problems may only be with as many connections as have a record that says why it is not exact.
fn ensure_right_or_blurred(truths: &[Truth], records: &[Record], blurred: &[Record]) -> Result<()> {
    let ours = pids(truths);
    let about_ours = |record: &&Record| {
        record
            .pid()
            .into_iter()
            .chain(record.traffic.iter().map(|traffic| traffic.pid))
            .any(|pid| ours.contains(&pid))
    };
    let excused = blurred.iter().filter(about_ours).count();
    let verdict = compare(truths, records);
    let problems = verdict.values().map(Vec::len).sum::<usize>();
    let (missing, wrong): (Vec<_>, Vec<_>) =
        verdict.values().flatten().partition(|problem| problem.starts_with("missing: "));
    ensure!(
        wrong.is_empty(),
        "{} of {problems} problems are with exact records, such as\n{}",
        wrong.len(),
        wrong[0]
    );
    ensure!(
        missing.len() <= excused,
        "{} connections have no exact record, and only {excused} say why they are not exact",
        missing.len()
    );
    println!("{excused} records of ours say that they are not exact");
    Ok(())
}

/// Gives records of connections whose end was not seen what they lack: the reason, exactness, and the kernel's totals. Their number.
fn settle_unseen(records: &mut [Record]) -> u64 {
    let mut count = 0;
    for record in records.iter_mut().filter(|record| record.end.as_deref() == Some("unseen")) {
        record.end = Some("fin".into());
        (record.exact, record.inexact_reason) = (true, None);
        record.kernel = Some(Kernel { tx_bytes: record.tx_bytes, rx_bytes: record.rx_bytes, retransmits: 0 });
        count += 1;
    }
    count
}
