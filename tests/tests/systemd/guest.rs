//! The guest itself: its programs, starts and ends.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::MARK;
use super::story::Story;

/// How long something may take that is bound to happen, in a guest that is emulated.
const LIMIT: Duration = Duration::from_secs(300);

/// Restarts the guest in order.
pub fn reboot(story: &mut Story) -> Result<()> {
    story.did()?;
    println!("{MARK} again");
    run(&["systemctl", "reboot"])?;
    end()
}

/// The machine stops at once, with whatever is in memory.
pub fn power_lost(story: &mut Story) -> Result<()> {
    story.did()?;
    // What this test itself wrote is not to be lost.
    run(&["sync"])?;
    println!("{MARK} again");
    fs::write("/proc/sysrq-trigger", "o")?;
    end()
}

/// Whatever comes next happens after the next start.
fn end() -> Result<()> {
    std::thread::sleep(LIMIT);
    anyhow::bail!("the guest does not end")
}

/// The service records after a start, without anybody's doing.
pub fn started(story: &mut Story) -> Result<()> {
    until("the service records", || Ok(is_active()))?;
    story.begins()
}

/// Whether systemd says that the service has started, which it does when everything is recorded.
pub fn is_active() -> bool {
    prints(&["systemctl", "is-active", "connmon"]).is_ok_and(|state| state.trim() == "active")
}

/// The service's main process.
pub fn main_process() -> Result<i32> {
    let pid = prints(&["systemctl", "show", "connmon", "--property=MainPID", "--value"])?;
    Ok(pid.trim().parse()?)
}

/// What the service said since the guest was started.
pub fn journal() -> Result<String> {
    prints(&["journalctl", "-b", "-u", "connmon", "-o", "cat", "--no-pager"])
}

/// Runs a program that must succeed.
pub fn run(line: &[&str]) -> Result<()> {
    prints(line).map(drop)
}

/// What a program prints that must succeed.
pub fn prints(line: &[&str]) -> Result<String> {
    let mut command = Command::new(line[0]);
    let output =
        command.args(&line[1..]).stdin(Stdio::null()).output().with_context(|| line[0].to_owned())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "`{}`: {}: {printed}{said}", line.join(" "), output.status);
    Ok(printed.into_owned())
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    while !holds()? {
        ensure!(begin.elapsed() < LIMIT, "not within {} s: {what}", LIMIT.as_secs());
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Seconds since the guest was started.
pub fn uptime() -> Result<f64> {
    let text = fs::read_to_string("/proc/uptime")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

/// What helps to find out why something failed.
pub fn tell_why() {
    for line in [
        &["systemctl", "--no-pager", "status", "connmon"][..],
        &["journalctl", "-b", "-u", "connmon", "--no-pager", "-n", "60"],
        &["ls", "-ln", "/var/lib/connmon"],
        &["df", "/"],
    ] {
        println!("$ {}", line.join(" "));
        let output = Command::new(line[0]).args(&line[1..]).stdin(Stdio::null()).output();
        match output {
            Ok(output) => println!("{}", String::from_utf8_lossy(&output.stdout)),
            Err(error) => println!("{error}"),
        }
    }
}

/// Ends the guest.
pub fn switch_off() {
    let _ = run(&["sync"]);
    let _ = run(&["systemctl", "poweroff", "--force", "--force"]);
}
