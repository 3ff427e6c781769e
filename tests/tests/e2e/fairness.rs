//! One user has more sockets than his share of the kernel's tables: nobody else loses by it, and of his own every byte is recorded.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, Result, bail, ensure};
use connmon_tests::harness::programs::{audit, export, traffic_truth};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::whole::Host;
use connmon_tests::storm::crowd::GREEDY;
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
    let (sharers, processes): (Vec<&Process>, Vec<&Process>) =
        processes.into_iter().partition(|process| process.role == "sharer");
    let (throng, processes): (Vec<&Process>, Vec<&Process>) =
        processes.into_iter().partition(|process| process.role == "throng");
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
    let missing = shared(&sharers, &all)?;
    is_right_or_told(&throng, &all)?;
    let (modest, greedy): (Vec<&Process>, Vec<&Process>) =
        processes.into_iter().partition(|one| one.uid != GREEDY);
    let owned = |by: &[&Process]| {
        let pids: HashSet<u32> = by.iter().map(|process| process.pid).collect();
        let records = all.iter().filter(move |one| one.pid().is_some_and(|pid| pids.contains(&pid)));
        records.collect::<Vec<&Record>>()
    };
    let count = |by: &[&Process], proto| {
        by.iter().flat_map(|process| &process.connections).filter(|one| one.proto == proto).count()
    };
    let records = owned(&modest);
    // Also where the greedy one's threads have left no room for notes.
    let pings: Vec<&&Record> = records.iter().filter(|one| one.proto == Proto::Icmp).collect();
    let is_named = |one: &&Record| one.exact && one.remote.ip == IpAddr::V4(Ipv4Addr::LOCALHOST);
    ensure!(pings.len() == 1 && is_named(pings[0]), "a raw socket: {pings:?}");
    for proto in [Proto::Tcp, Proto::Udp] {
        let exact = records.iter().filter(|one| one.proto == proto && one.exact && one.end.is_some()).count();
        ensure!(exact == count(&modest, proto), "{proto:?}: {exact} of {}", count(&modest, proto));
    }
    let (apart, together): (Vec<&Record>, Vec<&Record>) =
        owned(&greedy).into_iter().partition(|one| one.exact);
    ensure!(
        !together.is_empty() && together.iter().all(|one| one.stands_for_many()),
        "not said: {}",
        listed(&together)
    );
    // What is free is for others: a fifth of the room.
    ensure!(apart.len() > 256, "only {} are told apart", apart.len());
    let audit = audit(&db)?;
    let aggregated = audit.completeness["aggregated_sockets"].as_u64().unwrap_or(0) as usize;
    let sockets = count(&greedy, Proto::Tcp) + count(&greedy, Proto::Udp);
    let host = Host::of(&audit, &truths);
    let is_counted = match host {
        Host::Alone => apart.len() + aggregated == sockets && audit.lost()?.bytes == (missing, 0),
        Host::Shared(_) => apart.len() + aggregated >= sockets,
    };
    ensure!(is_counted, "{} + {aggregated} of {sockets} ({host:?}): {}", apart.len(), audit.completeness);
    Ok(())
}

/// A socket that many processes use: that of the modest user is exact, that of the greedy one says that bytes of some are missing.
/// Returns how many are.
fn shared(sharers: &[&Process], all: &[Record]) -> Result<u64> {
    let mut missing = 0;
    for process in sharers {
        let truth = process.connections.first().context("a connection")?;
        let port = truth.local.as_ref().context("its end")?.port;
        let record = all.iter().find(|one| one.local.port == port).context("a shared socket")?;
        let is_greedy = process.uid == GREEDY;
        let says = |why: &String| why.contains("bytes of some of its processes are missing");
        let is_told = record.inexact_reason.as_ref().is_some_and(says);
        ensure!(record.exact != is_greedy && is_told == is_greedy, "of {} bytes: {record}", truth.tx_bytes);
        ensure!(is_greedy || record.tx_bytes == truth.tx_bytes, "of {} bytes: {record}", truth.tx_bytes);
        missing += truth.tx_bytes - record.tx_bytes;
    }
    ensure!(sharers.len() == 2, "{} shared sockets", sharers.len());
    Ok(missing)
}

/// Of what threads of the greedy user sent, some may be missing, or lack its remote: each of his connections is right to the byte or says
/// that it is not exact, and none has more.
fn is_right_or_told(throng: &[&Process], all: &[Record]) -> Result<()> {
    let [process] = throng else { bail!("{} processes with many threads", throng.len()) };
    for truth in &process.connections {
        let at = truth.local.as_ref().context("its end")?;
        let mine = |one: &&Record| {
            one.proto == truth.proto
                && one.local.port == at.port
                && (truth.proto == Proto::Udp || one.remote.port == truth.remote.port)
        };
        let records: Vec<&Record> = all.iter().filter(mine).collect();
        let moved = records.iter().fold((0, 0), |sum, one| (sum.0 + one.tx_bytes, sum.1 + one.rx_bytes));
        let right = (truth.tx_bytes, truth.rx_bytes);
        let is_told = records.iter().any(|one| !one.exact);
        ensure!(
            moved == right || (is_told && moved.0 <= right.0 && moved.1 <= right.1),
            "{moved:?} of {right:?}: {}",
            listed(&records)
        );
    }
    Ok(())
}

fn listed(records: &[&Record]) -> String {
    records.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
