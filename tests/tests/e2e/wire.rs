//! The wire plane: packets and their bytes beside what the processes sent and received.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::{export, traffic_truth};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::whole::pids;
use connmon_tests::sys::socket::set_option;
use connmon_tests::truth::Proto;
use socket2::{Domain, Socket, Type};

use super::scenes::{Played, Recording};

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

/// A destination option of IPv6 that is only padding (RFC 8200, section 4.2): eight bytes more in each packet.
const PADDING: [u8; 8] = [0, 0, 1, 4, 0, 0, 0, 0];
/// include/uapi/linux/in6.h
const OPTIONS: [libc::c_int; 2] = [libc::IPV6_HOPOPTS, libc::IPV6_DSTOPTS];
/// Bytes of a TCP connection whose packets have those headers, in segments of a kilobyte.
const AMOUNT: usize = 1_000_000;

/// A socket of IPv6 whose packets have two more headers.
fn with_headers(kind: Type) -> Result<Socket> {
    let socket = Socket::new(Domain::IPV6, kind, None)?;
    for option in OPTIONS {
        set_option(socket.as_fd(), libc::IPPROTO_IPV6, option, &PADDING)?;
    }
    if kind == Type::STREAM {
        set_option(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_MAXSEG, &1000)?;
    }
    socket.bind(&SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into())?;
    Ok(socket)
}

/// A protocol, the port of who sends, and of who receives. One port alone may be another scene's as well.
type Ends = (Proto, u16, u16);

/// Large packets of TCP, and datagrams, with extension headers.
fn extended() -> Result<[Ends; 2]> {
    let port = |socket: &Socket| -> Result<u16> {
        Ok(socket.local_addr()?.as_socket().context("an address of IP")?.port())
    };
    let (listener, sender) = (with_headers(Type::STREAM)?, with_headers(Type::STREAM)?);
    listener.listen(1)?;
    sender.connect(&listener.local_addr()?)?;
    let mut receiver = TcpStream::from(listener.accept()?.0);
    let tcp = (Proto::Tcp, port(&sender)?, port(&listener)?);
    let reading = thread::spawn(move || io::copy(&mut receiver, &mut io::sink()));
    TcpStream::from(sender).write_all(&vec![7; AMOUNT])?;
    let read = reading.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    ensure!(read == AMOUNT as u64, "{read} bytes of {AMOUNT} came");
    let (target, sender) = (with_headers(Type::DGRAM)?, with_headers(Type::DGRAM)?);
    for _ in 0..5 {
        sender.send_to(&[7; 100], &target.local_addr()?)?;
    }
    Ok([tcp, (Proto::Udp, port(&sender)?, port(&target)?)])
}

/// Headers and payload make up the packets' bytes, and both ends of a connection saw the same packets.
pub fn counted() -> Result<Played> {
    let ours = pids(&traffic_truth(&CASES)?);
    let extended_ends = extended()?;
    let pids = ours.iter().copied().collect();
    let judge = move |recording: &Recording| {
        let is_extended = |record: &&Record| {
            record.local.ip == IpAddr::from(Ipv6Addr::LOCALHOST)
                && extended_ends.iter().any(|&(proto, from, to)| {
                    let ports = (record.local.port, record.remote.port);
                    record.proto == proto && (ports == (from, to) || ports == (to, from))
                })
        };
        let records = recording.records()?.iter().filter(|record| !record.preexisting);
        let (extended, plain): (Vec<_>, Vec<_>) = records
            .filter(|record| is_extended(record) || record.pid().is_some_and(|pid| ours.contains(&pid)))
            .partition(is_extended);
        ensure!(extended.len() >= 3, "not all of {extended_ends:?} is there");
        ensure_counted(&plain, 0)?;
        ensure_counted(&extended, (OPTIONS.len() * PADDING.len()) as u64)?;
        Ok(())
    };
    Ok(Played { truths: Vec::new(), pids, judge: Box::new(judge) })
}

/// Processes in a class of the `net_cls` controller (control groups, version 1): before Linux 5.15 their sockets, and all later ones of
/// the host, belong to the root of version 2 (`cgroup_sk_alloc_disable`, kernel/cgroup/cgroup.c), where the packets are counted.
pub fn net_cls() -> Result<Played> {
    if !fs::read_to_string("/proc/cgroups")?.lines().any(|line| line.starts_with("net_cls\t")) {
        println!("wire::net_cls is skipped: this kernel has no net_cls");
        return Ok(Played::by_us(|_| Ok(())));
    }
    let hierarchy = std::env::temp_dir().join("net_cls");
    let class = hierarchy.join("class");
    fs::create_dir(&hierarchy)?;
    let mut mount = Command::new("mount");
    let status = mount.args(["-t", "cgroup", "-o", "net_cls", "net_cls"]).arg(&hierarchy).status()?;
    ensure!(status.success(), "mount: {status}");
    fs::create_dir(&class)?;
    fs::write(class.join("net_cls.classid"), "0x100001")?;
    let us = std::process::id().to_string();
    fs::write(class.join("cgroup.procs"), &us)?;
    let truths = traffic_truth(&CASES);
    fs::write(hierarchy.join("cgroup.procs"), &us)?;
    let truths = truths?;
    let ours = pids(&truths);
    let judge = move |recording: &Recording| {
        recording.ensure_exact()?;
        let is_ours = |record: &&Record| record.pid().is_some_and(|pid| ours.contains(&pid));
        let records: Vec<_> = recording.records()?.iter().filter(is_ours).collect();
        ensure_counted(&records, 0)
    };
    Ok(Played { truths, pids: Vec::new(), judge: Box::new(judge) })
}

/// The same of some records, whose packets have so many bytes more in headers of IPv6.
fn ensure_counted(records: &[&Record], more: u64) -> Result<()> {
    let (mut tcp, mut udp) = (0, 0);
    for record in records {
        let wire = record.wire.with_context(|| format!("no packets counted: {record}"))?;
        let ip_header = match record.remote.ip {
            IpAddr::V4(_) => 20,
            IpAddr::V6(_) => 40 + more,
        };
        match record.proto {
            Proto::Tcp if record.closed.is_some() && record.end.as_deref() == Some("fin") => {
                tcp += 1;
                let other = other_end(record, records);
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
    // Of those with more headers there are few.
    let (least_tcp, least_udp) = if more == 0 { (4, 101) } else { (2, 1) };
    ensure!(tcp >= least_tcp && udp >= least_udp, "only {tcp} TCP and {udp} UDP records");
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

fn other_end<'a>(record: &Record, records: &[&'a Record]) -> Option<&'a Record> {
    records.iter().copied().find(|other| (other.local, other.remote) == (record.remote, record.local))
}

/// `--no-wire` counts no packets, and everything else.
pub fn switched_off() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("wire.db");
    let recorder = Recorder::start(&db, &["--no-wire"])?;
    traffic_truth(&CASES)?;
    recorder.stop()?;
    let records = export(&db)?;
    ensure!(records.len() > 3, "only {} records", records.len());
    ensure!(records.iter().all(|record| record.wire.is_none()), "packets were counted");
    Ok(())
}
