//! D7: shells and interpreters behind a network service, and shells that use the network themselves.

use connmon_record::{AddressKind, Direction, Process};
use serde::{Deserialize, Serialize};

use super::per_group::PerPlace;
use super::{Detector, Seen};
use crate::card::Card;
use crate::event::Moment;
use crate::finding::{Figure, Severity};
use crate::findings::Findings;
use crate::program::Home;
use crate::world::Moved;

/// Shells: they run commands, and have no reason to use the network themselves.
const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "fish", "rbash"];
/// Services that answer strangers and run no commands for them.
const SERVICES: [&str; 26] = [
    "nginx",
    "apache2",
    "httpd",
    "lighttpd",
    "caddy",
    "php-fpm",
    "php-cgi",
    "tomcat",
    "java",
    "node",
    "gunicorn",
    "uwsgi",
    "puma",
    "unicorn",
    "postgres",
    "mysqld",
    "mariadbd",
    "redis-server",
    "mongod",
    "memcached",
    "exim4",
    "exim",
    "vsftpd",
    "smbd",
    "named",
    "squid",
];
/// Ancestors that are looked at.
const DEPTH: usize = 16;

pub(crate) static CARD: Card = Card {
    code: "D7",
    name: "shell",
    title: "Shells on the network",
    does: "Looks for a shell that moves bytes on a connection itself, as a reverse shell does whose input and output are a socket, \
           and for a shell, interpreter or network tool that a network service started and that connects to somewhere.",
    formula: "A shell (sh, bash, dash, zsh, …) owns a connection or moved bytes on one: high if the other end is another host, low if \
              it is this host. A shell, interpreter or tool with a network service (nginx, apache, php-fpm, java, postgres, redis, …) \
              among its ancestors opened a connection: high to a public address, medium to another one, low to this host; one step \
              less if it runs a script from a folder of packages. What a file descriptor is connected to is not recorded, so a shell \
              behind a relay process is only seen by its ancestors.",
    innocent: &[
        "scripts that use /dev/tcp of bash to wait for a port",
        "continuous integration, administration panels and web applications that run programs on purpose",
        "a service that is started by socket activation through a shell",
    ],
    refuted_by: &[
        "the command line is that of a known job",
        "the service's documentation says that it runs this program",
    ],
};

/// The state of the detector: what was told of each program and destination.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Shell {
    groups: PerPlace<bool>,
}

impl Detector for Shell {
    fn connection(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        // Who moved bytes is known later than who opened it.
        if seen.moment == Moment::Lasts || *self.groups.at(seen.place.group) {
            return;
        }
        let Some((process, aspect, service)) = culprit(seen) else { return };
        *self.groups.at(seen.place.group) = true;
        let kind = AddressKind::of_address(seen.connection.remote.ip);
        let mut steps = match (aspect, kind) {
            (_, AddressKind::Loopback) => 1,
            ("service", kind) if kind != AddressKind::Public => 2,
            _ => 3,
        };
        let mut finding = seen.view.about_group(&CARD, aspect, seen.group());
        finding.context.clear();
        if aspect == "service" && crate::program::script_home(process) == Home::System {
            steps -= 1;
            finding.context.push("it runs a script from a folder that packages fill".into());
        }
        let (program, other) = finding.subject.words();
        finding.what = match service {
            Some(service) => {
                format!("{program}, which {} started, connects to {other}", service.comm.raw()).into()
            }
            None => {
                format!("the shell {} moves bytes on a connection with {other}", process.comm.raw()).into()
            }
        };
        finding.severity = Severity::above_info(steps);
        finding.score = if kind == AddressKind::Public { 1.0 } else { 0.7 };
        finding.figures = vec![
            Figure::text("command_line", process.cmdline.clone()),
            Figure::text(
                "started_by",
                process.parent.as_ref().map(|parent| parent.comm.clone()).unwrap_or_default(),
            ),
            Figure::count("process", process.id.pid),
        ];
        findings.put(finding);
    }

    fn forget(&mut self, moved: &Moved) {
        self.groups.forget(&moved.groups, drop);
    }
}

/// The process that should not be on this connection, what it did, and the service behind it.
fn culprit<'a>(seen: &Seen<'a>) -> Option<(&'a Process, &'static str, Option<&'a Process>)> {
    let connection = seen.connection;
    let shares = connection.traffic.iter().map(|share| &*share.process);
    if let Some(shell) =
        connection.owner.as_deref().into_iter().chain(shares).find(|process| is_shell(process))
    {
        return Some((shell, "shell", None));
    }
    let owner = connection.owner.as_deref().filter(|_| connection.direction != Direction::In)?;
    if !seen.program().is_tool() {
        return None;
    }
    let service = owner.ancestors().take(DEPTH).find(|process| {
        let name = base_name(process);
        // A program that started itself again is no other program.
        process.exe != owner.exe && SERVICES.iter().any(|known| name == *known || is_version_of(name, known))
    })?;
    Some((owner, "service", Some(service)))
}

/// The file name of the executable; the process may call itself anything.
fn base_name(process: &Process) -> &str {
    let path = process.exe.raw();
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    path.rsplit('/').next().unwrap_or(path)
}

fn is_shell(process: &Process) -> bool {
    SHELLS.contains(&base_name(process))
}

/// `php-fpm8.2` is php-fpm.
fn is_version_of(name: &str, known: &str) -> bool {
    name.strip_prefix(known).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}
