//! The wire plane: packets and their bytes beside what the processes sent and received.

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::{export, traffic_truth};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::truth::Proto;

const CASES: [&str; 7] = [
    "case",
    "tcp-simple-v4",
    "tcp-simple-v6",
    "tcp-sizes-v4",
    "udp-connected-v4",
    "udp-unconnected-v6",
    "udp-many-remotes-v4",
];
/// A TCP header without options, and with all that fit.
const TCP_HEADER: (u64, u64) = (20, 60);
const UDP_HEADER: u64 = 8;

fn record(options: &[&str]) -> Result<Vec<Record>> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("wire.db");
    let recorder = Recorder::start(&db, options)?;
    traffic_truth(&CASES)?;
    recorder.stop()?;
    let records = export(&db)?;
    Ok(records.into_iter().filter(|record| !record.preexisting && record.local.ip.is_loopback()).collect())
}

/// Headers and payload make up the packets' bytes, and both ends of a connection saw the same packets.
pub fn counted() -> Result<()> {
    let records = record(&[])?;
    let (mut tcp, mut udp) = (0, 0);
    for record in &records {
        let wire = record.wire.with_context(|| format!("no packets counted: {record}"))?;
        let ip_header = if record.remote.ip.is_ipv4() { 20 } else { 40 };
        match record.proto {
            Proto::Tcp if record.closed.is_some() && record.end.as_deref() == Some("fin") => {
                tcp += 1;
                let other = other_end(record, &records);
                let again =
                    |record: &Record| record.kernel.as_ref().is_some_and(|kernel| kernel.retransmits > 0);
                if again(record) || other.is_none_or(again) {
                    continue; // the same bytes were on the wire more than once
                }
                payload_fits(record.tx_bytes, wire.tx_packets, wire.tx_bytes, ip_header)
                    .with_context(|| format!("sent by {record}: {wire:?}"))?;
                payload_fits(record.rx_bytes, wire.rx_packets, wire.rx_bytes, ip_header)
                    .with_context(|| format!("received by {record}: {wire:?}"))?;
                // The last acknowledgements may come from a socket that is no more than a TIME_WAIT.
                let theirs = other.and_then(|other| other.wire).context("the other end has no packets")?;
                ensure!(
                    wire.tx_packets.abs_diff(theirs.rx_packets) <= 2,
                    "{record} sent {wire:?}, the other end received {theirs:?}"
                );
            }
            Proto::Udp => {
                udp += 1;
                let calls: u64 = record.traffic.iter().map(|traffic| traffic.tx_calls).sum();
                let bytes = record.tx_bytes + calls * (ip_header + UDP_HEADER);
                ensure!(
                    (wire.tx_packets, wire.tx_bytes) == (calls, bytes),
                    "{calls} datagrams of {bytes} bytes with their headers sent by {record}: {wire:?}"
                );
            }
            _ => {}
        }
    }
    ensure!(tcp > 3 && udp > 100, "only {tcp} TCP and {udp} UDP records");
    Ok(())
}

fn payload_fits(payload: u64, packets: u64, bytes: u64, ip_header: u64) -> Result<()> {
    let without = |tcp_header: u64| bytes.saturating_sub(packets * (ip_header + tcp_header));
    ensure!(
        (without(TCP_HEADER.1)..=without(TCP_HEADER.0)).contains(&payload),
        "{payload} bytes in {packets} packets of {bytes} bytes"
    );
    Ok(())
}

fn other_end<'a>(record: &Record, records: &'a [Record]) -> Option<&'a Record> {
    records.iter().find(|other| (other.local, other.remote) == (record.remote, record.local))
}

/// `--no-wire` counts no packets, and everything else.
pub fn switched_off() -> Result<()> {
    let records = record(&["--no-wire"])?;
    ensure!(records.len() > 3, "only {} records", records.len());
    ensure!(records.iter().all(|record| record.wire.is_none()), "packets were counted");
    Ok(())
}
