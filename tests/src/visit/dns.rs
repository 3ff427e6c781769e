//! A DNS server that knows a few names, and a client.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use anyhow::{Context, Result, bail};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, PTR};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::PATIENCE;

/// How long answers may be kept, seconds.
pub const TTL: u32 = 42;

/// Names, what each is an alias of, and the address.
#[derive(Clone, Debug)]
pub struct Zone(pub Vec<(String, Option<String>, Ipv4Addr)>);

/// Answers over UDP and TCP until the process ends.
pub fn serve(at: SocketAddr, zone: Zone) -> Result<()> {
    let socket = UdpSocket::bind(at).with_context(|| format!("UDP {at}"))?;
    let listener = TcpListener::bind(at).with_context(|| format!("TCP {at}"))?;
    let other = zone.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            if let Ok(answer) = answer(&buffer[..len], &zone) {
                let _ = socket.send_to(&answer, from); // who has gone needs none
            }
        }
    });
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = converse(stream, &other); // one that breaks off is its own affair
        }
    });
    Ok(())
}

fn converse(mut stream: TcpStream, zone: &Zone) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    loop {
        let question = read(&mut stream)?;
        write(&mut stream, &answer(&question, zone)?)?;
    }
}

fn read(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

fn write(stream: &mut TcpStream, message: &[u8]) -> Result<()> {
    let mut bytes = u16::try_from(message.len())?.to_be_bytes().to_vec();
    bytes.extend_from_slice(message);
    Ok(stream.write_all(&bytes)?)
}

fn answer(question: &[u8], zone: &Zone) -> Result<Vec<u8>> {
    let question = Message::from_vec(question)?;
    let query = question.queries.first().context("no question")?;
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    answer.add_query(query.clone());
    let asked = query.name().to_ascii();
    if query.query_type() == RecordType::PTR {
        let host = zone.0.iter().find(|(.., address)| Name::from(IpAddr::V4(*address)) == *query.name());
        match host {
            Some((name, alias, _)) => {
                let name = Name::from_ascii(format!("{}.", alias.as_ref().unwrap_or(name)))?;
                answer.add_answer(Record::from_rdata(query.name().clone(), TTL, RData::PTR(PTR(name))));
            }
            None => answer.metadata.response_code = ResponseCode::NXDomain,
        }
        return Ok(answer.to_vec()?);
    }
    match zone.0.iter().find(|(name, ..)| asked.trim_end_matches('.').eq_ignore_ascii_case(name)) {
        Some((name, alias, address)) => {
            let owner = Name::from_ascii(format!("{name}."))?;
            let target = match alias {
                Some(alias) => {
                    let alias = Name::from_ascii(format!("{alias}."))?;
                    answer.add_answer(Record::from_rdata(owner, TTL, RData::CNAME(CNAME(alias.clone()))));
                    alias
                }
                None => owner,
            };
            answer.add_answer(Record::from_rdata(target, TTL, RData::A(A(*address))));
        }
        None => answer.metadata.response_code = ResponseCode::NXDomain,
    }
    Ok(answer.to_vec()?)
}

/// Asks for an address.
pub fn ask(server: SocketAddr, tcp: bool, name: &str) -> Result<IpAddr> {
    let id = std::process::id() as u16;
    let mut question = Message::new(id, MessageType::Query, OpCode::Query);
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(Name::from_ascii(format!("{name}."))?, RecordType::A));
    let question = question.to_vec()?;
    let answer = if tcp {
        let mut stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write(&mut stream, &question)?;
        read(&mut stream)?
    } else {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send_to(&question, server)?;
        let mut buffer = vec![0; 4096];
        let (len, _) = socket.recv_from(&mut buffer)?;
        buffer.truncate(len);
        buffer
    };
    let answer = Message::from_vec(&answer)?;
    let address = answer.answers.iter().find_map(|record| match record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        _ => None,
    });
    let Some(address) = address else { bail!("{name}: {:?}", answer.metadata.response_code) };
    Ok(address)
}
