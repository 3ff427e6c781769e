//! The figures of a report as one JSON object, written row by row: it is never in memory as a whole.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::ser::{Error, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::PictureOptions;
use crate::findings::{FindingObject, notes};
use connmon_analysis::{
    ClockStepRow, Completeness, GroupFigures, ProcessRow, ProcessSource, RemoteRow, Summary,
};
use connmon_detect::Finding;
use connmon_record::untrusted::Exactly;
use connmon_record::{Gap, Service, Untrusted, json_safe};

/// Writes the figures. Bytes are application bytes, times RFC 3339. `command_line` gives that of a process which is in the store only, by
/// its id there.
///
/// # Errors
/// The writer's, or those of `command_line`.
pub fn write(
    summary: &Summary,
    options: &PictureOptions,
    command_line: &dyn Fn(i64) -> io::Result<Untrusted>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let hosts: BTreeSet<Untrusted> = summary.runs.iter().map(|run| run.host.clone()).collect();
    let object = json!({
        "title": options.title,
        "case": options.case,
        "operator": options.operator,
        "redacted": options.redacted,
        "hosts": Exactly(&hosts),
        "window": summary.window.map(|window| json!({"from": window.from.to_string(), "to": window.to.to_string()})),
        "asked": summary.completeness.coverage.asked,
        "recorded": summary.completeness.coverage.recorded,
        "gaps": gaps(&summary.completeness),
        "clock_steps": summary.completeness.clock_steps.iter().map(ClockStepRow::from).collect::<Vec<_>>(),
        "filter": summary.selection.filter,
        "complete": summary.is_complete(),
        "completeness": summary.completeness.statements.iter().map(|statement| statement.words()).collect::<Vec<_>>(),
        "totals": figures(&summary.totals.figures),
        "both_ends_here": summary.totals.own,
        "findings": options.found.findings.iter().map(finding).collect::<Vec<_>>(),
        "findings_notes": notes(&options.found),
        "processes": null,
        "remotes": null,
        "countries": summary.countries.iter().map(|row| with_figures(&row.figures, json!({
            "country": row.code, "remotes": row.remotes, "processes": row.processes,
        }))).collect::<Vec<_>>(),
        "services": summary.services.iter().map(|row| with_figures(&row.figures, json!({
            "proto": row.proto.to_string(), "port": row.port, "name": Service::name_of(row.proto, row.port),
            "processes": row.processes, "remotes": row.remotes,
        }))).collect::<Vec<_>>(),
        "ends": summary.ends.iter().map(|row| json!({
            "end": row.end.map_or("open", |end| end.name()), "connections": row.connections,
        })).collect::<Vec<_>>(),
    });
    let mut lines = SafeLines { out, line: Vec::new() };
    serde_json::to_writer_pretty(&mut lines, &Report { object, summary, command_line })?;
    lines.write_all(b"\n")
}

/// All of it.
struct Report<'a> {
    /// But for its processes and remote addresses, which are many.
    object: Value,
    summary: &'a Summary,
    command_line: &'a dyn Fn(i64) -> io::Result<Untrusted>,
}

impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.object.as_object().into_iter().flatten() {
            match key.as_str() {
                "processes" => map.serialize_entry(key, &ProcessRows(self))?,
                "remotes" => map.serialize_entry(key, &RemoteRows(self))?,
                _ => map.serialize_entry(key, value)?,
            }
        }
        map.end()
    }
}

struct ProcessRows<'a>(&'a Report<'a>);

impl Serialize for ProcessRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(None)?;
        for row in self.0.summary.processes.iter() {
            let stored = match (row.command_line, row.source) {
                (None, ProcessSource::Stored(id)) => (self.0.command_line)(*id).map_err(S::Error::custom)?,
                _ => Untrusted::default(),
            };
            rows.serialize_element(&process(&row, row.command_line.unwrap_or(&stored)))?;
        }
        rows.end()
    }
}

struct RemoteRows<'a>(&'a Report<'a>);

impl Serialize for RemoteRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.summary.remotes.iter().map(|row| remote(&row)))
    }
}

/// Makes each line safe before it writes it.
struct SafeLines<'a, W: ?Sized> {
    out: &'a mut W,
    /// What there is of the next one.
    line: Vec<u8>,
}

impl<W: Write + ?Sized> Write for SafeLines<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend(part);
            if part.ends_with(b"\n") {
                let line = std::str::from_utf8(&self.line).map_err(io::Error::other)?;
                self.out.write_all(json_safe(line).as_bytes())?;
                self.line.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A finding, with its filter as it can be asked.
fn finding(finding: &Finding) -> Value {
    let mut object = json!(FindingObject::from(finding));
    object["filter"] = json!(Exactly(&finding.evidence));
    object
}

/// What of the time that was asked for was not recorded.
pub(super) fn gaps(completeness: &Completeness) -> Vec<Value> {
    let gap = |gap: &Gap| json!({"from": gap.from.to_string(), "to": gap.to.to_string(), "reason": Exactly(&gap.reason)});
    completeness.coverage.gaps.iter().map(gap).collect()
}

fn process(row: &ProcessRow<'_>, command_line: &Untrusted) -> Value {
    let program = row.program;
    with_figures(
        &row.figures,
        json!({
            "pid": row.id.pid, "started": row.started.to_string(), "comm": Exactly(&program.comm),
            "exe": Exactly(&program.exe), "cmdline": Exactly(command_line), "uid": program.uid,
            "user": Exactly(&program.user),
            "remotes": row.remotes, "first_seen": row.first_seen.to_string(), "last_seen": row.last_seen.to_string(),
        }),
    )
}

fn remote(row: &RemoteRow<'_>) -> Value {
    let place = row.location;
    with_figures(
        &row.figures,
        json!({
            "ip": row.ip.to_string(), "kind": row.kind.name(), "names": Exactly(&row.all_names()), "country": row.country,
            "city": place.and_then(|place| place.city.as_ref()).map(Exactly), "asn": place.and_then(|place| place.asn),
            "org": place.and_then(|place| place.org.as_ref()).map(Exactly),
            "first_seen": row.first_seen.to_string(), "last_seen": row.last_seen.to_string(),
        }),
    )
}

/// The figures of something.
pub(super) fn figures(of: &GroupFigures) -> Value {
    json!({
        "connections": of.connections, "failed": of.failed, "inbound": of.inbound, "inexact": of.inexact,
        "tx_bytes": of.tx_bytes, "rx_bytes": of.rx_bytes,
    })
}

/// An object with figures.
fn with_figures(of: &GroupFigures, mut object: Value) -> Value {
    if let (Some(object), Value::Object(figures)) = (object.as_object_mut(), figures(of)) {
        object.extend(figures);
    }
    object
}
