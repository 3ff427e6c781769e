//! What goes wrong around a recorder.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use connmon_tests::harness::compare::{compare, summary};
use connmon_tests::harness::programs::{connmon_prints, traffic_program, traffic_truth};
use connmon_tests::truth::Truth;

use super::guest::{is_active, journal, main_process, prints, run, until};
use super::story::{DB, Story, completeness};

/// A file that takes all room there is, and somebody who has no right to root's reserve.
const FILLER: &str = "/var/tmp/filler";
const NOBODY: &str = "65534";

/// Killed in the middle of traffic: systemd starts it again. What was sent is recorded to the byte, or says that it is not exact, or
/// is missing, and then a gap says when.
pub fn killed(story: &mut Story) -> Result<()> {
    let before = main_process()?;
    let storm = Storm::start()?;
    std::thread::sleep(Duration::from_secs(3));
    // SAFETY: a number only; nobody else has this process ID in this guest.
    ensure!(unsafe { libc::kill(before, libc::SIGKILL) } == 0, "it cannot be killed");
    until("systemd starts it again", || Ok(is_active() && main_process()? != before))?;
    let truths = storm.end()?;
    story.begins()?;
    let gap = completeness()?["gaps"].as_array().and_then(|gaps| gaps.last().cloned()).context("no gap")?;
    println!("the gap: {gap}");

    // Once what came later is in the store, so is all that came before.
    let later = traffic_truth(&["case", "tcp-simple-v4"])?;
    let mut news = Vec::new();
    until("the rows", || {
        news = story.news()?;
        Ok(summary(&compare(&later, &news)).is_none())
    })?;
    let exact: Vec<_> = news.iter().filter(|record| record.exact).cloned().collect();
    let problems: Vec<String> = compare(&truths, &exact).into_values().flatten().collect();
    if let Some(wrong) = problems.iter().find(|problem| !problem.starts_with("missing: ")) {
        bail!("{wrong}");
    }
    let sent: usize =
        truths.iter().flat_map(|truth| &truth.processes).map(|process| process.connections.len()).sum();
    println!("of {sent} ends of connections, {} are not recorded exactly", problems.len());
    ensure!(!problems.is_empty() && problems.len() < sent, "the storm was not in the middle of it");
    story.count(&news);
    story.keep(&news);
    Ok(())
}

/// No room for a minute: everything waits, and is stored when there is room again.
pub fn full(story: &mut Story) -> Result<()> {
    let fill = format!(
        "umask 077; : > {FILLER}; for size in 33554432 4194304 1048576 65536 4096; do \
         while fallocate -o $(stat -c %s {FILLER}) -l $size {FILLER} 2> /dev/null; do :; done; done"
    );
    let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
    run(&["setpriv", &ids[0], &ids[1], "--clear-groups", "sh", "-c", &fill])?;
    let mut truths = traffic_truth(&["storm", "--list", "--connections", "3000", "--processes", "4"])?;
    until("the disk is full", || Ok(journal()?.contains("the disk is full")))?;
    std::thread::sleep(Duration::from_secs(60));
    truths.extend(traffic_truth(&["case", "tcp-many"])?);
    ensure!(is_active(), "it did not outlive a full disk");
    fs::remove_file(FILLER)?;
    until("it says that all is well again", || Ok(journal()?.contains("can be written again")))?;
    story.must_have(&truths)?;
    let gaps = completeness()?["gaps"].as_array().map_or(0, Vec::len);
    ensure!(gaps == story.gaps, "{gaps} gaps, and nothing was missed");
    Ok(())
}

/// Somebody sets the clock an hour forward.
pub fn clock(story: &mut Story) -> Result<()> {
    run(&["date", "-s", "+1 hour"])?;
    until("the step is noticed", || Ok(journal()?.contains("the clock was set forward by")))?;
    story.steps += 1;
    story.exact(&["case", "tcp-many"])?;
    let steps = completeness()?["clock_steps"].as_array().map_or(0, Vec::len);
    ensure!(steps == story.steps, "{steps} steps of the clock");
    Ok(())
}

/// Root writes into the store of the service, which goes on, and whose files stay its own.
pub fn root_writes(story: &mut Story) -> Result<()> {
    println!("label beside the recorder");
    connmon_prints(&["label", "--db", DB])?;
    let owner = fs::metadata(DB)?.uid();
    ensure!(owner != 0, "the store is root's");
    for entry in fs::read_dir("/var/lib/connmon")? {
        let entry = entry?;
        ensure!(entry.metadata()?.uid() == owner, "{} is not the service's", entry.path().display());
    }
    story.exact(&["case", "tcp-many"])?;
    println!("the service is stopped");
    run(&["systemctl", "stop", "connmon"])?;
    println!("prune, vacuum, label");
    connmon_prints(&["db", "prune", "--max-age", "3650d", "--yes", "--db", DB])?;
    connmon_prints(&["db", "vacuum", "--db", DB])?;
    connmon_prints(&["label", "--db", DB])?;
    println!("the service is started");
    run(&["systemctl", "start", "connmon"])?;
    story.begins()?;
    story.exact(&["case", "tcp-many"])?;
    let said = prints(&["connmon", "service", "status"])?;
    ensure!(said.contains("active (running)"), "{said}");
    Ok(())
}

/// Connections one after the other, for about fifteen seconds.
struct Storm(Child);

impl Storm {
    fn start() -> Result<Self> {
        let mut command = Command::new(traffic_program()?);
        command.args(["storm", "--list", "--connections", "1500", "--processes", "2", "--parallel", "2"]);
        command.args(["--rate", "100"]);
        Ok(Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?))
    }

    fn end(self) -> Result<Vec<Truth>> {
        let output = self.0.wait_with_output()?;
        ensure!(output.status.success(), "the generator failed");
        String::from_utf8(output.stdout)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}
