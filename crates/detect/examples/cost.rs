//! What findings cost: time of a connection, and memory and state of many groups.
//!
//! `cargo run --release --example cost -p connmon-detect`

use std::sync::Arc;

use connmon_detect::{Engine, Event, Settings};
use connmon_fixtures::{START, connection, process};
use connmon_record::{Connection, Name, NameSource, Timestamp};

/// Feeds connections between programs and hosts, a second after each other, and tells what that took.
fn measure(title: &str, hosts: usize, rounds: usize, pause: i64) -> Engine {
    let names: Vec<Arc<str>> = (0..hosts).map(|n| format!("host-{n}.cdn.example.net").into()).collect();
    let programs: Vec<_> = (0..50).map(|n| process(100 + n, 5, &format!("program{n}"))).collect();
    let mut time = START;
    let run = |engine: Option<&mut Engine>, time: &mut i64| {
        let mut engine = engine;
        let mut one: Connection = connection(1, 0, &programs[0], "93.184.216.34:443", 500, 2_000);
        let begun = processor_time();
        for round in 0..rounds {
            for (number, name) in names.iter().enumerate() {
                *time += pause;
                one.id += 1;
                one.facts.opened = Timestamp(*time);
                one.facts.closed = Some(Timestamp(*time + 1_000_000));
                one.owner = Some(programs[number % programs.len()].clone());
                one.names.clear();
                let name = (&**name).into();
                one.names.push(Name { name, source: NameSource::Sni, process: None, time: Timestamp(*time) });
                one.traffic[0].rx_bytes = 1_000 + (round * 37 % 900) as u64;
                if let Some(engine) = engine.as_mut() {
                    engine.feed(Event::Opened(&one));
                    engine.feed(Event::Ended(&one));
                }
            }
        }
        processor_time() - begun
    };
    let mut engine = Engine::new(Settings::default());
    let before = resident();
    let with = run(Some(&mut engine), &mut time);
    let memory = resident().saturating_sub(before);
    let without = run(None, &mut time);
    let connections = (hosts * rounds) as f64;
    let ns = with.saturating_sub(without) as f64 / connections;
    let state = engine.save().map_or(0, |state| state.len());
    println!(
        "{title}: {connections} connections, {} groups, {ns:.0} ns a connection, {:.1} MiB of memory, {:.1} MiB of state",
        engine.world().groups(),
        memory as f64 / 1048576.0,
        state as f64 / 1048576.0,
    );
    engine
}

/// Nanoseconds that this thread was on a processor.
fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

/// Bytes of memory that this process has.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn main() {
    measure("few groups, many connections", 200, 5_000, 50_000_000);
    measure("a browser's day", 3_000, 300, 90_000_000);
    measure("100 000 groups", 99_000, 12, 1_000_000);
    measure("more than there is room for", 1_000_000, 1, 1_000_000);
}
