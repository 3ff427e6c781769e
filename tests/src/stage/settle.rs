//! Waits until the kernel has finished what the processes have closed.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::truth::{Process, Proto};

/// `TCP_TIME_WAIT` and `TCP_LISTEN` in `/proc/net/tcp`: nothing more happens to either.
const AT_REST: [&str; 2] = ["06", "0A"];

/// Returns when no closed TCP connection of `processes` is still on its way out.
pub fn settle(processes: &[Process]) -> Result<()> {
    let connections = processes.iter().flat_map(|process| &process.connections);
    let closed = connections.filter(|connection| connection.proto == Proto::Tcp && !connection.open);
    let ports: HashSet<_> = closed.filter_map(|c| Some((c.local?.port, c.remote.port))).collect();
    settle_where(|local, remote| ports.contains(&(local, remote)))
}

/// Returns when no TCP connection with such local and remote ports is on its way out.
pub fn settle_where(ours: impl Fn(u16, u16) -> bool) -> Result<()> {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
            .map(|table| std::fs::read_to_string(table).unwrap_or_default());
        let lines = tables.iter().flat_map(|table| table.lines().skip(1));
        let busy: Vec<&str> =
            lines.filter(|line| ports(line).is_some_and(|(local, remote)| ours(local, remote))).collect();
        if busy.is_empty() {
            return Ok(());
        }
        if Instant::now() >= limit {
            bail!("closed connections are still there after 10 s:\n{}", busy.join("\n"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Local and remote port of a line, unless that socket is at rest.
fn ports(line: &str) -> Option<(u16, u16)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    let port = |field: &str| u16::from_str_radix(field.rsplit(':').next()?, 16).ok();
    if AT_REST.contains(&state) { None } else { Some((port(local)?, port(remote)?)) }
}

#[cfg(test)]
mod tests {
    use super::ports;

    #[test]
    fn reads_the_kernels_table() {
        let line = "   0: 0100007F:9C40 0100007F:0050 01 00000000:00000000 00:00000000 00000000  0  0 1 1";
        assert_eq!(ports(line), Some((40000, 80)));
        assert_eq!(ports(&line.replace(" 01 ", " 06 ")), None);
    }
}
