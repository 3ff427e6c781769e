//! Elastic Common Schema: one JSON event a connection. What the schema has no field for is below `connmon`.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::columns;
use super::completeness::CompletenessFields;
use super::connections::findings;
use super::hit::HitFields;
use super::{Closing, Out, Sink, event};
use connmon_analysis::groups::key::process_name;
use connmon_record::facts::members;
use connmon_record::{
    Connection, Direction, End, Endpoint, ExeHash, Name, NameSource, Process, Proto, Run, Timestamp,
    Untrusted, community_id, display_safe,
};

/// The version of the schema.
const VERSION: &str = "9.4.0";

/// One event, whose fields are set by their dotted names.
pub(super) struct Event(Map<String, Value>);

impl Event {
    /// An event with what all of them have.
    pub(super) fn new(time: Timestamp, kind: &str, dataset: &str) -> Self {
        let mut event = Self(Map::new());
        event.set("@timestamp", time.to_string());
        event.set("ecs.version", VERSION);
        event.set("event.kind", kind);
        event.set("event.module", "connmon");
        event.set("event.dataset", format!("connmon.{dataset}"));
        event.set("agent.type", "connmon");
        event
    }

    /// Sets a field; what has no value stays absent. The value is connmon's own.
    pub(super) fn set(&mut self, path: &str, value: impl Into<Value>) {
        let value = value.into();
        if value.is_null() {
            return;
        }
        let mut parts: Vec<&str> = path.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        let mut at = &mut self.0;
        for part in parts {
            let below = at.entry(part).or_insert_with(|| Map::new().into());
            let Value::Object(below) = below else { return };
            at = below;
        }
        at.insert(last.to_owned(), value);
    }

    /// Sets a field to captured text, made visible; none if it is empty.
    pub(super) fn text<'a>(&mut self, path: &str, text: Option<impl Into<Untrusted<&'a str>>>) {
        self.set(path, event::visible(text));
    }

    pub(super) fn write(self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, &self.0)?;
        out.write_all(b"\n")
    }
}

/// The export: events as lines of JSON.
pub struct Ecs<'a>(pub Out<'a>);

impl Sink for Ecs<'_> {
    fn connection(&mut self, run: Option<&Run>, connection: &Connection) -> io::Result<()> {
        let mut event = Event::new(connection.opened, "event", "connection");
        event.set("message", event::message(connection));
        if let Some(run) = run {
            host(&mut event, run);
        }
        set_event(&mut event, run, connection);
        network(&mut event, connection);
        if let Some(owner) = connection.owner.as_deref() {
            owner_of(&mut event, run, owner);
        }
        own(&mut event, connection);
        event.write(&mut self.0)
    }

    /// The last event is a measurement: how complete those before it are.
    fn finish(mut self: Box<Self>, closing: &Closing<'_>) -> io::Result<()> {
        let Some(time) = event::last_written(closing.runs) else { return Ok(()) };
        let completeness = CompletenessFields::from(closing.completeness);
        let mut event = Event::new(time, "metric", "completeness");
        event.set("message", completeness.words().join(" "));
        event.set("connmon.completeness", json!(completeness));
        event.set("connmon.geo", json!(closing.geo));
        event.set("connmon.connections", closing.connections);
        event.write(&mut self.0)
    }
}

fn host(event: &mut Event, run: &Run) {
    event.text("agent.version", Some(&run.tool_version));
    event.text("host.name", Some(&run.host));
    event.text("host.hostname", Some(&run.host));
    event.text("host.boot.id", Some(&run.boot_id));
    event.text("host.os.kernel", Some(&run.kernel));
    event.set("host.os.type", "linux");
}

fn set_event(event: &mut Event, run: Option<&Run>, c: &Connection) {
    let ended = event::ended(c);
    let types = [Some("connection"), (!c.preexisting).then_some("start"), ended.map(|_| "end")];
    event.set("event.id", event::uid(run, c));
    event.set("event.category", json!(["network"]));
    event.set("event.type", types.into_iter().flatten().collect::<Vec<_>>());
    event.set("event.action", "network_flow");
    event.set("event.start", (!c.preexisting).then(|| c.opened.to_string()));
    event.set("event.end", ended.map(|time| time.to_string()));
    event.set("event.duration", event::lasted(c));
    // A connection that broke may still have served its purpose, and the outcome of datagrams is not known.
    let outcome = match c.end {
        Some(End::Fin) => Some("success"),
        Some(End::Refused | End::Unreachable | End::Error) => Some("failure"),
        Some(End::Reset | End::Timeout | End::Abort) => Some("unknown"),
        _ => None,
    };
    event.set("event.outcome", outcome);
}

fn network(event: &mut Event, c: &Connection) {
    let number = c.proto.ip_number();
    event.set("network.transport", transport(c.proto));
    event.set("network.iana_number", number.map(|number| number.to_string()));
    let family = if c.remote.family() == 4 { "ipv4" } else { "ipv6" };
    event.set("network.type", (c.proto != Proto::PACKET).then_some(family));
    event.set("network.community_id", community_id(c));
    let direction = match c.direction {
        Direction::Out => "egress",
        Direction::In => "ingress",
        Direction::Unknown => "unknown",
    };
    event.set("network.direction", direction);
    event.text("network.protocol", c.observed.as_ref().map(|observed| &observed.service));
    let (ours, theirs) = match c.direction {
        Direction::In => ("destination", "source"),
        Direction::Out | Direction::Unknown => ("source", "destination"),
    };
    let mut addresses = Vec::new();
    for (side, caller, end) in [(ours, Direction::Out, c.local), (theirs, Direction::In, c.remote)] {
        let role = if c.direction == caller { "client" } else { "server" };
        for name in [Some(side), (c.direction != Direction::Unknown).then_some(role)].into_iter().flatten() {
            endpoint(event, name, end);
        }
        if !end.ip.is_unspecified() {
            addresses.push(end.ip.to_string());
        }
    }
    addresses.sort();
    addresses.dedup();
    event.set("related.ip", (!addresses.is_empty()).then_some(addresses));
    // As everywhere in the schema's own integrations, these count what is on the wire.
    if let Some(wire) = c.wire {
        event.set("network.bytes", wire.tx_bytes + wire.rx_bytes);
        event.set("network.packets", wire.tx_packets + wire.rx_packets);
        for (side, bytes, packets) in
            [(ours, wire.tx_bytes, wire.tx_packets), (theirs, wire.rx_bytes, wire.rx_packets)]
        {
            event.set(&format!("{side}.bytes"), bytes);
            event.set(&format!("{side}.packets"), packets);
        }
    }
    names(event, theirs, c);
    remote(event, theirs, c);
}

/// The names of transports are those of the IANA registry, in lower case.
pub(super) fn transport(proto: Proto) -> Option<String> {
    match proto {
        Proto::ICMP6 => Some("ipv6-icmp".into()),
        Proto::MPTCP => Some("tcp".into()),
        _ if proto.is_raw() => None,
        _ => Some(proto.name()),
    }
}

fn endpoint(event: &mut Event, side: &str, end: Endpoint) {
    let ip = (!end.ip.is_unspecified()).then(|| end.ip.to_string());
    event.set(&format!("{side}.address"), ip.clone());
    event.set(&format!("{side}.ip"), ip);
    event.set(&format!("{side}.port"), (end.port != 0).then_some(end.port));
}

/// The names of the other side. What a client asked for names the server, whichever side that is.
fn names(event: &mut Event, side: &str, c: &Connection) {
    let of_address =
        |name: &&Name| matches!(name.source, NameSource::Dns | NameSource::Hosts | NameSource::Rdns);
    let domain = c.names.iter().find(|name| c.direction != Direction::In || of_address(name));
    event.text(&format!("{side}.domain"), domain.map(|name| &name.name));
    let asked = c.names.iter().find(|name| matches!(name.source, NameSource::Sni | NameSource::Quic));
    event.text("tls.client.server_name", asked.map(|name| &name.name));
    let all: Vec<_> = c.host_names().into_iter().map(display_safe).collect();
    event.set("related.hosts", (!all.is_empty()).then_some(all));
    let sources = c.names.iter().map(|name| {
        json!({ "name": display_safe(&name.name), "source": name.source.name(), "time": name.time.to_string() })
    });
    let sources: Vec<Value> = sources.collect();
    event.set("connmon.names", (!sources.is_empty()).then_some(sources));
    let alpn = c.observed.iter().flat_map(|observed| &observed.alpn).map(Untrusted::shown);
    let alpn: Vec<_> = alpn.collect();
    event.set("connmon.alpn", (!alpn.is_empty()).then_some(alpn));
}

/// Where the other side is, and whose it is.
fn remote(event: &mut Event, side: &str, c: &Connection) {
    let at = |field: &str| format!("{side}.{field}");
    event.text(&at("geo.country_iso_code"), c.country.as_deref());
    let Some(place) = c.place.as_deref() else { return };
    event.text(&at("geo.city_name"), place.city.as_ref());
    event.text(&at("geo.region_name"), place.region.as_ref());
    let point = place.coordinates.map(|at| json!({ "lat": at.latitude, "lon": at.longitude }));
    event.set(&at("geo.location"), point);
    event.set(&at("as.number"), place.asn);
    event.text(&at("as.organization.name"), place.org.as_ref());
    event.text("connmon.geo.source", Some(&place.source));
}

fn owner_of(event: &mut Event, run: Option<&Run>, owner: &Process) {
    one_process(event, "process", run, owner);
    event.text("process.command_line", Some(&owner.cmdline));
    event.text("process.working_directory", Some(&owner.cwd));
    event.set("process.parent.pid", owner.ppid);
    if let Some(parent) = owner.parent.as_deref() {
        one_process(event, "process.parent", run, parent);
    }
    if let ExeHash::Sha256(hash) = &owner.exe_hash {
        event.text("process.hash.sha256", Some(&**hash));
        event.set("related.hash", [display_safe(hash)].as_slice());
    }
    event.set("user.id", owner.uid.to_string());
    event.text("user.name", owner.user.as_ref());
    event.set("user.effective.id", (owner.euid != owner.uid).then(|| owner.euid.to_string()));
    if let Some(user) = owner.user.as_ref() {
        event.set("related.user", [user.shown()].as_slice());
    }
    if let Some(container) = &owner.place.container {
        event.text("container.id", Some(&container.id));
        event.text("container.runtime", Some(&container.runtime));
        event.text("container.name", container.name.as_ref());
        event.text("container.image.name", container.image.as_ref());
    }
    event.text("connmon.process.comm", Some(&owner.comm));
    event.set("connmon.process.exe_state", owner.exe_state.name());
    event.set("connmon.process.redacted", owner.redacted.then_some(true));
    event.set("connmon.process.login_session", owner.session);
    event.text("connmon.process.cgroup", Some(&owner.cgroup));
    event.text("connmon.process.unit", owner.place.unit.as_ref());
    event.text("connmon.process.pod", owner.place.pod.as_ref());
}

fn one_process(event: &mut Event, at: &str, run: Option<&Run>, process: &Process) {
    event.set(&format!("{at}.pid"), process.id.pid);
    event.set(&format!("{at}.entity_id"), event::process_id(run, process));
    event.set(&format!("{at}.start"), process.started.to_string());
    event.text(&format!("{at}.name"), Some(event::program_name(process)));
    event.text(&format!("{at}.executable"), Some(&process.exe));
}

/// What the schema has no field for.
fn own(event: &mut Event, c: &Connection) {
    event.set("connmon.id", c.id);
    event.set("connmon.proto", c.proto.name());
    event.set("connmon.end", c.end.map(End::name));
    event.set("connmon.preexisting", c.preexisting);
    event.set("connmon.subflow", c.subflow.then_some(true));
    event.set("connmon.exact", c.inexact.is_none());
    event.text("connmon.inexact_reason", c.inexact.as_deref());
    event.text("connmon.label", c.label.as_ref());
    let hits: Vec<Value> = c.hits.iter().map(|hit| json!(HitFields::from(hit))).collect();
    event.set("connmon.ioc", (!hits.is_empty()).then_some(hits));
    let findings = findings(c);
    event.set("connmon.findings", (!findings.is_empty()).then(|| json!(findings)));
    event.set("connmon.tx_bytes", c.tx_bytes());
    event.set("connmon.rx_bytes", c.rx_bytes());
    let shares = c.traffic.iter().map(|share| {
        json!({
            "pid": share.process.id.pid, "executable": process_name(&share.process),
            "tx_bytes": share.tx_bytes, "rx_bytes": share.rx_bytes,
            "tx_calls": share.tx_calls, "rx_calls": share.rx_calls,
        })
    });
    event.set("connmon.traffic", shares.collect::<Vec<_>>());
    for (_, fact) in members("kernel") {
        if let Some(value) = columns::json(&fact.value_of(c)) {
            event.set(&format!("connmon.{}", fact.json), value);
        }
    }
}
