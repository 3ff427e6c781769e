//! Lists to the letter as their publishers write them, and where in them is what is not matched.

use super::*;

/// The indicators, and each text that is none, with its place.
fn read_all(text: &str) -> (String, Vec<String>) {
    let list = list("x", text).unwrap();
    let each: Vec<String> = list.indicators.iter().map(Indicator::to_string).collect();
    let skipped = list.skipped.each().iter().map(|it| format!("{}: {}: {}", it.place, it.reason, it.text));
    (each.join(" "), skipped.collect())
}

/// ThreatFox names its columns in a comment, has a blank behind each comma, and commas within quotes. A name of malware is no
/// host, a report is no indicator.
#[test]
fn a_blank_before_a_quote() {
    let text = format!(
        "################\r\n# ThreatFox IOCs: \"recent\" #\r\n#\r\n\
         # \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"fk_malware\",\"reference\",\"tags\"\r\n\
         \"2026-11-26 09:00:03\", \"16\", \"192.0.2.8:7000\", \"ip:port\", \"win.cab\", \"None\", \"a,b\"\r\n\
         \"2026-11-26 09:00:03\", \"17\", \"{}\", \"md5_hash\", \"win.rs\", \"https://report.example/x\", \"a, \"\"b\"\"\"\r\n\
         # a remark\r\n\
         \r\n\
         \"2026-11-26 09:00:03\", \"18\", \"c2.example\", \"domain\", \"win.x\", \"https://report.example/y\", \"x\"\r\n\
         \"2026-11-26 09:00:03\", \"19\", \"a@b.example\", \"email\", \"win.x\", \"\", \"x\"\r\n\
         # END\r\n",
        "d".repeat(32),
    );
    let skipped = [
        format!("line 6, column 3: hashes other than SHA-256: {}", "d".repeat(32)),
        "line 10, column 3: email addresses: a@b.example".to_owned(),
    ];
    let expected = ("192.0.2.8:7000 c2.example".to_owned(), skipped.to_vec());
    assert_eq!(read_all(&text), expected);
    assert_eq!(read_all(&text.replace("\r\n", "\n")), expected);
    assert_eq!(read_all(&text.replace(", \"", ",   \"")).0, expected.0);
}

/// What a hosts file says of the host itself, and what has a zone.
#[test]
fn a_hosts_file_from_its_first_line() {
    let text = "fe80::1%lo0 localhost\nff02::3 ip6-allhosts\n0.0.0.0 0.0.0.0\n0.0.0.0 a.example # x\n::1 ip6-loopback\n\
                :: b.example\n127.0.0.1 c.example d.example\n";
    let (indicators, skipped) = read_all(text);
    assert_eq!(indicators, "a.example b.example c.example d.example");
    let lines: Vec<&str> =
        skipped.iter().filter_map(|it| it.split_once(": names of the host itself")).map(|it| it.0).collect();
    assert_eq!(lines, ["line 1", "line 2", "line 3", "line 5"]);
    let (indicators, skipped) = read_all("fe80::1%eth0\n10.2.0.0/16-10.3.0.0/16\n");
    assert_eq!(indicators, "fe80::1");
    assert_eq!(skipped.len(), 1, "{skipped:?}");
}
