//! Batches as they come to the store.

use serde_json::{Value, json};

use super::*;
use connmon_filter::Filter;
use connmon_fixtures::rows::start;
use connmon_record::{Coordinates, Direction, Endpoint, Facts, GeoDatabase, Proto, Run, Timestamp};

fn geo() -> (tempfile::TempDir, Geo) {
    let csv = "8.8.8.0,8.8.8.255,NA,US,California,Mountain View,37.4,-122.1\n193.0.0.0,193.0.7.255,EU,NL,,Amsterdam,52.4,4.9\n";
    let about = GeoDatabase { name: "cities".into(), date: "2026-06-01".into(), ..Default::default() };
    let (bytes, _) = geo::import(csv.as_bytes(), about).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.cgeo"), bytes).unwrap();
    let geo = Geo::open(&[], Some(folder.path())).unwrap();
    (folder, geo)
}

#[test]
fn a_host_stands_where_it_is_told_to() {
    let at = Coordinates::new(53.5, 10.0).unwrap();
    let configured = HostLocation { label: "rack".into(), at, source: "given".into(), country_only: false };
    let mut enricher = Enricher::new(Geo::embedded(), Some(configured.clone()));
    let mut batch = Batch { start: Some(start(0)), ..Batch::default() };
    enricher.complete(&mut batch);
    assert_eq!((batch.location, batch.geo.len()), (Some(configured), 1));
    let mut later = Batch::default();
    enricher.complete(&mut later);
    assert!(later.location.is_none() && later.geo.is_empty(), "told once");
}

#[test]
fn else_where_its_own_public_address_is() {
    let (_folder, cities) = geo();
    let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    let own = ips(&["127.0.0.1", "192.168.1.2", "193.0.6.139"]);
    let found = home::locate(&cities, own.iter().copied()).unwrap();
    assert_eq!((found.label.raw(), found.country_only), ("Amsterdam", false));
    assert_eq!(found.source, "cities 2026-06-01 for this host’s address 193.0.6.139");
    let found = home::locate(&Geo::embedded(), own.into_iter()).unwrap();
    assert_eq!((found.label.raw(), found.country_only), ("Netherlands", true));
    assert_eq!(home::locate(&cities, ips(&["10.0.0.1", "fe80::1", "0.0.0.0"]).into_iter()), None);
}

#[test]
fn an_address_is_looked_up_once_and_its_sources_are_named() {
    let (_folder, geo) = geo();
    let mut names = HashMap::new();
    let known = |ip: &str, names: &mut _| StoredLocation::new(&geo, &geo.lookup(ip.parse().unwrap()), names);
    let (one, other) = (known("8.8.8.8", &mut names), known("8.8.8.9", &mut names));
    let place = one.place.unwrap();
    assert_eq!(
        (one.country.as_deref(), place.city.as_ref().map(|city| city.raw())),
        (Some("US"), Some("Mountain View"))
    );
    assert_eq!(place.source, "cities 2026-06-01");
    assert!(std::ptr::eq(place.source.raw(), other.place.unwrap().source.raw()));
    let embedded = known("9.9.9.9", &mut names).place.unwrap();
    assert!(embedded.is_country_only());
    assert_eq!(embedded.source, "IPtoASN country 2026-06-17");
    assert!(known("10.0.0.1", &mut names).place.is_none());
}

fn row(number: i64, local: &str, remote: &str) -> connmon_record::rows::ConnectionRow {
    let end = |text: &str| {
        let address: std::net::SocketAddr = text.parse().unwrap();
        Endpoint::new(address.ip(), address.port())
    };
    connmon_record::rows::ConnectionRow {
        row: number,
        facts: Facts {
            proto: Proto::TCP,
            direction: Direction::Out,
            local: end(local),
            remote: end(remote),
            opened: Timestamp(number),
            ..Facts::default()
        },
        established: None,
        owner: None,
        country: None,
        place: None,
    }
}

/// Everything that the store has of a batch: the JSON of its connections, and its runs.
fn stored(
    path: &std::path::Path,
    geo: Geo,
    rows: Vec<connmon_record::rows::ConnectionRow>,
) -> (Vec<Value>, Vec<Run>) {
    let mut batch = Batch { start: Some(start(0)), connections: rows, ..Batch::default() };
    Enricher::new(geo, None).complete(&mut batch);
    connmon_store::Writer::open(path).unwrap().write(&batch).unwrap();
    let store = connmon_store::Store::open(path).unwrap();
    let mut lines = Vec::new();
    let each = |_, connection| {
        let mut line = Vec::new();
        connmon_render::export::connections::write_json(&connection, &mut line).unwrap();
        lines.push(serde_json::from_slice::<Value>(&line).unwrap()["geo"].take());
        Ok::<(), connmon_store::StoreError>(())
    };
    store.for_each(None, None, &Filter::default(), each).unwrap();
    (lines, store.runs().unwrap())
}

#[test]
fn places_go_through_the_store_into_the_export() {
    let (_folder, cities) = geo();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let rows = vec![
        row(1, "192.168.1.2:1", "8.8.8.8:443"),
        row(2, "193.0.6.139:2", "9.9.9.9:443"),
        row(3, "192.168.1.2:3", "10.0.0.1:443"),
    ];
    let (lines, runs) = stored(&path, cities, rows.clone());
    let city = json!({"country": "US", "city": "Mountain View", "region": "California", "latitude": 37.4,
        "longitude": -122.1, "source": "cities 2026-06-01"});
    assert_eq!(
        lines,
        [city.clone(), json!({"country": Geo::embedded().country("9.9.9.9".parse().unwrap())}), Value::Null]
    );
    assert_eq!(
        runs[0].geo.iter().map(|database| database.name.raw()).collect::<Vec<_>>(),
        ["cities", "IPtoASN country"]
    );
    assert_eq!(runs[0].location.as_ref().map(|home| home.label.raw()), Some("Amsterdam"));

    // A later recording without that database knows less, and does not take away what is known.
    let (lines, runs) = stored(&path, Geo::embedded(), rows);
    assert_eq!((lines.len(), &lines[0], &lines[3]), (6, &city, &city));
    assert_eq!(runs[1].location.as_ref().map(|home| home.country_only), Some(true));
}

#[test]
fn databases_that_take_the_place_of_others_are_named_beside_them() {
    let (_folder, cities) = geo();
    let mut enricher = Enricher::new(Geo::embedded(), None);
    enricher.complete(&mut Batch { start: Some(start(0)), ..Batch::default() });
    let at = Coordinates::new(53.5, 10.0).unwrap();
    let rack = HostLocation { label: "rack".into(), at, source: "given".into(), country_only: false };
    enricher.replace(cities, Some(rack.clone()));
    let mut batch = Batch::default();
    enricher.complete(&mut batch);
    assert_eq!(
        (batch.geo.len(), batch.geo[0].name.raw()),
        (2, "cities"),
        "what was built in is asked as well"
    );
    assert_eq!(batch.location, Some(rack));
    let mut later = Batch::default();
    enricher.complete(&mut later);
    assert!(later.geo.is_empty() && later.location.is_none(), "told once");
    enricher.replace(Geo::embedded(), None);
    let mut batch = Batch::default();
    enricher.complete(&mut batch);
    assert!(batch.geo.iter().any(|database| database.name == "cities"), "{:?}", batch.geo);
}
