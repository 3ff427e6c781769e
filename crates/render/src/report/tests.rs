//! Golden files, hostile names in every field, and what the page must never contain.

mod findings;

use super::payload::Payload;
use super::svg::Frame;
use super::verify::verify;
use super::{PictureOptions, html, svg};
use connmon_analysis::Summary;
use connmon_analysis::summarize as summary;
use connmon_analysis::timeline_rows::TimelineRows;
use connmon_fixtures::{START, connection, run};
use connmon_record::{Coordinates, Gap, GeoDatabase, HostLocation, Location, Process, Timestamp};

/// A little of everything.
fn varied() -> Summary {
    let (runs, connections) = connmon_fixtures::varied();
    summary(runs, connections)
}

fn options() -> PictureOptions {
    PictureOptions { made: Some(Timestamp(START)), rows: 200, ..PictureOptions::default() }
}

fn home(label: &str, country_only: bool) -> HostLocation {
    let at = Coordinates { latitude: 53.55, longitude: 10.0 };
    HostLocation { label: label.into(), at, source: "configured".into(), country_only }
}

/// What a database that knows cities and networks says.
fn place(city: &str, latitude: f64, longitude: f64) -> Option<std::sync::Arc<Location>> {
    Some(std::sync::Arc::new(Location {
        region: None,
        city: Some(city.into()),
        coordinates: Coordinates::new(latitude, longitude),
        asn: Some(64_500),
        org: Some(format!("Networks of {city}").into()),
        source: "cities 2026-06-01".into(),
    }))
}

fn page(summary: &Summary, options: &PictureOptions) -> String {
    String::from_utf8(file(summary, options, 100)).unwrap()
}

/// The page, with at most so many connections in its data.
fn file(summary: &Summary, options: &PictureOptions, rows: usize) -> Vec<u8> {
    let mut payload = Payload::new(&summary.runs, rows);
    summary.connections.rows.iter().for_each(|kept| payload.add(kept.run, &kept.connection));
    let mut bytes = Vec::new();
    html::write(summary, payload, options, &mut bytes).unwrap();
    bytes
}

/// The page before its data, manifest and script.
fn body(page: &str) -> &str {
    page.split(html::DATA).next().unwrap()
}

/// Without the style, its digest and the outlines of countries, which have tests of their own.
fn brief(text: &str) -> String {
    let mut text = text.replace(concat!("connmon ", env!("CARGO_PKG_VERSION")), "connmon VERSION");
    for (from, to) in [("<style>", "</style>"), ("style-src 'sha256-", "'"), ("script-src 'sha256-", ";")] {
        let Some(start) = text.find(from).map(|at| at + from.len()) else { continue };
        let end = start + text[start..].find(to).unwrap();
        text.replace_range(start..end, "…");
    }
    text.lines()
        .filter(|line| !line.starts_with("<path class=\"s0\""))
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

fn golden(name: &str, text: &str) {
    connmon_fixtures::golden::compare(
        std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/golden")).join(name),
        text,
    );
}

#[test]
fn the_page_is_as_agreed() {
    golden("page.html", &brief(body(&page(&varied(), &options()))));
}

#[test]
fn the_maps_are_as_agreed() {
    let home = home("Hamburg", false);
    golden("map.svg", &brief(&svg::map(&varied(), &options(), Frame::Standalone)));
    let placed = PictureOptions { home: Some(home), ..options() };
    golden("map-home.svg", &brief(&svg::map(&varied(), &placed, Frame::Standalone)));
}

#[test]
fn cities_are_dots_and_the_rest_of_a_country_a_ring() {
    let curl = connmon_fixtures::process(100, 5, "curl");
    let mut run = run(1, 0);
    let cities = GeoDatabase {
        name: "cities".into(),
        kind: "city + asn".into(),
        date: "2026-06-01".into(),
        source: "cities.mmdb".into(),
        licence: Some("CC BY 4.0".into()),
        attribution: Some("IP Geolocation by DB-IP (db-ip.com)".into()),
        registered_only: false,
    };
    run.geo.insert(0, cities);
    run.location = Some(home("Hamburg", true));
    let located = |id, remote: &str, country: &str, city| {
        let mut c = connection(id, 10 * id, &curl, remote, 1_000 * id as u64, 0);
        (c.country, c.place) = (Some(country.into()), city);
        (1, c)
    };
    let summary = summary(
        vec![run],
        [
            located(1, "8.8.8.8:443", "US", place("Mountain View", 37.4, -122.1)),
            located(2, "8.8.4.4:443", "US", place("Mountain View", 37.4, -122.1)),
            located(3, "9.9.9.9:443", "US", None),
            located(4, "193.0.6.139:443", "NL", place("Amsterdam", 52.37, 4.9)),
        ],
    );
    let options = PictureOptions::for_summary(&summary);
    assert!(options.home.is_some());
    let page = page(&summary, &options);
    for words in [
        "Mountain View, United States",
        "AS64500 Networks of Amsterdam",
        "Location and network",
        "United States 2.93\u{a0}KiB (only the country is known)",
        "cities 2026-06-01: IP Geolocation by DB-IP (db-ip.com), CC BY 4.0.",
        "IPtoASN country 2026-06-17 knows the country in which a network is registered",
        "Only this host’s country is known, so lines start at the centre of Hamburg",
    ] {
        assert!(page.contains(words), "{words}");
    }
    golden("map-cities.svg", &brief(&svg::map(&summary, &options, Frame::Standalone)));
}

#[test]
fn equal_input_gives_equal_output() {
    assert_eq!(page(&varied(), &options()), page(&varied(), &options()));
}

const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "</style><script>",
    "</title><img src=x onerror=alert(1)>",
    "\" onload=\"alert(1)",
    "' onload='alert(1)",
    "]]><x/>",
    "<!--",
    "&lt;b&gt;&#0;",
    "{{ 7*7 }}{% raw %}",
    "\u{1b}]0;title\u{7}",
    "a\u{202e}txt.exe",
    "nul\0nul",
    "\u{2028}\u{feff}\u{fffe}",
    "javascript:alert(1)",
];

/// Every captured string of the model is `text`.
fn poisoned(text: &str) -> Summary {
    let mut run = run(1, 0);
    for field in
        [&mut run.host, &mut run.boot_id, &mut run.kernel, &mut run.tool_version, &mut run.object_sha256]
    {
        *field = text.into();
    }
    run.backend = text.into();
    run.geo = vec![GeoDatabase {
        name: text.into(),
        kind: text.into(),
        date: text.into(),
        source: text.into(),
        licence: Some(text.into()),
        attribution: Some(text.into()),
        registered_only: false,
    }];
    run.location = Some(home(text, true));
    run.backend_notes = vec![text.into()];
    let gap = |from: i64| Gap {
        from: Timestamp(START + from),
        to: Timestamp(START + from + 5),
        reason: text.into(),
    };
    run.gaps = vec![gap(10), gap(20)];
    let process = |pid: u32, exe: &str| {
        std::sync::Arc::new(Process {
            id: connmon_record::ProcessId { pid, start_ns: 7 },
            started: Timestamp(START),
            ppid: 1,
            comm: text.into(),
            exe: exe.into(),
            cmdline: text.into(),
            uid: 0,
            user: Some(text.into()),
            kernel_thread: false,
            ..Process::default()
        })
    };
    let mut first = connection(1, 1, &process(9, text), "8.8.8.8:443", 10, 20);
    first.country = Some(text.into());
    first.place = place(text, 37.4, -122.1);
    first.inexact = Some(text.to_owned().into());
    first.traffic.push(connmon_fixtures::share(&process(10, text), 1, 1));
    let second = connection(2, 2, &process(9, &format!("{text}2")), "1.1.1.1:443", 10, 20);
    let mut other = run.clone();
    (other.id, other.boot_id) = (2, format!("{text}2").into());
    let mut summary = summary(vec![run, other], [(1, first), (1, second)]);
    summary.selection.filter = text.into();
    summary
}

#[test]
fn hostile_names_stay_text() {
    let harmless =
        page(&poisoned("harmless"), &PictureOptions { home: Some(home("harmless", false)), ..options() });
    let tags = |page: &str| page.matches('<').count();
    for text in HOSTILE {
        let home = home(text, false);
        let options = PictureOptions { home: Some(home.clone()), ..options() };
        let page = page(&poisoned(text), &options);
        assert_eq!(tags(&page), tags(&harmless), "{text:?} made markup");
        assert_eq!(page.matches("<script").count(), 4, "{text:?}");
        let page = body(&page);
        for forbidden in [
            "<script>alert",
            "onload=\"",
            "onerror=alert(1)>",
            "\u{1b}",
            "\0",
            "\u{202e}",
            "\u{2028}",
            "\u{feff}",
        ] {
            assert!(!page.contains(forbidden), "{text:?} put {forbidden:?} into the page");
        }
        for frame in [Frame::Standalone, Frame::Page] {
            let placed = PictureOptions { home: Some(home.clone()), ..options.clone() };
            let picture = svg::map(&poisoned(text), &placed, frame);
            let document = roxmltree::Document::parse(&picture).expect("well-formed");
            assert!(document.descendants().all(|node| node.tag_name().name() != "script"));
            assert!(!picture.contains(['\u{1b}', '\0', '\u{202e}']), "{text:?}");
        }
    }
}

#[test]
fn the_page_asks_for_nothing() {
    let page = page(&varied(), &options());
    let page = body(&page);
    assert_eq!(page.matches("<script").count(), 1, "the early one");
    for forbidden in
        ["http://", "https://", "src=", "@import", "url(", " style=", "<link", "<iframe", "<form"]
    {
        let found = page.replace("http://www.w3.org/2000/svg", "").find(forbidden);
        assert!(found.is_none(), "{forbidden} at {found:?}");
    }
    let policy = page.find("Content-Security-Policy").unwrap();
    assert!(policy < page.find("<style>").unwrap() && policy < page.find("<title>").unwrap());
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
}

#[test]
fn the_policy_allows_exactly_the_style_and_the_script() {
    use base64::Engine;
    use sha2::Digest;
    let page = page(&varied(), &options());
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let digest = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(style));
    assert!(page.contains(&format!("'sha256-{digest}'")));
    assert!(!style.contains('<'), "nothing in the style could end it");
    let script = page.split("<script type=\"module\">").nth(1).unwrap().split("</script>").next().unwrap();
    let digest = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(script));
    assert!(page.contains(&format!("script-src 'sha256-{digest}'")));
}

#[test]
fn pictures_are_well_formed_and_described() {
    for (name, picture) in [
        ("map", svg::map(&varied(), &options(), Frame::Standalone)),
        ("map in the page", svg::map(&varied(), &options(), Frame::Page)),
        ("empty map", svg::map(&summary(Vec::new(), []), &options(), Frame::Standalone)),
        ("activity", svg::activity(&varied())),
    ] {
        let document = roxmltree::Document::parse(&picture).unwrap_or_else(|e| panic!("{name}: {e}"));
        let root = document.root_element();
        assert_eq!(root.attribute("role"), Some("img"), "{name}");
        for part in ["title", "desc"] {
            assert!(
                root.children().any(|node| node.has_tag_name(("http://www.w3.org/2000/svg", part))),
                "{name}"
            );
        }
        assert!(!picture.contains("style=\"") && !picture.contains("NaN"), "{name}");
    }
}

#[test]
fn losses_and_cuts_are_loud() {
    let mut lossy = run(1, 0);
    lossy.completeness.lost_events = 7;
    let text = page(&summary(vec![lossy], []), &options());
    assert!(text.contains("No: records are missing.") && text.contains("7 records were lost in the kernel"));
    let nothing = page(&summary(Vec::new(), []), &options());
    assert!(nothing.contains("There is no record of this time."));

    let curl = connmon_fixtures::process(1, 1, "curl");
    let many = (0..300).map(|i| (1, connection(i, i, &curl, "8.8.8.8:443", 1, 1)));
    let cut = page(&summary(vec![run(1, 0)], many), &options());
    assert!(!cut.contains("Not every connection is in this file"), "the data has all that the summary kept");
    let cut = String::from_utf8(file(&varied(), &options(), 2)).unwrap();
    assert!(cut.contains("Not every connection is in this file") && cut.contains("This file has 2 of "));
}

#[test]
fn whatever_is_altered_is_found() {
    let whole = file(&varied(), &options(), 100);
    let found = verify(&whole).unwrap();
    assert!(found.is_whole());
    assert_eq!(found.manifest.rows, varied().connections.rows.len() as u64);

    let text = String::from_utf8(whole.clone()).unwrap();
    let at = |what: &str| text.find(what).unwrap() + what.len();
    for (place, page, script) in [
        (at("<h1>"), false, true),
        (at(html::DATA) + 40, false, true),
        (at("<script type=\"module\">") + 3, true, false),
    ] {
        let mut altered = whole.clone();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let found = verify(&altered).unwrap();
        assert!(!found.is_whole());
        assert_eq!((found.page_is_whole(), found.script), (page, script));
    }
    let data = at(html::DATA) + 40;
    let mut altered = whole.clone();
    altered[data] = if altered[data] == b'A' { b'B' } else { b'A' };
    assert!(!verify(&altered).unwrap().data_is_whole());
    // Additions outside the parts are reported as such, and the parts themselves are still whole.
    let manifest = text.find(html::MANIFEST).unwrap();
    let script = manifest + text[manifest..].find("<script type=\"module\">").unwrap();
    for (place, added) in [(whole.len(), [0, 11]), (script, [11, 0])] {
        let longer = [&whole[..place], b"<!-- note -".as_slice(), &whole[place..]].concat();
        let found = verify(&longer).unwrap();
        assert_eq!((found.is_whole(), found.script, found.added, found.cut), (false, true, added, false));
        assert!(found.page_is_whole() && found.data_is_whole());
    }
    let found = verify(&whole[..whole.len() - 10]).unwrap();
    assert_eq!((found.is_whole(), found.script, found.cut), (false, true, true));
    assert!(!verify(&whole[..whole.len() - 50]).unwrap().is_whole());
    assert!(verify(&whole[..data]).is_err() && verify(b"no report").is_err());
}

#[test]
fn all_pictures_hold_hostile_names() {
    for text in HOSTILE {
        let summary = poisoned(text);
        let mut timeline_rows = TimelineRows::new(summary.window.unwrap(), 60);
        summary.connections.rows.iter().for_each(|kept| timeline_rows.add(&kept.connection));
        for picture in
            [svg::timeline(&summary, &timeline_rows.finish()), svg::hilbert(&summary), svg::bars(&summary)]
        {
            let document = roxmltree::Document::parse(&picture).unwrap_or_else(|e| panic!("{text:?}: {e}"));
            assert!(document.descendants().all(|node| node.tag_name().name() != "script"));
            assert_eq!(document.root_element().attribute("role"), Some("img"));
            assert!(!picture.contains(['\u{1b}', '\0', '\u{202e}']) && !picture.contains("NaN"), "{text:?}");
        }
    }
}

#[test]
fn the_other_pictures_are_as_agreed() {
    let summary = varied();
    let mut timeline_rows = TimelineRows::new(summary.window.unwrap(), 60);
    summary.connections.rows.iter().for_each(|kept| timeline_rows.add(&kept.connection));
    let (step, timeline_rows) = (timeline_rows.step_ns(), timeline_rows.finish());
    golden("timeline.svg", &brief(&svg::timeline(&summary, &timeline_rows)));
    golden("hilbert.svg", &brief(&svg::hilbert(&summary)));
    golden("bars.svg", &brief(&svg::bars(&summary)));
    let mut out = Vec::new();
    super::text::write(&summary, &Default::default(), &timeline_rows, step, &mut out).unwrap();
    golden("report.txt", &String::from_utf8(out).unwrap());
    let mut out = Vec::new();
    super::json::write(&summary, &options(), &|_| panic!("all is known"), &mut out).unwrap();
    golden("report.json", &String::from_utf8(out).unwrap());
}

/// The header of a page's data, and the columns behind it.
fn data(payload: Payload, window: Option<connmon_analysis::Window>) -> (serde_json::Value, Vec<u8>) {
    let mut bytes = Vec::new();
    payload.write(window, None, &mut bytes).unwrap();
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes.as_slice()), &mut plain).unwrap();
    let length = u32::from_le_bytes(plain[..4].try_into().unwrap()) as usize;
    let header = serde_json::from_slice(&plain[4..4 + length]).unwrap();
    (header, plain.split_off(4 + length))
}

#[test]
fn only_connections_that_moved_bytes_later_say_when() {
    use connmon_fixtures::{SECOND, START, process};
    let curl = process(1, 1, "curl");
    let mut later = connection(2, 5, &curl, "8.8.8.8:443", 1, 1);
    for second in [20, 4_000] {
        let start = Timestamp(START + second * SECOND);
        later.steps.push(connmon_record::Step { start, ..later.steps[0] });
    }
    let of = |hours: i64| {
        let mut payload = Payload::new(&[run(1, 0)], 10);
        [connection(1, 3, &curl, "8.8.8.8:443", 1, 1), later.clone()]
            .iter()
            .for_each(|one| payload.add(1, one));
        let to = Timestamp(START + hours * 3_600 * SECOND);
        let (header, columns) = data(payload, Some(connmon_analysis::Window { from: Timestamp(START), to }));
        let width = |columns: &serde_json::Value| -> u64 {
            columns.as_array().unwrap().iter().map(|column| column["width"].as_u64().unwrap()).sum()
        };
        let steps = &header["steps"];
        let rows = steps["rows"].as_u64().unwrap();
        assert_eq!(columns.len() as u64, 2 * width(&header["columns"]) + rows * width(&steps["columns"]));
        (steps["seconds"].as_u64().unwrap(), rows)
    };
    assert_eq!(of(1), (10, 3));
    // Of longer times the steps are longer, and the first two become one.
    assert_eq!(of(24), (60, 2));
}

#[test]
fn no_hit_and_no_label_is_lost_where_there_are_many() {
    let curl = connmon_fixtures::process(1, 1, "curl");
    let mut payload = Payload::new(&[run(1, 0)], 100_000);
    for id in 0..70_000 {
        let mut one = connection(1 + id, 0, &curl, "8.8.8.8:443", 1, 1);
        one.label = Some(format!("label {id}").as_str().into());
        payload.add(1, &one);
    }
    let (header, _) = data(payload, None);
    assert_eq!(header["labels"].as_array().unwrap().len(), 70_001);
    let label =
        header["columns"].as_array().unwrap().iter().find(|column| column["name"] == "label").unwrap();
    assert_eq!(label["width"], 3, "70 000 is more than two bytes hold");
}
