//! DNS messages. What is odd in one place hides nothing elsewhere: records are passed over by their lengths.

use std::fmt::Write;
use std::net::IpAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use super::outcome::ParseOutcome;
use connmon_record::frame::DnsMessage;
use connmon_record::{LookupAnswer, Untrusted};

/// Bytes of a message's head (RFC 1035, section 4.1.1).
const HEAD: usize = 12;
/// Questions of a message that are looked at: one, but for multicasts.
const MAX_QUESTIONS: usize = 64;
/// Bytes of text that are kept of an answer: compression can make much of little.
const MAX_TEXT: usize = 256 * 1024;
/// Characters of a record's data that are kept.
const MAX_DATA: usize = 255;
/// The class of the Internet, but for the bit by which a multicast says that it has all there is (RFC 6762, section 10.2).
const IN: u16 = 1;
const CLASS: u16 = 0x7fff;

/// The content of a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// One for each question.
    pub messages: Vec<DnsMessage>,
    /// Questions and records that could not be read, or were left out.
    pub unread: u64,
}

/// Reads a message. If it is none, nothing is in it, and that is one thing unread.
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    if (read(bytes, &mut parsed).is_none() || parsed.messages.is_empty()) && parsed.unread == 0 {
        parsed.unread = 1;
    }
    parsed
}

/// The message at the beginning of a TCP stream, behind its length (RFC 1035, section 4.2.2).
pub fn framed(stream: &[u8]) -> ParseOutcome<Parsed> {
    match super::tls::counted(stream) {
        Some((message, _)) => ParseOutcome::Message(parse(message), 2 + message.len()),
        None if stream.is_empty() => ParseOutcome::Undecided,
        None => ParseOutcome::Incomplete,
    }
}

/// `None` if it ends early.
fn read(bytes: &[u8], parsed: &mut Parsed) -> Option<()> {
    let [questions, answers, authorities, additionals] = [4, 6, 8, 10].map(|at| short(bytes, at));
    let flags = short(bytes, 2)?;
    let message = DnsMessage {
        id: short(bytes, 0)?,
        response: flags & 0x8000 != 0,
        name: Untrusted::default(),
        kind: Untrusted::default(),
        code: Untrusted::default(),
        answers: Vec::new(),
    };
    let mut at = HEAD;
    for nth in 0..usize::from(questions?) {
        let end = name_end(bytes, at)?;
        let kind = short(bytes, end)?;
        short(bytes, end + 2)?;
        match name(bytes, at) {
            Some(name) if nth < MAX_QUESTIONS => {
                let kind = kind_text(kind);
                parsed.messages.push(DnsMessage { name, kind, ..message.clone() });
            }
            _ => parsed.unread += 1,
        }
        at = end + 4;
    }
    if questions == Some(0) && message.response {
        parsed.messages.push(message);
    }
    let mut found = Vec::new();
    let mut high = 0;
    let end = records(bytes, at, answers?, |start, head| match answer(bytes, start, head) {
        Some(answer) => found.push(answer),
        None => parsed.unread += 1,
    });
    // The rest has an extended code, if anything (RFC 6891, section 6.1.3).
    let others = authorities?.saturating_add(additionals?);
    end.and_then(|at| {
        records(bytes, at, others, |_, head| {
            if head.kind == u16::from(RecordType::OPT) {
                high = (head.ttl >> 24) as u8;
            }
        })
    });
    if end.is_none() {
        parsed.unread += 1;
    }
    let mut text = 0;
    let kept = found.iter().take_while(|answer| {
        text += answer.name.raw().len() + answer.data.raw().len();
        text <= MAX_TEXT
    });
    let kept = kept.count();
    parsed.unread += (found.len() - kept) as u64;
    found.truncate(kept);
    for message in &mut parsed.messages {
        message.code = format!("{:?}", ResponseCode::from(high, flags as u8)).into();
        message.answers.clone_from(&found);
    }
    Some(())
}

/// The header of a record before its data.
struct RecordHead {
    kind: u16,
    class: u16,
    ttl: u32,
    /// The bounds of the data.
    data: (usize, usize),
}

/// Calls `each` for the records from a place on, with where each begins. Returns where they end, or nothing if one is cut off.
fn records(
    bytes: &[u8],
    mut at: usize,
    count: u16,
    mut each: impl FnMut(usize, &RecordHead),
) -> Option<usize> {
    for _ in 0..count {
        let end = name_end(bytes, at)?;
        let data = end + 10;
        let head = RecordHead {
            kind: short(bytes, end)?,
            class: short(bytes, end + 2)?,
            ttl: u32::from(short(bytes, end + 4)?) << 16 | u32::from(short(bytes, end + 6)?),
            data: (data, data + usize::from(short(bytes, end + 8)?)),
        };
        if head.data.1 > bytes.len() {
            return None;
        }
        each(at, &head);
        at = head.data.1;
    }
    Some(at)
}

/// A record as text; none if not even its name can be read.
fn answer(bytes: &[u8], at: usize, head: &RecordHead) -> Option<LookupAnswer> {
    // The data can refer to what is before it, not to what follows.
    let bytes = &bytes[..head.data.1];
    let name = name(bytes, at)?;
    let record = decoder(bytes, at).and_then(|mut decoder| Record::<RData>::read(&mut decoder).ok());
    let data = match record.map(|record| record.data).filter(|_| head.class & CLASS == IN) {
        Some(RData::A(address)) => address.to_string(),
        Some(RData::AAAA(address)) => address.to_string(),
        Some(RData::CNAME(name)) => text(&name.0),
        Some(other) => other.to_string().chars().take(MAX_DATA).collect(),
        None => generic(&bytes[head.data.0..]),
    };
    Some(LookupAnswer { name, kind: kind_text(head.kind), ttl: head.ttl, data: data.into() })
}

/// The addresses that a record tells: its own, or those with which a service spares a client further questions (RFC 9460, section 7.3).
pub fn addresses(answer: &LookupAnswer) -> Vec<IpAddr> {
    let hints = |text: &str| -> Vec<IpAddr> {
        let hints = text
            .split(' ')
            .filter_map(|part| part.strip_prefix("ipv4hint=").or_else(|| part.strip_prefix("ipv6hint=")));
        hints.flat_map(|list| list.split(',')).filter_map(|ip| ip.trim_matches('"').parse().ok()).collect()
    };
    let data = answer.data.raw();
    match answer.kind.raw() {
        "A" | "AAAA" => data.parse().ok().into_iter().collect(),
        // An address may be cut off.
        "HTTPS" | "SVCB" if data.chars().count() < MAX_DATA => hints(data),
        _ => Vec::new(),
    }
}

fn kind_text(kind: u16) -> Untrusted {
    match RecordType::from(kind) {
        RecordType::Unknown(kind) => format!("TYPE{kind}").into(),
        known => known.to_string().into(),
    }
}

/// Data of a kind that is not known (RFC 3597, section 5).
fn generic(data: &[u8]) -> String {
    let mut text = format!("\\# {}", data.len());
    for (nth, byte) in data.iter().take(MAX_DATA / 3).enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}{byte:02x}", if nth == 0 { " " } else { "" });
    }
    text
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

/// The end of a name, which may continue elsewhere (RFC 1035, section 4.1.4).
fn name_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            len @ 1..64 => at += 1 + usize::from(len),
            192.. => return Some(at + 2),
            _ => return None,
        }
    }
}

fn decoder(bytes: &[u8], at: usize) -> Option<BinDecoder<'_>> {
    let at = u16::try_from(at).ok().filter(|at| usize::from(*at) <= bytes.len())?;
    Some(BinDecoder::new(bytes).clone(at))
}

fn name(bytes: &[u8], at: usize) -> Option<Untrusted> {
    Name::read(&mut decoder(bytes, at)?).ok().map(|name| text(&name).into())
}

/// A name as people write it. Case says nothing, and some resolvers play with it.
fn text(name: &Name) -> String {
    let text = name.to_ascii().to_ascii_lowercase();
    match text.strip_suffix('.') {
        Some("") | None => text,
        Some(text) => text.to_owned(),
    }
}
