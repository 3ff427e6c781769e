//! `connmon findings` over a made store: what is printed, for whom, and with which exit code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod made;

use std::path::Path;
use std::process::{Command, Output};

use connmon::follow::row_of;
use connmon_detect::{Finding, test_finding};
use connmon_fixtures::golden;
use connmon_record::Timestamp;
use connmon_record::frame::{Frame, ProgramFacts, Start};
use connmon_store::{Store, Writer};
use connmon_track::Tracker;
use made::{SECOND, connection, process};
use serde_json::Value;

/// 2026-11-28T00:00:00Z, when the host began.
const BOOT: i64 = 1_795_824_000 * SECOND as i64;
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");

fn connmon(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_connmon")).args(args).env_remove("CONNMON_CONFIG").output().unwrap()
}

fn printed(args: &[&str]) -> String {
    let output = connmon(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A store with a beacon of an executable in shared memory, one of a time server's client, and one connection of a browser.
fn store(folder: &Path) -> String {
    replayed(folder, &frames())
}

fn frames() -> Vec<Frame> {
    let start = Start { clock_offset_ns: BOOT, ..connmon_fixtures::rows::start(10) };
    let mut frames = vec![Frame::Start(Box::new(start))];
    process(7, "/dev/shm/agent", &mut frames);
    process(8, "/usr/sbin/chronyd", &mut frames);
    process(9, "/usr/lib/firefox/firefox", &mut frames);
    connection(1, 9, 15, (1, 443), "news.example", &mut frames);
    for n in 0..30 {
        connection(2 + 2 * n, 7, 20 + 60 * n, (9, 443), "c2.example", &mut frames);
        connection(3 + 2 * n, 8, 50 + 60 * n, (4, 123), "", &mut frames);
    }
    frames.push(Frame::SweepEnd(2_000 * SECOND));
    frames.push(Frame::End(2_001 * SECOND));
    frames
}

/// The store of a recording.
fn replayed(folder: &Path, frames: &[Frame]) -> String {
    let [capture, db] = ["a.cap", "a.db"].map(|name| folder.join(name).to_str().unwrap().to_owned());
    connmon_fixtures::rows::capture(Path::new(&capture), frames);
    assert!(connmon(&["replay", &capture, "--db", &db]).status.success());
    db
}

#[test]
fn findings_are_listed_the_most_severe_first() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(folder.path());
    let text = printed(&["findings", "--db", &db]);
    golden::compare(Path::new(GOLDEN).join("findings.txt"), &text);
    let severities: Vec<&str> =
        text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase())).collect();
    assert!(severities[0].starts_with("HIGH"), "{text}");

    let json: Value = serde_json::from_str(&printed(&["findings", "--db", &db, "--format", "json"])).unwrap();
    golden::compare(
        Path::new(GOLDEN).join("findings.json"),
        &(serde_json::to_string_pretty(&json).unwrap() + "\n"),
    );
    let found = json["findings"].as_array().unwrap();
    let beacon = found.iter().find(|one| one["detector"] == "D1" && one["host"] == "c2.example").unwrap();
    assert_eq!((&beacon["severity"], &beacon["figures"]["interval_median"]), (&"high".into(), &60.0.into()));

    // The filter of a finding selects its connections.
    let filter = beacon["filter"].as_str().unwrap();
    let rows = printed(&["export", "--db", &db, "--filter", filter]);
    assert_eq!(rows.lines().count() as u64, beacon["connections"].as_u64().unwrap() + 1, "and the last line");
}

/// A connection names the findings whose filter selects it, as `finding:` asks for them, whatever part of the store is asked for.
#[test]
fn exports_name_the_findings_of_each_connection() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(folder.path());
    let rows = |filter: &str| -> Vec<Value> {
        let text = printed(&["export", "--db", &db, "--filter", filter]);
        let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.filter(|row| row.get("trailer").is_none()).collect()
    };
    let ids = |rows: &[Value]| rows.iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>();
    let all = rows("");
    let json: Value = serde_json::from_str(&printed(&["findings", "--db", &db, "--format", "json"])).unwrap();
    for finding in json["findings"].as_array().unwrap() {
        let names = ["id", "detector", "name", "severity"].map(|name| finding[name].as_str().unwrap());
        let is_named = |row: &&Value| {
            row["findings"].as_array().is_some_and(|all| {
                all.iter().any(|one| {
                    ["id", "detector", "name", "severity"].map(|name| one[name].as_str().unwrap()) == names
                })
            })
        };
        let named: Vec<Value> = all.iter().filter(is_named).cloned().collect();
        assert_eq!(ids(&named), ids(&rows(&format!("finding:{}", names[0]))), "{names:?}");
        assert_eq!(named.len() as u64, finding["connections"].as_u64().unwrap(), "{names:?}");
    }
    let [firefox] = &rows("proc:firefox")[..] else { panic!("one connection") };
    assert!(firefox.get("findings").is_none(), "{firefox}");
    let csv = printed(&["export", "--db", &db, "--format", "csv", "--filter", "proc:agent"]);
    let mut lines = csv.lines();
    assert!(lines.next().unwrap().ends_with(",netns,findings"));
    assert!(lines.all(|line| line.contains("beacon D1-") && line.contains("odd-executable D4-")), "{csv}");
}

/// To find all that is new takes as long as to read it, and the recorder is at it.
#[test]
fn an_export_while_something_is_recorded_names_what_the_recorder_has_found() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("a.db");
    let mut tracker = Tracker::default();
    frames()
        .into_iter()
        .filter(|frame| !matches!(frame, Frame::End(_)))
        .for_each(|frame| tracker.feed(frame));
    let mut writer = Writer::open(&db).unwrap();
    writer.write(&tracker.take()).unwrap();
    let finding = Finding { evidence: "proc:firefox".into(), ..test_finding(Timestamp(BOOT)) };
    writer.put_findings(&[row_of(&finding)], &[], None).unwrap();
    let named = |filter| {
        let text = printed(&["export", "--db", db.to_str().unwrap(), "--filter", filter]);
        let row: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        row["findings"][0]["id"].as_str().map(str::to_owned)
    };
    assert_eq!(named("proc:firefox"), Some(finding.id.clone()));
    assert_eq!(named("proc:agent"), None);
    drop(writer);
    assert_eq!(named("proc:firefox"), None, "nobody records: what is found in all of it");
    assert!(named("proc:agent").is_some());
}

#[test]
fn options_choose_among_findings() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(folder.path());
    let count = |args: &[&str]| {
        let text = printed(&[&["findings", "--db", &db, "--format", "json"], args].concat());
        serde_json::from_str::<Value>(&text).unwrap()["findings"].as_array().unwrap().len()
    };
    let all = count(&[]);
    assert_eq!(count(&["--severity", "high"]), 2);
    assert_eq!(all, 3);
    assert_eq!(count(&["--since", "2026-11-28T00:29:30Z"]), 1, "the others were last seen before");
    assert_eq!(count(&["--filter", "proc:chronyd"]), 1);
    assert_eq!(count(&["--policy", "count>20/1h proc:chronyd"]), 4);
    assert_eq!(count(&["--policy", "count>40/1h proc:chronyd"]), 3);
    // Nothing to show is exit code 1, a mistake 2.
    let code = |args: &[&str]| connmon(&[&["findings", "--db", &db], args].concat()).status.code();
    assert_eq!(code(&["--filter", "proc:firefox"]), Some(1));
    assert_eq!(code(&["--until", "2026-11-28T00:00:12Z"]), Some(1));
    assert_eq!(code(&["--filter", "proc:("]), Some(2));
    assert_eq!(code(&["--policy", "many"]), Some(2));
    assert_eq!(connmon(&["findings", "--db", "/nowhere.db"]).status.code(), Some(2));
}

#[test]
fn each_detector_explains_itself() {
    let text = printed(&["findings", "explain", "beacon"]);
    assert_eq!(text, printed(&["findings", "explain", "d1"]));
    for part in ["D1  Connections at regular times", "Bowley", "innocent", "refuted"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let all = printed(&["findings", "explain"]);
    assert!(all.contains(text.lines().next().unwrap()) && all.contains("D11  "), "{all}");
    let none = connmon(&["findings", "explain", "D99"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("no detector D99"));
}

/// The package manager of a mounted image knows whom executables belong to.
#[test]
fn packages_tell_ordinary_programs_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(folder.path());
    let info = folder.path().join("root/var/lib/dpkg/info");
    std::fs::create_dir_all(&info).unwrap();
    let severity = |list: &str| {
        std::fs::write(info.join("chrony.list"), list).unwrap();
        let root = folder.path().join("root");
        let args = ["findings", "--db", &db, "--format", "json", "--filter", "proc:chronyd", "--packages"];
        let json: Value =
            serde_json::from_str(&printed(&[&args[..], &[root.to_str().unwrap()]].concat())).unwrap();
        let found = json["findings"].as_array().unwrap();
        let beacon = found.iter().find(|one| one["detector"] == "D1").unwrap();
        (beacon["severity"].as_str().unwrap().to_owned(), beacon["package"].clone())
    };
    assert_eq!(severity("/usr/sbin/chronyd\n"), ("info".to_owned(), "chrony".into()));
    assert_eq!(
        severity("/usr/sbin/other\n"),
        ("high".to_owned(), Value::Null),
        "nobody's, to an address without a name"
    );
}

/// An executable that is not the file that its package has is told, as long as it is still the one that was recorded.
#[test]
fn an_executable_is_compared_with_its_package() {
    // Of "y" with a line break.
    const SHA256: &str = "3bb2abb69ebb27fbfe63c7639624c6ec5e331b841a5bc8c3ebc10b9285e90877";
    const MD5: &str = "009520053b00386d1173f3988c55d192";
    let folder = tempfile::tempdir().unwrap();
    let start = Start { clock_offset_ns: BOOT, ..connmon_fixtures::rows::start(10) };
    let mut frames = vec![Frame::Start(Box::new(start))];
    process(8, "/usr/sbin/chronyd", &mut frames);
    let facts = ProgramFacts {
        tgid: 8,
        start_ns: 8,
        since_ns: 8,
        deleted: false,
        sha256: Ok(SHA256.to_owned()),
        container_name: None,
        container_image: None,
    };
    frames.push(Frame::Program(facts));
    connection(1, 8, 15, (4, 123), "", &mut frames);
    frames.push(Frame::SweepEnd(20 * SECOND));
    frames.push(Frame::End(21 * SECOND));
    let db = replayed(folder.path(), &frames);
    let root = folder.path().join("root");
    let info = root.join("var/lib/dpkg/info");
    std::fs::create_dir_all(&info).unwrap();
    std::fs::create_dir_all(root.join("usr/sbin")).unwrap();
    std::fs::write(info.join("chrony.list"), "/usr/sbin/chronyd\n").unwrap();
    let found = |digest: &str, content: &str| {
        std::fs::write(info.join("chrony.md5sums"), format!("{digest}  usr/sbin/chronyd\n")).unwrap();
        std::fs::write(root.join("usr/sbin/chronyd"), content).unwrap();
        let args = ["findings", "--db", &db, "--severity", "low", "--packages", root.to_str().unwrap()];
        String::from_utf8(connmon(&args).stdout).unwrap()
    };
    let told = found("00", "y\n");
    assert!(!told.contains("odd"), "no digest that is known: {told}");
    let told = found(&"0".repeat(32), "y\n");
    assert!(told.contains("/usr/sbin/chronyd is not the file that its package has"), "{told}");
    for (digest, content) in [(MD5.to_owned(), "y\n"), ("0".repeat(32), "z\n")] {
        let told = found(&digest, content);
        assert!(!told.contains("not the file"), "{told}");
    }
}

#[test]
fn what_was_acknowledged_is_listed_last() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(folder.path());
    let found = |args: &[&str]| -> Vec<Value> {
        let text = printed(&[&["findings", "--db", &db, "--format", "json"], args].concat());
        serde_json::from_str::<Value>(&text).unwrap()["findings"].as_array().unwrap().clone()
    };
    let first = found(&[])[0]["id"].as_str().unwrap().to_owned();
    let note = "ours\u{1b}[2J";
    let done = connmon(&["ack", &first.to_lowercase(), "--by", "mira", "--note", note, "--db", &db]);
    let words = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(0), "{words}");
    assert!(
        words.contains(&format!("{first} is acknowledged by mira")) && !words.contains('\u{1b}'),
        "{words}"
    );
    let all = found(&[]);
    let known = all.last().unwrap();
    assert_eq!((&known["id"], &known["acknowledged"]["by"]), (&first.clone().into(), &"mira".into()));
    assert_eq!(known["acknowledged"]["note"], "ours\\u{1b}[2J");
    assert!(all.iter().filter(|one| !one["acknowledged"].is_null()).count() == 1);
    let text = printed(&["findings", "--db", &db]);
    assert!(text.contains("  seen by  mira, ") && text.contains(": ours\\u{1b}[2J"), "{text}");
    // A finding that is not there is an error.
    let none = connmon(&["ack", "D1-0000000000", "--db", &db]);
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("has no finding D1-0000000000"));
}

#[test]
fn a_filter_can_ask_for_the_connections_of_findings() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(folder.path());
    let count = |filter: &str| {
        let rows = printed(&["export", "--db", &db, "--format", "csv", "--filter", filter]);
        rows.lines().count() - 1
    };
    assert_eq!(count("finding:beacon"), 60);
    assert_eq!(count("severity>low"), 30);
    assert_eq!(count("finding:beacon severity:info"), 30);
    assert_eq!(count("-severity:high"), 31);
    let audit = printed(&["audit", "--db", &db, "--filter", "finding:d4", "--format", "csv"]);
    assert!(audit.contains("/dev/shm/agent") && !audit.contains("chronyd"), "{audit}");
    let told = |args: &[&str]| String::from_utf8(connmon(args).stderr).unwrap();
    let said = told(&["export", "--db", &db, "--filter", "proc:agent severity:hihg"]);
    assert!(said.contains("column 21") && said.contains("did you mean `high`"), "{said}");
    let said = told(&["replay", "/nowhere.cap", "--db", &db, "--filter", "finding:beacon"]);
    assert!(said.contains("only known of a store"), "{said}");
    // Its time is that of the rows; the same findings are asked for in a report.
    let report = folder.path().join("a.json").to_str().unwrap().to_owned();
    assert!(
        connmon(&["report", "--db", &db, "--filter", "severity:high", "--out", &report]).status.success()
    );
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(json["totals"]["connections"], 30);
}

#[test]
fn other_tools_get_findings_in_their_own_form() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(folder.path());
    let lines = |format: &str| -> Vec<Value> {
        let text = printed(&["findings", "--db", &db, "--format", format]);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let ecs = lines("ecs");
    assert_eq!(ecs.len(), 3);
    assert_eq!((&ecs[0]["event"]["kind"], &ecs[0]["event"]["severity"]), (&"alert".into(), &73.into()));
    assert_eq!((&ecs[0]["rule"]["name"], &ecs[0]["host"]["name"]), (&"beacon".into(), &"host".into()));
    assert_eq!(ecs[0]["destination"]["domain"], "c2.example");
    assert_eq!(ecs[0]["connmon"]["finding"]["figures"]["interval_median"], 60.0);

    let ocsf = lines("ocsf");
    let first = &ocsf[0];
    assert_eq!(
        (&first["class_uid"], &first["type_uid"], &first["severity_id"]),
        (&2004.into(), &200_401.into(), &4.into())
    );
    assert_eq!(first["finding_info"]["uid"], ecs[0]["event"]["id"]);
    assert_eq!(first["time"], 1_795_825_761_000_i64);
    assert_eq!(first["observables"][0]["value"], "c2.example");

    let bundle: Value =
        serde_json::from_str(&printed(&["findings", "--db", &db, "--format", "stix"])).unwrap();
    let objects = bundle["objects"].as_array().unwrap();
    let of = |kind: &str| objects.iter().filter(|one| one["type"] == kind).collect::<Vec<_>>();
    assert_eq!((of("identity").len(), of("indicator").len(), of("sighting").len()), (1, 3, 3));
    let (indicator, sighting) = (of("indicator")[0], of("sighting")[0]);
    // Without its hash the executable is recognised by its path.
    let file = "[file:name = 'agent' AND file:parent_directory_ref.path = '/dev/shm']";
    assert_eq!(indicator["pattern"], format!("{file} AND [domain-name:value = 'c2.example']"));
    assert_eq!((&sighting["sighting_of_ref"], &sighting["count"]), (&indicator["id"], &30.into()));
    assert_eq!(sighting["first_seen"], "2026-11-28T00:00:20.000Z");
    for one in objects {
        let id = one["id"].as_str().unwrap();
        let (kind, uuid) = id.split_once("--").unwrap();
        assert_eq!(kind, one["type"].as_str().unwrap());
        let version =
            (uuid.len(), uuid.as_bytes()[14], [b'8', b'9', b'a', b'b'].contains(&uuid.as_bytes()[19]));
        assert_eq!(version, (36, b'5', true), "{id}");
    }
    let again: Value =
        serde_json::from_str(&printed(&["findings", "--db", &db, "--format", "stix"])).unwrap();
    assert_eq!(again, bundle, "ids are those of the findings");
}

#[test]
fn what_is_kept_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let db = store(folder.path());
    let state = || Store::open(Path::new(&db)).unwrap().finding_state().unwrap();
    let json = ["findings", "--db", &db, "--format", "json"];
    let before = printed(&json);
    assert!(state().is_none(), "who only reads writes nothing");
    assert_eq!(printed(&[&json[..], &["--keep"]].concat()), before);
    assert!(state().is_some());
    assert_eq!(printed(&json), before);
    // Nobody but the recorder writes into a store in use.
    let writer = Writer::open(Path::new(&db)).unwrap();
    let refused = connmon(&["findings", "--db", &db, "--keep"]);
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    drop(writer);
}
