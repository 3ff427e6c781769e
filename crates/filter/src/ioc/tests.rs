//! Lists as they are published, and as nobody should write them.

use std::net::IpAddr;

use proptest::prelude::*;

mod published;

use super::*;
use crate::{FilterProcess, FilterRow};
use connmon_record::Timestamp;

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn list(name: &str, text: &str) -> Result<List, IocError> {
    read(name, text.as_bytes(), Some(Timestamp(7)))
}

/// The indicators of a list, and what it has besides.
fn parts(text: &str) -> (&'static str, String, String) {
    let list = list("x", text).unwrap();
    let each: Vec<String> = list.indicators.iter().map(Indicator::to_string).collect();
    (list.format.name(), each.join(" "), list.skipped.words())
}

#[test]
fn indicators_are_read_as_people_write_them() {
    let hash = HASH.to_ascii_uppercase();
    for (text, expected) in [
        ("192.0.2.1", Some("address 192.0.2.1")),
        (" \"192.0.2[.]1\" ", Some("address 192.0.2.1")),
        ("192(.)0.2[dot]1", Some("address 192.0.2.1")),
        ("::ffff:192.0.2.1", Some("address 192.0.2.1")),
        ("2001:db8::1", Some("address 2001:db8::1")),
        ("192.0.2.77/24", Some("network 192.0.2.0/24")),
        ("192.0.2.1:443", Some("address 192.0.2.1:443")),
        ("[2001:db8::1]:443", Some("address [2001:db8::1]:443")),
        ("Evil[.]Example.", Some("name evil.example")),
        ("*.evil.example", Some("name evil.example")),
        ("evil.example:8443", Some("name evil.example:8443")),
        ("hxxps://evil[.]example/a?b=c", Some("url https://evil.example/a?b=c")),
        ("hXXp[://]198.51.100.1:8080/x", Some("url http://198.51.100.1:8080/x")),
        ("http://user:pw@evil.example", Some("url http://user:pw@evil.example")),
        ("evil.example/gate.php", Some("url evil.example/gate.php")),
        (HASH, Some(&*format!("sha256 {HASH}"))),
        (&hash, Some(&*format!("sha256 {HASH}"))),
        ("localhost", None),
        ("com", None),
        ("1.2.3", None),
        ("1.2.3.4.5", None),
        ("192.0.2.1/33", None),
        ("evil.example:0", None),
        ("d41d8cd98f00b204e9800998ecf8427e", None),
        ("a..b", None),
        ("-", None),
        ("", None),
        ("javascript://", None),
    ] {
        let read = Indicator::parse(text).map(|it| format!("{} {it}", it.kind().name()));
        assert_eq!(read.as_deref(), expected, "{text}");
    }
}

#[test]
fn text_and_tables() {
    let text = "# list\n192.0.2.1\n;\n10.0.0.0/8 # ours\nevil.example some words\n0.0.0.0 ads.example\n\
        ||tracker.example^\nnonsense\n";
    assert_eq!(
        parts(text),
        (
            "text",
            "192.0.2.1 10.0.0.0/8 evil.example ads.example tracker.example".into(),
            "lines that are not an indicator (1)".into()
        )
    );
    // The columns of abuse.ch's lists.
    let feodo = "# comment\n\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"malware\"\n\"2021-01-17 07:44:46\",\"192.0.2.9\",\"4643\",\"x.example\"\n";
    assert_eq!(parts(feodo), ("csv", "192.0.2.9".into(), String::new()));
    let threatfox = "# comment, with a comma\n# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\"\n\
        \"2024-01-01\", \"1\", \"192.0.2.9:443\", \"ip:port\"\n\"2024-01-01\", \"2\", \"d41d8cd98f00b204e9800998ecf8427e\", \"md5_hash\"\n";
    assert_eq!(parts(threatfox), ("csv", "192.0.2.9:443".into(), "hashes other than SHA-256 (1)".into()));
    assert_eq!(
        parts("a;b;192.0.2.1\nc;evil.example;d\ne;f;g\n"),
        ("csv", "192.0.2.1 evil.example".into(), "rows without an indicator (1)".into())
    );
    // A table's line in a text: what cannot be a file's name.
    assert_eq!(
        parts("evil.example\nevil.zip,203.0.113.1\n192.0.2.1\nsome words, see bad.example\n"),
        ("text", "evil.example 203.0.113.1 192.0.2.1".into(), "lines that are not an indicator (1)".into())
    );
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let wide = read("x", &utf16("\u{feff}ip\tnote\r\n192.0.2.1\tä\r\n"), None).unwrap();
    assert_eq!((wide.format, wide.about.indicators), (Format::Csv, 1));
    assert_eq!(parts("\u{feff}192.0.2.1\r\n"), ("text", "192.0.2.1".into(), String::new()));
    assert_eq!(parts(""), ("text", String::new(), String::new()));
    assert!(matches!(list("x", "no\nindicator\n"), Err(IocError::Nothing(_))));
}

#[test]
fn stix() {
    let bundle = format!(
        r#"{{"type": "bundle", "id": "bundle--1", "objects": [
        {{"type": "indicator", "pattern_type": "stix", "pattern": "[ipv4-addr:value = '192.0.2.1']", "modified": "2026-01-02T03:04:05.678Z"}},
        {{"type": "indicator", "pattern": "[file:hashes.'SHA-256' = '{HASH}']", "modified": "2026-01-01T00:00:00Z"}},
        {{"type": "indicator", "pattern_type": "yara", "pattern": "rule x {{}}"}},
        {{"type": "indicator", "pattern": "[domain-name:value = 'old.example']", "revoked": true}},
        {{"type": "indicator", "pattern": "[process:name = 'x']"}},
        {{"type": "indicator", "pattern": "[ipv4-addr:value = '192.0.2.9'] FOLLOWEDBY [ipv4-addr:value = '192.0.2.8']"}},
        {{"type": "indicator", "pattern": "what"}},
        {{"type": "malware", "name": "x"}}, {{"type": 5}}, 7]}}"#
    );
    let (format, indicators, skipped) = parts(&bundle);
    assert_eq!((format, indicators.as_str()), ("stix", &*format!("192.0.2.1 {HASH}")));
    assert_eq!(
        skipped,
        "indicators that are revoked (1), indicators with patterns in another language than STIX (1), \
         objects that cannot be read (2), patterns of what connmon does not match (1), patterns that cannot be read (1), \
         patterns that need more than one connection (1)"
    );
    let date = list("x", &bundle).unwrap().about.date.unwrap();
    assert_eq!(date.to_string(), "2026-01-02T03:04:05.678000000Z");
}

#[test]
fn misp() {
    let event = format!(
        r#"{{"Event": {{"date": "2026-01-02", "timestamp": "1767323045", "Attribute": [
        {{"type": "ip-dst", "value": "192.0.2.1", "to_ids": true}},
        {{"type": "ip-dst|port", "value": "192.0.2.2|443"}},
        {{"type": "domain|ip", "value": "evil.example|192.0.2.3"}},
        {{"type": "filename|sha256", "value": "a|b.exe|{HASH}"}},
        {{"type": "ip-src", "value": "8.8.8.8", "to_ids": false}},
        {{"type": "hostname", "value": "x", "to_ids": true}},
        {{"type": "md5", "value": "d41d8cd98f00b204e9800998ecf8427e"}},
        {{"type": "domain", "value": "gone.example", "deleted": true}}, 5],
        "Object": [{{"name": "file", "Attribute": [{{"type": "hostname", "value": "c2.example"}}]}}]}}}}"#
    );
    let expected = "192.0.2.1 192.0.2.2:443 evil.example 192.0.2.3 c2.example";
    for text in [event.clone(), format!("[{event}]"), format!("{{\"response\": [{event}]}}")] {
        let (format, indicators, skipped) = parts(&text);
        assert_eq!((format, indicators.as_str()), ("misp", expected));
        assert!(skipped.contains("attributes not for detection (to_ids) (1)"), "{skipped}");
        assert!(skipped.contains("attributes of types that connmon does not match (1)"), "{skipped}");
        assert!(skipped.contains("attributes whose value is not an indicator (2)"), "{skipped}");
        assert_eq!(list("x", &text).unwrap().about.date, Some(Timestamp(1_767_323_045_000_000_000)));
    }
    let search = r#"{"response": {"Attribute": [{"type": "ip-dst", "value": "192.0.2.1"}]}}"#;
    assert_eq!(parts(search).1, "192.0.2.1");
    for other in ["{}", "[]", "[[7]]", "{\"type\": \"report\"}"] {
        assert_eq!(list("x", other).unwrap_err(), IocError::OtherJson, "{other}");
    }
    assert!(matches!(list("x", "{\"Event\":"), Err(IocError::Json(_))));
    let deep = format!("{{\"type\":\"bundle\",\"objects\":{}", "[".repeat(100_000));
    assert!(matches!(list("x", &deep), Err(IocError::Json(_))));
}

fn row<'a>(ip: &str, hosts: &[&'a str], hashes: &[&'a str]) -> FilterRow<'a> {
    FilterRow {
        remote: ip.parse().unwrap(),
        hosts: hosts.iter().map(|host| (*host).into()).collect(),
        processes: hashes
            .iter()
            .map(|hash| FilterProcess { sha256: Some((*hash).into()), ..FilterProcess::default() })
            .collect(),
        ..FilterRow::default()
    }
}

#[test]
fn matching() {
    let one = list(
        "one",
        &format!("192.0.2.1\n192.0.2.0/24\nevil.example\nhttp://files.example/a\n{HASH}\n198.51.100.1:443\n"),
    )
    .unwrap();
    let two = list("two", "192.0.2.1\n0.0.0.0/0\n2001:db8::/32\n192.0.2.1\n").unwrap();
    assert_eq!(two.indicators.len(), 4);
    let lists = Lists::new(vec![one, two]).unwrap();
    let found = |row: &FilterRow<'_>, port: u16| {
        let found = lists.matches(row, port);
        found
            .iter()
            .map(|it| format!("{}:{}:{}", it.about.name.raw(), it.kind.name(), it.indicator.raw()))
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (ip, hosts, hashes, port, expected) in [
        (
            "192.0.2.1",
            &[][..],
            &[][..],
            1,
            "one:address:192.0.2.1 one:network:192.0.2.0/24 two:address:192.0.2.1 two:network:0.0.0.0/0",
        ),
        ("192.0.2.2", &[], &[], 1, "one:network:192.0.2.0/24 two:network:0.0.0.0/0"),
        ("2001:db8:1::1", &[], &[], 1, "two:network:2001:db8::/32"),
        (
            "2001:db9::1",
            &["EVIL.example.", "a.b.evil.example", "notevil.example"],
            &[],
            1,
            "one:name:evil.example",
        ),
        ("2001:db9::1", &["files.example"], &[], 1, "one:url:http://files.example/a"),
        ("2001:db9::1", &["a.files.example", "example"], &[], 1, ""),
        ("2001:db9::1", &[], &[HASH, HASH], 1, &*format!("one:sha256:{HASH}")),
        ("2001:db9::1", &["\0", "x y.evil.example"], &["zz"], 1, ""),
        ("198.51.100.1", &[], &[], 443, "one:address:198.51.100.1:443 two:network:0.0.0.0/0"),
        ("198.51.100.1", &[], &[], 80, "two:network:0.0.0.0/0"),
    ] {
        assert_eq!(found(&row(ip, hosts, hashes), port), expected, "{ip} {hosts:?}");
    }
    assert!(Lists::default().is_empty());
}

#[test]
fn repetition_costs_nothing() {
    let ports: String = (1..=u16::MAX).map(|port| format!("192.0.2.1:{port}\n")).collect();
    let text = format!("{}{}", ports.repeat(4), "http://a.example/x\nhttp://a.example/y\n".repeat(100_000));
    let lists = Lists::new(vec![list("x", &text).unwrap(), list("y", "192.0.2.1").unwrap()]).unwrap();
    let found = lists.matches(&row("192.0.2.1", &["a.example"], &[]), 7);
    let found: Vec<String> = found.into_iter().map(|it| it.indicator.into_raw()).collect();
    assert_eq!(found, ["192.0.2.1:7", "http://a.example/x", "192.0.2.1"]);
}

proptest! {
    /// Whatever the bytes: a list or one sentence.
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read("x", &bytes, None);
    }

    /// Bytes that look like each of the formats.
    #[test]
    fn nothing_that_looks_like_a_list_makes_it_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", "\"", ",", ":", "\n", ";", "\t", "'", "(", ")", " = ", " OR ", " AND ", " NOT ", "|", "\\",
            "\"type\"", "\"bundle\"", "\"objects\"", "\"indicator\"", "\"pattern\"", "\"Event\"", "\"Attribute\"", "\"value\"",
            "\"response\"", "ipv4-addr:value", "'192.0.2.1'", "192.0.2.1", "evil[.]example", "hxxp://", "http://[", "::", "/", "#",
            "sha256", "é", "\u{202e}", "1e999", "-1", "null", "t'", "WITHIN", "IN",
        ]), 0..60),
    ) {
        let text = parts.concat();
        let _ = read("x", text.as_bytes(), None);
        let _ = read("x", format!("{{\"type\":\"bundle\",\"objects\":[{{\"type\":\"indicator\",\"pattern\":{}}}]}}", serde_json::Value::from(text.clone())).as_bytes(), None);
        let _ = read("x", format!("{{\"Event\":{{\"Attribute\":[{{\"type\":\"ip-dst|port\",\"value\":{}}}]}}}}", serde_json::Value::from(text)).as_bytes(), None);
    }

    /// What is displayed reads back as the same.
    #[test]
    fn indicators_read_back(text in "[a-z0-9.:/\\[\\]-]{1,30}") {
        if let Some(indicator) = Indicator::parse(&text) {
            prop_assert_eq!(Indicator::parse(&indicator.to_string()), Some(indicator));
        }
    }

    /// The tables against the plain way: every indicator by itself.
    #[test]
    fn tables_match_as_a_scan_would(
        networks in prop::collection::vec((any::<u32>(), 0..=32_u8), 0..40),
        ips in prop::collection::vec(any::<u32>(), 1..20),
    ) {
        // Few distinct bits, so that some match.
        let address = |bits: u32| IpAddr::from((bits & 0x0300_0303).to_be_bytes());
        let text: String = networks.iter().map(|(bits, length)| format!("{}/{length}\n", address(*bits))).collect();
        let list = read("x", text.as_bytes(), None).unwrap();
        let all: Vec<ipnet::IpNet> = text.lines().map(|line| line.parse::<ipnet::IpNet>().unwrap().trunc()).collect();
        let lists = Lists::new(vec![list]).unwrap();
        for ip in ips.into_iter().map(address) {
            let row = FilterRow { remote: ip, ..FilterRow::default() };
            let mut expected: Vec<String> = all.iter().filter(|network| network.contains(&ip)).map(|network| {
                if network.prefix_len() == 32 { network.addr().to_string() } else { network.to_string() }
            }).collect();
            expected.sort();
            expected.dedup();
            let mut found: Vec<String> = lists.matches(&row, 0).into_iter().map(|it| it.indicator.into_raw()).collect();
            found.sort();
            prop_assert_eq!(found, expected);
        }
    }
}

/// Lists as they are published: what is in them, and what of them is not matched.
#[test]
fn feeds() {
    let other = "d41d8cd98f00b204e9800998ecf8427e";
    let sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    let three = format!("{HASH},{sha1},{other}");
    let misp = format!(
        "uuid,event_id,category,type,value,comment,to_ids,date\n1,1,x,ip-dst|port,192.0.2.1|443,,1,2026\n\
         2,1,x,domain|ip,a.example|192.0.2.2,,1,2026\n3,1,x,filename|sha256,b.exe|{HASH},,1,2026\n\
         4,1,x,ip-dst,192.0.2.9,,0,2026\n5,1,x,filename,run.sh,,1,2026\n6,1,x,md5,{other},,1,2026\n"
    );
    let mut wrong: Vec<String> = Vec::new();
    for (name, text, expected, skipped) in [
        (
            "a kind beside the value",
            "192.0.2.1,ipaddress,x\nbad.example,hostname,y\n",
            "192.0.2.1 bad.example",
            "",
        ),
        ("a kind named hash", &*format!("{HASH},hash,x\n{HASH},hash,y\n"), &*format!("{HASH} {HASH}"), ""),
        ("values only", "url,note\nx,y\nz,192.0.2.1\n", "192.0.2.1", "rows without an indicator (2)"),
        (
            "hashes in a cell",
            &format!("value,entity_type\n\"{three}\",file\n192.0.2.1,ipaddress\n"),
            &format!("{HASH} 192.0.2.1"),
            "hashes other than SHA-256 (2)",
        ),
        ("hashes without quotes", &three, HASH, ""),
        (
            "separators",
            "value,x\n192.0.2.1; 192.0.2.2|192.0.2.3 192.0.2.4,x\n",
            "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4",
            "",
        ),
        (
            "lines in a cell",
            "value,x\n\"192.0.2.1\n192.0.2.2\r\n192.0.2.3\",x\n",
            "192.0.2.1 192.0.2.2 192.0.2.3",
            "",
        ),
        (
            "a file's name",
            "dropper.exe,192.0.2.1\nrun.sh,192.0.2.2\nx.example,192.0.2.3\n",
            "192.0.2.1 192.0.2.2 x.example",
            "",
        ),
        (
            "MISP's CSV",
            &misp,
            &format!("192.0.2.1:443 a.example 192.0.2.2 {HASH}"),
            "attributes not for detection (to_ids) (1), attributes of types that connmon does not match (1), hashes other than SHA-256 (1)",
        ),
        (
            "OTX",
            "Indicator type,Indicator,Description\nIPv4,192.0.2.1,\nFileHash-MD5,x,\nhostname,a.example,\nURL,http://b.example/x,\n",
            "192.0.2.1 a.example http://b.example/x",
            "attributes of types that connmon does not match (1)",
        ),
        (
            "URLhaus",
            "# x, y\r\n# id,dateadded,url,url_status,reporter\r\n\"1\",\"2026-01-01 00:00:00\",\"http://192.0.2.1:81/i\",\"online\",\"a.example\"\r\n",
            "http://192.0.2.1:81/i",
            "",
        ),
        (
            "Spamhaus DROP",
            "; Spamhaus DROP List\n; Expires: x\n192.0.2.0/24 ; SBL1\n198.51.100.0/24 ; SBL2\n",
            "192.0.2.0/24 198.51.100.0/24",
            "",
        ),
        (
            "Spamhaus's JSON",
            "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\"}\n{\"type\":\"metadata\",\"size\":1}\n",
            "192.0.2.0/24",
            "",
        ),
        (
            "ThreatFox's JSON",
            "{\"1\":[{\"ioc_value\":\"192.0.2.1:80\",\"reference\":\"http://x.example\"}]}",
            "192.0.2.1:80",
            "",
        ),
        (
            "a list in JSON",
            "[\"192.0.2.1\", \"evil[.]example\", \"x\"]",
            "192.0.2.1 evil.example",
            "values that are not an indicator (1)",
        ),
        (
            "AlienVault",
            "192.0.2.1#4#2#Malicious Host#KR##37.5,126.9#3\n192.0.2.2#4#2#Spamming, x#CN#A, B#1.5,2.9#3\n",
            "192.0.2.1 192.0.2.2",
            "",
        ),
        ("AlienVault for Snort", "192.0.2.1 # Malicious Host KR,Seoul,1.5,2.5\n", "192.0.2.1", ""),
        (
            "DShield",
            "# x\nStart\tEnd\tNetblock\tAttacks\tName\n192.0.2.0\t192.0.2.255\t24\t77\tA B\n",
            "192.0.2.0/24",
            "",
        ),
        ("DShield without names", "192.0.2.0\t192.0.2.255\t24\t77\tA B\n", "192.0.2.0/24", ""),
        (
            "DShield with zeros and spaces",
            "192.000.002.001   7   9\n192.000.002.002   7   9\n",
            "192.0.2.1 192.0.2.2",
            "",
        ),
        (
            "ranges",
            "192.0.2.0 - 192.0.2.1\nSome Org:192.0.2.4-192.0.2.5\n192.0.2.8/255.255.255.254\n",
            "192.0.2.0/31 192.0.2.4/31 192.0.2.8/31",
            "",
        ),
        ("ranges in columns", "first_ip,last_ip,who\n192.0.2.0,192.0.2.2,x\n", "192.0.2.0/31 192.0.2.2", ""),
        (
            "a date first",
            "2026-01-01 00:01 192.0.2.1 x\n2026-01-01 00:02 192.0.2.2 x\n",
            "192.0.2.1 192.0.2.2",
            "",
        ),
        ("a configuration", "deny 192.0.2.1;\ndeny 192.0.2.2;\n", "192.0.2.1 192.0.2.2", ""),
        ("dnsmasq", "address=/a.example/0.0.0.0\nserver=/b.example/\n", "a.example b.example", ""),
        ("an answer's zone", "a.example CNAME .\n*.a.example CNAME .\n", "a.example a.example", ""),
        (
            "a hosts file",
            "127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\n255.255.255.255 broadcasthost\n0.0.0.0 a.example b.example\n127.0.0.1\tc.example # x\n",
            "a.example b.example c.example",
            "names of the host itself (3)",
        ),
        (
            "browsers",
            "||a.example^$third-party\n@@||b.example^\n! x\n",
            "a.example",
            "lines that are not an indicator (1)",
        ),
        ("several a line", "192.0.2.1 192.0.2.2\n192.0.2.3 x.example\n", "192.0.2.1 192.0.2.2 192.0.2.3", ""),
        (
            "names beyond ASCII",
            "bücher.example\nhttp://bücher.example/ä\n",
            "xn--bcher-kva.example http://bücher.example/ä",
            "",
        ),
        (
            "semicolons",
            "\u{feff}ip;note\r\n192.0.2.1;\"a, b, c\"\r\n192.0.2.2;a, b\r\n",
            "192.0.2.1 192.0.2.2",
            "",
        ),
        ("Excel's line", "sep=|\nip|note\n192.0.2.1|x\n", "192.0.2.1", ""),
        ("pipes", "192.0.2.1|2026|x\n192.0.2.2|2026|y\n", "192.0.2.1 192.0.2.2", ""),
        (
            "prose",
            "192.0.2.1\nSee http://a.example for this.\nname@a.example\n",
            "192.0.2.1",
            "email addresses (1), lines that are not an indicator (1)",
        ),
    ] {
        let (_, indicators, rest) = parts(text);
        wrong.extend(
            ((&*indicators, &*rest) != (expected, skipped)).then(|| format!("{name}: {indicators} ({rest})")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_matched_is_listed() {
    let each = |text: &str| {
        let skipped = list("x", text).unwrap().skipped;
        skipped
            .each()
            .iter()
            .map(|it| format!("{}: {}: {}", it.place, it.reason, it.text))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        each("# x\n192.0.2.1\nno\u{1b}thing\n"),
        ["line 3: lines that are not an indicator: no\u{1b}thing"]
    );
    assert_eq!(
        each("a,value\n\"two\nlines\",192.0.2.1\nx,nothing\n"),
        ["line 4, column 2: cells that are not an indicator: nothing"]
    );
    assert_eq!(
        each(
            r#"{"type":"bundle","objects":[{"type":"indicator","pattern":"[ipv4-addr:value = '192.0.2.1']"},{"type":"indicator","pattern":"x"}]}"#
        ),
        ["object 2: patterns that cannot be read: x"]
    );
    assert_eq!(
        each(r#"{"Event":{"Attribute":[{"type":"ip-dst","value":"192.0.2.1"},{"type":"md5","value":"x"}]}}"#),
        ["attribute 2: attributes of types that connmon does not match: x"]
    );
    let many = list("x", &format!("192.0.2.1\n{}", "x\n".repeat(100_007))).unwrap().skipped;
    assert_eq!((many.each().len(), many.more()), (100_000, 7));
}
