//! Questions to DNS: who asked whom for what, and what was answered.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use super::connections::Asker;
use connmon_analysis::format::duration;
use connmon_analysis::groups::key::process_name;
use connmon_record::{Lookup, Untrusted, Zone, display_safe};

#[derive(Serialize)]
struct LookupObject<'a> {
    time: String,
    answered: Option<String>,
    process: Option<Asker<'a>>,
    proto: String,
    server: Server,
    name: Cow<'a, str>,
    r#type: Cow<'a, str>,
    code: Option<Cow<'a, str>>,
    answers: Vec<Answer<'a>>,
}

#[derive(Serialize)]
struct Server {
    ip: String,
    port: u16,
}

#[derive(Serialize)]
struct Answer<'a> {
    name: Cow<'a, str>,
    r#type: Cow<'a, str>,
    ttl: u32,
    data: Cow<'a, str>,
}

/// Writes one line of JSON.
///
/// # Errors
/// The writer's.
pub fn write_json(lookup: &Lookup, out: &mut dyn Write) -> io::Result<()> {
    let record = LookupObject {
        time: lookup.time.to_string(),
        answered: lookup.answered.map(|time| time.to_string()),
        process: lookup.process.as_deref().map(Asker::from),
        proto: lookup.proto.name(),
        server: Server { ip: lookup.server.ip.to_string(), port: lookup.server.port },
        name: lookup.name.shown(),
        r#type: lookup.kind.shown(),
        code: lookup.code.as_ref().map(Untrusted::shown),
        answers: lookup
            .answers
            .iter()
            .map(|answer| Answer {
                name: answer.name.shown(),
                r#type: answer.kind.shown(),
                ttl: answer.ttl,
                data: answer.data.shown(),
            })
            .collect(),
    };
    serde_json::to_writer(&mut *out, &record)?;
    out.write_all(b"\n")
}

/// Writes one line for reading.
///
/// # Errors
/// The writer's.
pub fn write_text(lookup: &Lookup, zone: &Zone, out: &mut dyn Write) -> io::Result<()> {
    let who = match &lookup.process {
        Some(process) => format!("{} ({})", process_name(process), process.id.pid),
        None => "unknown process".into(),
    };
    let data: Vec<_> = lookup.answers.iter().map(|answer| answer.data.shown()).collect();
    let answer = match &lookup.code {
        None => "no answer".into(),
        Some(code) if *code != "NoError" => code.shown(),
        Some(_) if data.is_empty() => "no record of that type".into(),
        Some(_) => data.join(", ").into(),
    };
    let took = lookup.answered.map(|time| time.0.saturating_sub(lookup.time.0)).filter(|took| *took > 0);
    let took = took.map(|took| format!(" in {}", duration(took.unsigned_abs()))).unwrap_or_default();
    writeln!(
        out,
        "{}  {}  {} {} → {}  ({} by {}{took})",
        zone.show(lookup.time),
        display_safe(&who),
        lookup.name.shown(),
        lookup.kind.shown(),
        answer,
        lookup.server,
        lookup.proto,
    )
}
