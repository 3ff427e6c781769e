//! Which connection has which name.

use std::net::SocketAddr;

use super::*;
use connmon_record::frame::{DnsMessage, FlowId, Hello, Message, Observation};
use connmon_record::rows::Batch;
use connmon_record::{LookupAnswer, Untrusted};

const ALICE: (u32, u64) = (7, 7 * SECOND);
const BOB: (u32, u64) = (8, 8 * SECOND);

fn dns(response: bool, time_ns: u64, id: u16, name: &str, process: Option<(u32, u64)>, ttl: u32) -> Frame {
    let answer = |name: &str, kind: &str, data: &str| LookupAnswer {
        name: name.into(),
        kind: kind.into(),
        ttl,
        data: data.into(),
    };
    let answers = match response {
        false => Vec::new(),
        true => vec![
            answer(name, "CNAME", "edge.example"),
            answer("edge.example", "A", "8.8.8.8"),
            answer("stray.example", "A", "9.9.9.9"),
        ],
    };
    Frame::Observation(Box::new(Observation {
        time_ns,
        connection: 0,
        flow: FlowId {
            proto: 17,
            local: None,
            local_port: 1000 + id,
            remote: "10.0.0.1:53".parse().unwrap(),
            netns: 0,
        },
        outbound: !response,
        process: process.filter(|_| !response),
        message: Message::Dns(DnsMessage {
            id,
            response,
            name: name.into(),
            kind: "A".into(),
            code: "NoError".into(),
            answers,
        }),
    }))
}

/// A question and its answer, a second later.
fn asked(second: u64, id: u16, name: &str, process: Option<(u32, u64)>, ttl: u32) -> [Frame; 2] {
    let time = second * SECOND;
    [dns(false, time, id, name, process, ttl), dns(true, time + SECOND, id, name, process, ttl)]
}

fn born(tgid: u32) -> Frame {
    Frame::Task(TaskRecord {
        kind: kind::FORK,
        tgid,
        start_ns: u64::from(tgid) * SECOND,
        uid: 1000,
        comm: comm("curl"),
        ..TaskRecord::default()
    })
}

fn opened_at(second: u64, tgid: u32) -> Frame {
    let mut entry = entry(u64::from(tgid), 1, 1);
    entry.opened_ns = second * SECOND;
    entry.shares[0] = share(tgid, 1, 1);
    entry.closed_ns = entry.opened_ns + SECOND;
    Frame::Closed(Box::new(entry))
}

fn names(batch: &Batch) -> Vec<(String, &'static str, bool)> {
    batch
        .names
        .iter()
        .map(|row| (row.name.raw().to_owned(), row.source.name(), row.process.is_some()))
        .collect()
}

#[test]
fn what_the_process_asked_for_goes_before_what_others_did() {
    let frames = [born(7), born(8)]
        .into_iter()
        .chain(asked(10, 1, "alice.example", Some(ALICE), 600))
        .chain(asked(12, 2, "bob.example", Some(BOB), 600))
        .chain([opened_at(20, 7)]);
    assert_eq!(names(&feed(frames).1), [("alice.example".into(), "dns", true)]);
    let (_, batch) =
        feed(asked(12, 2, "bob.example", Some(BOB), 600).into_iter().chain([born(8), opened_at(20, 7)]));
    // The process had gone before the recorder heard of it: the name stays.
    assert_eq!(names(&batch).len(), 1);
    assert_eq!(batch.lookups.len(), 1);
    assert_eq!(batch.lookups[0].answers.len(), 3);
}

#[test]
fn what_others_asked_for_holds_while_it_may_be_kept() {
    let opened = |second| {
        let frames = asked(10, 2, "bob.example", Some(BOB), 120).into_iter().chain([opened_at(second, 7)]);
        names(&feed(frames).1).len()
    };
    // Before the answer, within its time to live, and after it.
    assert_eq!((opened(10), opened(11), opened(130), opened(132)), (0, 1, 1, 0));
}

#[test]
fn an_address_of_another_name_is_not_believed() {
    let mut entry = entry(1, 1, 1);
    entry.remote.ip[0] = u32::from_ne_bytes([9, 9, 9, 9]);
    entry.opened_ns = 20 * SECOND;
    let frames = asked(10, 2, "bob.example", None, 600).into_iter().chain([closed(entry, 1, 1)]);
    assert_eq!(names(&feed(frames).1), []);
}

#[test]
fn an_answer_to_another_question_changes_nothing() {
    // Sent by this host, or for a question of another id: the first is ignored, the second is on record without a process.
    let mut own = dns(true, 11 * SECOND, 1, "evil.example", None, 600);
    if let Frame::Observation(observation) = &mut own {
        observation.outbound = true;
    }
    let frames = [
        dns(false, 10 * SECOND, 1, "a.example", Some(ALICE), 0),
        own,
        dns(true, 12 * SECOND, 1, "b.example", None, 0),
    ];
    let (mut tracker, batch) = feed(frames);
    let answered: Vec<_> = batch.lookups.iter().map(|row| (row.name.raw(), row.process)).collect();
    assert_eq!(answered, [("b.example", None)]);
    tracker.feed(Frame::SweepEnd(30 * SECOND));
    let batch = tracker.take();
    assert_eq!(
        (batch.lookups[0].name.raw(), batch.lookups[0].code.as_ref().map(Untrusted::raw)),
        ("a.example", None)
    );
    assert_eq!(batch.lookups[0].answered, None);
}

fn hello(time_ns: u64, remote: &str) -> Frame {
    let remote: SocketAddr = remote.parse().unwrap();
    Frame::Observation(Box::new(Observation {
        time_ns,
        connection: 0,
        flow: FlowId { proto: 6, local: None, local_port: 4000, remote, netns: 0 },
        outbound: true,
        process: None,
        message: Message::Tls(Hello {
            server_name: Some("sni.example".into()),
            alpn: vec!["h2".into()],
            ..Hello::default()
        }),
    }))
}

#[test]
fn what_is_said_belongs_to_the_connection_of_its_time() {
    let on = |time, remote| names(&feed([hello(time, remote), closed(entry(1, 1, 1), 1, 1)]).1).len();
    assert_eq!(on(6 * SECOND, "8.8.8.8:53"), 1);
    // A connection before it with the same ports, one after it, and another remote.
    assert_eq!(on(3 * SECOND, "8.8.8.8:53"), 0);
    assert_eq!(on(10 * SECOND, "8.8.8.8:53"), 0);
    assert_eq!(on(6 * SECOND, "8.8.8.8:54"), 0);
}

#[test]
fn what_a_caller_says_names_nobody_but_tells_the_service() {
    let mut inbound = entry(1, 1, 1);
    inbound.flags = flag::INBOUND;
    let (_, batch) = feed([hello(6 * SECOND, "8.8.8.8:53"), closed(inbound, 1, 1)]);
    assert_eq!(names(&batch), []);
    assert_eq!(batch.observed[0].1.service, "tls");
}

#[test]
fn what_waits_is_bounded_and_forgotten() {
    let (mut tracker, _) = feed([]);
    for port in 0..60_000_u32 {
        let remote = format!("10.{}.{}.1:{}", port >> 8 & 255, port & 255, 1 + (port & 0xff));
        tracker.feed(hello(u64::from(port), &remote));
        let question = dns(false, u64::from(port), port as u16, &format!("{port}.example"), None, 0);
        tracker.feed(question);
    }
    let (waiting, questions) = tracker.names.sizes();
    assert!(waiting <= 16_384 && questions <= 8_192, "{waiting} {questions}");
    tracker.feed(Frame::SweepEnd(100 * SECOND));
    assert_eq!(tracker.names.sizes(), (0, 0));
}

/// A client that asks one server for the same hosts again and again leaves room for what is new, and loses nothing.
#[test]
fn what_is_said_again_says_nothing_new() {
    let (mut tracker, _) = feed([]);
    let said = |host: &str| {
        let Frame::Observation(hello) = hello(5 * SECOND, "8.8.8.8:53") else { unreachable!() };
        Frame::Observation(Box::new(Observation { message: Message::Http(Some(host.into())), ..*hello }))
    };
    for _ in 0..1_000 {
        tracker.feed(said("one.example"));
        tracker.feed(said("two.example"));
    }
    assert_eq!((tracker.names.sizes().0, tracker.names.evicted()), (2, 0));
}

/// The answer is in the ring while a sweep meets the connection: it is read before the next one.
#[test]
fn a_sweep_may_meet_a_connection_before_the_answer_is_read() {
    let mut live = entry(7, 1, 1);
    live.opened_ns = 20 * SECOND;
    let live = || Frame::Live(Box::new(live));
    let sweep = |second: u64| Frame::SweepEnd(second * SECOND);
    let [question, answer] = asked(10, 1, "alice.example", Some(ALICE), 600);
    let frames = [born(7), live(), sweep(21), question, answer, live(), sweep(22), live(), sweep(23)];
    assert_eq!(names(&feed(frames).1), [("alice.example".into(), "dns", true)]);
}

#[test]
fn one_name_that_many_processes_ask_for_is_no_loss() {
    let asked = |names: u32| {
        let each = (0..40_u32).flat_map(|n| {
            let name = format!("{}.example", n % names);
            asked(10 + u64::from(n), n as u16, &name, Some((100 + n, 1)), 600)
        });
        feed(each).1.completeness.unwrap().evicted
    };
    assert_eq!((asked(1), asked(8)), (0, 0));
    assert!(asked(20) > 0, "more names than an address has room for are counted");
}

/// Two hosts can have one address, in two network namespaces.
#[test]
fn an_answer_names_nothing_in_another_namespace() {
    let connection = |netns| {
        let mut entry = entry(7, 1, 1);
        entry.netns = netns;
        entry.opened_ns = 20 * SECOND;
        names(
            &feed(
                [born(7)]
                    .into_iter()
                    .chain(asked(10, 1, "a.example", Some(ALICE), 600))
                    .chain([closed(entry, 1, 1)]),
            )
            .1,
        )
        .len()
    };
    assert_eq!((connection(0), connection(9)), (1, 0));
}

/// Two local addresses have one port to the same server: by the entry's id, and where there was none yet by the address.
#[test]
fn each_connection_has_its_own_names() {
    for by_id in [true, false] {
        let said = |id: u64| {
            let mut frame = hello(6 * SECOND, "8.8.8.8:53");
            if let Frame::Observation(observation) = &mut frame {
                let name = Some(format!("{id}.example"));
                observation.message =
                    Message::Tls(Hello { server_name: name.map(Into::into), ..Hello::default() });
                observation.connection = if by_id { id } else { 0 };
                observation.flow.local = Some([127, 0, 0, id as u8].into());
            }
            frame
        };
        let over = |id: u64| {
            let mut entry = entry(id, 1, 1);
            entry.local.ip[0] = u32::from_ne_bytes([127, 0, 0, id as u8]);
            closed(entry, 1, 1)
        };
        let (_, batch) = feed([said(1), said(2), over(2), over(1)]);
        let found: Vec<_> =
            batch.names.iter().map(|row| (row.connection, row.name.raw().to_owned())).collect();
        assert_eq!(found, [(1, "2.example".into()), (2, "1.example".into())], "by id: {by_id}");
    }
}

/// What is asked of a proxy, and what is said through it later, names no address.
#[test]
fn a_proxy_is_not_its_target() {
    let through = |message| {
        let mut frame = hello(6 * SECOND, "8.8.8.8:53");
        if let Frame::Observation(observation) = &mut frame {
            observation.message = message;
        }
        frame
    };
    let live = || Frame::Live(Box::new(entry(1, 1, 1)));
    for (message, service) in [
        (Message::HttpProxy(Some("target.example".into())), "http"),
        (Message::Socks(Some("target.example".into())), "socks"),
    ] {
        let (_, batch) = feed([
            through(message),
            live(),
            hello(6 * SECOND, "8.8.8.8:53"),
            through(Message::Http(Some("inner.example".into()))),
            closed(entry(1, 1, 1), 1, 1),
        ]);
        let found: Vec<_> = names(&batch).into_iter().map(|(name, source, _)| (name, source)).collect();
        let expected = ["target.example", "sni.example", "inner.example"];
        assert_eq!(found, expected.map(|name| (name.to_owned(), "proxied")));
        let services: Vec<_> = batch.observed.iter().map(|(_, observed)| observed.service.raw()).collect();
        assert_eq!(services, [service]);
    }
}

#[test]
fn an_outer_name_is_marked() {
    let mut frame = hello(6 * SECOND, "8.8.8.8:53");
    if let Frame::Observation(observation) = &mut frame {
        let name = Some("public.example".into());
        observation.message = Message::Tls(Hello { server_name: name, outer: true, ..Hello::default() });
    }
    let (_, batch) = feed([frame, closed(entry(1, 1, 1), 1, 1)]);
    let found: Vec<_> = names(&batch).into_iter().map(|(name, source, _)| (name, source)).collect();
    assert_eq!(found, [("public.example".to_owned(), "sni_outer")]);
}

/// Some servers leave the question out of an error.
#[test]
fn an_answer_without_its_question() {
    let mut answer = dns(true, 11 * SECOND, 1, "", None, 0);
    if let Frame::Observation(observation) = &mut answer
        && let Message::Dns(message) = &mut observation.message
    {
        message.kind = Untrusted::default();
        message.answers.clear();
        message.code = "FormErr".into();
    }
    let (_, batch) = feed([born(7), dns(false, 10 * SECOND, 1, "a.example", Some(ALICE), 0), answer]);
    let [row] = &batch.lookups[..] else { panic!("{:?}", batch.lookups) };
    assert_eq!(
        (row.name.raw(), row.kind.raw(), row.code.as_ref().map(Untrusted::raw)),
        ("a.example", "A", Some("FormErr"))
    );
    assert!(row.process.is_some());
}

/// The same question or answer, with other ends.
fn between(mut frame: Frame, local_port: u16, remote: &str) -> Frame {
    if let Frame::Observation(observation) = &mut frame {
        (observation.flow.local_port, observation.flow.remote) = (local_port, remote.parse().unwrap());
        if let Message::Dns(message) = &mut observation.message
            && message.response
        {
            // Without its question, and of no number.
            (message.id, message.name) = (0, Untrusted::default());
        }
    }
    frame
}

#[test]
fn whoever_knows_answers_a_multicast() {
    let [question, answer] = asked(10, 0, "printer.local", Some(ALICE), 120);
    let Frame::Observation(mut record) = answer else { panic!("no sighting") };
    if let Message::Dns(message) = &mut record.message {
        message.answers.remove(0);
        message.answers[0].name = "printer.local".into();
    }
    let answer = Frame::Observation(record);
    let question = between(question, 5353, "224.0.0.251:5353");
    let at = |local_port, from| between(answer.clone(), local_port, from);
    let (_, batch) = feed([question.clone(), at(5353, "10.0.0.9:5353"), born(7), opened_at(20, 7)]);
    assert_eq!(names(&batch), [("printer.local".into(), "dns", true)]);
    let lookup = &batch.lookups[0];
    assert_eq!((lookup.name.raw(), lookup.server.port, lookup.answers.len()), ("printer.local", 5353, 2));
    assert_eq!(batch.lookups.len(), 1);
    // To another socket, from another port, or without a question: nobody here asked for that.
    for stray in [at(5000, "10.0.0.9:5353"), at(5353, "10.0.0.9:5355")] {
        let (_, batch) = feed([question.clone(), stray, born(7), opened_at(20, 7)]);
        assert_eq!((names(&batch), batch.lookups.len()), (vec![], 0));
    }
    let (_, batch) = feed([at(5353, "10.0.0.9:5353"), born(7), opened_at(20, 7)]);
    assert_eq!((names(&batch), batch.lookups.len()), (vec![], 0));
}

/// A process that asks without end takes the room of nobody else, neither of questions nor of addresses.
#[test]
fn one_process_does_not_take_all_the_room() {
    let (mut tracker, _) = feed([]);
    let host = |nth: u32| told(nth, &format!("{nth}.greedy.example"));
    for nth in 0..70_000_u32 {
        tracker.feed(dns(
            false,
            SECOND,
            (nth % 60_000) as u16,
            &format!("{nth}.open.example"),
            Some(ALICE),
            0,
        ));
    }
    let [question, answer] = asked(2, 1, "bob.example", Some(BOB), 600);
    tracker.feed(question);
    tracker.feed(answer);
    for nth in 0..140_000_u32 {
        host(nth).into_iter().for_each(|frame| tracker.feed(frame));
    }
    tracker.feed(born(8));
    tracker.feed(opened_at(20, 8));
    assert_eq!(names(&tracker.take()), [("bob.example".into(), "dns", true)]);
}

/// Alice asks for a name and is told an address of its own.
fn told(nth: u32, name: &str) -> [Frame; 2] {
    let [question, mut answer] = asked(3, 1, name, Some(ALICE), 600);
    if let Frame::Observation(observation) = &mut answer
        && let Message::Dns(message) = &mut observation.message
    {
        message.answers.truncate(1);
        let data = std::net::Ipv4Addr::from(0x0a00_0000 + nth).to_string();
        message.answers[0] =
            LookupAnswer { name: name.into(), kind: "A".into(), ttl: 600, data: data.into() };
    }
    [question, answer]
}
