//! DNS messages.

use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::{Name, RData, Record};
use serde::{Deserialize, Serialize};

use crate::model::LookupAnswer;

/// Records of an answer that are kept.
const MAX_ANSWERS: usize = 64;
/// Characters of a record's data that are kept.
const MAX_DATA: usize = 255;

/// A question, or the answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsMessage {
    /// What an answer is told from others by.
    pub id: u16,
    /// It is an answer.
    pub response: bool,
    /// The name that is asked for, in lower case and without the last dot.
    pub name: String,
    /// The type of record that is asked for, such as `AAAA`.
    pub kind: String,
    /// Of an answer: `NoError`, `NXDomain` and so on.
    pub code: String,
    /// Of an answer: it did not fit, and is asked for again over TCP.
    pub truncated: bool,
    /// What answers the question, first the aliases.
    pub answers: Vec<LookupAnswer>,
}

/// The message in some bytes; none if they are not one, or have no question.
pub fn parse(bytes: &[u8]) -> Option<DnsMessage> {
    let message = Message::from_vec(bytes).ok()?;
    let question = message.queries.first()?;
    let metadata = &message.metadata;
    Some(DnsMessage {
        id: metadata.id,
        response: metadata.message_type == MessageType::Response,
        name: text(question.name()),
        kind: question.query_type().to_string(),
        code: format!("{:?}", metadata.response_code),
        truncated: metadata.truncation,
        answers: message.answers.iter().take(MAX_ANSWERS).map(answer).collect(),
    })
}

fn answer(record: &Record) -> LookupAnswer {
    let data = match &record.data {
        RData::A(address) => address.to_string(),
        RData::AAAA(address) => address.to_string(),
        RData::CNAME(name) => text(&name.0),
        other => other.to_string().chars().take(MAX_DATA).collect(),
    };
    LookupAnswer { name: text(&record.name), kind: record.record_type().to_string(), ttl: record.ttl, data }
}

/// A name as people write it. Case says nothing, and some resolvers play with it.
fn text(name: &Name) -> String {
    let text = name.to_ascii().to_ascii_lowercase();
    match text.strip_suffix('.') {
        Some("") | None => text,
        Some(text) => text.to_owned(),
    }
}
