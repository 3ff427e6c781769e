//! Open Cybersecurity Schema Framework 1.4: a Network Activity (class 4001) for each connection, as lines of JSON. What the schema has no
//! attribute for is in `unmapped`.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::completeness::CompletenessFields;
use super::connections::record;
use super::ecs::transport;
use super::{Closing, Out, Sink, event};
use connmon_record::{
    Connection, Direction, End, Endpoint, ExeHash, Process, Proto, Run, Untrusted, community_id, display_safe,
};

/// The version of the schema.
const VERSION: &str = "1.4.0";
/// The profiles of an event about a connection.
const CONNECTION: [&str; 2] = ["host", "container"];

/// The export: events as lines of JSON.
pub struct Ocsf<'a>(pub Out<'a>);

impl Sink for Ocsf<'_> {
    fn connection(&mut self, run: Option<&Run>, connection: &Connection) -> io::Result<()> {
        write(&network_activity(run, connection), &mut *self.0)
    }

    /// The last event is of the base class: how complete those before it are.
    fn finish(self: Box<Self>, closing: &Closing<'_>) -> io::Result<()> {
        let Some(time) = event::last_written(closing.runs) else { return Ok(()) };
        let completeness = CompletenessFields::from(closing.completeness);
        let statement = json!({
            "activity_id": 99, "activity_name": "Statement of completeness",
            "category_uid": 0, "category_name": "Uncategorized", "class_uid": 0, "class_name": "Base Event",
            "type_uid": 99, "type_name": "Base Event: Other", "severity_id": 1, "severity": "Informational",
            "time": time.as_millis(), "message": completeness.words().join(" "),
            "metadata": metadata(None, &CONNECTION),
            "unmapped": {"completeness": completeness, "geo": closing.geo, "connections": closing.connections},
        });
        write(&statement, self.0)
    }
}

/// Writes an event on a line.
pub(super) fn write(event: &Value, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, event)?;
    out.write_all(b"\n")
}

/// What every event says of itself.
pub(super) fn metadata(uid: Option<&str>, profiles: &[&str]) -> Value {
    object([
        ("version", Some(VERSION.into())),
        ("uid", uid.map(Value::from)),
        ("profiles", Some(json!(profiles))),
        (
            "product",
            Some(json!({"name": "connmon", "vendor_name": "connmon", "version": env!("CARGO_PKG_VERSION")})),
        ),
    ])
}

/// An object of what is known.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let known = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
}

/// Captured text made visible, unless it is empty.
fn text<'a>(text: Option<impl Into<Untrusted<&'a str>>>) -> Option<Value> {
    event::visible(text).map(Value::from)
}

fn network_activity(run: Option<&Run>, c: &Connection) -> Value {
    let (activity, name) = activity(c);
    let ended = event::ended(c);
    // The caller is the source; where nobody knows who called, it is this host.
    let is_inbound = c.direction == Direction::In;
    let (ours, theirs) =
        if is_inbound { ("dst_endpoint", "src_endpoint") } else { ("src_endpoint", "dst_endpoint") };
    let (direction, direction_name) = match c.direction {
        Direction::In => (1, "Inbound"),
        Direction::Out => (2, "Outbound"),
        Direction::Unknown => (0, "Unknown"),
    };
    let (status, status_name) = match c.end {
        Some(End::Fin) => (1, "Success"),
        Some(End::Refused | End::Unreachable | End::Error) => (2, "Failure"),
        _ => (0, "Unknown"),
    };
    let is_ip = c.proto != Proto::PACKET;
    let connection_info = object([
        ("uid", Some(event::uid(run, c).into())),
        ("protocol_name", transport(c.proto).map(Value::from)),
        ("protocol_num", c.proto.ip_number().map(Value::from)),
        ("protocol_ver_id", Some(if is_ip { c.remote.family() } else { 99 }.into())),
        ("direction_id", Some(direction.into())),
        ("direction", Some(direction_name.into())),
        ("community_uid", community_id(c).map(Value::from)),
    ]);
    let time = ended.unwrap_or(c.opened);
    object([
        ("activity_id", Some(activity.into())),
        ("activity_name", Some(name.into())),
        ("category_uid", Some(4.into())),
        ("category_name", Some("Network Activity".into())),
        ("class_uid", Some(4001.into())),
        ("class_name", Some("Network Activity".into())),
        ("type_uid", Some((400_100 + activity).into())),
        ("type_name", Some(format!("Network Activity: {name}").into())),
        ("severity_id", Some(1.into())),
        ("severity", Some("Informational".into())),
        ("status_id", Some(status.into())),
        ("status", Some(status_name.into())),
        ("time", Some(time.as_millis().into())),
        ("start_time", (!c.preexisting).then(|| c.opened.as_millis().into())),
        ("end_time", ended.map(|end| end.as_millis().into())),
        ("duration", event::lasted(c).map(|ns| (ns / 1_000_000).into())),
        ("message", Some(event::message(c).into())),
        ("metadata", Some(metadata(Some(&event::uid(run, c)), &CONNECTION))),
        ("connection_info", Some(connection_info)),
        (ours, Some(here(run, c.local))),
        (theirs, Some(remote(c))),
        ("traffic", traffic(c, is_inbound)),
        ("actor", c.owner.as_deref().map(|owner| json!({"process": process(run, owner, true)}))),
        ("device", run.map(device)),
        ("app_name", text(c.observed.as_ref().map(|observed| &observed.service))),
        ("observables", Some(observables(c, theirs))),
        ("unmapped", Some(json!(record(c)))),
    ])
}

/// What the class calls the event by which a connection is told of.
fn activity(c: &Connection) -> (u64, &'static str) {
    match c.end {
        Some(End::Reset | End::Abort) => (3, "Reset"),
        Some(End::Timeout | End::Unreachable | End::Error) => (4, "Fail"),
        Some(End::Refused) => (5, "Refuse"),
        Some(End::Fin) => (2, "Close"),
        None if matches!(c.proto, Proto::TCP | Proto::MPTCP) => (1, "Open"),
        _ => (6, "Traffic"),
    }
}

fn endpoint(end: Endpoint) -> [(&'static str, Option<Value>); 2] {
    [
        ("ip", (!end.ip.is_unspecified()).then(|| end.ip.to_string().into())),
        ("port", (end.port != 0).then(|| end.port.into())),
    ]
}

fn here(run: Option<&Run>, end: Endpoint) -> Value {
    let [ip, port] = endpoint(end);
    object([ip, port, ("hostname", text(run.map(|run| &run.host)))])
}

/// The other end: its address, names and place.
fn remote(c: &Connection) -> Value {
    let [ip, port] = endpoint(c.remote);
    let place = c.place.as_deref();
    let location = object([
        ("country", text(c.country.as_deref())),
        ("city", text(place.and_then(|place| place.city.as_ref()))),
        ("region", text(place.and_then(|place| place.region.as_ref()))),
        ("lat", place.and_then(|place| place.coordinates).map(|at| at.latitude.into())),
        ("long", place.and_then(|place| place.coordinates).map(|at| at.longitude.into())),
    ]);
    let network = object([
        ("number", place.and_then(|place| place.asn).map(Value::from)),
        ("name", text(place.and_then(|place| place.org.as_ref()))),
    ]);
    let known = |value: Value| value.as_object().is_some_and(|members| !members.is_empty()).then_some(value);
    // What a caller asked for names the one that was called.
    let name = c.host_names().into_iter().next().filter(|_| c.direction != Direction::In);
    object([
        ip,
        port,
        ("hostname", text(name)),
        ("location", known(location)),
        ("autonomous_system", known(network)),
    ])
}

/// What is on the wire, as sensors count it: out is from the source to the destination.
fn traffic(c: &Connection, is_inbound: bool) -> Option<Value> {
    let wire = c.wire?;
    let (sent, received) = ((wire.tx_bytes, wire.tx_packets), (wire.rx_bytes, wire.rx_packets));
    let (out, back) = if is_inbound { (received, sent) } else { (sent, received) };
    Some(json!({
        "bytes": out.0 + back.0, "bytes_out": out.0, "bytes_in": back.0,
        "packets": out.1 + back.1, "packets_out": out.1, "packets_in": back.1,
    }))
}

fn process(run: Option<&Run>, process: &Process, with_parent: bool) -> Value {
    let name = event::program_name(process);
    let hashes = match &process.exe_hash {
        ExeHash::Sha256(hash) => {
            Some(json!([{"algorithm_id": 3, "algorithm": "SHA-256", "value": display_safe(hash)}]))
        }
        _ => None,
    };
    let file = (!process.exe.is_empty()).then(|| {
        object([
            ("name", text(Some(name))),
            ("path", text(Some(&process.exe))),
            ("type_id", Some(1.into())),
            ("type", Some("Regular File".into())),
            ("hashes", hashes),
        ])
    });
    let parent = process.parent.as_deref().filter(|_| with_parent);
    let container = process.place.container.as_ref().map(|container| {
        object([
            ("uid", text(Some(&container.id))),
            ("runtime", text(Some(&container.runtime))),
            ("name", text(container.name.as_ref())),
            ("image", text(container.image.as_ref()).map(|name| json!({"name": name}))),
        ])
    });
    object([
        ("name", text(Some(name))),
        ("pid", Some(process.id.pid.into())),
        ("uid", Some(event::process_id(run, process).into())),
        ("created_time", Some(process.started.as_millis().into())),
        ("cmd_line", text(Some(&process.cmdline)).filter(|_| with_parent)),
        ("working_directory", text(Some(&process.cwd)).filter(|_| with_parent)),
        ("file", file),
        (
            "user",
            Some(object([
                ("uid", Some(process.uid.to_string().into())),
                ("name", text(process.user.as_ref())),
            ])),
        ),
        ("container", container),
        ("parent_process", parent.map(|parent| self::process(run, parent, false))),
    ])
}

fn device(run: &Run) -> Value {
    object([
        ("hostname", text(Some(&run.host))),
        ("type_id", Some(0.into())),
        ("type", Some("Unknown".into())),
        (
            "os",
            Some(object([
                ("name", Some("Linux".into())),
                ("type_id", Some(200.into())),
                ("type", Some("Linux".into())),
                ("kernel_release", text(Some(&run.kernel))),
            ])),
        ),
    ])
}

fn observables(c: &Connection, theirs: &str) -> Value {
    let ip = (!c.remote.ip.is_unspecified()).then(|| c.remote.ip.to_string());
    let hash = c.owner.as_deref().and_then(|owner| match &owner.exe_hash {
        ExeHash::Sha256(hash) => Some(display_safe(hash).into_owned()),
        _ => None,
    });
    let name = c.host_names().into_iter().next().map(|name| display_safe(name).into_owned());
    let name = name.filter(|_| c.direction != Direction::In);
    observed(
        [format!("{theirs}.hostname"), format!("{theirs}.ip"), "actor.process.file.hashes.value".to_owned()],
        [name, ip, hash],
    )
}

/// What can be looked for elsewhere: a host's name, an address and a digest, each with the attribute that has it.
pub(super) fn observed(names: [String; 3], values: [Option<String>; 3]) -> Value {
    let kinds = [(1, "Hostname"), (2, "IP Address"), (8, "Hash")];
    let all = names.into_iter().zip(values).zip(kinds);
    let known = all.filter_map(|((name, value), (id, kind))| {
        Some(json!({"name": name, "type_id": id, "type": kind, "value": value?}))
    });
    known.collect()
}
