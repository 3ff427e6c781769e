//! Alerts: a service of its own, which is off until an administrator wants it.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;

use anyhow::{Result, ensure};

use super::guest::{prints, run, until, uptime};
use super::package::CONFIG;
use super::story::Story;

const FILE: &str = "/var/log/connmon/alerts.jsonl";
const ALERT: &str = "
[[alert]]
name = 'shells'
finding = ['shell']
severity = 'info'
to = ['journal', 'syslog', 'file:/var/log/connmon/alerts.jsonl']
";

/// A shell that takes its commands from a connection is told of in the journal, in the system's log and in a file.
pub fn told(_: &mut Story) -> Result<()> {
    let enabled = prints(&["systemctl", "list-unit-files", "connmon-alert.service", "--no-legend"])?;
    ensure!(enabled.contains("disabled"), "{enabled}");
    let mut config = fs::read_to_string(CONFIG)?;
    let before = config.clone();
    config.push_str(ALERT);
    fs::write(CONFIG, config)?;
    run(&["systemctl", "enable", "--quiet", "--now", "connmon-alert"])?;
    until("alerts are delivered", || Ok(prints(&["systemctl", "is-active", "connmon-alert"]).is_ok()))?;
    let security = ["systemd-analyze", "security", "connmon-alert.service", "--no-pager", "--threshold=40"];
    println!("{}", prints(&security)?.lines().last().unwrap_or_default());

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let socket = OwnedFd::from(TcpStream::connect(listener.local_addr()?)?);
    let (mut peer, _) = listener.accept()?;
    let mut shell = Command::new("sh").stdin(socket.try_clone()?).stdout(socket).spawn()?;
    peer.write_all(b"echo it obeys\n")?;
    let mut said = [0; 9];
    peer.read_exact(&mut said)?;
    ensure!(said == *b"it obeys\n", "{said:?}");
    let obeyed = uptime()?;
    until("the alert is in the file", || {
        Ok(fs::read_to_string(FILE).is_ok_and(|lines| lines.contains("shells")))
    })?;
    println!("the alert is in the file {:.1} s after the shell has answered", uptime()? - obeyed);
    until("it is in the journal", || {
        let fields = prints(&["journalctl", "-b", "-o", "json", "--no-pager", "CONNMON_ALERT=shells"])?;
        Ok(fields.contains("CONNMON_SEVERITY"))
    })?;
    until("it came by /dev/log as well", || {
        let lines =
            prints(&["journalctl", "-b", "-o", "cat", "--no-pager", "_TRANSPORT=syslog", "-t", "connmon"])?;
        Ok(lines.contains("shells"))
    })?;
    let status = prints(&["connmon", "alert", "status"])?;
    ensure!(status.contains("shells"), "{status}");
    drop(peer);
    shell.wait()?;
    Ok(fs::write(CONFIG, before)?)
}
