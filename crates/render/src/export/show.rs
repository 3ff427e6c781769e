//! Everything that is known of one connection, for people and for programs.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use super::connections::{ConnectionObject, record};
use super::process::ProcessFields;
use connmon_analysis::format::{bytes, count, duration, grouped};
use connmon_analysis::groups::key::process_name;
use connmon_analysis::{ClockStepRow, clock_words};
use connmon_record::facts::NOT_MEASURED;
use connmon_record::{
    Connection, ConnectionId, ExeHash, PREEXISTING, Process, REDIRECTED, Run, SUBFLOW, Untrusted, Zone,
    community_id, display_safe, service_of,
};

/// The object of an export, with what an export of many connections would only repeat.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    record: ConnectionObject<'a>,
    processes: Vec<ProcessFields>,
    run: Option<RunFields<'a>>,
}

#[derive(Serialize)]
struct RunFields<'a> {
    id: i64,
    host: Cow<'a, str>,
    boot_id: Cow<'a, str>,
    kernel: Cow<'a, str>,
    backend: Cow<'a, str>,
    tool_version: Cow<'a, str>,
    object_sha256: Cow<'a, str>,
    started: String,
    ended: Option<String>,
    clock_steps: Vec<ClockStepRow>,
}

/// Writes one JSON object: that of an export, and the service, all of each process, and the recording.
///
/// # Errors
/// The writer's.
pub fn write_json(connection: &Connection, run: Option<&Run>, out: &mut dyn Write) -> io::Result<()> {
    let shown = Shown {
        record: record(connection),
        processes: connection.traffic.iter().map(|share| (&*share.process).into()).collect(),
        run: run.map(|run| RunFields {
            id: run.id,
            host: display_safe(&run.host),
            boot_id: display_safe(&run.boot_id),
            kernel: display_safe(&run.kernel),
            backend: display_safe(&run.backend),
            tool_version: display_safe(&run.tool_version),
            object_sha256: display_safe(&run.object_sha256),
            started: run.started.to_string(),
            ended: run.ended.map(|time| time.to_string()),
            clock_steps: run.clock_steps.iter().map(ClockStepRow::from).collect(),
        }),
    };
    Ok(serde_json::to_writer_pretty(out, &shown)?)
}

/// Writes it for reading, a line a fact.
///
/// # Errors
/// The writer's.
pub fn write_text(
    connection: &Connection,
    run: Option<&Run>,
    zone: &Zone,
    out: &mut dyn Write,
) -> io::Result<()> {
    let c = connection;
    writeln!(out, "connection {}: {} {}", ConnectionId(c.id), c.proto, c.direction.name())?;
    let mut line = |name: &str, value: &str| writeln!(out, "  {name:<13} {}", display_safe(value));
    line("local", &c.local.to_string())?;
    line("remote", &c.remote.to_string())?;
    if let Some(asked) = c.asked {
        line("asked for", &format!("{asked}, {REDIRECTED}"))?;
    }
    for name in &c.names {
        let by = name.process.as_ref().map(|process| format!(" asked by {}", process_name(process)));
        line(
            "name",
            &format!(
                "{} ({}{}, {})",
                name.name.shown(),
                name.source.name(),
                by.unwrap_or_default(),
                zone.show(name.time)
            ),
        )?;
    }
    line("service", &service(c))?;
    let place = c.place.as_deref().filter(|place| !place.is_country_only());
    let country = if place.is_some() { "country" } else { "registered" };
    line(country, c.country.as_deref().unwrap_or("country unknown"))?;
    if let Some(place) = place {
        let parts = [&place.city, &place.region].into_iter().flatten();
        let names = Untrusted::joined(parts, ", ");
        let at = place.coordinates.map(|at| format!("{:.4}°, {:.4}°", at.latitude, at.longitude));
        for (name, value) in
            [("city", names), ("coordinates", at.unwrap_or_default().into()), ("network", place.network())]
        {
            if !value.is_empty() {
                line(name, &value.shown())?;
            }
        }
        line("known from", &place.source.shown())?;
    }
    line("label", &c.label.as_ref().map_or("none".into(), Untrusted::shown))?;
    for hit in &c.hits {
        let list = &hit.list;
        let of = list.date.map(|date| format!(" of {date}")).unwrap_or_default();
        line(
            "indicator",
            &format!("{} {}, found {}", hit.kind.name(), hit.indicator.shown(), zone.show(hit.time)),
        )?;
        line("", &format!("in {}{of}, sha256 {}", list.name.shown(), list.sha256))?;
    }
    line(
        "flow",
        community_id(c)
            .as_deref()
            .unwrap_or("no Community ID: the packets have a field that connmon does not record"),
    )?;
    line("opened", &zone.show(c.opened))?;
    line("closed", &c.closed.map_or("end not seen".into(), |time| zone.show(time)))?;
    match (c.closed, c.cut_off) {
        (Some(closed), _) => line("lasted", &duration(c.lasted_ns(closed)))?,
        (None, Some(cut)) => {
            line(
                "watched",
                &format!("{}, until the recording ended at {}", duration(c.lasted_ns(cut)), zone.show(cut)),
            )?;
        }
        (None, None) => {}
    }
    line("end", c.end.map_or("open", |end| end.name()))?;
    line("figures", &exactness(c))?;
    line("sent", &amount(c.tx_bytes()))?;
    line("received", &amount(c.rx_bytes()))?;
    if let Some(kernel) = &c.kernel {
        line("kernel", &format!("sent {}, received {}", amount(kernel.tx_bytes), amount(kernel.rx_bytes)))?;
        let again = count(kernel.retransmits.into(), "segment", "segments");
        line("retransmitted", &format!("{again}, {}", amount(kernel.retransmitted_bytes)))?;
        let rtt = match kernel.rtt_us {
            0 => NOT_MEASURED.to_owned(),
            us => duration(u64::from(us) * 1_000),
        };
        line("round trip", &rtt)?;
    }
    if let Some(wire) = &c.wire {
        let plane = |packets, moved| format!("{} in {}", amount(moved), count(packets, "packet", "packets"));
        line("on the wire", &format!("sent {}", plane(wire.tx_packets, wire.tx_bytes)))?;
        line("", &format!("received {}", plane(wire.rx_packets, wire.rx_bytes)))?;
    }
    if let Some(run) = run {
        line(
            "recording",
            &format!(
                "{} on {}, Linux {}, {} backend",
                run.id,
                run.host.shown(),
                run.kernel.shown(),
                run.backend.shown()
            ),
        )?;
        line("boot", &run.boot_id.shown())?;
        if let Some(clock) = clock_words(run) {
            line("clock", &clock.words())?;
        }
    }
    match &c.owner {
        Some(owner) => write_process("owner", owner, zone, out)?,
        None => writeln!(out, "\nowner: process unknown")?,
    }
    for share in &c.traffic {
        writeln!(out, "\nprocess {} moved", share.process.id.pid)?;
        let moved = |moved, calls| format!("{} in {}", amount(moved), count(calls, "call", "calls"));
        writeln!(out, "  {:<13} {}", "sent", moved(share.tx_bytes, share.tx_calls))?;
        writeln!(out, "  {:<13} {}", "received", moved(share.rx_bytes, share.rx_calls))?;
        if c.owner.as_ref() != Some(&share.process) {
            write_process("which is", &share.process, zone, out)?;
        }
    }
    Ok(())
}

fn write_process(title: &str, process: &Process, zone: &Zone, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{title}: process {}", process.id.pid)?;
    let mut line = |name: &str, value: Untrusted<&str>| match value.is_empty() {
        true => Ok(()),
        false => writeln!(out, "  {name:<13} {}", value.shown()),
    };
    let or_none = |text: &Option<Untrusted>| text.clone().unwrap_or_default();
    let state = process.exe_state.name().map(|state| format!(" ({state})")).unwrap_or_default();
    let exe = if process.exe.is_empty() { "unknown".into() } else { process.exe.shown() };
    line("name", process.comm.borrowed())?;
    line("executable", (&format!("{exe}{state}")).into())?;
    match &process.exe_hash {
        ExeHash::Sha256(hash) => line("sha256", hash.into())?,
        ExeHash::Refused(why) => line("sha256", (&format!("none: {why}")).into())?,
        ExeHash::Unknown => {}
    }
    line("command", process.cmdline.borrowed())?;
    line("", if process.redacted { "secrets redacted" } else { "" }.into())?;
    line("folder", process.cwd.borrowed())?;
    line("started", (&zone.show(process.started)).into())?;
    let name = process.user.as_ref().map_or("no name".into(), Untrusted::shown);
    let effective =
        if process.euid == process.uid { String::new() } else { format!(", effective {}", process.euid) };
    line("user", (&format!("{name} ({}{effective})", process.uid)).into())?;
    line("session", (&process.session.map(|session| session.to_string()).unwrap_or_default()).into())?;
    let place = &process.place;
    line("unit", or_none(&place.unit).borrowed())?;
    line("slice", or_none(&place.slice).borrowed())?;
    if let Some(container) = &place.container {
        line("container", Untrusted::joined([&container.title(), &container.id], ", ").borrowed())?;
        line("image", or_none(&container.image).borrowed())?;
    }
    line("pod", or_none(&place.pod).borrowed())?;
    line("cgroup", process.cgroup.borrowed())?;
    line("parent", (&process.ppid.to_string()).into())?;
    for ancestor in process.ancestors() {
        line("started by", (&format!("{} {}", ancestor.id.pid, process_name(ancestor))).into())?;
    }
    line("kind", if process.kernel_thread { "kernel thread" } else { "" }.into())
}

fn amount(moved: u64) -> String {
    if moved < 1000 {
        count(moved, "byte", "bytes")
    } else {
        format!("{} bytes ({})", grouped(moved), bytes(moved))
    }
}

fn service(connection: &Connection) -> String {
    let service = service_of(connection);
    let observed = connection.observed.as_ref().map(|observed| {
        let alpn = if observed.alpn.is_empty() {
            String::new()
        } else {
            format!(" ({})", Untrusted::joined(&observed.alpn, ", ").shown())
        };
        format!(", observed {}{alpn}", observed.service.shown())
    });
    match service.name {
        Some(name) if observed.is_some() => {
            format!("{name}, port {}{}", service.port, observed.unwrap_or_default())
        }
        Some(name) => format!("port {}, usually {name}", service.port),
        None => format!("port {}", service.port),
    }
}

fn exactness(connection: &Connection) -> String {
    let mut words = match &connection.inexact {
        Some(reason) => format!("may be incomplete: {reason}"),
        None => "exact".into(),
    };
    for (_, remark) in
        [(connection.preexisting, PREEXISTING), (connection.subflow, SUBFLOW)].iter().filter(|(is, _)| *is)
    {
        words.push_str("; ");
        words.push_str(remark);
    }
    words
}
