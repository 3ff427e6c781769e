//! How long a look-up takes: `cargo bench -p connmon --bench geo`. With `GEO_DB=FILE:FILE` those databases are asked too.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on may end")]

use std::hint::black_box;
use std::net::IpAddr;
use std::path::PathBuf;

use connmon_enrich::geo::{Database, Geo, Ranges, import};
use connmon_record::GeoDatabase;
use criterion::{Criterion, criterion_group, criterion_main};

/// Addresses all over the space, without an order.
fn addresses() -> Vec<IpAddr> {
    let mut state = 0x5eed_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    (0..100_000).map(|_| IpAddr::from(next().to_be_bytes())).collect()
}

/// As many ranges as the largest tables have.
fn many_ranges() -> Ranges {
    let rows = (0..3_000_000_u32).map(|n| {
        let (first, last) = (n * 1_400, n * 1_400 + 1_399);
        format!("{first},{last},EU,DE,Region {},City {},{},{}\n", n % 900, n % 90_000, n % 90, n % 180)
    });
    Ranges::new(import(rows.collect::<String>().as_bytes(), GeoDatabase::default()).unwrap().0).unwrap().0
}

fn look_ups(c: &mut Criterion) {
    let addresses = addresses();
    let mut each = addresses.iter().cycle();
    let mut next = move || *each.next().unwrap();
    let embedded = Geo::embedded();
    c.bench_function("embedded country", |b| b.iter(|| black_box(embedded.lookup(next()))));
    let ranges = many_ranges();
    c.bench_function("three million ranges", |b| b.iter(|| black_box(ranges.lookup(next()))));
    let files: Vec<PathBuf> = std::env::var_os("GEO_DB").iter().flat_map(std::env::split_paths).collect();
    if !files.is_empty() {
        for file in &files {
            let about = Database::open(file).unwrap().about().clone();
            let one = Geo::open(std::slice::from_ref(file), None).unwrap();
            c.bench_function(&about.name.shown(), |b| b.iter(|| black_box(one.lookup(next()))));
        }
        let all = Geo::open(&files, None).unwrap();
        c.bench_function("all of them", |b| b.iter(|| black_box(all.lookup(next()))));
    }
}

criterion_group!(benches, look_ups);
criterion_main!(benches);
