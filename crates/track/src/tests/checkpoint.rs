//! A tracker that goes on from a checkpoint makes the rows that it would have made without.

use super::*;
use connmon_record::frame::{DnsMessage, FlowId, Message, Observation};

fn said(id: u16, response: bool, time_ns: u64) -> Frame {
    let server =
        FlowId { proto: 17, local: None, local_port: 4000, remote: "8.8.8.8:53".parse().unwrap(), netns: 0 };
    let message = DnsMessage {
        id,
        response,
        name: "a.example".into(),
        kind: "A".into(),
        code: "NoError".into(),
        answers: Vec::new(),
    };
    Frame::Observation(Box::new(Observation {
        time_ns,
        flow: server,
        connection: 0,
        outbound: !response,
        process: None,
        message: Message::Dns(message),
    }))
}

fn frame((what, id, figure): (u8, u64, u64), second: u64) -> Frame {
    let now = second * SECOND;
    let tgid = 7 + (id % 3) as u32;
    let mut sock = entry(id + 1, figure, figure / 2);
    sock.shares[0] = share(tgid, figure, figure / 2);
    match what {
        0 => Frame::Live(Box::new(sock)),
        1 => closed(sock, figure, figure / 2),
        2 => {
            Frame::Live(Box::new(SockEntry { proto: proto::UDP, parent: 50 + id % 2, id: id + 100, ..sock }))
        }
        3 => Frame::Task(TaskRecord {
            kind: if figure % 2 == 0 { kind::FORK } else { kind::EXIT },
            tgid,
            start_ns: u64::from(tgid) * SECOND,
            time_ns: now,
            cgroup: id,
            ..TaskRecord::default()
        }),
        4 => Frame::Share(
            AcctKey { id: id + 1, tgid: 20, start_ns: 20 * SECOND, ..AcctKey::default() },
            share(20, figure, 0),
        ),
        5 => said(id as u16, figure % 2 == 0, now),
        6 => Frame::Counters(Counters { misses: figure, ..Counters::default() }),
        7 => Frame::Clock(now, figure as i64),
        8 => Frame::Asked(AskedRecord { id: id + 1, ..AskedRecord::default() }),
        9 => {
            let mut cgroup: CgroupRecord = bytemuck::Zeroable::zeroed();
            (cgroup.id, cgroup.path_len, cgroup.path[0]) = (id, 1, b'/');
            Frame::Cgroup(Box::new(cgroup))
        }
        _ => Frame::SweepEnd(now),
    }
}

proptest! {
    #[test]
    fn nothing_that_matters_is_forgotten(
        before in prop::collection::vec((0_u8..11, 0_u64..6, 0_u64..2000), 0..80),
        after in prop::collection::vec((0_u8..11, 0_u64..6, 2000_u64..4000), 1..80),
    ) {
        let mut whole = Tracker::default();
        whole.feed(start());
        let (mut second, len) = (10, before.len() as u64);
        for step in before {
            second += 1;
            whole.feed(frame(step, second));
        }
        whole.take();
        let mut resumed = Tracker::from_checkpoint(&whole.checkpoint().unwrap()).unwrap();
        for (at, step) in (0..).zip(after) {
            let second = 11 + len + at;
            whole.feed(frame(step, second));
            resumed.feed(frame(step, second));
        }
        for tracker in [&mut whole, &mut resumed] {
            tracker.feed(Frame::SweepEnd(900 * SECOND));
            tracker.feed(Frame::End(901 * SECOND));
        }
        prop_assert_eq!(whole.take(), resumed.take());
    }

    #[test]
    fn damage_is_an_error(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (tracker, _) = feed([frame((0, 1, 5), 6), frame((3, 1, 4), 7)]);
        let mut bytes = tracker.checkpoint().unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // Whatever comes of it, it ends.
        let _ = Tracker::from_checkpoint(&bytes);
    }
}
