//! The package: installing, upgrading, removing.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::traffic_truth;

use super::guest::{is_active, main_process, prints, run, until, uptime};
use super::story::{DB, Story};

/// The configuration.
pub const CONFIG: &str = "/etc/connmon/config.toml";
/// What the administrator adds, and must find again.
const OWN: &str = "\n[[rule]]\nlabel = \"ours\"\nmatch = \"proc:traffic\"\n";

/// One command, and it records.
pub fn install(story: &mut Story) -> Result<()> {
    run(&["dpkg", "-i", "/opt/test/old.deb"])?;
    let installed = uptime()?;
    until("the service records", || Ok(is_active()))?;
    println!("it records {:.1} s after dpkg has ended", uptime()? - installed);
    ensure!(prints(&["systemctl", "is-enabled", "connmon"])?.trim() == "enabled", "not enabled");
    story.begins()?;
    let mut config = fs::read_to_string(CONFIG)?;
    config.push_str(OWN);
    fs::write(CONFIG, config)?;
    run(&["systemctl", "reload", "connmon"])
}

/// systemd finds little that the service could do.
pub fn confined(_: &mut Story) -> Result<()> {
    let said = prints(&["systemd-analyze", "security", "connmon.service", "--no-pager", "--threshold=25"])?;
    let exposure = said.lines().last().unwrap_or_default();
    println!("{exposure}");
    ensure!(exposure.contains("Overall exposure level"), "{said}");
    let status = prints(&["connmon", "service", "status"])?;
    ensure!(status.contains("active (running)"), "{status}");
    Ok(())
}

/// The version after; the old one's last moment and the new one's first are recorded.
pub fn upgrade(story: &mut Story) -> Result<()> {
    let last = traffic_truth(&["case", "tcp-many"])?;
    let (before, version) = (main_process()?, prints(&["dpkg-query", "-W", "-f", "${Version}", "connmon"])?);
    run(&["dpkg", "-i", "/opt/test/new.deb"])?;
    until("the new version records", || Ok(is_active() && main_process()? != before))?;
    ensure!(prints(&["dpkg-query", "-W", "-f", "${Version}", "connmon"])? != version, "still {version}");
    story.begins()?;
    story.must_have(&last)?;
    ensure!(
        fs::read_to_string(CONFIG)?.ends_with(OWN),
        "the configuration is not the administrator's any more"
    );
    Ok(())
}

/// What was recorded stays.
pub fn remove(_: &mut Story) -> Result<()> {
    run(&["dpkg", "-r", "connmon"])?;
    ensure!(!is_active(), "it still records");
    for (path, there) in [
        ("/usr/bin/connmon", false),
        ("/usr/lib/systemd/system/connmon.service", false),
        (CONFIG, true),
        (DB, true),
    ] {
        ensure!(Path::new(path).exists() == there, "{path}: not {there}");
    }
    ensure!(of_connmon()?.is_empty(), "there are processes: {}", of_connmon()?);
    Ok(())
}

/// Nothing stays.
pub fn purge(_: &mut Story) -> Result<()> {
    run(&["dpkg", "-P", "connmon"])?;
    let left = prints(&[
        "find",
        "/",
        "-xdev",
        "-path",
        "/opt/test",
        "-prune",
        "-o",
        "-path",
        "/proc",
        "-prune",
        "-o",
        "-iname",
        "*connmon*",
        "-print",
    ])?;
    ensure!(left.is_empty(), "files are left:\n{left}");
    for of in ["/run", "/sys/fs/bpf", "/sys/fs/cgroup"] {
        let left = prints(&["find", of, "-iname", "*connmon*", "-not", "-path", "*/invocation:*"])?;
        ensure!(left.is_empty(), "left:\n{left}");
    }
    for file in ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"] {
        let text = fs::read_to_string(file).with_context(|| file.to_owned())?;
        ensure!(!text.contains("connmon"), "{file} still names connmon");
    }
    let units = prints(&["systemctl", "list-units", "--all", "--no-legend", "--no-pager"])?;
    ensure!(!units.contains("connmon"), "a unit is left:\n{units}");
    let known = prints(&["dpkg-query", "-W", "-f", "${Package}\n"]).unwrap_or_default();
    ensure!(!known.contains("connmon"), "dpkg still knows of it");
    Ok(())
}

/// Processes that run connmon.
fn of_connmon() -> Result<String> {
    let mut found = String::new();
    for entry in fs::read_dir("/proc")? {
        let exe = fs::read_link(entry?.path().join("exe")).unwrap_or_default();
        let exe = exe.to_string_lossy().into_owned();
        if exe.contains("/connmon") {
            found.push_str(&exe);
        }
    }
    Ok(found)
}
