//! Which program of a process a connection belongs to, how long that is known, and how much of it is kept.

use connmon_ebpf::ExecRecord;

use super::*;
use connmon_record::frame::Executable;
use connmon_record::rows::Batch;

fn exec(tgid: u32, path: &str, time_ns: u64) -> Frame {
    let mut record: ExecRecord = bytemuck::Zeroable::zeroed();
    record.kind = kind::EXEC;
    (record.tgid, record.start_ns, record.time_ns) = (tgid, u64::from(tgid) * SECOND, time_ns);
    (record.uid, record.euid, record.links) = (1000, 1000, 1);
    record.comm = comm(path);
    record.path[..path.len()].copy_from_slice(path.as_bytes());
    record.path_len = path.len() as u32 + 1;
    (record.inode, record.device, record.changed_s, record.changed_ns) = (12, 8 << 20 | 3, 5, 6);
    Frame::Exec(Box::new(record.into()))
}

/// A connection of process 7 that was opened then.
fn opened(id: u64, name: &str, opened_ns: u64) -> SockEntry {
    SockEntry { opened_ns, comm: comm(name), ..entry(id, 1, 1) }
}

fn live(entry: SockEntry) -> Frame {
    Frame::Live(Box::new(entry))
}

/// Row, executable and name of each process that was written.
fn written(batch: &Batch) -> Vec<(i64, &str, &str)> {
    batch.processes.iter().map(|row| (row.row, row.process.exe.raw(), row.process.comm.raw())).collect()
}

#[test]
fn who_has_a_connection_is_known_as_long_as_it_is_open() {
    let (mut tracker, batch) = feed([
        Frame::Task(task(7, 1, kind::FORK, 7 * SECOND)),
        exec(7, "curl", 7 * SECOND),
        live(opened(1, "curl", 8 * SECOND)),
        Frame::SweepEnd(9 * SECOND),
        Frame::Task(task(7, 1, kind::EXIT, 10 * SECOND)),
    ]);
    assert_eq!(written(&batch), [(1, "/curl", "curl")]);
    for second in 100..103 {
        tracker.feed(live(opened(1, "curl", 8 * SECOND)));
        tracker.feed(Frame::SweepEnd(second * SECOND));
    }
    let more = SockEntry { shares: [share(7, 5, 5), Share::default()], ..opened(1, "curl", 8 * SECOND) };
    tracker.feed(closed(more, 5, 5));
    let batch = tracker.take();
    assert_eq!(written(&batch), [], "what is known of it was written again");
    assert_eq!(batch.connections.last().unwrap().owner, Some(1));
    assert_eq!(batch.traffic.last().map(|row| row.process), Some(1));
    tracker.feed(Frame::SweepEnd(200 * SECOND));
    assert_eq!(tracker.processes.len(), 0, "nothing refers to it any more");
}

/// A sweep reads connections while what the ring tells of their processes still waits there.
#[test]
fn a_connection_that_is_met_before_its_process_gets_it_later() {
    let (_, batch) = feed([
        live(opened(1, "curl", 8 * SECOND)),
        Frame::SweepEnd(9 * SECOND),
        Frame::Task(task(7, 1, kind::FORK, 7 * SECOND)),
        exec(7, "curl", 7 * SECOND),
        closed(opened(1, "curl", 8 * SECOND), 1, 1),
    ]);
    let owner = batch.connections.last().unwrap().owner;
    let exe = batch.processes.iter().find(|row| Some(row.row) == owner).map(|row| row.process.exe.raw());
    assert_eq!(exe, Some("/curl"), "{:?}", written(&batch));
}

/// Of an exec whose record found no room in the ring, only that it was.
#[test]
fn a_program_whose_record_was_lost_is_not_the_one_before() {
    let (_, batch) = feed([
        Frame::Task(task(7, 1, kind::FORK, 7 * SECOND)),
        exec(7, "sh", 7 * SECOND),
        Frame::Task(TaskRecord { comm: comm("curl"), ..task(7, 1, kind::EXEC_LOST, 8 * SECOND) }),
        closed(opened(1, "curl", 9 * SECOND), 1, 1),
    ]);
    assert_eq!(written(&batch), [(1, "", "curl")]);
}

#[test]
fn a_name_that_a_process_gave_itself_is_kept_beside_its_executable() {
    let (_, batch) = feed([
        Frame::Task(task(7, 1, kind::FORK, 7 * SECOND)),
        exec(7, "python3", 7 * SECOND),
        closed(opened(1, "python3", 8 * SECOND), 1, 1),
        closed(opened(2, "kworker/0:1H", 9 * SECOND), 1, 1),
    ]);
    assert_eq!(written(&batch), [(1, "/python3", "python3"), (2, "/python3", "kworker/0:1H")]);
    assert_eq!(batch.connections.iter().map(|row| row.owner).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert_eq!(batch.traffic.iter().map(|row| row.process).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn what_another_program_moves_on_a_connection_is_its_own() {
    let (mut tracker, batch) = feed([
        Frame::Task(task(7, 1, kind::FORK, 7 * SECOND)),
        exec(7, "renamed", 7 * SECOND),
        live(opened(1, "other", 8 * SECOND)),
        exec(7, "next", 9 * SECOND),
    ]);
    let more = SockEntry { shares: [share(7, 5, 5), Share::default()], ..opened(1, "other", 8 * SECOND) };
    tracker.feed(closed(more, 5, 5));
    assert_eq!(written(&batch), [(1, "/renamed", "other")]);
    assert_eq!(batch.traffic.iter().map(|row| row.process).collect::<Vec<_>>(), [1]);
    let batch = tracker.take();
    assert_eq!(written(&batch), [(2, "/next", "next")]);
    assert_eq!(batch.connections.last().unwrap().owner, Some(1));
    assert_eq!(batch.traffic.iter().map(|row| row.process).collect::<Vec<_>>(), [2]);
}

#[test]
fn who_was_called_may_have_begun_its_program_since() {
    let inbound = SockEntry { flags: flag::INBOUND, ..opened(1, "sshd", 8 * SECOND) };
    let (_, batch) = feed([
        Frame::Task(task(7, 1, kind::FORK, 7 * SECOND)),
        exec(7, "systemd", 7 * SECOND),
        exec(7, "sshd", 9 * SECOND),
        closed(inbound, 1, 1),
    ]);
    assert_eq!(written(&batch), [(1, "/sshd", "sshd")]);
}

#[test]
fn what_nobody_can_ask_for_is_not_told_as_forgotten_early() {
    let (mut tracker, _) = feed([Frame::Task(task(1, 0, kind::FORK, SECOND))]);
    let ms = SECOND / 1000;
    // 20 000 programs of one process, none of which used the network, a fifth of them between two sweeps.
    for n in 0..20_000_u64 {
        tracker.feed(exec(1, "sh", 10 * SECOND + n * ms / 2));
        if n % 4_000 == 3_999 {
            tracker.feed(Frame::SweepEnd(10 * SECOND + n * ms / 2));
        }
    }
    assert!(tracker.processes.images() < 8_192 + 8_001, "{} programs", tracker.processes.images());
    assert_eq!(tracker.take().completeness.unwrap().evicted, 0);
}

#[test]
fn memory_is_bounded_however_often_a_process_execs() {
    let (mut tracker, _) = feed([Frame::Task(task(7, 1, kind::FORK, 7 * SECOND))]);
    let ms = SECOND / 1000;
    for n in 0..29_000_u64 {
        tracker.feed(exec(7, &format!("p{n}"), 10 * SECOND + 2 * n * ms));
        if n % 500 == 0 {
            tracker.feed(Frame::SweepEnd(10 * SECOND + 2 * n * ms));
        }
    }
    assert!(tracker.processes.images() <= 8_192 + 501, "{} programs", tracker.processes.images());
    assert_eq!(tracker.take().completeness.unwrap().evicted, 0, "nobody has asked for what was forgotten");
    // What ran then is not known any more, and no other program is taken for it.
    tracker.feed(closed(opened(1, "p9", 10 * SECOND + 19 * ms), 1, 1));
    tracker.feed(closed(opened(2, "p28999", 100 * SECOND), 1, 1));
    let batch = tracker.take();
    assert_eq!(written(&batch), [(1, "", "p9"), (2, "/p28999", "p28999")]);
    assert_eq!(batch.completeness.unwrap().evicted, 1, "and now somebody has");
    for second in [1000, 2000] {
        tracker.feed(Frame::SweepEnd(second * SECOND));
    }
    assert_eq!(tracker.processes.images(), 1);
}

#[test]
fn memory_is_bounded_however_often_a_process_renames_itself() {
    let (mut tracker, _) = feed([Frame::Task(task(7, 1, kind::FORK, 7 * SECOND)), exec(7, "p", 7 * SECOND)]);
    for n in 0..1000 {
        tracker.feed(closed(opened(n + 1, &format!("n{n}"), 8 * SECOND), 1, 1));
    }
    assert!(tracker.processes.images() <= 65, "{} images", tracker.processes.images());
    let batch = tracker.take();
    assert!(batch.processes.iter().all(|row| row.process.exe == "/p"));
    let owners = batch.connections.iter().zip(&batch.traffic).zip(&batch.processes);
    for ((connection, traffic), process) in owners {
        assert_eq!((connection.owner, traffic.process), (Some(process.row), process.row));
        assert_eq!(process.process.comm.raw(), format!("n{}", process.row - 1));
    }
}

#[test]
fn a_program_is_known_while_a_process_that_it_started_lives() {
    let (mut tracker, batch) = feed([
        Frame::Task(task(3, 1, kind::FORK, 3 * SECOND)),
        exec(3, "shell", 4 * SECOND),
        Frame::Task(task(7, 3, kind::FORK, 7 * SECOND)),
        exec(3, "other", 8 * SECOND),
        Frame::SweepEnd(1000 * SECOND),
        closed(opened(1, "shell", 900 * SECOND), 1, 1),
        Frame::Task(task(7, 3, kind::EXIT, 1001 * SECOND)),
    ]);
    assert_eq!(written(&batch), [(1, "/shell", "shell"), (2, "/shell", "shell")]);
    assert_eq!(batch.processes[1].parent, Some(1));
    for second in [2000, 3000] {
        tracker.feed(Frame::SweepEnd(second * SECOND));
    }
    assert_eq!(tracker.processes.images(), 1, "only what runs");
}

#[test]
fn the_file_that_a_program_is_comes_from_exec() {
    let mut watch = ProgramWatch::default();
    let frames = [
        start(),
        Frame::Task(task(7, 1, kind::FORK, 7 * SECOND)),
        exec(7, "curl", 7 * SECOND),
        closed(opened(1, "curl", 8 * SECOND), 1, 1),
        // Of a process that nothing is known of there is nothing to be looked at.
        closed(
            SockEntry { shares: [Share { tgid: 8, ..Share::default() }; 2], ..SockEntry::default() },
            1,
            1,
        ),
    ];
    frames.iter().for_each(|frame| watch.feed(frame));
    let subjects = watch.take_subjects();
    let file = Executable { inode: 12, device: (8, 3), changed: (5, 6) };
    assert_eq!(subjects.iter().map(|it| it.file.clone()).collect::<Vec<_>>(), [Some(file)]);
}
