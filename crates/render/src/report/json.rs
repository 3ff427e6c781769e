//! The figures of a report as one JSON object.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::PictureOptions;
use connmon_analysis::{ClockStepRow, Completeness, GroupFigures, Summary};
use connmon_record::untrusted::Exactly;
use connmon_record::{Gap, Service, Untrusted, json_safe};

/// Writes the figures. Bytes are application bytes, times RFC 3339.
///
/// # Errors
/// The writer's.
pub fn write(summary: &Summary, options: &PictureOptions, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
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
        "findings": options.findings.iter().map(|finding| json!({
            "title": finding.title, "connections": finding.connections, "reason": Exactly(&finding.reason),
            "filter": Exactly(&finding.filter),
        })).collect::<Vec<_>>(),
        "processes": processes(summary),
        "remotes": remotes(summary),
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
    writeln!(out, "{}", json_safe(&serde_json::to_string_pretty(&object)?))
}

/// What of the time that was asked for was not recorded.
pub(super) fn gaps(completeness: &Completeness) -> Vec<Value> {
    let gap = |gap: &Gap| json!({"from": gap.from.to_string(), "to": gap.to.to_string(), "reason": Exactly(&gap.reason)});
    completeness.coverage.gaps.iter().map(gap).collect()
}

fn processes(summary: &Summary) -> Vec<Value> {
    let each = |row: &connmon_analysis::ProcessRow| {
        with_figures(
            &row.figures,
            json!({
                "pid": row.process.id.pid, "started": row.process.started.to_string(), "comm": Exactly(&row.process.comm),
                "exe": Exactly(&row.process.exe), "cmdline": Exactly(&row.process.cmdline), "uid": row.process.uid,
                "user": Exactly(&row.process.user),
                "remotes": row.remotes, "first_seen": row.first_seen.to_string(), "last_seen": row.last_seen.to_string(),
            }),
        )
    };
    summary.processes.iter().map(each).collect()
}

fn remotes(summary: &Summary) -> Vec<Value> {
    let each = |row: &connmon_analysis::RemoteRow| {
        let place = row.place.as_deref();
        with_figures(
            &row.figures,
            json!({
                "ip": row.ip.to_string(), "kind": row.kind.name(), "names": Exactly(&row.names), "country": row.country,
                "city": place.and_then(|place| place.city.as_ref()).map(Exactly), "asn": place.and_then(|place| place.asn),
                "org": place.and_then(|place| place.org.as_ref()).map(Exactly),
                "first_seen": row.first_seen.to_string(), "last_seen": row.last_seen.to_string(),
            }),
        )
    };
    summary.remotes.iter().map(each).collect()
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
