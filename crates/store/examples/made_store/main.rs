//! A store of thirty made-up days, for measuring what it costs to read it: `made_store STORE CONNECTIONS`. The same number
//! makes the same store. `made_store STORE prune` prunes the older half of it. What a benchmark needs to ask questions of it is printed as
//! one JSON object; a list of 100 000 indicators is written beside it, as `STORE.ioc`.

mod host;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use connmon_fixtures::rows::start;
use connmon_fixtures::{Random, SECOND, START};
use connmon_record::frame::Start;
use connmon_record::rows::{Batch, TrafficRow};
use connmon_record::{Hit, IndicatorKind, IndicatorList, Timestamp};
use connmon_store::{Editor, Policy, Progress, RUN_SHIFT, Writer};

use host::{Host, Plan};

/// How long the recording is, and how often it writes, seconds.
const LENGTH: i64 = 30 * 86_400;
const FLUSH: i64 = 600;
/// How long it is pruned at most.
const LONG: Duration = Duration::from_secs(300);
/// Indicators in the list; one in so many is an address that the store has.
const INDICATORS: u64 = 100_000;
const ONE_IN: u64 = 5_000;

/// The connection that is never quiet is the first of all.
const BUSY: i64 = 1;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, connections] = args.as_slice() else {
        return Err("made_store STORE CONNECTIONS|prune".into());
    };
    if connections == "prune" {
        return prune(Path::new(path));
    }
    let (path, connections) = (PathBuf::from(path), connections.parse()?);
    let host = Host::of_size(connections);
    write_list(&path, &host)?;
    let mut writer = Writer::open(&path)?;
    let begun = Instant::now();
    make(&host, connections, &mut writer)?;
    let run = writer.run();
    let seconds = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    writer.sum_up()?;
    // As in a recorder with time: what was moved long ago becomes that of hours.
    while writer.tidy(None)? == Progress::More {}
    let sums = begun.elapsed().as_secs_f64();
    drop(writer);
    put_hits(&path, run, connections)?;
    let bytes = std::fs::metadata(&path)?.len();
    let end = Timestamp(START + LENGTH * SECOND);
    println!(
        "{{\"since\":\"{}\",\"remote\":\"{}\",\"seconds\":{seconds:.1},\"sums\":{sums:.1},\"bytes\":{bytes}}}",
        Timestamp(end.0 - 3_600 * SECOND),
        host.remote_of_rank(host.remotes / 2),
    );
    Ok(())
}

/// Prunes the older half, or as much of it as can be in five minutes, and prints how long the steps took: for so long a recording
/// waits for the store.
fn prune(path: &Path) -> Result<(), Failure> {
    let mut writer = Writer::open(path)?;
    let age = Duration::from_secs(LENGTH.unsigned_abs() / 2);
    let policy = Policy { max_age: Some(age), ..Policy::default() };
    let now = Timestamp(START + LENGTH * SECOND);
    let (begun, mut took, mut steps, mut cpu) = (Instant::now(), None, Vec::new(), Vec::new());
    let mut done = false;
    while !done && begun.elapsed() < LONG {
        let (began, used) = (Instant::now(), cpu_time());
        done = writer.prune_step(&policy, now, took)? != Progress::More;
        took = Some(began.elapsed());
        steps.extend(took);
        cpu.push(cpu_time() - used);
    }
    let of = |mut steps: Vec<Duration>| {
        steps.sort_unstable();
        [500, 999, 1_000].map(|part| {
            let place = (steps.len() * part / 1_000).min(steps.len().saturating_sub(1));
            steps.get(place).copied().unwrap_or_default().as_secs_f64()
        })
    };
    println!("{{\"steps\":{},\"done\":{done},\"clock\":{:?},\"cpu\":{:?}}}", steps.len(), of(steps), of(cpu));
    Ok(())
}

/// What this thread has used of a processor.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is valid for writing.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Writes the list of indicators.
fn write_list(path: &Path, host: &Host) -> Result<(), Failure> {
    let place = PathBuf::from(format!("{}.ioc", path.display()));
    let mut out = std::io::BufWriter::new(std::fs::File::create(place)?);
    for number in 0..INDICATORS {
        match (number % ONE_IN, number % 3) {
            (0, _) => {
                let rank = host.remotes * (number / ONE_IN + 1) / (INDICATORS / ONE_IN + 1);
                writeln!(out, "{}", host.remote_of_rank(rank))?;
            }
            (_, 0) => writeln!(out, "host-{number}.unknown.example")?,
            _ => writeln!(out, "198.18.{}.{}", number >> 8 & 255, number & 255)?,
        }
    }
    Ok(out.flush()?)
}

/// Writes that some connections match an indicator.
fn put_hits(path: &Path, run: i64, connections: u64) -> Result<(), Failure> {
    let mut editor = Editor::open(path)?;
    let list = IndicatorList { name: "known.txt".into(), sha256: "ab".repeat(32), date: None, indicators: 1 };
    let time = Timestamp(START + LENGTH * SECOND);
    let ids = editor.put_lists(&[run], [&list].into_iter(), time)?;
    let hit = Hit { indicator: "bad.example".into(), kind: IndicatorKind::Name, list: list.into(), time };
    let rows = (1..=connections as i64).step_by(ONE_IN as usize);
    let hits: Vec<_> = rows.map(|row| (run << RUN_SHIFT | row, ids[0], hit.clone())).collect();
    Ok(editor.put_hits(&hits)?)
}

/// Writes all of it, a batch a flush.
fn make(host: &Host, connections: u64, writer: &mut Writer) -> Result<(), Failure> {
    let mut random = Random(0x5eed);
    let flushes = LENGTH / FLUSH;
    // The rows of those that are open, and how they go on.
    let mut open: Vec<(i64, Plan)> = Vec::new();
    let (mut rows, mut made) = (1, 0);
    for flush in 0..flushes {
        let (from, to) = (START + flush * FLUSH * SECOND, START + (flush + 1) * FLUSH * SECOND);
        let mut batch = Batch { time: Timestamp(to), ended: flush + 1 == flushes, ..Batch::default() };
        if flush == 0 {
            let started = start(0);
            batch.start = Some(Start { started_ns: 0, clock_offset_ns: START, wire: true, ..started });
        }
        batch.processes = host.processes_of(flush, flushes, from);
        for (row, plan) in &open {
            plan.goes_on(host, *row, (from, to), &mut batch, &mut random);
        }
        open.retain(|(_, plan)| plan.ends > to);
        let wanted = (connections as i128 * i128::from(flush + 1) / i128::from(flushes)) as u64;
        let count = wanted - made;
        let mut times: Vec<i64> =
            (0..count).map(|_| from + random.below((to - from) as u64) as i64).collect();
        times.sort_unstable();
        for opened in times {
            let mut plan = Plan::drawn(host, opened, flush, flushes, &mut random);
            if rows == BUSY {
                plan.ends = i64::MAX;
            }
            plan.begins(host, rows, to, &mut batch, &mut random);
            if plan.ends > to {
                open.push((rows, plan));
            }
            rows += 1;
        }
        made = wanted;
        busy(from, &mut batch);
        writer.write(&batch)?;
        writer.take_verdicts();
    }
    Ok(())
}

/// Makes the traffic of the connection that is never quiet.
fn busy(from: i64, batch: &mut Batch) {
    for step in 0..FLUSH / 10 {
        batch.traffic.push(TrafficRow {
            connection: BUSY,
            process: 1,
            bucket: from / SECOND + 10 * step,
            tx_bytes: 4_000,
            rx_bytes: 90_000,
            tx_calls: 40,
            rx_calls: 80,
        });
    }
}
