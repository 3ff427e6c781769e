//! Frames of made recordings.

#![allow(dead_code, reason = "each test uses some of it")]

use connmon_ebpf::{Addr, COMM_LEN, Share, SockEntry, TaskRecord, flag, kind};
use connmon_record::frame::{DnsMessage, FlowId, Frame, Hello, Message, Observation, ProcessFacts};

pub const SECOND: u64 = 1_000_000_000;

/// A process that runs `exe`.
pub fn process(tgid: u32, exe: &str, frames: &mut Vec<Frame>) {
    let name = exe.rsplit('/').next().unwrap().as_bytes();
    let mut comm = [0; COMM_LEN];
    comm[..name.len()].copy_from_slice(name);
    let start_ns = u64::from(tgid);
    frames.push(Frame::Task(TaskRecord {
        kind: kind::EXISTS,
        tgid,
        start_ns,
        comm,
        ..TaskRecord::default()
    }));
    frames.push(Frame::Process(ProcessFacts {
        tgid,
        start_ns,
        exe: exe.into(),
        args: vec![exe.into()],
        command_line: None,
        cwd: "/".into(),
        file: None,
    }));
}

/// An address as the kernel side has it.
pub fn address(ip: [u8; 4], port: u16) -> Addr {
    Addr { ip: [u32::from_ne_bytes(ip), 0, 0, 0], port, family: 2 }
}

/// An outbound connection over TCP from `10.0.0.1`; it is over if it has an end. Times are seconds.
pub fn sock(
    id: u64,
    opened: u64,
    closed: Option<u64>,
    [local, remote]: [Addr; 2],
    owner: Share,
) -> SockEntry {
    let over = if closed.is_some() { flag::RELEASED } else { 0 };
    SockEntry {
        kind: kind::SOCK,
        id,
        flags: flag::OUTBOUND | over,
        proto: 6,
        opened_ns: opened * SECOND,
        closed_ns: closed.unwrap_or(0) * SECOND,
        local,
        remote,
        shares: [owner, Share::default()],
        ..SockEntry::default()
    }
}

/// A connection that was opened, and is over if it has an end, to `203.0.114.9:443`.
pub fn entry(id: u64, tgid: u32, opened: u64, closed: Option<u64>, bytes: u64) -> Frame {
    let owner =
        Share { tgid, start_ns: u64::from(tgid), tx_bytes: bytes, rx_bytes: bytes, ..Share::default() };
    let ends = [address([10, 0, 0, 1], 4001), address([203, 0, 114, 9], 443)];
    let entry = sock(id, opened, closed, ends, owner);
    if closed.is_some() { Frame::Closed(Box::new(entry)) } else { Frame::Live(Box::new(entry)) }
}

/// A question to DNS of a process and its answer, that there is no such name.
pub fn question(id: u16, tgid: u32, second: u64, name: &str, frames: &mut Vec<Frame>) {
    let message = |response: bool| {
        Message::Dns(DnsMessage {
            id,
            response,
            name: name.into(),
            kind: "A".into(),
            code: if response { "NXDomain" } else { "" }.into(),
            answers: Vec::new(),
        })
    };
    for response in [false, true] {
        frames.push(Frame::Observation(Box::new(Observation {
            time_ns: second * SECOND + u64::from(response) * 1_000_000,
            connection: 0,
            flow: FlowId {
                proto: 17,
                local: None,
                local_port: 5000 + id,
                remote: ([10, 0, 0, 53], 53).into(),
                netns: 0,
            },
            outbound: !response,
            process: (!response).then_some((tgid, u64::from(tgid))),
            message: message(response),
        })));
    }
}

/// A connection of a second to `203.0.114.last:port`, which its process calls `host`.
pub fn connection(
    id: u64,
    tgid: u32,
    opened: u64,
    (last, port): (u8, u16),
    host: &str,
    frames: &mut Vec<Frame>,
) {
    let ip = [203, 0, 114, last];
    let process = (tgid, u64::from(tgid));
    if !host.is_empty() {
        frames.push(Frame::Observation(Box::new(Observation {
            time_ns: opened * SECOND + 1,
            connection: id,
            flow: FlowId { proto: 6, local: None, local_port: 4000, remote: (ip, port).into(), netns: 0 },
            outbound: true,
            process: Some(process),
            message: Message::Tls(Hello { server_name: Some(host.into()), ..Hello::default() }),
        })));
    }
    let owner =
        Share { tgid: process.0, start_ns: process.1, tx_bytes: 300, rx_bytes: 200, ..Share::default() };
    let ends = [address([10, 0, 0, 1], 4000), address(ip, port)];
    frames.push(Frame::Closed(Box::new(sock(id, opened, Some(opened + 1), ends, owner))));
}
