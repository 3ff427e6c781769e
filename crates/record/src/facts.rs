//! The table of facts: everything that is known of a connection, each fact declared here and nowhere else. The columns of the store, of CSV, Parquet and Timesketch, the figures in JSON and ECS, the columns of the page's data, fields of
//! the query language, what viewers are told and `docs/fields.md` follow from it.
//!
//! A new fact is a member of [`Facts`](super::Facts) (or of one of its groups, `seen.rs`), an entry of [`FACTS`], and what computes it in `crates/track/src/lib.rs`.
//! The order of the table is that of CSV's columns, which is a contract: new ones come last, and none is renamed.

mod fact;

use std::borrow::Cow;

use super::{
    Connection, Direction, End, Endpoint, ExeHash, Facts, KernelTotals, Location, Process, Untrusted, Wire,
    community_id, service_of,
};
use Unit::{Address, Bytes, Degrees, Microseconds, Packets, Port, Segments, Time};
use fact::{known, owner, seen, structured};

pub use fact::{Cell, Fact, Group, PageColumn, Read, Seen, Source, Unit};

/// The text in place of a round-trip time of 0.
pub const NOT_MEASURED: &str = "not measured";

/// The table.
#[rustfmt::skip] // A fact has a line of names and a line of how it is read.
pub const FACTS: &[Fact] = &[
    // The connection itself.
    known("id", "connection.id", "number of the connection, unique in its store",
        Read::Count(|c| u64::try_from(c.id).ok())).csv("id"),
    structured("family", "", "4 or 6, from the remote address"),
    known("proto", "connection.proto", "protocol; a number in the store",
        Read::Text(|c| Some(c.proto.name().into()))).csv("proto").field("proto"),
    seen("direction", "connection.direction", "which side opened it: `out`, `in` or `unknown`",
        Seen::Text(|f| Some(f.direction.name().into()), |f, text| f.direction = Direction::from_name(text).unwrap_or(Direction::Unknown))).csv("direction").field("dir"),
    seen("local.ip", "connection.local_ip", "address of this host's end",
        Seen::Text(|f| Some(f.local.ip.to_string().into()), |f, text| set_ip(&mut f.local, text))).csv("local_ip").unit(Address),
    seen("local.port", "connection.local_port", "port of this host's end",
        Seen::Count(|f| Some(f.local.port.into()), |f, port| f.local.port = narrow(port))).csv("local_port").unit(Port),
    known("remote.ip", "endpoint.ip", "address of the other end",
        Read::Text(|c| Some(c.remote.ip.to_string().into()))).csv("remote_ip").unit(Address).field("ip"),
    seen("remote.port", "connection.remote_port", "port of the other end",
        Seen::Count(|f| Some(f.remote.port.into()), |f, port| f.remote.port = narrow(port))).csv("remote_port").unit(Port),
    seen("opened", "connection.opened", "when it was first seen: connect, accept, or the first datagram",
        Seen::Time(|f| Some(f.opened), |f, time| f.opened = time)).csv("opened").unit(Time).field("since"),
    seen("closed", "connection.closed", "when it ended, if that was seen",
        Seen::Time(|f| f.closed, |f, time| f.closed = Some(time))).csv("closed").unit(Time),
    seen("end", "connection.end", "why it ended; nothing while it lasts",
        Seen::Text(|f| f.end.map(|end| end.name().into()), |f, text| f.end = End::from_name(text))).csv("end").field("end"),
    seen("preexisting", "connection.preexisting", "whether it existed before the recording began",
        Seen::Flag(|f| Some(f.preexisting), |f, flag| f.preexisting = flag)).csv("preexisting"),
    seen("subflow", "connection.subflow", "whether it is a subflow of an MPTCP connection, on which the application bytes are counted",
        Seen::Flag(|f| Some(f.subflow), |f, flag| f.subflow = flag)).since(3),
    known("exact", "", "whether the byte counts are exact",
        Read::Flag(|c| Some(c.inexact.is_none()))).csv("exact"),
    seen("inexact_reason", "connection.inexact", "why the figures may be incomplete",
        Seen::Text(|f| f.inexact.as_deref().map(Cow::Borrowed), |f, text| f.inexact = Some(text.to_owned().into()))),
    // The process that owns it.
    owner("process.pid", "process.pid", "process id",
        Read::Count(|p| Some(p.id.pid.into()))).csv("pid").field("pid"),
    owner("process.start", "process.started", "when the process began",
        Read::Time(|p| Some(p.started))).csv("start").unit(Time),
    owner("process.comm", "process.comm", "the kernel's name of the process",
        Read::Text(|p| text(p.comm.raw()))).csv("comm").field("proc"),
    owner("process.exe", "process.exe", "path of the executable",
        Read::Text(|p| text(p.exe.raw()))).csv("exe").field("exe"),
    owner("process.cmdline", "process.cmdline", "command line, secrets redacted",
        Read::Text(|p| text(p.cmdline.raw()))).csv("cmdline").field("cmd"),
    owner("process.uid", "process.uid", "real user id",
        Read::Count(|p| Some(p.uid.into()))).csv("uid"),
    owner("process.user", "process.user", "name of that user",
        Read::Text(|p| raw(&p.user))).csv("user").field("user"),
    owner("process.ppid", "process.ppid", "process id of the parent",
        Read::Count(|p| Some(p.ppid.into()))).csv("ppid"),
    owner("process.euid", "process.euid", "effective user id",
        Read::Count(|p| Some(p.euid.into()))).csv("euid"),
    owner("process.exe_state", "process.exe_state", "`deleted` or `memfd` where the executable is no file any more",
        Read::Text(|p| p.exe_state.name().map(Cow::Borrowed))).csv("exe_state"),
    owner("process.sha256", "process.sha256", "SHA-256 of the executable",
        Read::Text(hash)).csv("sha256").field("hash"),
    structured("process.not_hashed", "process.not_hashed", "why there is no SHA-256"),
    owner("process.cwd", "process.cwd", "working folder",
        Read::Text(|p| text(p.cwd.raw()))).csv("cwd"),
    structured("process.session", "process.session", "login session of the audit system"),
    structured("process.redacted", "process.redacted", "whether secrets were taken out of the command line"),
    structured("process.cgroup", "process.cgroup", "control group"),
    owner("process.unit", "process.unit", "systemd unit",
        Read::Text(|p| raw(&p.place.unit))).csv("unit").field("unit"),
    structured("process.slice", "process.slice", "systemd slice"),
    owner("process.container", "process.container_id", "container: in JSON an object, in columns `runtime:name`",
        Read::Text(|p| p.place.container.as_ref().map(|it| it.title().into_raw().into()))).csv("container").field("container"),
    owner("process.pod", "process.pod", "pod of Kubernetes",
        Read::Text(|p| raw(&p.place.pod))).csv("pod"),
    structured("process.ancestors", "process.parent_id", "the processes that led to it, the nearest first"),
    // Bytes that calls of processes moved.
    structured("traffic", "traffic", "bytes and calls of each process that moved any"),
    known("tx_bytes", "traffic.tx_bytes", "application bytes sent, by all processes",
        Read::Count(|c| Some(c.tx_bytes()))).csv("tx_bytes").unit(Bytes).field("tx"),
    known("rx_bytes", "traffic.rx_bytes", "application bytes received, by all processes",
        Read::Count(|c| Some(c.rx_bytes()))).csv("rx_bytes").unit(Bytes).field("rx"),
    // The kernel's own totals, for TCP connections whose end was seen.
    seen("kernel.tx_bytes", "connection.kernel_tx", "payload bytes that the kernel sent once, without SYN and FIN",
        Seen::Count(|f| f.kernel.map(|k| k.tx_bytes), |f, n| kernel(f).tx_bytes = n)).csv("kernel_tx_bytes").unit(Bytes).beside("kernelTx", ["tx", ""], Group::Kernel),
    seen("kernel.rx_bytes", "connection.kernel_rx", "payload bytes that the kernel received in order, without the peer's FIN",
        Seen::Count(|f| f.kernel.map(|k| k.rx_bytes), |f, n| kernel(f).rx_bytes = n)).csv("kernel_rx_bytes").unit(Bytes).beside("kernelRx", ["rx", ""], Group::Kernel),
    seen("kernel.retransmits", "connection.retransmits", "retransmitted segments",
        Seen::Count(|f| f.kernel.map(|k| k.retransmits.into()), |f, n| kernel(f).retransmits = narrow(n))).csv("retransmits").unit(Segments).page("retransmits", Group::Kernel),
    seen("kernel.retransmitted_bytes", "connection.retransmitted_bytes", "retransmitted payload bytes",
        Seen::Count(|f| f.kernel.map(|k| k.retransmitted_bytes), |f, n| kernel(f).retransmitted_bytes = n)).since(3).csv("retransmitted_bytes").unit(Bytes).page("retransmitted", Group::Kernel),
    seen("kernel.rtt_us", "connection.rtt_us", "smoothed round-trip time at the end; 0 where it was not measured",
        Seen::Count(|f| f.kernel.map(|k| k.rtt_us.into()), |f, n| kernel(f).rtt_us = narrow(n))).since(3).csv("rtt_us").unit(Microseconds).page("rtt", Group::Kernel),
    // The wire plane: from the IP header on.
    seen("wire.tx_bytes", "connection.wire_tx_bytes", "bytes of packets sent, from the IP header on",
        Seen::Count(|f| f.wire.map(|w| w.tx_bytes), |f, n| wire(f).tx_bytes = n)).since(3).csv("wire_tx_bytes").unit(Bytes).beside("wireTx", ["tx", "wireTxPackets"], Group::Wire),
    seen("wire.rx_bytes", "connection.wire_rx_bytes", "bytes of packets received, from the IP header on",
        Seen::Count(|f| f.wire.map(|w| w.rx_bytes), |f, n| wire(f).rx_bytes = n)).since(3).csv("wire_rx_bytes").unit(Bytes).beside("wireRx", ["rx", "wireRxPackets"], Group::Wire),
    seen("wire.tx_packets", "connection.wire_tx_packets", "packets sent",
        Seen::Count(|f| f.wire.map(|w| w.tx_packets), |f, n| wire(f).tx_packets = n)).since(3).csv("wire_tx_packets").unit(Packets).page("wireTxPackets", Group::Wire),
    seen("wire.rx_packets", "connection.wire_rx_packets", "packets received",
        Seen::Count(|f| f.wire.map(|w| w.rx_packets), |f, n| wire(f).rx_packets = n)).since(3).csv("wire_rx_packets").unit(Packets).page("wireRxPackets", Group::Wire),
    // Where the remote address is.
    known("geo.country", "endpoint.country", "country in which the remote address is registered",
        Read::Text(|c| maybe(&c.country))).csv("country").field("country"),
    known("geo.city", "endpoint.city", "city, as estimated by a geo database",
        Read::Text(|c| raw(&location(c)?.city))).csv("city").field("city"),
    known("geo.region", "endpoint.region", "region of the country",
        Read::Text(|c| raw(&location(c)?.region))).csv("region"),
    known("geo.latitude", "endpoint.latitude", "degrees north",
        Read::Number(|c| Some(location(c)?.coordinates?.latitude))).csv("latitude").unit(Degrees),
    known("geo.longitude", "endpoint.longitude", "degrees east",
        Read::Number(|c| Some(location(c)?.coordinates?.longitude))).csv("longitude").unit(Degrees),
    known("geo.asn", "endpoint.asn", "number of the autonomous system",
        Read::Count(|c| location(c)?.asn.map(u64::from))).csv("asn").field("asn"),
    known("geo.org", "endpoint.org", "organisation that runs the network",
        Read::Text(|c| raw(&location(c)?.org))).csv("org").field("org"),
    known("geo.source", "endpoint.geo_source", "databases that answered",
        Read::Text(|c| Some(Cow::Borrowed(location(c)?.source.raw())))).csv("geo_source"),
    // What it speaks, and with whom.
    structured("service.port", "", "port of the side that was called").unit(Port).field("port"),
    known("service.name", "", "observed protocol, else the usual name of that port",
        Read::Text(|c| service_of(c).name.map(Cow::Borrowed))).csv("service").field("service"),
    known("service.observed", "observed.service", "protocol that its first bytes showed",
        Read::Text(|c| text(c.observed.as_ref()?.service.raw()))).csv("observed"),
    structured("service.alpn", "observed.alpn", "protocols that a TLS client offered within"),
    known("names", "connection_name.name", "names of the other end, what tells most first: in JSON objects with source, time and process",
        Read::Text(|c| Some(Untrusted::joined(c.host_names(), " ").into_raw().into()))).csv("names").field("host"),
    known("community_id", "", "Community ID, version 1, seed 0",
        Read::Text(|c| community_id(c).map(Cow::Owned))).csv("community_id"),
    known("label", "connection.label", "label of the first rule that matches",
        Read::Text(|c| Some(Cow::Borrowed(c.label.as_ref()?.raw())))).csv("label").field("label"),
    known("ioc", "hit.indicator", "indicators that it matches, with their lists",
        Read::Text(|c| Some(indicators(c).into()))).csv("ioc").field("ioc"),
    // Of a chosen interval.
    known("within.tx_bytes", "", "of the bytes sent, those of the chosen interval",
        Read::Count(|c| c.within.map(|[tx, _]| tx))).csv("within_tx_bytes").unit(Bytes),
    known("within.rx_bytes", "", "of the bytes received, those of the chosen interval",
        Read::Count(|c| c.within.map(|[_, rx]| rx))).csv("within_rx_bytes").unit(Bytes),
    known("watched_until", "run.ended", "when the recording ended, if it ended first",
        Read::Time(|c| c.cut_off)).csv("watched_until").unit(Time),
    // What the process asked for, where a program of a cgroup led the connection elsewhere.
    seen("asked.ip", "connection.asked_ip", "address that the process asked for, where a BPF program led the connection elsewhere",
        Seen::Text(|f| f.asked.map(|asked| asked.ip.to_string().into()), |f, text| set_ip(asked(f), text))).since(10).csv("asked_ip").unit(Address).field("asked").page("asked", Group::Asked),
    seen("asked.port", "connection.asked_port", "port that the process asked for there",
        Seen::Count(|f| f.asked.map(|asked| asked.port.into()), |f, port| asked(f).port = narrow(port))).since(10).csv("asked_port").unit(Port).field("asked_port").page("askedPort", Group::Asked),
    seen("netns", "connection.netns", "inode number of its network namespace, as `/proc/PID/ns/net` shows it",
        Seen::Count(|f| Some(f.netns.into()), |f, n| f.netns = narrow(n))).csv("netns"),
    seen("clock_set_ns", "connection.clock_set_ns", "by how much the clock was set between its opening and its end, nanoseconds: it lasted for the rest of the time between them",
        Seen::Count(|f| (f.clock_set_ns != 0).then_some(f.clock_set_ns as u64), |f, ns| f.clock_set_ns = ns as i64)).since(16),
    known("findings", "", "findings that it is evidence of: in JSON objects, in columns the name of the detector and the id of each",
        Read::Text(|c| Some(findings(c).into()))).csv("findings").field("finding"),
];

fn kernel(facts: &mut Facts) -> &mut KernelTotals {
    facts.kernel.get_or_insert_default()
}

fn wire(facts: &mut Facts) -> &mut Wire {
    facts.wire.get_or_insert_default()
}

fn asked(facts: &mut Facts) -> &mut Endpoint {
    facts.asked.get_or_insert(Endpoint::UNSPECIFIED)
}

/// The store has it from an address.
fn set_ip(endpoint: &mut Endpoint, text: &str) {
    endpoint.ip = text.parse().unwrap_or(Endpoint::UNSPECIFIED.ip).to_canonical();
}

/// A number that was written as a smaller one.
fn narrow<T: TryFrom<u64> + Default>(number: u64) -> T {
    T::try_from(number).unwrap_or_default()
}

fn text(text: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(text))
}

fn raw(text: &Option<Untrusted>) -> Option<Cow<'_, str>> {
    text.as_ref().map(|text| text.raw().into())
}

fn maybe(text: &Option<String>) -> Option<Cow<'_, str>> {
    text.as_deref().map(Cow::Borrowed)
}

fn hash(process: &Process) -> Option<Cow<'_, str>> {
    match &process.exe_hash {
        ExeHash::Sha256(hash) => text(hash),
        _ => None,
    }
}

fn location(connection: &Connection) -> Option<&Location> {
    connection.place.as_deref()
}

/// The indicators that it matches, each with its list.
fn indicators(connection: &Connection) -> String {
    let each = connection.hits.iter().map(|hit| format!("{} ({})", hit.indicator.raw(), hit.list.name.raw()));
    each.collect::<Vec<_>>().join("; ")
}

/// The findings that it is evidence of, as `finding:` asks for them.
fn findings(connection: &Connection) -> String {
    let each = connection.findings.iter().map(|finding| format!("{} {}", finding.name, finding.id.raw()));
    each.collect::<Vec<_>>().join("; ")
}

/// The facts of an object in JSON, by their names in it: `kernel` has `rtt_us`.
pub fn members(object: &'static str) -> impl Iterator<Item = (&'static str, &'static Fact)> {
    let name = move |fact: &'static Fact| fact.json.strip_prefix(object)?.strip_prefix('.');
    FACTS.iter().filter_map(move |fact| Some((name(fact)?, fact)))
}

/// The facts that have a column in the page's data.
pub fn paged() -> impl Iterator<Item = (&'static Fact, PageColumn)> {
    FACTS.iter().filter_map(|fact| Some((fact, fact.page?)))
}

/// The number of facts that [`paged`] returns.
pub const PAGED: usize = {
    let (mut count, mut place) = (0, 0);
    while place < FACTS.len() {
        count += FACTS[place].page.is_some() as usize;
        place += 1;
    }
    count
};
