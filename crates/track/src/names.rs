//! Names: what was said on connections, and what DNS answered before they were opened.

mod multicast;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use connmon_ebpf::{DNS_PORT, SockEntry};
use connmon_record::untrusted::exact;

use connmon_record::frame::{DnsMessage, FlowId, Message, Observation};
use connmon_record::{Endpoint, LookupAnswer, NameSource, ObservedService, ProcessId, Proto, Untrusted};
use connmon_sniff::addresses;

/// Things said on connections that are not met yet, at most.
const MAX_WAITING: usize = 16_384;
/// The time that observations wait, nanoseconds.
const WAIT_NS: u64 = 30_000_000_000;
/// A connection's first packet comes before the moment that counts as its beginning by this much at most: a datagram passes
/// before the call that sends it returns.
const EARLY_NS: u64 = 1_000_000_000;
/// Questions without an answer, at most.
const MAX_QUESTIONS: usize = 8_192;
/// The time that a question waits for its answer, nanoseconds; resolvers give up sooner.
const ANSWER_NS: u64 = 10_000_000_000;
/// Addresses whose names are remembered.
const MAX_ADDRESSES: usize = 65_536;
/// Names of an address, at most.
const MAX_NAMES: usize = 8;
/// Things said on a connection that wait to be handed on, at most: a proxy can be asked for many hosts.
const MAX_SAID: usize = 64;
/// Of a name of an address, and of who asked for it, at most so many pairs.
const MAX_ASKERS: usize = 32;
/// A name that another process asked for counts for at least so long, nanoseconds, however short its time to live.
const GRACE_NS: u64 = 60_000_000_000;
/// Aliases that are followed.
const MAX_ALIASES: usize = 16;

/// A name of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionName {
    /// The name.
    pub name: Untrusted<Arc<str>>,
    /// The source of the name.
    pub source: NameSource,
    /// When it was seen, CLOCK_BOOTTIME.
    pub time_ns: u64,
    /// The process that asked for it; `None` for what was said on the connection itself, whose processes are known.
    pub process: Option<ProcessId>,
}

/// A question that was answered, or was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsQuery {
    /// When it was asked, CLOCK_BOOTTIME.
    pub time_ns: u64,
    /// When it was answered.
    pub answered_ns: Option<u64>,
    /// The process that asked.
    pub process: Option<ProcessId>,
    /// Whom.
    pub flow: FlowId,
    /// The question, or the answer to it.
    pub message: DnsMessage,
}

/// A name that DNS gave an address.
#[derive(Serialize, Deserialize)]
struct AddressName {
    #[serde(serialize_with = "exact")]
    name: Untrusted<Arc<str>>,
    process: Option<ProcessId>,
    time_ns: u64,
    until_ns: u64,
}

/// The values that distinguish questions.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct QuestionKey {
    flow: FlowId,
    id: u16,
    #[serde(serialize_with = "exact")]
    name: Untrusted,
    #[serde(serialize_with = "exact")]
    kind: Untrusted,
}

/// An address in a network namespace, by its inode number: another namespace can have the same address for another host.
type Address = (u32, IpAddr);

/// Where something was said, until that is met.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum ObservationKey {
    /// On the connection with the entry of this id.
    Connection(u64),
    /// Between these ends, of which the local address is left out: a socket need not have one.
    Flow(FlowId),
}

impl ObservationKey {
    fn from_observation(observation: &Observation) -> Self {
        match observation.connection {
            0 => Self::Flow(FlowId { local: None, ..observation.flow }),
            id => Self::Connection(id),
        }
    }
}

/// Everything that names connections.
#[derive(Default, Serialize, Deserialize)]
pub struct Names {
    waiting: HashMap<ObservationKey, Vec<Observation>>,
    waiting_count: usize,
    questions: BTreeMap<QuestionKey, (u64, Option<ProcessId>)>,
    /// The number of open questions of each process.
    askers: HashMap<Option<ProcessId>, usize>,
    known: HashMap<Address, Vec<AddressName>>,
    /// Addresses in the order in which they were first named, by who asked.
    order: HashMap<Option<ProcessId>, VecDeque<Address>>,
    asked: Vec<DnsQuery>,
    evicted: u64,
}

impl Names {
    /// Takes in something that was said.
    pub fn observe(&mut self, observation: Observation) {
        if let Message::Dns(message) = &observation.message {
            // Else neither this host's question nor an answer to one.
            if message.response == observation.outbound {
                return;
            }
            self.dns(message, &observation);
        }
        // That it is DNS is seen on its connection too.
        self.hold_for_connection(observation);
    }

    fn dns(&mut self, message: &DnsMessage, observation: &Observation) {
        let mut question = QuestionKey {
            flow: observation.flow,
            id: message.id,
            name: message.name.clone(),
            kind: message.kind.clone(),
        };
        if !message.response {
            self.ask(question, observation);
            return;
        }
        if message.name.is_empty() {
            // Some errors come without the question.
            let asked = self.questions.range(question.clone()..).map(|(asked, _)| asked);
            let asked = asked.take(1).find(|asked| (asked.flow, asked.id) == (question.flow, question.id));
            question = asked.cloned().unwrap_or(question);
        }
        if question.flow.remote.port() != DNS_PORT && !self.questions.contains_key(&question) {
            return self.multicast(message, observation);
        }
        let (time_ns, process) = self.answered(&question).unwrap_or((observation.time_ns, None));
        let message = DnsMessage { name: question.name, kind: question.kind, ..message.clone() };
        self.learn(&message, observation.flow.netns, observation.time_ns, process);
        self.asked.push(DnsQuery {
            time_ns,
            answered_ns: Some(observation.time_ns),
            process,
            flow: observation.flow,
            message,
        });
    }

    /// Remembers a question: of one process as many as there is room left, so that it cannot take that of others.
    fn ask(&mut self, question: QuestionKey, observation: &Observation) {
        if self.questions.contains_key(&question) {
            // Asked again, it is the same question.
            return;
        }
        let count = self.askers.entry(observation.process()).or_default();
        if *count >= MAX_QUESTIONS - self.questions.len() {
            self.evicted += 1;
            return;
        }
        *count += 1;
        self.questions.insert(question, (observation.time_ns, observation.process()));
    }

    /// Forgets a question; returns when it was asked, and by whom.
    fn answered(&mut self, question: &QuestionKey) -> Option<(u64, Option<ProcessId>)> {
        let found = self.questions.remove(question);
        if let Some((_, process)) = found {
            forget_question_of(&mut self.askers, process);
        }
        found
    }

    fn hold_for_connection(&mut self, observation: Observation) {
        let key = ObservationKey::from_observation(&observation);
        let said = self.waiting.get(&key).map_or(&[][..], Vec::as_slice);
        // A client that asks for one host again and again says nothing new.
        if !matches!(observation.message, Message::Dns(_))
            && said.iter().any(|old| old.message == observation.message)
        {
            return;
        }
        let there = said.len();
        if self.waiting_count < MAX_WAITING && there < MAX_SAID {
            self.waiting.entry(key).or_default().push(observation);
            self.waiting_count += 1;
        } else if there == 0 || !matches!(observation.message, Message::Dns(_)) {
            // A resolver that asks a thousand questions on a socket speaks DNS as much as one that asks one.
            self.evicted += 1;
        }
    }

    /// Remembers which addresses the name that was asked for has, also by way of aliases.
    fn learn(&mut self, message: &DnsMessage, netns: u32, now: u64, process: Option<ProcessId>) {
        let mut names = vec![&message.name];
        let is_alias = |answer: &&LookupAnswer, names: &[&Untrusted]| {
            answer.kind == "CNAME" && names.contains(&&answer.name)
        };
        while let Some(alias) = message
            .answers
            .iter()
            .find(|answer| is_alias(answer, &names) && !names.contains(&&answer.data))
            .filter(|_| names.len() < MAX_ALIASES)
        {
            names.push(&alias.data);
        }
        let name = message.name.shared();
        for answer in message.answers.iter().filter(|answer| names.contains(&&answer.name)) {
            let until_ns = now + GRACE_NS.max(u64::from(answer.ttl) * 1_000_000_000);
            for ip in addresses(answer) {
                let known = AddressName { name: name.clone(), process, time_ns: now, until_ns };
                self.remember((netns, ip.to_canonical()), known);
            }
        }
    }

    fn remember(&mut self, address: Address, known: AddressName) {
        if !self.known.contains_key(&address) {
            if self.known.len() >= MAX_ADDRESSES {
                self.evicted += 1;
                self.make_room();
            }
            self.order.entry(known.process).or_default().push_back(address);
        }
        let all = self.known.entry(address).or_default();
        all.retain(|old| (&old.name, old.process) != (&known.name, known.process));
        if all.len() >= MAX_ASKERS {
            // The name stays known, of those who asked later.
            let again = |place: &usize| all[place + 1..].iter().any(|later| later.name == all[*place].name);
            let place = (0..all.len()).find(again).unwrap_or(0);
            all.remove(place);
        }
        let names = all.iter().map(|one| &one.name).collect::<BTreeSet<_>>();
        if names.len() >= MAX_NAMES && !names.contains(&known.name) {
            let oldest = all.remove(0);
            let is_known = all.iter().any(|one| one.name == oldest.name);
            self.evicted += u64::from(oldest.until_ns >= known.time_ns && !is_known);
        }
        all.push(known);
    }

    /// Forgets the oldest address of the process that has most.
    fn make_room(&mut self) {
        let most = self
            .order
            .iter()
            .max_by_key(|(process, all)| (all.len(), **process))
            .map(|(process, _)| *process);
        let Some(Entry::Occupied(mut all)) = most.map(|process| self.order.entry(process)) else { return };
        all.get_mut().pop_front().and_then(|oldest| self.known.remove(&oldest));
        if all.get().is_empty() {
            all.remove();
        }
    }

    /// The names by which DNS had given the address of a connection before it was opened: those that its own process asked
    /// for, else those that others did. The latest first.
    pub fn of_address(&self, entry: &SockEntry) -> Vec<ConnectionName> {
        let address = (entry.netns, Endpoint::from(&entry.remote).ip);
        let Some(known) = self.known.get(&address) else { return Vec::new() };
        let owner = &entry.shares[0];
        let owner = ProcessId { pid: owner.tgid, start_ns: owner.start_ns };
        let before = || known.iter().rev().filter(|known| known.time_ns <= entry.opened_ns);
        let mut found: Vec<ConnectionName> = Vec::new();
        let mut add = |known: &AddressName| {
            if found.iter().all(|found| found.name != known.name) {
                found.push(ConnectionName {
                    name: known.name.clone(),
                    source: NameSource::Dns,
                    time_ns: known.time_ns,
                    process: known.process,
                });
            }
        };
        before().filter(|known| known.process == Some(owner)).for_each(&mut add);
        if !before().any(|known| known.process == Some(owner)) {
            before().filter(|known| known.until_ns >= entry.opened_ns).for_each(&mut add);
        }
        found
    }

    /// Takes out what was said on a connection since the last call: the names, and what it speaks. `proxied`: it leads to
    /// another host, and what is said names that; stays set.
    pub fn take_names_of(
        &mut self,
        entry: &SockEntry,
        proxied: &mut bool,
    ) -> (Vec<ConnectionName>, Option<ObservedService>) {
        let mut observed = None;
        let mut names = Vec::new();
        for observation in self.take_observations(entry) {
            let was_proxied = *proxied;
            let (service, name, source, alpn) = match observation.message {
                Message::Dns(_) => ("dns", None, NameSource::Dns, Vec::new()),
                Message::Tls(hello) => {
                    let source = if hello.outer { NameSource::SniOuter } else { NameSource::Sni };
                    ("tls", hello.server_name, source, hello.alpn)
                }
                Message::Quic(hello) => {
                    let source = if hello.outer { NameSource::QuicOuter } else { NameSource::Quic };
                    ("quic", hello.server_name, source, hello.alpn)
                }
                Message::Http(host) => ("http", host, NameSource::Http, Vec::new()),
                Message::HttpProxy(host) => {
                    *proxied = true;
                    ("http", host, NameSource::Proxied, Vec::new())
                }
                Message::Socks(host) => {
                    *proxied = true;
                    ("socks", host, NameSource::Proxied, Vec::new())
                }
                Message::Ssh => ("ssh", None, NameSource::Proxied, Vec::new()),
            };
            // The connection itself speaks with the proxy.
            if !was_proxied {
                observed = Some(ObservedService { service: service.into(), alpn });
            }
            names.extend(name.map(|name| ConnectionName {
                name: name.shared(),
                source: if *proxied { NameSource::Proxied } else { source },
                time_ns: observation.time_ns,
                process: None,
            }));
        }
        (names, observed)
    }

    /// The observations on a connection.
    fn take_observations(&mut self, entry: &SockEntry) -> Vec<Observation> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let local = Endpoint::from(&entry.local).ip;
        let flow = FlowId {
            proto: entry.proto,
            local: None,
            local_port: entry.local.port,
            remote: Endpoint::from(&entry.remote).into(),
            netns: entry.netns,
        };
        let from = entry.opened_ns.saturating_sub(EARLY_NS);
        let to = if entry.closed_ns == 0 { u64::MAX } else { entry.closed_ns };
        // What comes before the entry is there comes first.
        let mut heard = self.take(ObservationKey::Flow(flow), |observation| {
            let is_here = local.is_unspecified() || observation.flow.local.is_none_or(|ip| ip == local);
            is_here && (from..=to).contains(&observation.time_ns)
        });
        heard.extend(self.take(ObservationKey::Connection(entry.id), |_| true));
        heard
    }

    fn take(&mut self, key: ObservationKey, is_wanted: impl Fn(&Observation) -> bool) -> Vec<Observation> {
        let Some(all) = self.waiting.get_mut(&key) else { return Vec::new() };
        let (wanted, others): (Vec<_>, Vec<_>) = std::mem::take(all).into_iter().partition(is_wanted);
        *all = others;
        if all.is_empty() {
            self.waiting.remove(&key);
        }
        self.waiting_count -= wanted.len();
        wanted
    }

    /// The number of observations dropped early for want of room.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The questions that were answered or given up since the last call.
    pub fn take_queries(&mut self) -> Vec<DnsQuery> {
        std::mem::take(&mut self.asked)
    }

    /// The number of waiting observations and questions.
    #[cfg(test)]
    pub fn sizes(&self) -> (usize, usize) {
        (self.waiting_count, self.questions.len())
    }

    /// Gives up waiting for what should have come long before `now_ns`; at the end, for everything.
    pub fn forget(&mut self, now_ns: u64) {
        let late = |time_ns: u64, patience: u64| time_ns.saturating_add(patience) < now_ns;
        let (asked, askers) = (&mut self.asked, &mut self.askers);
        self.questions.retain(|question, (time_ns, process)| {
            if !late(*time_ns, ANSWER_NS) {
                return true;
            }
            forget_question_of(askers, *process);
            asked.push(DnsQuery {
                time_ns: *time_ns,
                answered_ns: None,
                process: *process,
                flow: question.flow,
                message: unanswered(question),
            });
            false
        });
        self.waiting.retain(|_, all| {
            all.retain(|observation| !late(observation.time_ns, WAIT_NS));
            !all.is_empty()
        });
        self.waiting_count = self.waiting.values().map(Vec::len).sum();
    }
}

/// A process waits for one answer less.
fn forget_question_of(askers: &mut HashMap<Option<ProcessId>, usize>, process: Option<ProcessId>) {
    if let Entry::Occupied(mut count) = askers.entry(process) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

fn unanswered(question: &QuestionKey) -> DnsMessage {
    DnsMessage {
        id: question.id,
        response: false,
        name: question.name.clone(),
        kind: question.kind.clone(),
        code: Untrusted::default(),
        answers: Vec::new(),
    }
}

/// The notation of an entry of a question's flow.
pub fn server(flow: &FlowId) -> (Proto, Endpoint) {
    (Proto(flow.proto), Endpoint::new(flow.remote.ip(), flow.remote.port()))
}
