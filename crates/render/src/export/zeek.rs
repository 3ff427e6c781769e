//! Zeek's conn.log, as tab-separated values and as JSON.

use std::io;
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::completeness::CompletenessFields;
use super::{Closing, Out, Sink, event};
use connmon_record::{Connection, Direction, End, Endpoint, Proto, Run, Timestamp, community_id};

/// The columns of conn.log, in its order, with their types.
const FIELDS: [(&str, &str); 23] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("service", "string"),
    ("duration", "interval"),
    ("orig_bytes", "count"),
    ("resp_bytes", "count"),
    ("conn_state", "string"),
    ("local_orig", "bool"),
    ("local_resp", "bool"),
    ("missed_bytes", "count"),
    ("history", "string"),
    ("orig_pkts", "count"),
    ("orig_ip_bytes", "count"),
    ("resp_pkts", "count"),
    ("resp_ip_bytes", "count"),
    ("tunnel_parents", "set[string]"),
    ("community_id", "string"),
    ("ip_proto", "count"),
];

/// The value of a field. All text here is connmon's own; a captured name would have to pass `display_safe` first, and then have its
/// backslashes doubled.
enum Field {
    Unset,
    Text(String),
    Count(u64),
    Flag(bool),
    /// Microseconds, which Zeek writes as seconds.
    Seconds(i64),
}

impl<T: Into<Field>> From<Option<T>> for Field {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Unset, Into::into)
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<u64> for Field {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<bool> for Field {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// One side of a connection.
struct Side {
    end: Endpoint,
    /// Application bytes that it sent.
    bytes: u64,
    /// Packets that it sent, and their bytes.
    wire: Option<(u64, u64)>,
    is_local: bool,
}

/// One connection in the order of [`FIELDS`].
fn fields(run: Option<&Run>, c: &Connection) -> [Field; FIELDS.len()] {
    // The side that called comes first. Where that is not known, this host does.
    let called = c.direction == Direction::In;
    let ours = Side {
        end: c.local,
        bytes: c.tx_bytes(),
        wire: c.wire.map(|wire| (wire.tx_packets, wire.tx_bytes)),
        is_local: true,
    };
    let theirs = Side {
        end: c.remote,
        bytes: c.rx_bytes(),
        wire: c.wire.map(|wire| (wire.rx_packets, wire.rx_bytes)),
        is_local: is_local(c.remote.ip),
    };
    let (orig, resp) = if called { (theirs, ours) } else { (ours, theirs) };
    [
        Field::Seconds(c.opened.0.div_euclid(1_000)),
        event::uid(run, c).into(),
        address(orig.end).into(),
        port(orig.end).into(),
        address(resp.end).into(),
        port(resp.end).into(),
        proto(c.proto).into(),
        service(c).into(),
        event::lasted(c).map_or(Field::Unset, |length| Field::Seconds((length / 1_000) as i64)),
        orig.bytes.into(),
        resp.bytes.into(),
        state(c).into(),
        orig.is_local.into(),
        resp.is_local.into(),
        Field::Unset,
        Field::Unset,
        orig.wire.map(|(packets, _)| packets).into(),
        orig.wire.map(|(_, bytes)| bytes).into(),
        resp.wire.map(|(packets, _)| packets).into(),
        resp.wire.map(|(_, bytes)| bytes).into(),
        Field::Unset,
        community_id(c).into(),
        c.proto.ip_number().map(u64::from).into(),
    ]
}

fn address(end: Endpoint) -> Option<String> {
    (!end.ip.is_unspecified()).then(|| end.ip.to_string())
}

fn port(end: Endpoint) -> Option<u64> {
    (end.port != 0).then_some(end.port.into())
}

/// Zeek's `transport_proto`.
fn proto(proto: Proto) -> &'static str {
    match proto.ip_number() {
        Some(1 | 58) => "icmp",
        Some(6) => "tcp",
        Some(17) => "udp",
        _ => "unknown_transport",
    }
}

/// The service that was observed, by Zeek's name for it. What is usual for a port is no observation.
fn service(c: &Connection) -> Option<&'static str> {
    let observed = &c.observed.as_ref()?.service;
    let names = [("tls", "ssl"), ("quic", "quic"), ("http", "http"), ("dns", "dns"), ("ssh", "ssh")];
    names.into_iter().find_map(|(ours, zeeks)| (*observed == ours).then_some(zeeks))
}

/// Whether Zeek would take an address for a local one without being told about the site: see its
/// `Site::private_address_space`.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Zeek's `conn_state`, where the reason of the end allows no other.
fn state(c: &Connection) -> Option<&'static str> {
    if ![Proto::TCP, Proto::MPTCP].contains(&c.proto) || c.preexisting || c.direction == Direction::Unknown {
        return None;
    }
    let inbound = c.direction == Direction::In;
    let established = inbound || c.rx_bytes() > 0;
    let unanswered = c.wire.is_some_and(|wire| wire.tx_packets > 0 && wire.rx_packets == 0);
    match c.end {
        Some(End::Fin) => Some("SF"),
        Some(End::Refused) => Some("REJ"),
        // A reset from the other side, which is the originator of what came in.
        Some(End::Reset) => Some(if inbound { "RSTO" } else { "RSTR" }),
        Some(End::Abort) if established => Some(if inbound { "RSTR" } else { "RSTO" }),
        Some(End::Timeout | End::Unreachable) if unanswered => Some("S0"),
        None | Some(End::RecordingEnded) if c.closed.is_none() && established => Some("S1"),
        _ => None,
    }
}

/// conn.log as Zeek writes it unless told otherwise.
pub struct Tsv<'a> {
    out: Out<'a>,
}

impl<'a> Tsv<'a> {
    /// Writes the head. `runs` are the recordings that the rows are from.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(out: Out<'a>, runs: &[Run]) -> io::Result<Self> {
        let column = |of: fn(&(&'static str, &'static str)) -> &'static str| {
            FIELDS.iter().map(of).collect::<Vec<_>>().join("\t")
        };
        let opened = runs.iter().map(|run| run.started).min();
        writeln!(
            out,
            "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn"
        )?;
        writeln!(out, "#open\t{}", stamp(opened))?;
        writeln!(out, "#fields\t{}\n#types\t{}", column(|field| field.0), column(|field| field.1))?;
        Ok(Self { out })
    }
}

impl Sink for Tsv<'_> {
    fn connection(&mut self, run: Option<&Run>, connection: &Connection) -> io::Result<()> {
        let cells = fields(run, connection).map(|field| match field {
            Field::Unset => "-".into(),
            Field::Text(text) => text,
            Field::Count(count) => count.to_string(),
            Field::Flag(flag) => if flag { "T" } else { "F" }.into(),
            Field::Seconds(micros) => {
                format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
            }
        });
        writeln!(self.out, "{}", cells.join("\t"))
    }

    /// Writes the completeness in a line that readers skip: it comes after `#close`, where none looks for rows.
    fn finish(mut self: Box<Self>, closing: &Closing<'_>) -> io::Result<()> {
        writeln!(self.out, "#close\t{}", stamp(event::last_written(closing.runs)))?;
        self.out.write_all(b"#connmon\t")?;
        serde_json::to_writer(&mut self.out, &CompletenessFields::from(closing.completeness))?;
        self.out.write_all(b"\n")
    }
}

/// A time as it is in Zeek's comments.
fn stamp(time: Option<Timestamp>) -> String {
    let text = time.unwrap_or_default().to_string();
    text.split('.').next().unwrap_or_default().replace(['T', ':'], "-")
}

/// conn.log with one JSON object a line, without what is not known.
pub struct Json<'a>(pub Out<'a>);

impl Sink for Json<'_> {
    fn connection(&mut self, run: Option<&Run>, connection: &Connection) -> io::Result<()> {
        let values = FIELDS.iter().zip(fields(run, connection)).filter_map(|((name, _), field)| {
            let value: Value = match field {
                Field::Unset => return None,
                Field::Text(text) => text.into(),
                Field::Count(count) => count.into(),
                Field::Flag(flag) => flag.into(),
                Field::Seconds(micros) => (micros as f64 / 1e6).into(),
            };
            Some(((*name).to_owned(), value))
        });
        serde_json::to_writer(&mut self.0, &values.collect::<Map<_, _>>())?;
        self.0.write_all(b"\n")
    }

    /// Writes nothing: readers would take any other line for a connection.
    fn finish(self: Box<Self>, _: &Closing<'_>) -> io::Result<()> {
        Ok(())
    }
}
