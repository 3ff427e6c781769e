//! The destination that a client asks a SOCKS proxy for.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Message;
use super::address::target;
use super::outcome::ParseOutcome;
use connmon_record::Untrusted;

/// The command that makes the proxy connect. Others wait for somebody, lead datagrams, or ask for an address (Tor).
const CONNECT: u8 = 1;
/// A name and a password (RFC 1929).
const PASSWORD: u8 = 2;

/// A request of SOCKS 4, or of 4A, which has the name of a host behind an address of zeros.
pub fn request4(stream: &[u8]) -> ParseOutcome<Message> {
    let Some((head, rest)) = stream.split_first_chunk::<8>() else { return ParseOutcome::Undecided };
    let mut texts = rest.split(|byte| *byte == 0);
    let user = texts.next().unwrap_or_default().len();
    if rest.len() <= user {
        return ParseOutcome::Incomplete;
    }
    let [_, command, _, _, a, b, c, d] = *head;
    let found = |host: Option<Untrusted>, len| {
        ParseOutcome::Message(Message::Socks(host.filter(|_| command == CONNECT)), len)
    };
    if [a, b, c] != [0; 3] || d == 0 {
        return found(Some(Ipv4Addr::new(a, b, c, d).to_string().into()), 9 + user);
    }
    let name = texts.next().unwrap_or_default();
    if rest.len() <= user + 1 + name.len() {
        return ParseOutcome::Incomplete;
    }
    found(target(name), 10 + user + name.len())
}

/// A greeting of SOCKS 5 (RFC 1928), what the client proves who it is with, and its request. One without the other is read too:
/// a recording can begin between them.
pub fn request5(stream: &[u8]) -> ParseOutcome<Message> {
    let Some((methods, rest)) = greeting(stream) else {
        return connect(stream).unwrap_or(ParseOutcome::Undecided);
    };
    let greeted = stream.len() - rest.len();
    let asked = match rest {
        [1, user, tail @ ..] if methods.contains(&PASSWORD) => {
            let password = tail.get(usize::from(*user)).map(|len| usize::from(*len));
            let asked = password.and_then(|len| rest.get(3 + usize::from(*user) + len..));
            let Some(asked) = asked else { return ParseOutcome::Incomplete };
            asked
        }
        // Another way of proving it, which is not passed over.
        [1, ..] if connect(stream).is_none() => return ParseOutcome::Nothing,
        _ => rest,
    };
    let passed = greeted + rest.len() - asked.len();
    match connect(asked) {
        Some(ParseOutcome::Message(message, len)) => ParseOutcome::Message(message, passed + len),
        Some(other) => other,
        // The greeting may have been none.
        None => connect(stream).unwrap_or(ParseOutcome::Nothing),
    }
}

/// The methods of a greeting, and what follows.
fn greeting(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let [_, count, rest @ ..] = stream else { return None };
    rest.split_at_checked((*count).into())
}

/// A request alone; `None` if it is something else.
fn connect(stream: &[u8]) -> Option<ParseOutcome<Message>> {
    let (command, kind, rest) = match stream {
        [] | [5] | [5, _] | [5, _, 0] => return Some(ParseOutcome::Undecided),
        [5, command @ (1..=3 | 0xf0 | 0xf1), 0, kind @ (1 | 3 | 4), rest @ ..] => (*command, *kind, rest),
        _ => return None,
    };
    let host = match kind {
        1 => rest.first_chunk().map(|bytes| (Some(Ipv4Addr::from(*bytes).to_string().into()), 4)),
        4 => rest.first_chunk().map(|bytes| (Some(Ipv6Addr::from(*bytes).to_string().into()), 16)),
        _ => rest.split_first().and_then(|(len, name)| {
            let len = usize::from(*len);
            name.get(..len).map(|name| (target(name), 1 + len))
        }),
    };
    Some(match host {
        Some((host, len)) if rest.len() >= len + 2 => {
            ParseOutcome::Message(Message::Socks(host.filter(|_| command == CONNECT)), 4 + len + 2)
        }
        _ => ParseOutcome::Incomplete,
    })
}
