//! Names: what was said on connections, and what DNS answered before they were opened.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use connmon_ebpf::SockEntry;

use crate::model::{Endpoint, LookupAnswer, NameSource, Observed, ProcessId, Proto};
use crate::sniff::{DnsMessage, FlowId, Message, Sighting};

/// Things said on connections that are not met yet, at most.
const MAX_WAITING: usize = 16_384;
/// How long they wait, nanoseconds.
const WAIT_NS: u64 = 30_000_000_000;
/// A connection's first packet comes before the moment that counts as its beginning by this much at most: a datagram passes
/// before the call that sends it returns.
const EARLY_NS: u64 = 1_000_000_000;
/// Questions without an answer, at most.
const MAX_QUESTIONS: usize = 8_192;
/// How long an answer is waited for, nanoseconds; resolvers give up sooner.
const ANSWER_NS: u64 = 10_000_000_000;
/// Addresses whose names are remembered.
const MAX_ADDRESSES: usize = 65_536;
/// Names of an address, and of a connection, at most.
const MAX_NAMES: usize = 8;
/// Of a name of an address, and of who asked for it, at most so many pairs.
const MAX_ASKERS: usize = 32;
/// A name that another process asked for counts for at least so long, nanoseconds, however short its time to live.
const GRACE_NS: u64 = 60_000_000_000;
/// Aliases that are followed.
const MAX_ALIASES: usize = 16;

/// A name of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name.
    pub name: Arc<str>,
    /// Where it comes from.
    pub source: NameSource,
    /// When it was seen, CLOCK_BOOTTIME.
    pub time_ns: u64,
    /// The process that asked for it; `None` for what was said on the connection itself, whose processes are known.
    pub process: Option<ProcessId>,
}

/// A question that was answered, or was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// When it was asked, CLOCK_BOOTTIME.
    pub time_ns: u64,
    /// When it was answered.
    pub answered_ns: Option<u64>,
    /// Who asked.
    pub process: Option<ProcessId>,
    /// Whom.
    pub flow: FlowId,
    /// What, or the answer to it.
    pub message: DnsMessage,
}

/// A name that DNS gave an address.
struct Known {
    name: Arc<str>,
    process: Option<ProcessId>,
    time_ns: u64,
    until_ns: u64,
}

/// What tells questions apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    flow: FlowId,
    id: u16,
    name: String,
    kind: String,
}

/// Everything that names connections.
#[derive(Default)]
pub struct Names {
    waiting: HashMap<FlowId, Vec<Sighting>>,
    waiting_count: usize,
    questions: BTreeMap<Question, (u64, Option<ProcessId>)>,
    known: HashMap<IpAddr, Vec<Known>>,
    /// Addresses in the order in which they were first named.
    order: VecDeque<IpAddr>,
    asked: Vec<Asked>,
    evicted: u64,
}

impl Names {
    /// Takes in something that was said.
    pub fn sighting(&mut self, sighting: Sighting) {
        let Message::Dns(message) = &sighting.message else { return self.wait(sighting) };
        if message.response == sighting.outbound {
            // Neither this host's question nor an answer to one.
            return;
        }
        let question = Question {
            flow: sighting.flow,
            id: message.id,
            name: message.name.clone(),
            kind: message.kind.clone(),
        };
        if !message.response {
            if self.questions.len() < MAX_QUESTIONS {
                // Asked again, it is the same question.
                self.questions.entry(question).or_insert((sighting.time_ns, sighting.process()));
            } else {
                self.evicted += 1;
            }
        } else {
            let asked = self.questions.remove(&question);
            let (time_ns, process) = asked.unwrap_or((sighting.time_ns, None));
            self.learn(message, sighting.time_ns, process);
            self.asked.push(Asked {
                time_ns,
                answered_ns: Some(sighting.time_ns),
                process,
                flow: sighting.flow,
                message: message.clone(),
            });
        }
        // That it is DNS is seen on its connection too.
        self.wait(sighting);
    }

    fn wait(&mut self, sighting: Sighting) {
        if self.waiting_count >= MAX_WAITING {
            self.evicted += 1;
        } else {
            let on_flow = self.waiting.entry(sighting.flow).or_default();
            // A resolver that asks a thousand questions on a socket speaks DNS as much as one that asks one.
            if on_flow.len() < MAX_NAMES {
                on_flow.push(sighting);
                self.waiting_count += 1;
            }
        }
    }

    /// Remembers which addresses the name that was asked for has, also by way of aliases.
    fn learn(&mut self, message: &DnsMessage, now: u64, process: Option<ProcessId>) {
        let mut names = vec![message.name.as_str()];
        let is_alias =
            |answer: &&LookupAnswer, names: &[&str]| answer.kind == "CNAME" && names.contains(&&*answer.name);
        while let Some(alias) = message
            .answers
            .iter()
            .find(|answer| is_alias(answer, &names) && !names.contains(&&*answer.data))
            .filter(|_| names.len() < MAX_ALIASES)
        {
            names.push(&alias.data);
        }
        let name: Arc<str> = message.name.as_str().into();
        for answer in &message.answers {
            let is_address = matches!(answer.kind.as_str(), "A" | "AAAA") && names.contains(&&*answer.name);
            let Some(ip) = answer.data.parse::<IpAddr>().ok().filter(|_| is_address) else { continue };
            let until_ns = now + GRACE_NS.max(u64::from(answer.ttl) * 1_000_000_000);
            self.remember(ip.to_canonical(), Known { name: name.clone(), process, time_ns: now, until_ns });
        }
    }

    fn remember(&mut self, ip: IpAddr, known: Known) {
        if !self.known.contains_key(&ip) {
            if self.known.len() >= MAX_ADDRESSES {
                self.evicted += 1;
                self.order.pop_front().and_then(|oldest| self.known.remove(&oldest));
            }
            self.order.push_back(ip);
        }
        let all = self.known.entry(ip).or_default();
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

    /// The names by which DNS had given the address of a connection before it was opened: those that its own process asked
    /// for, else those that others did. The latest first.
    pub fn of_address(&self, entry: &SockEntry) -> Vec<Found> {
        let Some(known) = self.known.get(&Endpoint::from(&entry.remote).ip) else { return Vec::new() };
        let owner = &entry.shares[0];
        let owner = ProcessId { pid: owner.tgid, start_ns: owner.start_ns };
        let before = || known.iter().rev().filter(|known| known.time_ns <= entry.opened_ns);
        let mut found: Vec<Found> = Vec::new();
        let mut add = |known: &Known| {
            if found.iter().all(|found| found.name != known.name) {
                found.push(Found {
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

    /// Takes out what was said on a connection since the last call: the names, and what it speaks.
    pub fn said(&mut self, entry: &SockEntry) -> (Vec<Found>, Option<Observed>) {
        if self.waiting.is_empty() {
            return (Vec::new(), None);
        }
        let flow = FlowId {
            proto: entry.proto,
            local_port: entry.local.port,
            remote: Endpoint::from(&entry.remote).into(),
            netns: entry.netns,
        };
        let Some(all) = self.waiting.get_mut(&flow) else { return (Vec::new(), None) };
        let from = entry.opened_ns.saturating_sub(EARLY_NS);
        let to = if entry.closed_ns == 0 { u64::MAX } else { entry.closed_ns };
        let (mine, others) = std::mem::take(all).into_iter().partition(|s| (from..=to).contains(&s.time_ns));
        *all = others;
        if all.is_empty() {
            self.waiting.remove(&flow);
        }
        let mine: Vec<Sighting> = mine;
        self.waiting_count -= mine.len();
        let mut observed = None;
        let mut names = Vec::new();
        for sighting in mine {
            let (service, name, alpn) = match sighting.message {
                Message::Dns(_) => ("dns", None, Vec::new()),
                Message::Tls(hello) => ("tls", hello.server_name.map(|n| (n, NameSource::Sni)), hello.alpn),
                Message::Quic(hello) => {
                    ("quic", hello.server_name.map(|n| (n, NameSource::Quic)), hello.alpn)
                }
                Message::Http(host) => ("http", host.map(|n| (n, NameSource::Http)), Vec::new()),
                Message::Ssh => ("ssh", None, Vec::new()),
            };
            observed = Some(Observed { service: service.into(), alpn });
            names.extend(name.map(|(name, source)| Found {
                name: name.into(),
                source,
                time_ns: sighting.time_ns,
                process: None,
            }));
        }
        (names, observed)
    }

    /// What was dropped early, for want of room.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// What became of questions since the last call.
    pub fn take_asked(&mut self) -> Vec<Asked> {
        std::mem::take(&mut self.asked)
    }

    /// What waits: things said, and questions.
    #[cfg(test)]
    pub fn sizes(&self) -> (usize, usize) {
        (self.waiting_count, self.questions.len())
    }

    /// Gives up waiting for what should have come long before `now_ns`; at the end, for everything.
    pub fn forget(&mut self, now_ns: u64) {
        let late = |time_ns: u64, patience: u64| time_ns.saturating_add(patience) < now_ns;
        let asked = &mut self.asked;
        self.questions.retain(|question, (time_ns, process)| {
            if !late(*time_ns, ANSWER_NS) {
                return true;
            }
            asked.push(Asked {
                time_ns: *time_ns,
                answered_ns: None,
                process: *process,
                flow: question.flow,
                message: unanswered(question),
            });
            false
        });
        self.waiting.retain(|_, all| {
            all.retain(|sighting| !late(sighting.time_ns, WAIT_NS));
            !all.is_empty()
        });
        self.waiting_count = self.waiting.values().map(Vec::len).sum();
    }
}

fn unanswered(question: &Question) -> DnsMessage {
    DnsMessage {
        id: question.id,
        response: false,
        name: question.name.clone(),
        kind: question.kind.clone(),
        code: String::new(),
        truncated: false,
        answers: Vec::new(),
    }
}

/// How an entry of a question's flow is written.
pub fn server(flow: &FlowId) -> (Proto, Endpoint) {
    (Proto(flow.proto), Endpoint::new(flow.remote.ip(), flow.remote.port()))
}
