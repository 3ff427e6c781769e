//! Taking out what a report for others must not show. What is replaced gets the same stand-in everywhere, so that the
//! figures still say who is who.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use connmon_record::{AddressKind, Connection, ExeHash, IndicatorKind, Process, Run, Untrusted};

use super::Selection;

/// Stands for a filter. It is whole: whether a word in it is a user's name, only the reader knows.
const FILTER: &str = "withheld: it may name what is taken out";

/// The kinds of data to redact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Names and numbers of users, and their names in paths.
    pub users: bool,
    /// Command lines and working folders.
    pub cmdline: bool,
    /// Internal addresses, their names, this host's name, and command lines, which can have all of them.
    pub internal: bool,
}

/// Stands in for values, in the order in which they came.
#[derive(Debug)]
struct Pseudonyms<T>(HashMap<T, u32>);

impl<T: Eq + Hash> Pseudonyms<T> {
    fn number_of(&mut self, value: T) -> u32 {
        let next = self.0.len() as u32 + 1;
        *self.0.entry(value).or_insert(next)
    }
}

impl<T> Default for Pseudonyms<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

/// Takes it out, connection by connection.
#[derive(Debug, Default)]
pub struct Redactor {
    what: Redaction,
    /// By name, or by number where there is none.
    users: Pseudonyms<String>,
    hosts: Pseudonyms<Untrusted>,
    names: Pseudonyms<Untrusted>,
    addresses: HashMap<AddressKind, Pseudonyms<IpAddr>>,
    /// The redacted form of each process; the original is kept, so that its place in memory is not reused.
    processes: HashMap<usize, (Arc<Process>, Arc<Process>)>,
}

impl Redaction {
    /// Whether anything is taken out.
    pub fn is_anything(self) -> bool {
        self != Self::default()
    }

    /// The redacted kinds of data, in words.
    pub fn words(self) -> String {
        let all =
            [(self.users, "users"), (self.cmdline, "command lines"), (self.internal, "internal addresses")];
        let named: Vec<&str> = all.into_iter().filter_map(|(on, name)| on.then_some(name)).collect();
        let with =
            if self.internal && !self.cmdline { " (and command lines, which can name them)" } else { "" };
        format!("{}{with}", named.join(", "))
    }
}

impl Redactor {
    /// Takes this out.
    pub fn new(what: Redaction) -> Self {
        Self { what, ..Self::default() }
    }

    /// A recording without it.
    pub fn run(&mut self, mut run: Run) -> Run {
        if self.what.internal {
            run.host = format!("host-{}", self.hosts.number_of(run.host)).into();
            if let Some(location) = &mut run.location {
                location.label = "this host".into();
            }
        }
        run
    }

    /// The selection without the text of its filter.
    pub fn selection(&self, mut selection: Selection) -> Selection {
        if self.what.is_anything() && !selection.filter.is_empty() {
            selection.filter = FILTER.into();
        }
        selection
    }

    /// A connection without it.
    pub fn connection(&mut self, mut connection: Connection) -> Connection {
        if !self.what.is_anything() {
            return connection;
        }
        let internal = self.what.internal && is_internal(connection.remote.ip);
        if self.what.internal {
            connection.local.ip = self.address(connection.local.ip);
            connection.remote.ip = self.address(connection.remote.ip);
            if let Some(asked) = &mut connection.asked {
                asked.ip = self.address(asked.ip);
            }
        }
        for name in &mut connection.names {
            if internal || (self.what.internal && is_internal_name(name.name.raw())) {
                name.name =
                    format!("internal-{}", self.names.number_of(std::mem::take(&mut name.name))).into();
            }
            name.process = name.process.take().map(|process| self.process(&process));
        }
        let names_internal = |kind, text: &str| match kind {
            IndicatorKind::Sha256 => false,
            IndicatorKind::Name => internal || is_internal_name(text),
            IndicatorKind::Address | IndicatorKind::Network | IndicatorKind::Url => internal,
        };
        for hit in &mut connection.hits {
            if self.what.internal && names_internal(hit.kind, hit.indicator.raw()) {
                hit.indicator = "internal".into();
            }
        }
        connection.owner = connection.owner.take().map(|owner| self.process(&owner));
        for share in &mut connection.traffic {
            share.process = self.process(&share.process);
        }
        connection
    }

    fn address(&mut self, ip: IpAddr) -> IpAddr {
        if !is_internal(ip) {
            return ip;
        }
        let kind = AddressKind::of_address(ip);
        let number = self.addresses.entry(kind).or_default().number_of(ip);
        let low = u128::from(number);
        match (ip, kind) {
            (IpAddr::V4(_), AddressKind::Cgnat) => Ipv4Addr::from(0x6440_0000 + number).into(),
            (IpAddr::V4(_), AddressKind::LinkLocal) => Ipv4Addr::from(0xa9fe_0000 + number).into(),
            (IpAddr::V4(_), _) => Ipv4Addr::from(0x0a00_0000 + number).into(),
            (IpAddr::V6(_), AddressKind::LinkLocal) => Ipv6Addr::from((0xfe80 << 112) + low).into(),
            (IpAddr::V6(_), _) => Ipv6Addr::from((0xfd00 << 112) + low).into(),
        }
    }

    fn process(&mut self, process: &Arc<Process>) -> Arc<Process> {
        let place = Arc::as_ptr(process) as usize;
        if let Some((_, redacted)) = self.processes.get(&place) {
            return redacted.clone();
        }
        let mut redacted = Process::clone(process);
        redacted.parent = redacted.parent.take().map(|parent| self.process(&parent));
        if self.what.cmdline || self.what.internal {
            redacted.redacted |= !redacted.cmdline.is_empty();
            redacted.cmdline = Untrusted::default();
        }
        if self.what.cmdline {
            redacted.cwd = Untrusted::default();
        }
        if self.what.users {
            self.user(&mut redacted);
        }
        if self.what.internal {
            redacted.cgroup = Untrusted::default();
            if let Some(container) = &mut redacted.place.container {
                container.name = None;
                container.image = None;
            }
        }
        let redacted = Arc::new(redacted);
        self.processes.insert(place, (process.clone(), redacted.clone()));
        redacted
    }

    fn user(&mut self, process: &mut Process) {
        let name = process.user.take().map(Untrusted::into_raw).filter(|name| !name.is_empty());
        let mut number = |uid: u32, name: Option<&String>| match uid {
            0 => 0,
            _ => 1000 + self.users.number_of(name.cloned().unwrap_or_else(|| uid.to_string())),
        };
        let same = process.euid == process.uid;
        let uid = number(process.uid, name.as_ref());
        process.euid = if same { uid } else { number(process.euid, None) };
        process.uid = uid;
        process.user = Some(if process.uid == 0 {
            "root".into()
        } else {
            format!("user-{}", process.uid - 1000).into()
        });
        process.session = None;
        // Slices, sessions and managers have numbers of users in their names.
        process.cgroup = Untrusted::default();
        let place = &mut process.place;
        for part in [&mut place.unit, &mut place.slice] {
            if part
                .as_ref()
                .is_some_and(|name| ["user@", "user-", "session-"].iter().any(|s| name.raw().contains(s)))
            {
                *part = None;
            }
        }
        for captured in [&mut process.exe, &mut process.cwd, &mut process.cmdline] {
            let mut text = self.without_homes(captured.raw());
            if let Some(name) = name.as_ref().filter(|name| *name != "root") {
                let user = format!("user-{}", self.users.number_of(name.clone()));
                text = text.replace(&format!("/{name}/"), &format!("/{user}/"));
                if text.ends_with(&format!("/{name}")) {
                    text.truncate(text.len() - name.len());
                    text.push_str(&user);
                }
            }
            *captured = text.into();
        }
        if let ExeHash::Refused(_) = process.exe_hash {
            process.exe_hash = ExeHash::Unknown;
        }
    }

    /// A text in which the folders below `/home` and `/run/user` have other names, whoever's they are.
    fn without_homes(&mut self, text: &str) -> String {
        const HOMES: [&str; 2] = ["/home/", "/run/user/"];
        let (mut out, mut rest) = (String::new(), text);
        while let Some((at, home)) =
            HOMES.iter().filter_map(|home| rest.find(home).map(|at| (at, home))).min_by_key(|(at, _)| *at)
        {
            let start = at + home.len();
            let length = rest[start..].find(['/', ' ', '\'', '"', ':']).unwrap_or(rest.len() - start);
            let name = &rest[start..start + length];
            out.push_str(&rest[..start]);
            if !name.is_empty() {
                out.push_str(&format!("user-{}", self.users.number_of(name.to_owned())));
            }
            rest = &rest[start + length..];
        }
        out + rest
    }
}

/// Whether an address tells something of the network that this host is in.
fn is_internal(ip: IpAddr) -> bool {
    matches!(AddressKind::of_address(ip), AddressKind::Private | AddressKind::LinkLocal | AddressKind::Cgnat)
}

/// Whether a name is one of a private network: RFC 6762, RFC 8375, and what is customary.
fn is_internal_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    !name.contains('.')
        || [".local", ".lan", ".internal", ".home.arpa", ".intranet", ".corp"]
            .iter()
            .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use connmon_fixtures::{connection, process};
    use connmon_record::{Hit, IndicatorList, Name, NameSource, Timestamp};

    fn sample_connection() -> Connection {
        let mut mira = Process::clone(&process(100, 5, "curl"));
        (mira.uid, mira.user) = (1000, Some("mira".into()));
        mira.exe = "/home/mira/bin/curl".into();
        mira.cmdline = "curl --user mira:secret https://intra.lan/".into();
        let mut one = connection(1, 0, &Arc::new(mira), "192.168.7.9:443", 10, 20);
        let name = |name: &str| Name {
            name: name.into(),
            source: NameSource::Dns,
            process: None,
            time: Timestamp(0),
        };
        one.names = vec![name("intra.lan")];
        one.hits = vec![Hit {
            indicator: "192.168.7.0/24".into(),
            kind: IndicatorKind::Network,
            list: Arc::new(IndicatorList {
                name: "ours".into(),
                sha256: "00".into(),
                date: None,
                indicators: 1,
            }),
            time: Timestamp(0),
        }];
        one
    }

    #[test]
    fn what_is_asked_for_is_gone_and_the_rest_stays() {
        let all = Redaction { users: true, cmdline: true, internal: true };
        let mut redactor = Redactor::new(all);
        let [first, second] =
            [redactor.connection(sample_connection()), redactor.connection(sample_connection())];
        let text = format!("{first:?}");
        for secret in ["mira", "secret", "192.168.7", "intra.lan", "1000,"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
        assert_eq!((first.remote, first.tx_bytes()), (second.remote, second.tx_bytes()));
        assert_eq!(AddressKind::of_address(first.remote.ip), AddressKind::Private);
        assert!(text.contains("/home/user-1/bin/curl"), "{text}");
        let mut none = Redactor::new(Redaction::default());
        assert_eq!(none.connection(sample_connection()), sample_connection());
    }

    #[test]
    fn a_user_is_withheld_in_the_paths_of_others() {
        let mut tool = Process::clone(&process(7, 5, "tool"));
        (tool.uid, tool.user) = (0, Some("root".into()));
        tool.exe = "/home/mira/tool".into();
        tool.cmdline = "/home/mira/tool --cache /run/user/1000/x --home /home/mira".into();
        tool.cgroup = "/user.slice/user-1000.slice/session-3.scope".into();
        tool.place.unit = Some("session-3.scope".into());
        let root = connection(2, 0, &Arc::new(tool), "9.9.9.9:443", 1, 1);
        let mut redactor = Redactor::new(Redaction { users: true, ..Redaction::default() });
        let (before, hers) = (redactor.connection(root), redactor.connection(sample_connection()));
        let text = format!("{before:?}{hers:?}");
        assert!(
            !text.contains("/home/mira") && !text.contains("user-1000") && !text.contains("user/1000"),
            "{text}"
        );
        assert!(text.contains("/home/user-1/tool"), "{text}");
        assert_eq!(hers.owner.unwrap().user.as_ref().map(Untrusted::raw), Some("user-1"));
    }

    #[test]
    fn internal_addresses_in_command_lines_are_gone_with_them() {
        let what = Redaction { internal: true, ..Redaction::default() };
        let shown = Redactor::new(what).connection(sample_connection());
        assert_eq!(shown.owner.unwrap().cmdline, "");
        assert_eq!(what.words(), "internal addresses (and command lines, which can name them)");
    }

    #[test]
    fn a_filter_is_withheld_if_anything_is() {
        let selection = || Selection { filter: "user:mira".into(), ..Selection::default() };
        let users = Redactor::new(Redaction { users: true, ..Redaction::default() });
        assert_eq!(users.selection(selection()).filter, FILTER);
        assert_eq!(users.selection(Selection::default()), Selection::default());
        assert_eq!(Redactor::default().selection(selection()), selection());
    }

    #[test]
    fn public_addresses_and_names_stay() {
        let mut redactor = Redactor::new(Redaction { internal: true, ..Redaction::default() });
        let mut public = connection(1, 0, &process(1, 1, "a"), "8.8.8.8:53", 1, 1);
        public.names = vec![Name {
            name: "dns.google".into(),
            source: NameSource::Dns,
            process: None,
            time: Timestamp(0),
        }];
        let shown = redactor.connection(public);
        assert_eq!(
            (shown.remote.ip.to_string(), shown.names[0].name.raw()),
            ("8.8.8.8".into(), "dns.google")
        );
    }
}
