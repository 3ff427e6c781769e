//! Frames and capture files: what is written is read back, and damage is an error, never a panic.

use connmon_ebpf::{CGROUP_PATH_LEN, CgroupRecord, SockEntry, TaskRecord, flag, kind};
use proptest::prelude::*;

use super::{Counters, Frame, ProcessFacts, ProgramFacts};
use crate::Interface;
use crate::segment::file::{ReadError, Reader, Writer};
use crate::segment::{Columns, Packed, Span};

fn frames() -> Vec<Frame> {
    let entry = SockEntry { kind: kind::SOCK, id: 7, proto: 6, ..SockEntry::default() };
    vec![
        Frame::Task(TaskRecord { kind: kind::FORK, tgid: 3, ..TaskRecord::default() }),
        Frame::Process(ProcessFacts {
            tgid: 3,
            start_ns: 9,
            exe: "/bin/\u{202e}x".into(),
            args: vec!["x".into()],
            command_line: None,
            cwd: "/".into(),
            file: None,
        }),
        Frame::Program(ProgramFacts {
            tgid: 3,
            start_ns: 9,
            since_ns: 10,
            deleted: true,
            sha256: Err("too large".into()),
            container_name: Some("web".into()),
            container_image: None,
        }),
        Frame::Cgroup(Box::new(CgroupRecord {
            kind: kind::CGROUP,
            path_len: 2,
            id: 5,
            path: [b'/'; CGROUP_PATH_LEN],
        })),
        Frame::Live(Box::new(entry)),
        Frame::Share(Default::default(), Default::default()),
        Frame::Closed(Box::new(entry)),
        Frame::Counters(Counters { misses: 4, malformed: 1, ..Counters::default() }),
        Frame::Interfaces(
            10,
            vec![Interface { name: "lo".into(), index: 1, rx_bytes: 5, ..Interface::default() }],
        ),
        Frame::SweepEnd(11),
        Frame::End(12),
    ]
}

#[test]
fn notes_of_the_kernel_side_do_not_reach_user_space() {
    for (flags, parent) in [(0, 0), (flag::FLOW, 9)] {
        let entry = SockEntry { kind: kind::SOCK, id: 7, parent: 9, flags, ..SockEntry::default() };
        let frame = Frame::decode(kind::SOCK, bytemuck::bytes_of(&entry)).unwrap();
        assert_eq!(frame, Frame::Closed(Box::new(SockEntry { parent, ..entry })));
    }
}

#[test]
fn a_capture_file_gives_back_its_frames() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture");
    let mut columns = Columns::default();
    frames().iter().for_each(|frame| columns.push(frame));
    let mut writer = Writer::create(&path).unwrap();
    writer.write(&Packed::new(&columns, Span::default()).unwrap());
    writer.flush().unwrap();
    let read = |path: &std::path::Path| {
        let mut reader = Reader::open(path)?;
        let mut frames = Vec::new();
        while let Some(frame) = reader.read()? {
            frames.push(frame);
        }
        Ok::<_, ReadError>(frames)
    };
    assert_eq!(read(&path).unwrap(), frames());
    // As it was before captures consisted of segments. Cut off anywhere, it gives back the frames before the cut.
    let mut whole = b"CONNMON2".to_vec();
    frames().iter().for_each(|frame| frame.encode(&mut whole));
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(read(&path).unwrap(), frames());
    for length in 8..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let cut = read(&path).unwrap();
        assert_eq!(cut, frames()[..cut.len()]);
    }
    std::fs::write(&path, b"CONNMON").unwrap();
    assert!(matches!(read(&path), Err(ReadError::Foreign)));
    std::fs::write(&path, [&whole[..8], &[1, 0, 0, 0, 255, 255, 255, 255]].concat()).unwrap();
    assert!(matches!(read(&path), Err(ReadError::Length(_))));
}

proptest! {
    /// Whatever lies in the ring, decoding gives a frame or an error; a frame encodes to what it was decoded from.
    #[test]
    fn any_bytes_decode_or_fail(kind in 0_u32..110, bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(frame) = Frame::decode(kind, &bytes) {
            let mut out = Vec::new();
            frame.encode(&mut out);
            prop_assert!(out.len() >= 8);
        }
        let _ = Frame::from_ring(&bytes);
    }
}
