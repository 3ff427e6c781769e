//! What is worth a look, in the page, as text and as JSON: of made connections, through the engine itself.

use std::sync::Arc;

use connmon_analysis::Summary;
use connmon_detect::{Acknowledgement, Engine, Found, Replay, Settings};
use connmon_fixtures::{SECOND, START, connection, process, run};
use connmon_record::{Connection, Name, NameSource, Process, Timestamp};

use super::{body, file, page, summary};
use crate::report::{PictureOptions, json, text};

/// A beacon of `exe` to `host` and to five further names, a minute apart.
fn beacons(exe: &str, host: &str) -> Vec<Connection> {
    let program = Arc::new(Process { exe: exe.into(), ..Process::clone(&process(7, 5, "agent")) });
    let name = |host: &str, time| Name { name: host.into(), source: NameSource::Sni, process: None, time };
    let mut all = Vec::new();
    for minute in 0..40 {
        for (number, host) in
            [host, "a.example", "b.example", "c.example", "d.example", "e.example"].iter().enumerate()
        {
            let second = 60 * minute + number as i64;
            let mut one = connection(all.len() as i64 + 1, second, &program, "93.184.216.34:443", 500, 2_000);
            one.names.push(name(host, Timestamp(START + second * SECOND)));
            all.push(one);
        }
    }
    all
}

fn found(connections: &[Connection]) -> (Summary, Found) {
    let mut replay = Replay::new(Engine::new(Settings::default()), Some(Timestamp(START)));
    for one in connections {
        replay.connection(one.clone(), None, &mut |_| None);
    }
    let mut engine = replay.finish(Some(Timestamp(START + 3_600 * SECOND)), &mut |_| None);
    let finding = engine.findings().into_iter().rfind(|one| one.detector == "D1").cloned().unwrap();
    let by = Acknowledgement::of(&finding, Timestamp(START), "mira <b>".into(), Some("ours\u{1b}[2J".into()));
    assert!(engine.acknowledge(&finding.id, by));
    (summary(vec![run(1, 0)], connections.iter().map(|one| (1, one.clone()))), engine.found(|_| true))
}

fn options(found: Found) -> PictureOptions {
    PictureOptions { found, rows: 200, ..PictureOptions::default() }
}

#[test]
fn the_page_lists_findings_with_evidence_and_pictures() {
    let (summary, found) = found(&beacons("/tmp/agent", "c2.example"));
    let beacons = found.findings.iter().filter(|one| one.detector == "D1").count();
    assert!(beacons >= 5, "{beacons}");
    let page = page(&summary, &options(found));
    let page = body(&page);
    let section = &page[page.find("<section id=\"findings\"").unwrap()..];
    let section = &section[..section.find("</section>").unwrap()];
    for part in [
        "of this kind and program",
        "data-ask=\"exe=&#34;/tmp/agent&#34;",
        "Innocent explanations",
        "It is refuted if",
        "every 60 s",
        "Seen by mira &#60;b&#62;, 2026-06-18T08:00:00Z: ours\\u{1b}[2J",
        "acknowledged</summary>",
    ] {
        assert!(section.contains(part), "{part}: {section}");
    }
    // The beacons are one entry, but for the acknowledged one, which stands alone.
    assert_eq!(section.matches("Connections at regular times").count(), 2, "{section}");
    assert_eq!(section.matches("class=\"cm-times\"").count(), 2);
    assert_eq!(section.matches("class=\"cm-intervals\"").count(), 2);
    assert!(section.contains("40 connections from 2026-06-18 08:00:"), "{section}");
    assert!(section.contains("39 intervals, the median is 1\u{a0}min 00\u{a0}s"), "{section}");
}

#[test]
fn hostile_findings_stay_text() {
    let tags = |text: &str| {
        let (summary, found) = found(&beacons(&format!("/tmp/{text}"), text));
        let page = page(&summary, &options(found));
        assert!(!body(&page).contains(['\u{1b}', '\0', '\u{202e}']), "{text:?}");
        body(&page).matches('<').count()
    };
    let harmless = tags("harmless");
    for text in super::HOSTILE {
        let made = tags(text);
        // Where a filter cannot be shown there is no button; nothing is ever added.
        assert!(made <= harmless, "{text:?} made markup: {made} of {harmless}");
    }
}

#[test]
fn findings_are_in_the_text_and_in_json() {
    let (summary, found) = found(&beacons("/tmp/agent", "c2.example"));
    let all = found.findings.len();
    let mut out = Vec::new();
    text::write(&summary, &found, &[], SECOND as u64, &mut out).unwrap();
    let words = String::from_utf8(out).unwrap();
    assert!(words.contains("Worth a look, never a verdict: "), "{words}");
    let line = words.lines().find(|line| line.starts_with("  high   D1-")).unwrap();
    assert!(line.contains("and 4 more of this kind"), "{words}");
    let mut out = Vec::new();
    json::write(&summary, &options(found), &|_| Ok("".into()), &mut out).unwrap();
    let object: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let listed = object["findings"].as_array().unwrap();
    assert_eq!(listed.len(), all, "each by itself");
    assert!(listed.iter().any(|one| one["rhythm"]["median"] == 60.0 && one["filter"].is_string()));
}

#[test]
fn a_page_without_findings_has_no_section() {
    let (summary, _) = found(&beacons("/tmp/agent", "c2.example"));
    let page = file(&summary, &options(Found::default()), 10);
    let page = String::from_utf8(page).unwrap();
    assert!(!body(&page).contains("id=\"findings\"") && !body(&page).contains("href=\"#findings\""));
}
