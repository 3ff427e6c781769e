//! `connmon geo` as it is typed: adding databases, what goes wrong, and what a recording then says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

const CITIES: &str = "8.8.8.0,8.8.8.255,NA,US,California,Mountain View,37.422,-122.085\n\
    2001:4860::,2001:4860:ffff:ffff:ffff:ffff:ffff:ffff,NA,US,California,Mountain View,37.422,-122.085\n";
const NETWORKS: &str = "8.8.8.0,8.8.8.255,15169,\"Example, LLC\"\n";

fn connmon(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connmon"));
    command.args(args).current_dir(folder).env("CONNMON_GEO_DIR", folder.join("geo")).output().unwrap()
}

fn done(folder: &Path, args: &[&str]) -> String {
    let output = connmon(folder, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The one sentence of a failure.
fn refused(folder: &Path, args: &[&str]) -> String {
    let output = connmon(folder, args);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {words}");
    let sentence = words.lines().last().unwrap().to_owned();
    assert!(sentence.starts_with("connmon: "), "{args:?}: {words}");
    sentence
}

/// The names in the data folder.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder.join("geo")) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn import_then_status_and_lookup() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("dbip-city-lite-2026-06.csv"), CITIES).unwrap();
    fs::write(folder.join("networks.csv"), NETWORKS).unwrap();
    done(folder, &["geo", "import", "dbip-city-lite-2026-06.csv"]);
    done(folder, &["geo", "import", "networks.csv", "--date", "2026-06-17", "--licence", "ours"]);
    assert_eq!(names(folder), ["dbip-city-lite-2026-06.cgeo", "networks.cgeo"]);

    let status: Value =
        serde_json::from_str(&done(folder, &["geo", "status", "--verify", "--format", "json"])).unwrap();
    let first = &status["databases"][0];
    assert_eq!(
        (&first["kind"], &first["date"], &first["licence"]),
        (&"city".into(), &"2026-06-01".into(), &"CC BY 4.0".into())
    );
    assert_eq!(status["databases"][1]["licence"], "ours");
    assert_eq!(status["databases"][2]["registered_only"], true);
    let text = done(folder, &["geo", "status"]);
    assert!(
        text.contains("IP Geolocation by DB-IP (db-ip.com)")
            && text.contains("in which a network is registered"),
        "{text}"
    );

    let text = done(folder, &["geo", "lookup", "8.8.8.8", "2001:4860::1", "10.1.2.3"]);
    for words in
        ["Mountain View", "37.4220°", "AS15169", "Example, LLC", "networks 2026-06-17", "10.1.2.3  private"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let found: Value =
        serde_json::from_str(&done(folder, &["geo", "lookup", "8.8.8.8", "--format", "json"])).unwrap();
    let address = &found["addresses"][0];
    assert_eq!((&address["asn"], &address["city"]), (&15_169.into(), &"Mountain View".into()));
    assert_eq!(address["from"]["org"], "networks 2026-06-17");

    // Again: the file before is kept, and is no database of its own.
    fs::write(folder.join("networks.csv"), "9.9.9.0,9.9.9.255,19281,Other\n").unwrap();
    done(folder, &["geo", "import", "networks.csv"]);
    assert_eq!(names(folder), ["dbip-city-lite-2026-06.cgeo", "networks.cgeo", "networks.cgeo.old"]);
    assert!(done(folder, &["geo", "lookup", "9.9.9.9"]).contains("AS19281"));
    assert!(!done(folder, &["geo", "lookup", "8.8.8.8"]).contains("AS15169"));
}

#[test]
fn what_a_table_has_besides_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("a.csv"), "network,join_key,country\n8.8.8.0/24,x,DE\n9.9.9.0/24,x,\u{1b}[2J\n")
        .unwrap();
    let words = |args: &[&str]| String::from_utf8(connmon(folder, args).stderr).unwrap();
    let short = words(&["geo", "import", "a.csv"]);
    assert!(short.contains("1 value not understood; the first: line 3: "), "{short}");
    let long = words(&["geo", "import", "a.csv", "--explain"]);
    assert!(
        long.contains("not understood: line 3: ") && long.contains("not used: column 2: join_key"),
        "{long}"
    );
    assert!(!long.contains('\u{1b}'), "{long}");
    assert!(done(folder, &["geo", "lookup", "8.8.8.8"]).contains("Germany"));
}

#[test]
fn what_is_of_no_use_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("good.csv"), NETWORKS).unwrap();
    fs::write(folder.join("bad.csv"), format!("{NETWORKS}8.8.9.0,8.8.9.x,1,Two\n")).unwrap();
    fs::write(folder.join("none.mmdb"), b"\0nothing").unwrap();
    fs::write(folder.join("two.zip"), b"PK\x03\x04,\0").unwrap();
    done(folder, &["geo", "import", "good.csv"]);
    let before = fs::read(folder.join("geo/good.cgeo")).unwrap();
    for (args, words) in [
        (
            &["geo", "import", "bad.csv", "--name", "good"][..],
            "bad.csv cannot be imported: line 2: \"8.8.9.x\" is not an IP address",
        ),
        (&["geo", "import", "missing.csv"], "missing.csv cannot be read"),
        (&["geo", "import", "none.mmdb"], "is not a geo database that connmon can read"),
        (&["geo", "import", "two.zip"], "two.zip is an archive"),
        (&["geo", "import", "good.csv", "--name", "../x"], "--name ../x"),
        (&["geo", "import", "good.csv", "--date", "today"], "--date today: not a valid date"),
        (&["geo", "fetch", "ftp://example.org/x"], "is neither an http or https URL nor one of"),
        (&["geo", "fetch", "http://127.0.0.1:1/x.csv", "--sha256", "12"], "a SHA-256 has 64"),
        (&["geo", "fetch", "http://127.0.0.1:1/x.csv"], "http://127.0.0.1:1/x.csv cannot be fetched"),
        (&["geo", "lookup", "8.8.8.8", "--geo-db", "none.mmdb"], "none.mmdb is not a geo database"),
        (&["geo", "status", "--geo-dir", "good.csv"], "the folder of geo databases good.csv cannot be read"),
        (&["geo", "status", "--geo-dir", "nowhere"], "the folder of geo databases nowhere cannot be read"),
    ] {
        let sentence = refused(folder, args);
        assert!(sentence.contains(words), "{args:?}: {sentence}");
    }
    assert_eq!(names(folder), ["good.cgeo"]);
    assert_eq!(fs::read(folder.join("geo/good.cgeo")).unwrap(), before);
}

/// Answers one request with this, and gives its address.
fn serve(head: &'static str, content: Vec<u8>, name: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/{name}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        let length = content.len();
        let _ = write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(&content);
    });
    url
}

#[test]
fn fetch_takes_what_was_expected_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(CITIES.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let digest: String = Sha256::digest(&packed).iter().map(|byte| format!("{byte:02X}")).collect();
    let served = || serve("200 OK", packed.clone(), "dbip-city-lite-2026-06.csv.gz?key=1");

    let sentence = refused(folder, &["geo", "fetch", &served(), "--sha256", &"0".repeat(64)]);
    assert!(sentence.contains("is not what was expected: its SHA-256 is"), "{sentence}");
    let sentence = refused(folder, &["geo", "fetch", &serve("404 Not Found", Vec::new(), "x.csv")]);
    assert!(sentence.contains("404"), "{sentence}");
    let large = serve("200 OK", vec![b','; (1 << 20) + 1], "x.csv");
    let sentence = refused(folder, &["geo", "fetch", &large, "--max-size", "1"]);
    assert!(sentence.contains("x.csv has more than 1.00"), "{sentence}");
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(&vec![b','; 2 << 20]).unwrap();
    let bomb = serve("200 OK", bomb.finish().unwrap(), "x.csv.gz");
    let sentence = refused(folder, &["geo", "fetch", &bomb, "--max-size", "1"]);
    assert!(sentence.contains("when it is unpacked"), "{sentence}");
    assert!(names(folder).is_empty());

    let output = connmon(folder, &["geo", "fetch", &served(), "--sha256", &digest]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && words.contains(&digest.to_lowercase()), "{words}");
    assert_eq!(names(folder), ["dbip-city-lite-2026-06.cgeo"]);
    assert!(done(folder, &["geo", "lookup", "8.8.8.8"]).contains("Mountain View"));
}

#[test]
fn a_report_names_the_databases_and_the_place_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("dbip-city-lite-2026-06.csv"), CITIES).unwrap();
    done(folder, &["geo", "import", "dbip-city-lite-2026-06.csv"]);
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/mixed.cap");
    let capture = capture.to_str().unwrap();
    done(folder, &["replay", capture, "--db", "a.db", "--location", "53.55,-9.99"]);
    let page = done(folder, &["report", "--db", "a.db", "--out", "-"]);
    for words in [
        "IP Geolocation by DB-IP (db-ip.com), CC BY 4.0",
        "dbip-city-lite-2026-06 2026-06-01",
        "from this host’s location: this host (configured)",
        "in which a network is registered",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let trailer = done(folder, &["export", "--db", "a.db"]);
    let trailer: Value = serde_json::from_str(trailer.lines().last().unwrap()).unwrap();
    assert_eq!(trailer["trailer"]["geo"]["databases"][1]["registered_only"], true);
    done(folder, &["report", "--db", "a.db", "--out", "b.html", "--location", "-33.9,151.2"]);

    let sentence = refused(folder, &["replay", capture, "--db", "b.db", "--location", "north"]);
    assert!(sentence.contains("--location north: not a valid location"), "{sentence}");
    let sentence = refused(folder, &["replay", capture, "--db", "b.db", "--geo-db", "a.db"]);
    assert!(sentence.contains("a.db is not a geo database"), "{sentence}");
    assert!(!folder.join("b.db").exists(), "nothing is begun with a broken database");
}
