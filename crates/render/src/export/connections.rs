//! Every connection on a line of JSON.
//!
//! The JSON is a contract: fields may be added, and none renamed.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::columns;
use super::completeness::CompletenessFields;
use super::hit::HitFields;
use super::process::ProcessFields;
use super::{Closing, Out, Sink};
use connmon_analysis::GeoNotes;
use connmon_record::facts::members;
use connmon_record::{
    Connection, FindingName, Location, Name, Process, Run, Share, Untrusted, community_id, display_safe,
    service_of,
};

/// A connection as one object.
#[derive(Serialize)]
pub(super) struct ConnectionObject<'a> {
    id: i64,
    proto: String,
    family: u8,
    direction: &'a str,
    local: Members<'a>,
    remote: Members<'a>,
    /// What the process asked for, where a BPF program led it to `remote`.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<Members<'a>>,
    opened: String,
    closed: Option<String>,
    /// Until when the connection was watched, if the recording ended first.
    #[serde(skip_serializing_if = "Option::is_none")]
    watched_until: Option<String>,
    end: Option<&'a str>,
    preexisting: bool,
    subflow: bool,
    exact: bool,
    inexact_reason: Option<Cow<'a, str>>,
    process: Option<ProcessFields>,
    traffic: Vec<Traffic>,
    tx_bytes: u64,
    rx_bytes: u64,
    /// Of these, what was moved in the interval that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<Members<'a>>,
    kernel: Option<Members<'a>>,
    wire: Option<Members<'a>>,
    geo: Option<Geo<'a>>,
    service: Service<'a>,
    names: Vec<NameFields<'a>>,
    community_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ioc: Vec<HitFields<'a>>,
    netns: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_set_ns: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<FindingFields<'a>>,
}

/// The port of the side that was called, its service (the observed one, or else the usual one of the port), and what was observed.
#[derive(Serialize)]
struct Service<'a> {
    port: u16,
    name: Option<&'static str>,
    observed: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alpn: Vec<Cow<'a, str>>,
}

/// A finding that the connection is evidence of.
#[derive(Serialize)]
pub(super) struct FindingFields<'a> {
    id: Cow<'a, str>,
    detector: Cow<'a, str>,
    name: &'static str,
    severity: &'static str,
}

#[derive(Serialize)]
struct NameFields<'a> {
    name: Cow<'a, str>,
    source: &'static str,
    time: String,
    process: Option<Asker<'a>>,
}

/// The process that asked for a name.
#[derive(Serialize)]
pub(super) struct Asker<'a> {
    pid: u32,
    start: String,
    exe: Cow<'a, str>,
}

impl<'a> From<&'a FindingName> for FindingFields<'a> {
    fn from(finding: &'a FindingName) -> Self {
        let FindingName { id, detector, name, severity } = finding;
        Self { id: id.shown(), detector: detector.shown(), name, severity }
    }
}

impl<'a> From<&'a Process> for Asker<'a> {
    fn from(process: &'a Process) -> Self {
        Self { pid: process.id.pid, start: process.started.to_string(), exe: display_safe(&process.exe) }
    }
}

#[derive(Serialize)]
struct Traffic {
    pid: u32,
    start: String,
    exe: String,
    tx_bytes: u64,
    rx_bytes: u64,
    tx_calls: u64,
    rx_calls: u64,
}

/// The facts of an object that the table of facts declares.
struct Members<'a>(&'static str, &'a Connection);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_map(members(self.0).map(|(name, fact)| (name, columns::json(&fact.value_of(self.1)))))
    }
}

#[derive(Serialize)]
struct Geo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<Cow<'a, str>>,
    /// The databases that answered, if they know more than a country.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, str>>,
}

/// The export.
pub struct Jsonl<'a>(pub Out<'a>);

impl Sink for Jsonl<'_> {
    fn connection(&mut self, _: Option<&Run>, connection: &Connection) -> io::Result<()> {
        write_json(connection, &mut self.0)
    }

    /// The last line says how many connections came before it, and what is missing.
    fn finish(mut self: Box<Self>, closing: &Closing<'_>) -> io::Result<()> {
        let trailer = Trailer {
            completeness: closing.completeness.into(),
            geo: closing.geo,
            runs: closing.runs.len(),
            connections: closing.connections,
            tx_bytes: closing.moved[0],
            rx_bytes: closing.moved[1],
        };
        serde_json::to_writer(&mut self.0, &LastLine { trailer })?;
        self.0.write_all(b"\n")
    }
}

/// Writes one line of JSON.
///
/// # Errors
/// The writer's.
pub fn write_json(connection: &Connection, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &record(connection))?;
    out.write_all(b"\n")
}

/// The object of a connection, as a line has it.
pub fn object(connection: &Connection) -> serde_json::Value {
    serde_json::json!(record(connection))
}

/// The object of a process, as it stands in that of a connection.
pub fn process(process: &Process) -> impl Serialize + use<> {
    ProcessFields::from(process)
}

/// The object of a connection.
pub(super) fn record(connection: &Connection) -> ConnectionObject<'_> {
    let members_of = |object| Members(object, connection);
    ConnectionObject {
        id: connection.id,
        proto: connection.proto.name(),
        family: connection.remote.family(),
        direction: connection.direction.name(),
        local: members_of("local"),
        remote: members_of("remote"),
        asked: connection.asked.map(|_| members_of("asked")),
        opened: connection.opened.to_string(),
        closed: connection.closed.map(|time| time.to_string()),
        watched_until: connection.cut_off.map(|time| time.to_string()),
        end: connection.end.map(|end| end.name()),
        preexisting: connection.preexisting,
        subflow: connection.subflow,
        exact: connection.inexact.is_none(),
        inexact_reason: connection.inexact.as_deref().map(display_safe),
        process: connection.owner.as_deref().map(ProcessFields::from),
        traffic: connection.traffic.iter().map(traffic).collect(),
        tx_bytes: connection.tx_bytes(),
        rx_bytes: connection.rx_bytes(),
        within: connection.within.map(|_| members_of("within")),
        kernel: connection.kernel.map(|_| members_of("kernel")),
        wire: connection.wire.map(|_| members_of("wire")),
        geo: geo(connection),
        service: service(connection),
        names: connection.names.iter().map(name).collect(),
        community_id: community_id(connection),
        label: connection.label.as_ref().map(Untrusted::shown),
        ioc: connection.hits.iter().map(HitFields::from).collect(),
        netns: connection.netns,
        clock_set_ns: Some(connection.clock_set_ns).filter(|ns| *ns != 0),
        findings: findings(connection),
    }
}

/// The findings that a connection is evidence of, with the fields that they have where findings are listed.
pub(super) fn findings(connection: &Connection) -> Vec<FindingFields<'_>> {
    connection.findings.iter().map(|finding| FindingFields::from(&**finding)).collect()
}

fn service(connection: &Connection) -> Service<'_> {
    let service = service_of(connection);
    let observed = connection.observed.as_ref();
    Service {
        port: service.port,
        name: service.name,
        observed: observed.map(|observed| display_safe(&observed.service)),
        alpn: observed.map_or(&[][..], |observed| &observed.alpn).iter().map(Untrusted::shown).collect(),
    }
}

fn name(name: &Name) -> NameFields<'_> {
    NameFields {
        name: display_safe(&name.name),
        source: name.source.name(),
        time: name.time.to_string(),
        process: name.process.as_deref().map(Asker::from),
    }
}

fn geo(connection: &Connection) -> Option<Geo<'_>> {
    let country = connection.country.as_deref().map(display_safe);
    let place = connection.place.as_deref().filter(|place| !place.is_country_only());
    if country.is_none() && place.is_none() {
        return None;
    }
    let text = |of: fn(&Location) -> Option<&Untrusted>| place.and_then(of).map(Untrusted::shown);
    let at = place.and_then(|place| place.coordinates);
    Some(Geo {
        country,
        city: text(|place| place.city.as_ref()),
        region: text(|place| place.region.as_ref()),
        latitude: at.map(|at| at.latitude),
        longitude: at.map(|at| at.longitude),
        asn: place.and_then(|place| place.asn),
        org: text(|place| place.org.as_ref()),
        source: place.map(|place| place.source.shown()),
    })
}

fn traffic(share: &Share) -> Traffic {
    Traffic {
        pid: share.process.id.pid,
        start: share.process.started.to_string(),
        exe: display_safe(&share.process.exe).into_owned(),
        tx_bytes: share.tx_bytes,
        rx_bytes: share.rx_bytes,
        tx_calls: share.tx_calls,
        rx_calls: share.rx_calls,
    }
}

#[derive(Serialize)]
struct LastLine<'a> {
    trailer: Trailer<'a>,
}

#[derive(Serialize)]
struct Trailer<'a> {
    completeness: CompletenessFields,
    geo: &'a GeoNotes,
    runs: usize,
    connections: u64,
    /// Of the time that was asked for.
    tx_bytes: u64,
    rx_bytes: u64,
}
