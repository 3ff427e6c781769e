//! A report of made-up traffic, to look at while its design changes: no record of anything.
//!
//! `cargo run --example sample_report -- report.html [map.svg]`; with `--rows N` for another number of connections,
//! `--lossy` for a recording that lost something, `--hostile` for names that attack, `--home` for a known place;
//! with geo databases (`.mmdb`, `.cgeo`) their places; with `--days N` the same working day, spread over so many.

mod traffic;
mod world;

use std::io::Write;
use std::path::PathBuf;

use connmon_analysis::{Builder, DEFAULT_CONNECTION_CAP, Selection};
use connmon_enrich::geo::Geo;
use connmon_record::{Coordinates, HostLocation, Timestamp};
use connmon_render::report::payload::{DEFAULT_ROWS, Payload};
use connmon_render::report::{PictureOptions, html, svg};

use connmon_fixtures::Random;
use traffic::connection;
use world::{processes, remotes, run};

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let number =
        |flag: &str| args.iter().position(|arg| arg == flag).and_then(|i| args.get(i + 1)?.parse().ok());
    let (rows, days): (Option<i64>, Option<u64>) =
        (number("--rows"), number("--days").map(i64::unsigned_abs));
    let files: Vec<&String> =
        args.iter().filter(|arg| arg.ends_with(".html") || arg.ends_with(".svg")).collect();

    let databases = args.iter().filter(|arg| arg.ends_with(".mmdb") || arg.ends_with(".cgeo"));
    let databases: Vec<PathBuf> = databases.map(PathBuf::from).collect();
    let geo = Geo::open(&databases, None).map_err(std::io::Error::other)?;
    let mut random = Random(0x5eed);
    let mut run = run(has("--lossy"), &geo);
    let ended = Timestamp(run.last_flush.0 + (days.unwrap_or(1) as i64 - 1) * DAY);
    (run.ended, run.last_flush) = (Some(ended), ended);
    let processes = processes(has("--hostile"));
    let remotes = remotes(&geo, &mut random);
    let mut payload =
        Some(Payload::new(std::slice::from_ref(&run), DEFAULT_ROWS.max(rows.unwrap_or(0) as usize)));
    let mut builder = Builder::new(vec![run], Selection::default(), DEFAULT_CONNECTION_CAP);
    let mut all: Vec<_> = (0..rows.unwrap_or(2_000))
        .map(|id| connection(id, &geo, &processes, &remotes, &mut random))
        .collect();
    for connection in all.iter_mut().filter(|_| days.is_some()) {
        let later = random.below(days.unwrap_or(1)) as i64 * DAY;
        connection.opened.0 += later;
        connection.closed = connection.closed.map(|closed| Timestamp(closed.0 + later));
    }
    // A recorder numbers connections as they open.
    all.sort_by_key(|connection| connection.opened);
    for (id, mut connection) in all.into_iter().enumerate() {
        connection.id = id as i64 + 1;
        payload.as_mut().expect("not written yet").add(1, &connection);
        builder.add(1, connection);
    }
    let summary = builder.finish();
    let mut options = PictureOptions::for_summary(&summary);
    if has("--home") {
        let at = Coordinates { latitude: 53.55, longitude: 10.0 };
        let (label, source) = ("kestrel, Hamburg".into(), "configured".into());
        options.home = Some(HostLocation { label, at, source, country_only: false });
    }
    for file in files {
        let begin = std::time::Instant::now();
        let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
        if file.ends_with(".svg") {
            out.write_all(svg::map(&summary, &options, svg::Frame::Standalone).as_bytes())?;
        } else {
            let payload = payload.take().ok_or_else(|| std::io::Error::other("one page at a time"))?;
            html::write(&summary, payload, &options, &mut out)?;
        }
        out.flush()?;
        eprintln!("{file}: {} bytes in {:?}", std::fs::metadata(file)?.len(), begin.elapsed());
    }
    Ok(())
}
