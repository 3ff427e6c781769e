//! One user has more sockets than his share of the kernel's tables: nobody else loses by it, and of his own every byte is recorded.

use std::collections::HashSet;

use anyhow::{Result, ensure};
use connmon_tests::harness::programs::{audit, export, traffic_truth};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::truth::{Process, Proto, Truth};

/// Connections of the greedy user, each with two sockets.
const CONNECTIONS: &str = "400";
/// Room for the sockets of both users, but not for all of them.
const ROOM: &str = "512";

/// Connections of the other user are exact, one by one; those of the greedy one too, as far as there is room, and the others are
/// together in connections that say so, each process's bytes to the byte.
pub fn only_the_greedy_are_aggregated() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("fairness.db");
    let recorder = Recorder::start(&db, &["--max-connections", ROOM])?;
    let truths = traffic_truth(&["crowd", "greedy", CONNECTIONS])?;
    recorder.stop()?;

    let processes: Vec<&Process> = truths.iter().flat_map(|truth: &Truth| &truth.processes).collect();
    let all = export(&db)?;
    let of = |pid: u32| all.iter().flat_map(|one| &one.traffic).filter(move |traffic| traffic.pid == pid);
    for process in &processes {
        let truth = process
            .connections
            .iter()
            .fold((0, 0), |sum: (u64, u64), one| (sum.0 + one.tx_bytes, sum.1 + one.rx_bytes));
        let recorded = of(process.pid).fold((0, 0), |sum, one| (sum.0 + one.tx_bytes, sum.1 + one.rx_bytes));
        ensure!(recorded == truth, "{} of user {}: {recorded:?} of {truth:?}", process.role, process.uid);
    }
    let (modest, greedy): (Vec<&Process>, Vec<&Process>) =
        processes.into_iter().partition(|one| one.uid == 0);
    let owned = |by: &[&Process]| {
        let pids: HashSet<u32> = by.iter().map(|process| process.pid).collect();
        let records = all.iter().filter(move |one| one.pid().is_some_and(|pid| pids.contains(&pid)));
        records.collect::<Vec<&Record>>()
    };
    let count = |by: &[&Process], proto| {
        by.iter().flat_map(|process| &process.connections).filter(|one| one.proto == proto).count()
    };
    let records = owned(&modest);
    for proto in [Proto::Tcp, Proto::Udp] {
        let exact = records.iter().filter(|one| one.proto == proto && one.exact && one.end.is_some()).count();
        ensure!(exact == count(&modest, proto), "{proto:?}: {exact} of {}", count(&modest, proto));
    }
    let (apart, together): (Vec<&Record>, Vec<&Record>) =
        owned(&greedy).into_iter().partition(|one| one.exact);
    let says = |one: &&Record| {
        one.inexact_reason.as_ref().is_some_and(|why| why.contains("not recorded one by one"))
    };
    ensure!(!together.is_empty() && together.iter().all(says), "not said: {}", listed(&together));
    // What is free is for others: a fifth of the room.
    ensure!(apart.len() > 256, "only {} are told apart", apart.len());
    let completeness = audit(&db)?.completeness;
    for name in ["lost_events", "map_full", "unattributed_tx_bytes"] {
        ensure!(completeness[name].as_u64().unwrap_or(0) == 0, "{name}: {completeness}");
    }
    let aggregated = completeness["aggregated_sockets"].as_u64().unwrap_or(0) as usize;
    let sockets = count(&greedy, Proto::Tcp) + count(&greedy, Proto::Udp);
    ensure!(
        apart.len() + aggregated == sockets,
        "{} + {aggregated} of {sockets}: {completeness}",
        apart.len()
    );
    Ok(())
}

fn listed(records: &[&Record]) -> String {
    records.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
