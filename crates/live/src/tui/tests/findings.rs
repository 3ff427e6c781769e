//! What is worth a look: the badge, the list, and the way to its connections.

use super::fixture::{app, options};
use super::{App, press, shown};
use crate::Update;
use crate::findings::LiveFindings;
use connmon_detect::{Finding, Severity, test_finding};
use connmon_record::Timestamp;

fn finding(what: &str, evidence: &str, severity: Severity) -> Finding {
    Finding { what: what.into(), evidence: evidence.into(), severity, ..test_finding(Timestamp(0)) }
}

fn told() -> App {
    let mut app = app(options());
    let findings = LiveFindings {
        findings: vec![
            finding("a shell\u{1b}[2J talks", "dir:in", Severity::High),
            finding("a beacon", "country:US", Severity::Low),
        ],
        counts: [0, 1, 0, 1],
        learning_since: None,
    };
    app.update(&Update { findings: Some(Box::new(findings)), ..Update::default() });
    app
}

#[test]
fn findings_are_counted_listed_and_lead_to_their_connections() {
    let mut app = told();
    let all = app.items.fit();
    assert!(shown(&mut app, 160, 40).contains("worth a look (n): 1 high, 1 low"));
    press(&mut app, "n");
    let list = shown(&mut app, 160, 40);
    assert!(list.contains("HIGH     a shell\\u{1b}[2J talks") && list.contains("         dir:in"), "{list}");
    press(&mut app, "jj\n");
    let screen = shown(&mut app, 160, 40);
    assert!(screen.contains("Filter: country:US"), "{screen}");
    assert!(app.items.fit() > 0 && app.items.fit() < all, "{} of {all}", app.items.fit());
    press(&mut app, "n\u{1b}");
    assert!(shown(&mut app, 160, 40).contains("Filter: country:US"));
}

#[test]
fn without_findings_nothing_is_said() {
    let mut app = app(options());
    assert!(!shown(&mut app, 160, 40).contains("worth a look"));
    press(&mut app, "n");
    assert!(shown(&mut app, 60, 20).contains("Nothing is worth a look so far."));
}
