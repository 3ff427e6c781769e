//! Open Cybersecurity Schema Framework 1.4: a Detection Finding (class 2004) for each finding, as lines of JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::super::ocsf::{self, metadata, observed};
use super::{level, percent};
use crate::findings::{FindingObject, host_of, title};
use connmon_detect::{Finding, Found, Severity};
use connmon_record::Run;

/// Writes the findings.
///
/// # Errors
/// The writer's.
pub fn write(found: &Found, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
    let host = host_of(runs);
    found.findings.iter().try_for_each(|finding| ocsf::write(&event(finding, &host), out))
}

fn event(finding: &Finding, host: &str) -> Value {
    let [first, last] = [finding.first, finding.last].map(connmon_record::Timestamp::as_millis);
    let known = finding.acknowledged.as_ref();
    let mut event = json!({
        "class_uid": 2004, "class_name": "Detection Finding", "category_uid": 2, "category_name": "Findings",
        "activity_id": 1, "activity_name": "Create", "type_uid": 200_401,
        "type_name": "Detection Finding: Create",
        "severity_id": level(finding.severity), "severity": severity(finding.severity),
        "status_id": if known.is_some() { 2 } else { 1 },
        "status": if known.is_some() { "In Progress" } else { "New" },
        "time": last, "start_time": first, "end_time": last,
        "count": finding.connections,
        "confidence_score": percent(finding),
        "is_alert": finding.severity >= Severity::Medium,
        "message": finding.what.shown(),
        "metadata": metadata(Some(finding.id.as_str()), &["host"]),
        "device": {"hostname": host, "type_id": 0, "type": "Unknown"},
        "finding_info": {
            "uid": finding.id, "title": title(finding), "desc": finding.what.shown(),
            "types": [finding.detector_name()], "first_seen_time": first, "last_seen_time": last, "created_time": last,
            "analytic": {
                "uid": finding.detector, "name": finding.detector_name(), "type_id": 2, "type": "Behavioral",
            },
        },
        "evidences": [evidence(finding)],
        "observables": observables(finding),
        "unmapped": FindingObject::from(finding),
    });
    if let Some(known) = known {
        event["comment"] = known.note.as_ref().map(|note| json!(note.shown())).unwrap_or_default();
    }
    event
}

/// The program and the other end.
fn evidence(finding: &Finding) -> Value {
    let subject = &finding.subject;
    let path = subject.exe.shown();
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut file = json!({"name": name, "path": path, "type_id": 1});
    if let Some(hash) = &subject.sha256 {
        file["hashes"] = json!([{"algorithm_id": 3, "algorithm": "SHA-256", "value": hash}]);
    }
    let mut end = json!({});
    if let Some(host) = &subject.host {
        end["hostname"] = json!(host.shown());
    }
    if let Some(ip) = subject.address {
        end["ip"] = json!(ip.to_string());
    }
    if let Some(network) = &subject.network {
        end["autonomous_system"] = json!({"name": network.shown()});
    }
    json!({
        "process": {"name": subject.comm.shown(), "file": file},
        "dst_endpoint": end,
        "data": {"filter": finding.evidence.shown()},
    })
}

fn observables(finding: &Finding) -> Value {
    let subject = &finding.subject;
    let names = ["dst_endpoint.hostname", "dst_endpoint.ip", "process.file.hashes.value"];
    let host = subject.host.as_ref().map(|host| host.shown().into_owned());
    let ip = subject.address.map(|ip| ip.to_string());
    let hash = subject.sha256.as_deref().map(str::to_owned);
    observed(names.map(|name| format!("evidences.{name}")), [host, ip, hash])
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Informational",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
    }
}
