//! Elastic Common Schema: an event of kind `alert` for each finding, as lines of JSON.

use std::io::{self, Write};

use serde_json::json;

use super::super::ecs::Event;
use super::percent;
use crate::findings::{FindingObject, host_of, title};
use connmon_detect::{Finding, Found, Severity};
use connmon_record::Run;

/// Writes the findings.
///
/// # Errors
/// The writer's.
pub fn write(found: &Found, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
    let host = host_of(runs);
    found.findings.iter().try_for_each(|finding| event(finding, &host).write(out))
}

fn event(finding: &Finding, host: &str) -> Event {
    let mut event = Event::new(finding.last, "alert", "finding");
    event.set("message", finding.what.shown());
    event.set("host.name", Some(host).filter(|host| !host.is_empty()));
    event.set("event.id", finding.id.as_str());
    event.set("event.category", json!(["network", "intrusion_detection"]));
    event.set("event.type", json!(["info"]));
    event.set("event.start", finding.first.to_string());
    event.set("event.end", finding.last.to_string());
    event.set("event.severity", severity(finding.severity));
    event.set("event.risk_score", percent(finding));
    event.set("rule.id", &*finding.detector);
    event.set("rule.uuid", finding.id.as_str());
    event.set("rule.name", finding.detector_name());
    event.set("rule.description", title(finding));
    event.set("rule.ruleset", "connmon");
    let subject = &finding.subject;
    event.text("process.executable", Some(&subject.exe));
    event.text("process.name", Some(&subject.comm));
    event.set("process.hash.sha256", subject.sha256.as_deref());
    event.text("package.name", subject.package.as_ref());
    event.text("destination.domain", subject.host.as_ref());
    event.text("destination.as.organization.name", subject.network.as_ref());
    event.set("destination.ip", subject.address.map(|ip| ip.to_string()));
    event.set("connmon.finding", json!(FindingObject::from(finding)));
    event
}

/// As Elastic's own rules number theirs.
fn severity(severity: Severity) -> u64 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 21,
        Severity::Medium => 47,
        Severity::High => 73,
    }
}
