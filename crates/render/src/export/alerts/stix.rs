//! STIX 2.1: one bundle with an indicator and a sighting for each finding that has something to be recognised by: a hash, a name or an
//! address. Equal findings of a host have equal ids, so bundles can be put together.

use std::io::{self, Write};

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::percent;
use crate::findings::{host_of, title};
use connmon_detect::{Finding, Found};
use connmon_record::{Run, Timestamp};

/// Times of STIX have milliseconds.
fn time(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.get(..23).unwrap_or(text.trim_end_matches('Z')))
}

/// Writes the bundle.
///
/// # Errors
/// The writer's.
pub fn write(found: &Found, runs: &[Run], out: &mut dyn Write) -> io::Result<()> {
    let host = host_of(runs);
    let made = found.findings.iter().map(|finding| finding.last).max().unwrap_or_default();
    let first = found.findings.iter().map(|finding| finding.first).min().unwrap_or_default();
    let identity = id("identity", &[&host]);
    let mut objects = vec![json!({
        "type": "identity", "spec_version": "2.1", "id": identity, "created": time(first), "modified": time(first),
        "name": format!("connmon on {host}"), "identity_class": "system",
    })];
    let mut ids: Vec<&str> = Vec::new();
    for finding in &found.findings {
        if let Some(pattern) = pattern(finding) {
            ids.push(&finding.id);
            objects.extend(of_finding(finding, &pattern, &identity, &host));
        }
    }
    let made = made.to_string();
    let whole = [&[host.as_str(), made.as_str()], ids.as_slice()].concat();
    let bundle = json!({"type": "bundle", "id": id("bundle", &whole), "objects": objects});
    serde_json::to_writer_pretty(&mut *out, &bundle)?;
    writeln!(out)
}

fn of_finding(finding: &Finding, pattern: &str, identity: &str, host: &str) -> [Value; 2] {
    let indicator = id("indicator", &[host, &finding.id]);
    let (first, last) = (time(finding.first), time(finding.last.max(finding.first)));
    let common = json!({
        "spec_version": "2.1", "created_by_ref": identity, "created": first, "modified": last,
        "confidence": percent(finding), "lang": "en",
    });
    let with = |more: Value| {
        let mut object = common.clone();
        if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
            object.extend(more);
        }
        object
    };
    [
        with(json!({
            "type": "indicator", "id": indicator, "name": title(finding), "description": finding.what.shown(),
            "indicator_types": ["anomalous-activity"], "pattern": pattern, "pattern_type": "stix",
            "valid_from": first, "labels": [finding.detector_name(), finding.severity.name()],
            "external_references": [{"source_name": "connmon", "external_id": finding.id}],
        })),
        with(json!({
            "type": "sighting", "id": id("sighting", &[host, &finding.id]), "sighting_of_ref": indicator,
            "first_seen": first, "last_seen": last, "count": finding.connections.clamp(1, 999_999_999),
            "where_sighted_refs": [identity], "description": format!("connections: {}", finding.evidence.shown()),
        })),
    ]
}

/// What the finding's connections have in common, as a pattern.
fn pattern(finding: &Finding) -> Option<String> {
    let subject = &finding.subject;
    let mut tests = Vec::new();
    if let Some(hash) = &subject.sha256 {
        tests.push(format!("file:hashes.'SHA-256' = '{hash}'"));
    } else if let Some((folder, name)) = subject.exe.shown().rsplit_once('/') {
        let folder = if folder.is_empty() { "/" } else { folder };
        let [folder, name] = [folder, name].map(quoted);
        tests.push(format!("file:name = '{name}' AND file:parent_directory_ref.path = '{folder}'"));
    }
    if let Some(host) = &subject.host {
        tests.push(format!("domain-name:value = '{}'", quoted(&host.shown())));
    }
    if let Some(ip) = subject.address {
        let kind = if ip.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
        tests.push(format!("{kind}:value = '{ip}'"));
    }
    // Of one observation each: the file and the other end are different objects.
    let tests: Vec<String> = tests.into_iter().map(|test| format!("[{test}]")).collect();
    (!tests.is_empty()).then(|| tests.join(" AND "))
}

/// Text that was made visible, within quotes.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

/// The namespace of STIX's own deterministic ids (STIX 2.1, 2.9).
const NAMESPACE: [u8; 16] =
    [0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7];

/// An id that is the same for the same object: a UUID of version 5 (RFC 9562, 5.5).
fn id(kind: &str, parts: &[&str]) -> String {
    let mut hash = Sha1::new();
    hash.update(NAMESPACE);
    hash.update(kind);
    for part in parts {
        hash.update([0]);
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = connmon_record::hex(&bytes);
    format!("{kind}--{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
