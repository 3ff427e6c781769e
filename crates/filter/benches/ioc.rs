//! What it costs to compare a connection with a million indicators: `cargo bench -p connmon --bench ioc`.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on may end")]

use std::hint::black_box;
use std::net::Ipv4Addr;

use connmon_filter::ioc::{Lists, read};
use connmon_filter::{FilterProcess, FilterRow};
use criterion::{Criterion, criterion_group, criterion_main};

const MANY: u32 = 1_000_000;

/// Half addresses, a quarter names, an eighth networks of all lengths, an eighth hashes.
fn list() -> String {
    let line = |n: u32| {
        let spread = n.wrapping_mul(2_654_435_761);
        match n % 8 {
            0..4 => format!("{}\n", Ipv4Addr::from(spread)),
            4 | 5 => format!("host{n}.evil{}.example\n", n % 9_973),
            6 => format!("{}/{}\n", Ipv4Addr::from(spread), 16 + n / 8 % 16),
            _ => format!("{:064x}\n", u128::from(spread) << 64 | u128::from(n)),
        }
    };
    (0..MANY).map(line).collect()
}

fn row(ip: Ipv4Addr) -> FilterRow<'static> {
    let sha256 = Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into());
    FilterRow {
        processes: vec![FilterProcess { sha256, ..FilterProcess::default() }],
        remote: ip.into(),
        hosts: vec!["www.a.b.example.org".into()],
        ..FilterRow::default()
    }
}

fn matching(c: &mut Criterion) {
    let text = list();
    let mut slow = c.benchmark_group("a million indicators");
    slow.sample_size(10);
    slow.bench_function("read", |b| b.iter(|| black_box(read("x", text.as_bytes(), None).unwrap())));
    slow.bench_function("made ready", |b| {
        b.iter_with_setup(
            || read("x", text.as_bytes(), None).unwrap(),
            |list| Lists::new(vec![list]).unwrap(),
        );
    });
    slow.finish();
    let lists = Lists::new(vec![read("x", text.as_bytes(), None).unwrap()]).unwrap();
    let rows: Vec<FilterRow<'_>> =
        (0..10_000_u32).map(|n| row(Ipv4Addr::from(n.wrapping_mul(0x9e37_79b9)))).collect();
    let mut each = rows.iter().cycle();
    c.bench_function("one connection against a million indicators", |b| {
        b.iter(|| black_box(lists.matches(each.next().unwrap(), 443)));
    });
}

criterion_group!(benches, matching);
criterion_main!(benches);
