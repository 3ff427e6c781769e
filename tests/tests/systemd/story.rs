//! What was sent, and whether the store has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::compare::{compare, summary};
use connmon_tests::harness::programs::{connmon_prints, export, traffic_truth};
use connmon_tests::harness::record::Record;
use connmon_tests::truth::Truth;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::guest::until;

/// The service's store.
pub const DB: &str = "/var/lib/connmon/connmon.db";
/// Kept between starts of the guest.
const STATE: &str = "/opt/test/state.json";

/// What has happened so far.
#[derive(Default, Serialize, Deserialize)]
pub struct Story {
    /// Steps that are done.
    done: usize,
    /// What was judged already, and how it was.
    judged: BTreeMap<String, (u64, u64)>,
    /// Bytes that were sent and received while everything was recorded, by the hour of the guest's clock.
    hours: BTreeMap<String, (u64, u64)>,
    /// Times at which the service began to record.
    pub begun: usize,
    /// Gaps in which something may be missing.
    pub gaps: usize,
    /// How often the clock was set forward: that divides the time that was recorded, and what it passed over is no gap.
    pub steps: usize,
}

impl Story {
    /// What was written down.
    pub fn read() -> Result<Self> {
        match fs::read(STATE) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(_) => Ok(Self::default()),
        }
    }

    /// How many steps are done.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Writes down that one more is.
    pub fn did(&mut self) -> Result<()> {
        self.done += 1;
        Ok(fs::write(STATE, serde_json::to_vec(self)?)?)
    }

    /// The service has begun to record, so there is one gap more, unless it is the first time.
    pub fn begins(&mut self) -> Result<()> {
        self.begun += 1;
        let (gaps, parts) = (self.begun - 1, self.begun + self.steps);
        let mut recorded = Value::Null;
        until("the store tells that recording began", || {
            recorded = completeness()?["recorded"].take();
            Ok(recorded.as_array().map_or(0, Vec::len) == parts)
        })
        .with_context(|| format!("{parts} parts of the time are wanted: {recorded}"))?;
        self.gaps = gaps;
        Ok(())
    }

    /// Makes traffic, all of which must be recorded to the byte.
    pub fn exact(&mut self, traffic: &[&str]) -> Result<()> {
        let truths = traffic_truth(traffic)?;
        self.must_have(&truths)
    }

    /// What happened is in the store, exactly.
    pub fn must_have(&mut self, truths: &[Truth]) -> Result<()> {
        let mut wrong = String::new();
        let mut news = Vec::new();
        let settled = until("the store has what was sent", || {
            news = self.news()?;
            wrong = summary(&compare(truths, &news)).unwrap_or_default();
            Ok(wrong.is_empty())
        });
        settled.with_context(|| wrong)?;
        for truth in truths {
            let sum = self.hours.entry(truth.started[..13].to_owned()).or_default();
            for connection in truth.processes.iter().flat_map(|process| &process.connections) {
                sum.0 += connection.tx_bytes;
                sum.1 += connection.rx_bytes;
            }
        }
        self.keep(&news);
        Ok(())
    }

    /// What the store has beside what was judged before.
    pub fn news(&self) -> Result<Vec<Record>> {
        let records = export(Path::new(DB))?.into_iter();
        Ok(records.filter(|record| !self.judged.contains_key(&record.id.to_string())).collect())
    }

    /// These are judged.
    pub fn keep(&mut self, records: &[Record]) {
        let of = |record: &Record| (record.id.to_string(), (record.tx_bytes, record.rx_bytes));
        self.judged.extend(records.iter().map(of));
    }

    /// What was judged is counted in an hour, though no truth was.
    pub fn count(&mut self, records: &[Record]) {
        for record in records {
            let sum = self.hours.entry(record.opened[..13].to_owned()).or_default();
            sum.0 += record.tx_bytes;
            sum.1 += record.rx_bytes;
        }
    }
}

/// Traffic of several kinds is recorded to the byte.
pub fn records(story: &mut Story) -> Result<()> {
    story.exact(&["case", "tcp-simple-v4", "tcp-many", "udp-many-remotes"])?;
    story.exact(&["storm", "--list", "--connections", "300", "--processes", "10", "--parallel", "4"])
}

/// Everything that is said of the whole store is right: it is sealed, has what was judged, in the hours in which it happened, and
/// tells of the times in which nothing was recorded, and of no other.
pub fn whole(story: &mut Story) -> Result<()> {
    let seal = String::from_utf8(connmon_prints(&["verify", DB])?)?;
    ensure!(seal.contains("unbroken") && !seal.contains('✗'), "{seal}");
    let there: BTreeMap<String, (u64, u64)> = export(Path::new(DB))?
        .iter()
        .map(|record| (record.id.to_string(), (record.tx_bytes, record.rx_bytes)))
        .collect();
    for (id, bytes) in &story.judged {
        ensure!(there.get(id) == Some(bytes), "{id} had {bytes:?}, and has {:?}", there.get(id));
    }
    let unjudged: BTreeSet<_> = there.keys().filter(|id| !story.judged.contains_key(*id)).collect();
    ensure!(unjudged.is_empty(), "nobody sent what is in {unjudged:?}");

    let audit: Value = json(&["audit", "--by", "hour", "--format", "json", "--db", DB])?;
    let groups = audit["groups"].as_array().context("no groups")?;
    let number = |group: &Value, name: &str| group[name].as_u64().unwrap_or_default();
    let audited: BTreeMap<String, (u64, u64)> = groups
        .iter()
        .map(|group| {
            let hour = group["hour"].as_str().or(group["key"].as_str()).unwrap_or_default();
            (hour.replace(' ', "T")[..13].to_owned(), (number(group, "tx_bytes"), number(group, "rx_bytes")))
        })
        .collect();
    ensure!(audited == story.hours, "by hour: {audited:?}, sent {:?}", story.hours);

    let report: Value = json(&["report", "--format", "json", "--out", "-", "--db", DB])?;
    let page = String::from_utf8(connmon_prints(&["report", "--out", "-", "--db", DB])?)?;
    ensure!(page.trim_end().ends_with("</html>"), "half a page");
    let said = &audit["completeness"];
    let parts = story.begun + story.steps;
    for (name, wanted) in [("gaps", story.gaps), ("clock_steps", story.steps), ("recorded", parts)] {
        for (of, list) in [("audit", &said[name]), ("report", &report[name])] {
            ensure!(list.as_array().map(Vec::len) == Some(wanted), "{of}: {wanted} {name}: {list}");
        }
    }
    for counter in ["lost_events", "lost_connections", "map_full", "read_errors", "malformed", "probe_misses"]
    {
        ensure!(said[counter] == 0, "{counter} is {}", said[counter]);
    }
    ensure!(said["reconciliation"]["unexplained"] == 0, "{said}");
    Ok(())
}

/// How complete the store says that it is.
pub fn completeness() -> Result<Value> {
    Ok(json(&["audit", "--format", "json", "--db", DB])?["completeness"].take())
}

/// What connmon prints, as JSON; that something is missing is no failure.
fn json(args: &[&str]) -> Result<Value> {
    let output = connmon_tests::harness::programs::connmon(args)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code().is_some_and(|code| code < 2), "{args:?}: {}: {said}", output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("{args:?}: {said}"))
}
