//! Waits until the kernel has finished what the processes have closed.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::truth::{End, Process, Proto};

/// Begins a line on standard error that is no complaint.
pub const NOTE: &str = "note: ";
/// `TCP_TIME_WAIT` and `TCP_LISTEN` in `/proc/net/tcp`: nothing more happens to either.
const AT_REST: [&str; 2] = ["06", "0A"];

/// A connection that waits for a FIN which the kernel has answered with a reset.
///
/// While a kernel puts a small socket in the place of the one in FIN_WAIT2, another CPU can find neither, and resets the
/// other end when its FIN comes just then (fixed in Linux 6.19, "inet: Avoid ehash lookup race in
/// inet_twsk_hashdance_schedule()"). The small one then waits a minute for nothing.
#[derive(Debug, PartialEq, Eq)]
struct Deserted {
    local: u16,
    remote: u16,
}

/// Returns when no closed TCP connection of `processes` is on its way out any more. The truth of a connection that the
/// kernel reset by its own fault is corrected.
pub fn settle(processes: &mut [Process]) -> Result<()> {
    let connections = processes.iter().flat_map(|process| &process.connections);
    let closed = connections.filter(|connection| connection.proto == Proto::Tcp && !connection.open);
    let ports: HashSet<_> = closed.filter_map(|c| Some((c.local?.port, c.remote.port))).collect();
    for Deserted { local, remote } in wait(|local, remote| ports.contains(&(local, remote)))? {
        eprintln!("{NOTE}the kernel reset port {remote} when its FIN came, and port {local} waits for it");
        for connection in processes.iter_mut().flat_map(|process| &mut process.connections) {
            let other_end = connection.local.is_some_and(|own| own.port == remote);
            if connection.proto == Proto::Tcp && other_end && connection.remote.port == local {
                connection.end = connection.end.and(Some(End::Rst));
            }
        }
    }
    Ok(())
}

/// Returns when no TCP connection with such local and remote ports is on its way out.
pub fn settle_where(ours: impl Fn(u16, u16) -> bool) -> Result<()> {
    wait(ours).map(drop)
}

fn wait(ours: impl Fn(u16, u16) -> bool) -> Result<Vec<Deserted>> {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
            .map(|table| std::fs::read_to_string(table).unwrap_or_default());
        let lines = tables.iter().flat_map(|table| table.lines().skip(1));
        let busy: Vec<&str> =
            lines.filter(|line| ports(line).is_some_and(|(local, remote)| ours(local, remote))).collect();
        if busy.is_empty() {
            return Ok(Vec::new());
        }
        if Instant::now() >= limit {
            let deserted: Option<Vec<_>> = busy.iter().map(|line| deserted(line)).collect();
            let shown = || format!("closed connections are still there after 10 s:\n{}", busy.join("\n"));
            return deserted.with_context(shown);
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

/// What a line is about if it is a small socket in FIN_WAIT2: those have timer 3.
fn deserted(line: &str) -> Option<Deserted> {
    let mut fields = line.split_ascii_whitespace().skip(3);
    let (state, timer) = (fields.next()?, fields.nth(1)?);
    let (local, remote) = ports(line)?;
    (state == "05" && timer.starts_with("03:")).then_some(Deserted { local, remote })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "   0: 0100007F:9C40 0100007F:0050 01 00000000:00000000 00:00000000 00000000  0  0 1 1";

    #[test]
    fn reads_the_kernels_table() {
        assert_eq!(ports(LINE), Some((40000, 80)));
        assert_eq!(ports(&LINE.replace(" 01 ", " 06 ")), None);
    }

    #[test]
    fn only_a_small_socket_is_deserted() {
        assert_eq!(deserted(LINE), None);
        let full = LINE.replace(" 01 ", " 05 ");
        assert_eq!(deserted(&full), None);
        let small = full.replace(" 00:00000000 ", " 03:00001384 ");
        assert_eq!(deserted(&small), Some(Deserted { local: 40000, remote: 80 }));
    }
}
