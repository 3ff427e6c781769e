//! Databases of all layouts, their order, hostile files, and the time that a look-up takes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use maxminddb_writer::metadata::IpVersion;
use maxminddb_writer::paths::IpAddrWithMask;
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::*;
use connmon_record::{Coordinates, country_of};

/// A MaxMind file with these networks.
fn mmdb<T: Serialize>(networks: &[(&str, T)]) -> Vec<u8> {
    let mut database = maxminddb_writer::Database::default();
    database.metadata.ip_version = IpVersion::V4;
    database.metadata.binary_format_major_version = 2;
    database.metadata.database_type = "Test".into();
    database.metadata.build_epoch = 1_780_000_000;
    for (network, record) in networks {
        let data = database.insert_value(record).unwrap();
        database.insert_node(network.parse::<IpAddrWithMask>().unwrap(), data);
    }
    database.write_to(Vec::new()).unwrap()
}

fn nested() -> Vec<u8> {
    mmdb(&[
        (
            "8.8.8.0/24",
            json!({"country": {"iso_code": "US", "names": {"en": "United States"}},
                "city": {"names": {"de": "x", "en": "Mountain View"}},
                "subdivisions": [{"iso_code": "CA", "names": {"en": "California"}}],
                "location": {"latitude": 37.4, "longitude": -122.1, "time_zone": "America/Los_Angeles"}}),
        ),
        ("9.9.9.0/24", json!({"country": {"iso_code": "CH"}})),
    ])
}

fn asns() -> Vec<u8> {
    mmdb(&[(
        "8.8.0.0/16",
        json!({"autonomous_system_number": 15169_u32, "autonomous_system_organization": "Example LLC"}),
    )])
}

/// Databases under these names, in a folder of their own.
fn opened(files: &[(&str, Vec<u8>)]) -> Result<Geo, GeoError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    Geo::open(&[], Some(folder.path()))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn csv(text: &str) -> Result<(Vec<u8>, Imported), ImportError> {
    import(
        text.as_bytes(),
        GeoDatabase { name: "csv".into(), date: "2026-06-01".into(), ..Default::default() },
    )
}

#[test]
fn well_known_addresses() {
    let geo = Geo::embedded();
    for (text, country) in [
        ("8.8.8.8", Some("US")),
        ("::ffff:8.8.8.8", Some("US")),
        ("64:ff9b::808:808", Some("US")),
        ("2001:4860:4860::8888", Some("US")),
        ("193.0.6.139", Some("NL")),
        ("10.1.2.3", None),
        ("127.0.0.1", None),
        ("fe80::1", None),
        ("2001:db8::1", None),
    ] {
        assert_eq!(geo.country(ip(text)), country, "{text}");
    }
    let about = &geo.about()[0];
    assert_eq!((about.date.raw(), about.registered_only), ("2026-06-17", true));
}

#[test]
fn every_country_of_the_database_has_a_name_and_a_place() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/country.mmdb");
    let reader = maxminddb::Reader::open_readfile(file).unwrap();
    let mut unknown = BTreeSet::new();
    for network in reader.networks(Default::default()).unwrap() {
        let record: GeoRecord<'_> = network.unwrap().decode().unwrap().unwrap();
        if let Some(code) = record.country.filter(|code| country_of(code).is_none()) {
            unknown.insert(code.to_owned());
        }
    }
    assert_eq!(unknown.into_iter().collect::<Vec<_>>(), ["AP"], "a region, no country");
}

#[test]
fn fields_come_from_the_first_database_that_knows_them() {
    let geo = opened(&[("a-asn.mmdb", asns()), ("b-city.mmdb", nested())]).unwrap();
    let answer = geo.lookup(ip("8.8.8.8"));
    let record = answer.record;
    assert_eq!(
        (record.country, record.city, record.region),
        (Some("US"), Some("Mountain View"), Some("California"))
    );
    assert_eq!(record.coordinates, Coordinates::new(37.4, -122.1));
    assert_eq!((record.asn, record.org), (Some(15_169), Some("Example LLC")));
    assert_eq!((answer.from.asn, answer.from.city), (Some(0), Some(1)));
    assert_eq!(answer.sources(), [0, 1]);
    // What the files do not know, the embedded database does; what is no public address, none is asked for.
    assert_eq!(geo.lookup(ip("193.0.6.139")).from.country, Some(2));
    assert_eq!(geo.lookup(ip("2001:4860:4860::8888")).from.country, Some(2));
    assert_eq!(geo.lookup(ip("10.0.0.1")), Answer::default());
    let about = geo.about();
    let kinds: Vec<&str> = about.iter().map(|database| database.kind.raw()).collect();
    assert_eq!(kinds, ["asn", "city", "country"]);
    assert_eq!((about[0].name.raw(), about[0].date.raw()), ("a-asn", "2026-05-28"));
}

#[test]
fn a_table_of_registrations_is_told_as_one() {
    let country = || mmdb(&[("8.8.8.0/24", json!({"country_code": "US"}))]);
    let geo = opened(&[("iptoasn-country.mmdb", country()), ("other.mmdb", country())]).unwrap();
    let only: Vec<bool> = geo.about().iter().map(|database| database.registered_only).collect();
    assert_eq!(only, [true, false, true]);
}

#[test]
fn a_city_of_another_country_is_left_out() {
    let here = csv("8.8.8.0,8.8.8.255,DE\n").unwrap().0;
    let geo = opened(&[("a.cgeo", here), ("b.mmdb", nested()), ("c.mmdb", asns())]).unwrap();
    let record = geo.lookup(ip("8.8.8.8")).record;
    assert_eq!((record.country, record.city, record.coordinates), (Some("DE"), None, None));
    assert_eq!(record.asn, Some(15_169), "a network is no place");
}

#[test]
fn a_city_brings_its_own_point() {
    let country =
        mmdb(&[("8.8.8.0/24", json!({"country_code": "US", "latitude": 38.0, "longitude": -97.0}))]);
    let geo = opened(&[("a.mmdb", country), ("b.mmdb", nested())]).unwrap();
    let record = geo.lookup(ip("8.8.8.8")).record;
    assert_eq!((record.city, record.coordinates), (Some("Mountain View"), Coordinates::new(37.4, -122.1)));
}

#[test]
fn files_that_are_of_no_use_are_one_sentence() {
    let whole = nested();
    let imported = csv("8.8.8.0,8.8.8.255,US\n").unwrap().0;
    let mut damaged = imported.clone();
    damaged[70] ^= 1;
    for (name, bytes, words) in [
        ("text.mmdb", b"no database".to_vec(), "text.mmdb is not a geo database that connmon can read"),
        ("cut.mmdb", whole[..whole.len() - 100].to_vec(), "cut.mmdb is not a geo database"),
        ("half.mmdb", whole[..whole.len() / 2].to_vec(), "half.mmdb is not a geo database"),
        ("empty.mmdb", Vec::new(), "empty.mmdb is not a geo database"),
        ("cut.cgeo", imported[..imported.len() - 1].to_vec(), "it is truncated"),
        ("damaged.cgeo", damaged, "it is damaged"),
        ("other.mmdb", mmdb(&[("8.0.0.0/8", json!({"is_tor": "yes"}))]), "has nothing that connmon uses"),
    ] {
        let error = opened(&[(name, bytes)]).unwrap_err().to_string();
        assert!(error.contains(words) && error.lines().count() == 1, "{name}: {error}");
    }
    let error = Geo::open(&[], Some(Path::new("/none"))).unwrap_err().to_string();
    assert!(error.starts_with("the folder of geo databases /none cannot be read"), "{error}");
}

/// A file with a sound end and a damaged middle answers nothing where it is damaged, and the next database does.
#[test]
fn a_damaged_record_is_no_answer() {
    let mut bytes = nested();
    let at = bytes.windows(13).position(|part| part == b"Mountain View").unwrap();
    bytes[at..at + 13].fill(0xff);
    let geo = opened(&[("a.mmdb", bytes)]).unwrap();
    assert_eq!(geo.lookup(ip("8.8.8.8")).from.country, Some(1));
    assert!(geo.databases()[0].verify().is_err());
}

/// The tables of IP2Location begin with addresses that are nowhere.
#[test]
fn what_is_nowhere_is_not_at_zero_degrees() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.cgeo");
    for rest in ["", ",-", ",-,-"] {
        let table = format!(
            "\"16777216\",\"16777471\",\"-\",\"-\",\"-\",\"-\",\"0.000000\",\"0.000000\"{rest}\n\
             16777472,16777727,GH,Ghana,-,-,0.0,0.0{rest}\n"
        );
        fs::write(&file, csv(&table).unwrap().0).unwrap();
        let database = Database::open(&file).unwrap();
        assert!(database.lookup(ip("1.0.0.1")).is_empty(), "{rest}");
        let found = database.lookup(ip("1.0.1.1"));
        assert_eq!((found.country, found.coordinates.is_some()), (Some("GH"), true), "{rest}");
    }
}

#[test]
fn the_layouts_of_csv_files() {
    let folder = tempfile::tempdir().unwrap();
    for (text, address, expected) in [
        ("1.0.0.0,1.0.0.255,AU\n", "1.0.0.7", json!({"country": "AU"})),
        ("start,end,country\n2a00::,2a00:0:ff::,FR\n", "2a00::1", json!({"country": "FR"})),
        (
            "1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\n",
            "1.0.0.255",
            json!({"asn": 13335, "org": "Cloudflare, Inc."}),
        ),
        ("16777216,16777471,13335,Cloud\n", "1.0.0.0", json!({"asn": 13335, "org": "Cloud"})),
        (
            "1.0.0.0,1.0.0.255,OC,AU,Queensland,South Brisbane,-27.4767,153.017\n",
            "1.0.0.1",
            json!({"country": "AU", "region": "Queensland", "city": "South Brisbane", "at": [-27.4767, 153.017]}),
        ),
        (
            "1.0.0.0,1.0.0.255,AU,Queensland,,South Brisbane,4101,-27.4767,153.017,Australia/Brisbane\n",
            "1.0.0.1",
            json!({"country": "AU", "region": "Queensland", "city": "South Brisbane", "at": [-27.4767, 153.017]}),
        ),
        // IP2Location's.
        ("\"16777216\",\"16777471\",\"AU\",\"Australia\"\n", "1.0.0.1", json!({"country": "AU"})),
        (
            "16777216,16777471,AU,Australia,Queensland,Brisbane,-27.46794,153.02809\n",
            "1.0.0.1",
            json!({"country": "AU", "region": "Queensland", "city": "Brisbane", "at": [-27.46794, 153.02809]}),
        ),
        (
            "16777216,16777471,US,\"United States of America\",California,\"Los Angeles\",34.052230,-118.243680,90001,-07:00\n",
            "1.0.0.1",
            json!({"country": "US", "region": "California", "city": "Los Angeles", "at": [34.05223, -118.24368]}),
        ),
        (
            "16777216,16777471,AU,Australia,Queensland,Brisbane\n",
            "1.0.0.1",
            json!({"country": "AU", "region": "Queensland", "city": "Brisbane"}),
        ),
        (
            "\"16777216\",\"16777471\",\"1.0.0.0/24\",\"13335\",\"Cloudflare, Inc.\"\n",
            "1.0.0.1",
            json!({"asn": 13335, "org": "Cloudflare, Inc."}),
        ),
        // As IPinfo's and others' first lines name them, in an order of their own.
        (
            "\u{feff}start_ip,end_ip,country,asn,name\r\n1.0.0.0,1.0.0.255,DE,AS64500,\"Example Net, Ltd.\"\r\n",
            "1.0.0.1",
            json!({"country": "DE", "asn": 64500, "org": "Example Net, Ltd."}),
        ),
        (
            "network,city,region,region_code,country,country_code,continent,latitude,longitude,asn,as_name,as_domain\n\
             1.0.0.0/31,Sydney,New South Wales,NSW,Australia,AU,Oceania,-33.9,151.2,AS13335,Cloud,x.example\n",
            "1.0.0.1",
            json!({"country": "AU", "region": "New South Wales", "city": "Sydney", "at": [-33.9, 151.2], "asn": 13335, "org": "Cloud"}),
        ),
        (
            "start_ip,end_ip,join_key,city,region,region_name,country,country_name,latitude,longitude\n\
             1.0.0.0,1.0.0.255,1.0.0.0,Sydney,NSW,New South Wales,AU,Australia,,\n",
            "1.0.0.1",
            json!({"country": "AU", "region": "New South Wales", "city": "Sydney"}),
        ),
        ("network,country\n1.0.0.1,Germany\n", "1.0.0.1", json!({"country": "DE"})),
        ("network;name;type\n1.0.0.0-1.0.0.9;Example;isp\n", "1.0.0.1", json!({"org": "Example"})),
        (
            "start_ip,end_ip,name,domain,asn,as_name,country\n1.0.0.0,1.0.0.255,Customer,c.example,,,CN\n",
            "1.0.0.1",
            json!({"country": "CN", "org": "Customer"}),
        ),
        (
            "1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUD\n",
            "1.0.0.1",
            json!({"country": "US", "asn": 13335, "org": "CLOUD"}),
        ),
    ] {
        let (bytes, imported) = csv(text).unwrap();
        assert_eq!(
            imported,
            Imported { rows: 1, records: 1, unused: imported.unused.clone(), ..Imported::default() }
        );
        let file = folder.path().join("a.cgeo");
        fs::write(&file, bytes).unwrap();
        let database = Database::open(&file).unwrap();
        let found = database.lookup(ip(address));
        let mut fields = serde_json::Map::new();
        let mut field =
            |name: &str, value: Option<Value>| value.map(|value| fields.insert(name.into(), value));
        field("country", found.country.map(Value::from));
        field("region", found.region.map(Value::from));
        field("city", found.city.map(Value::from));
        field("at", found.coordinates.map(|at| json!([at.latitude, at.longitude])));
        field("asn", found.asn.map(Value::from));
        field("org", found.org.map(Value::from));
        assert_eq!(Value::Object(fields), expected, "{text}");
        assert!(database.lookup(ip("9.9.9.9")).is_empty() && database.lookup(ip("2b00::")).is_empty());
    }
}

#[test]
fn what_a_named_column_does_not_say_is_listed() {
    let text = "network,join_key,country,asn,lat,lon\n1.0.0.0/24,1,Nowhere,AS1,1,1\n1.0.1.0/24,1,DE,x,99,1\n";
    let (bytes, imported) = csv(text).unwrap();
    assert_eq!((imported.rows, imported.unread), (2, 3));
    let each: Vec<String> = imported.each.iter().map(|(line, what)| format!("{line}: {what}")).collect();
    assert_eq!(
        each,
        [
            "2: \"Nowhere\" is not a two-letter country code",
            "3: \"x\" is not an AS number",
            "3: \"99\", \"1\" are not valid coordinates"
        ]
    );
    assert_eq!(imported.unused, [(2, "join_key".to_owned())]);
    let (ranges, about) = Ranges::new(bytes).unwrap();
    assert_eq!(about.kind, "city + asn");
    assert_eq!(
        (ranges.lookup(ip("1.0.0.1")).asn, ranges.lookup(ip("1.0.1.1")).country),
        (Some(1), Some("DE"))
    );
    for (text, words) in [
        ("a,b,c,d,e,f\n1.0.0.0,1.0.0.1,x,x,x,x\n", "line 1: the first line names no addresses"),
        ("network,x,y,z\n1.0.0.0/24,a,b,c\n", "line 1: the first line names no addresses"),
        ("ip,total,domains\n1.0.0.1,1,x.example\n", "line 1: the first line names no addresses"),
        ("network,country\n1.0.0.0/24,DE\nnonsense,DE\n", "line 3: \"nonsense\" is not an IP address"),
    ] {
        let error = csv(text).unwrap_err().to_string();
        assert!(error.starts_with(words), "{text:?}: {error}");
    }
}

/// IPtoASN to the letter: who announces nothing has no number, no country and no name.
#[test]
fn what_nobody_announces_is_nothing() {
    let text = "1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET\n1.0.1.0\t1.0.3.255\t0\tNone\tNot routed\n";
    let (ranges, about) = Ranges::new(csv(text).unwrap().0).unwrap();
    assert_eq!(about.kind, "country + asn");
    assert_eq!(ranges.lookup(ip("1.0.0.1")).org, Some("CLOUDFLARENET"));
    assert!(ranges.lookup(ip("1.0.2.1")).is_empty());
}

/// Numbers that are nowhere are told when a file is opened, and named when it is verified or imported.
#[test]
fn broken_degrees_are_told() {
    let odd = json!({"country": {"iso_code": "US"}, "location": {"latitude": 1e300, "longitude": 9.5}});
    let sound = json!({"city": {"names": {"en": "Kiel"}}, "location": {"latitude": 54.3, "longitude": 10.1}});
    let geo = opened(&[("a.mmdb", mmdb(&[("8.8.8.0/24", odd), ("9.9.9.0/24", sound)]))]).unwrap();
    let database = &geo.databases()[0];
    assert_eq!(database.flaws().records, 1);
    let why = database.verify().unwrap_err();
    assert!(why.starts_with("1 record is invalid: 8.8.8.0/24: "), "{why}");
    assert!(database.examine(9, true).unwrap().unused.is_empty());
}

#[test]
fn bad_rows_are_named_by_their_line() {
    for (text, words) in [
        ("", "it has no rows"),
        ("start,end,country\n", "it has no rows"),
        ("1.0.0.0,1.0.0.255,AU\n1.0.1.0,x,AU\n", "line 2: \"x\" is not an IP address"),
        ("1.0.0.0,1.0.0.255,AU\n1.0.1.9,1.0.1.0,AU\n", "line 2: 1.0.1.9 comes after 1.0.1.0"),
        (
            "1.0.0.0,1.0.0.255,AU\n1.0.1.0,::1,AU\n",
            "line 2: 1.0.1.0 and ::1 are of different address families",
        ),
        ("1.0.0.0,1.0.0.255,AU\n\n\n1.0.1.0,1.0.1.9\n", "line 4: 2 columns, where the rows before have 3"),
        ("1.0.0.0,1.0.0.255,Australia\n", "line 1: \"Australia\" is not a two-letter country code"),
        ("1.0.0.0,1.0.0.255,13335\n", "line 1: an unknown layout of 3 columns"),
        ("1.0.0.0,1.0.0.255,7,A\n1.0.1.0,1.0.1.9,x,A\n", "line 2: \"x\" is not an AS number"),
        ("1.0.0.0,1.0.0.9,EU,DE,A,B,91,0\n", "line 1: \"91\", \"0\" are not valid coordinates"),
    ] {
        let error = csv(text).unwrap_err().to_string();
        assert!(error.starts_with(words), "{text:?}: {error}");
    }
}

#[test]
fn ranges_need_no_order_and_gaps_know_nothing() {
    let text = "9.0.0.0,9.0.0.9,DE\n1.0.0.0,1.0.0.0,AU\n1.0.0.1,1.0.0.1,AU\n255.255.255.0,255.255.255.255,US\n0.0.0.0,0.0.0.1,FR\n";
    let (ranges, about) = Ranges::new(csv(text).unwrap().0).unwrap();
    assert_eq!((about.kind.raw(), ranges.count()), ("country", 7));
    for (address, country) in [
        ("0.0.0.1", Some("FR")),
        ("0.0.0.2", None),
        ("1.0.0.0", Some("AU")),
        ("1.0.0.1", Some("AU")),
        ("1.0.0.2", None),
        ("9.0.0.9", Some("DE")),
        ("9.0.0.10", None),
        ("255.255.255.255", Some("US")),
        ("::1", None),
    ] {
        assert_eq!(ranges.lookup(ip(address)).country, country, "{address}");
    }
}

#[test]
fn where_ranges_overlap_the_one_that_begins_later_counts() {
    let text = "1.0.0.0,1.0.0.9,AU\n1.0.0.3,1.0.0.5,DE\n1.0.0.8,1.0.0.12,FR\n1.0.0.8,1.0.0.12,NL\n";
    let (bytes, imported) = csv(text).unwrap();
    assert_eq!((imported.overlaps, imported.first_overlap), (3, Some(2)));
    let (ranges, _) = Ranges::new(bytes).unwrap();
    let found: Vec<&str> =
        (0..14_u8).map(|n| ranges.lookup(IpAddr::from([1, 0, 0, n])).country.unwrap_or("--")).collect();
    assert_eq!(found.join(""), "AUAUAUDEDEDEAUAUNLNLNLNLNL--");
}

proptest! {
    /// The tables against the rule itself.
    #[test]
    fn ranges_are_found_as_they_were_written(rows in proptest::collection::vec((0..40_u8, 0..12_u8, 0..26_u8), 1..24)) {
        let code = |n: u8| char::from(b'A' + n);
        let row = |(first, length, n): &(u8, u8, u8)| format!("1.0.0.{first},1.0.0.{},X{}\n", first + length, code(*n));
        let (bytes, _) = csv(&rows.iter().map(row).collect::<String>()).unwrap();
        let (ranges, _) = Ranges::new(bytes).unwrap();
        for address in 0..60_u8 {
            let covering = rows.iter().enumerate().filter(|(_, (first, length, _))| (*first..=first + length).contains(&address));
            let expected = covering
                .max_by_key(|(line, (first, length, _))| (*first, std::cmp::Reverse(*length), *line))
                .map(|(_, (_, _, n))| format!("X{}", code(*n)));
            prop_assert_eq!(ranges.lookup(IpAddr::from([1, 0, 0, address])).country, expected.as_deref());
        }
    }

    #[test]
    fn no_csv_makes_the_import_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = import(&bytes[..], GeoDatabase::default());
    }

    #[test]
    fn no_row_makes_the_import_panic(rows in proptest::collection::vec("[0-9:.]{0,12},[0-9a-f:.]{0,12},[A-Z0-9\"]{0,4}(,[^,]{0,5}){0,7}", 0..8)) {
        if let Ok((bytes, _)) = import(rows.join("\n").as_bytes(), GeoDatabase::default()) {
            prop_assert!(Ranges::new(bytes).is_ok());
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Ranges::new([&ranges::MAGIC[..], &bytes].concat()).is_err());
    }

    /// Bytes that are changed and given the right checksum: nothing of them can be trusted.
    #[test]
    fn no_damage_makes_a_look_up_panic(changes in proptest::collection::vec((8_usize..400, any::<u8>()), 1..6), address in any::<u128>()) {
        let text = "1.0.0.0,1.0.0.255,OC,AU,Queensland,Brisbane,-27.4,153.0\n2.0.0.0,2.0.0.255,EU,DE,Hamburg,Altona,53.5,9.9\n2a00::,2a00::9,EU,DE,Hamburg,Altona,53.5,9.9\n";
        let (mut bytes, _) = csv(text).unwrap();
        let end = bytes.len() - 32;
        for (at, byte) in changes {
            bytes[at % end] = byte;
        }
        let digest = <sha2::Sha256 as sha2::Digest>::digest(&bytes[..end]);
        bytes[end..].copy_from_slice(&digest);
        if let Ok((ranges, _)) = Ranges::new(bytes) {
            ranges.lookup(IpAddr::from(address.to_be_bytes()));
            ranges.lookup(IpAddr::from((address as u32).to_be_bytes()));
            ranges.lookup(ip("1.0.0.1"));
            ranges.lookup(ip("2a00::1"));
        }
    }

    #[test]
    fn no_damage_to_a_maxmind_file_makes_it_panic(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8), cut in any::<usize>()) {
        let mut bytes = nested();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len().saturating_sub(cut % 64));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        if let Ok(database) = Database::open(file.path()) {
            database.lookup(ip("8.8.8.8"));
            database.lookup(ip("9.9.9.9"));
            let _ = database.verify();
        }
    }
}

/// A look-up has a budget of 2 µs; the test allows for a debug build on a busy machine.
#[test]
fn a_look_up_is_quick() {
    let geo = Geo::embedded();
    let rounds = 20_000_u32;
    let begin = std::time::Instant::now();
    let known =
        (0..rounds).filter(|i| geo.country(IpAddr::from((i * 214_013).to_be_bytes())).is_some()).count();
    let each = begin.elapsed() / rounds;
    assert!(known > 5_000, "{known}");
    assert!(each.as_micros() < 100, "{each:?}");
    eprintln!("a look-up takes {each:?}");
}
