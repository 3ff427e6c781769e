//! What a configuration may say, and what is said of one that may not.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000_000);

fn read(text: &str) -> Result<File, FileError> {
    File::read(text, "c.toml", Path::new("/etc/x"), NOW)
}

#[test]
fn everything_can_be_said() {
    let file = read(
        r##"
db = "a.db"
backend = "kprobe"
filter = "-local"
filter-file = ["!known.txt", "/b.txt"]
ioc = "feed.csv"
geo-db = ["city.mmdb"]
geo-dir = "/geo"
location = "53.55,9.99"
ring-bytes = 8192
max-connections = 10
no-wire = true

[retention]
max-age = "30d"
max-size = "20G"
segments-max-age = "7d"
keep = ["label:evidence", "ip:192.0.2.1"]

[[rule]]
label = "ssh"
color = "#ff8800"
match = "port:22"

[[rule]]
label = "large"
match = "bytes>1G"
text = false
"##,
    )
    .unwrap();
    let rules: Vec<&Rule> = file.rules.iter().collect();
    assert_eq!(
        (rules[0].label.raw(), rules[0].color, rules[0].text),
        ("ssh", Some(Color(255, 136, 0)), true)
    );
    assert_eq!((rules[1].expression.raw(), rules[1].color, rules[1].text), ("bytes>1G", None, false));
    let mut args = cli::plain_recording();
    args.ring_bytes = Some(4096);
    file.fill(&mut args);
    assert_eq!(args.db.as_deref(), Some(Path::new("/etc/x/a.db")));
    assert_eq!(args.choice.filter_file, ["!/etc/x/known.txt", "/b.txt"]);
    assert_eq!(args.classification.ioc, [PathBuf::from("/etc/x/feed.csv")]);
    assert_eq!((args.ring_bytes, args.max_connections), (Some(4096), Some(10)), "the command line wins");
    assert_eq!((args.backend, args.no_wire), (Some(cli::BackendArg::Kprobe), Some(true)));
    assert_eq!(args.places.location.as_deref(), Some("53.55,9.99"));
    let limits = &args.retention;
    assert_eq!((limits.max_age.as_deref(), limits.max_size.as_deref()), (Some("30d"), Some("20G")));
    assert_eq!(limits.segments_max_age.as_deref(), Some("7d"));
    assert_eq!(file.keep.len(), 2);
    let mut untouched = cli::plain_recording();
    read("").unwrap().fill(&mut untouched);
    assert_eq!((untouched.db, untouched.no_wire), (None, None));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, line, column, says) in [
        ("\nring-byte = 4096", 2, 1, "there is no `ring-byte`; did you mean `ring-bytes`?"),
        ("ring_bytes = 4096", 1, 1, "did you mean `ring-bytes`?"),
        ("colour = 1", 1, 1, "there are db, backend"),
        ("[retention]\nmax-ages = '1d'", 2, 1, "[retention] has no `max-ages`; did you mean `max-age`?"),
        ("[retention]\nmax-age = '0'", 2, 11, "not a valid age"),
        ("[retention]\nmax-size = '20 apples'", 2, 12, "not a valid size"),
        ("[retention]\nkeep = ['dir:up']", 2, 9, "in this expression"),
        (
            "[[rule]]\nlabel = 'x'\nmatch = 'dir:in'\ncolour = 'red'",
            4,
            1,
            "a rule has no `colour`; did you mean `color`?",
        ),
        ("[[rule]]\nlabel = 'x'", 1, 1, "missing field `match`"),
        ("[[rule]]\nlabel = ''\nmatch = 'dir:in'", 2, 9, "at least one character"),
        ("[[rule]]\nlabel = 'x'\nmatch = 'prot:tcp'", 3, 9, "did you mean `proto:`?"),
        ("[[rule]]\nlabel = 'x'\ncolor = 'reddish'\nmatch = ''", 3, 9, "is not a colour"),
        ("backend = 'magic'", 1, 11, "fentry"),
        ("ring-bytes = 5000", 1, 14, "power of two"),
        ("max-connections = 0", 1, 19, "at least 1"),
        ("metrics = 'localhost'", 1, 11, "127.0.0.1:9478"),
        ("location = 'here'", 1, 12, "latitude"),
        ("db = 5", 1, 6, "invalid type"),
        ("ioc = 5", 1, 7, "a string or a list of strings"),
        ("db = ", 1, 6, ""),
        ("db = 'a'\ndb = 'b'", 2, 1, "duplicate"),
    ] {
        let error = read(text).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(says) && !message.contains('\n'), "{text}: {message}");
        let FileError::Wrong { line: l, column: c, .. } = error else { panic!("{message}") };
        assert_eq!((l, c), (line, column), "{text}: {message}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,200}", key in "[a-z-]{0,12}", value in "[\\[\\]{}'\"=,.#0-9a-z \n-]{0,60}") {
        let _ = read(&text);
        let _ = read(&format!("{key} = {value}\n[[rule]]\n{key} = {value}"));
    }

    #[test]
    fn nesting_is_bounded(depth in 0..20_000_usize) {
        let _ = read(&format!("ioc = {}", "[".repeat(depth)));
        let _ = read(&format!("{}x = 1", "a.".repeat(depth)));
    }
}

#[test]
fn what_is_redacted_besides() {
    let read = |text: &str| File::read(text, "c.toml", Path::new(""), Timestamp(0));
    let file =
        read("[redact]\noptions = ['tool -z']\nnames = ['geheim']\npatterns = ['ACME-[0-9]+']\n").unwrap();
    let args = ["tool", "-z", "a", "--geheim=b", "ACME-7"].map(str::to_owned);
    assert_eq!(file.secrets.cmdline(&args).0, "tool -z ‹redacted› --geheim=‹redacted› ‹redacted›");
    let wrong = read("[redact]\npatterns = ['(']\n").unwrap_err().to_string();
    assert!(wrong.starts_with("c.toml, line 2, column 13: not a valid pattern: "), "{wrong}");
    let wrong = read("[redact]\npattern = []\n").unwrap_err().to_string();
    assert!(wrong.ends_with("[redact] has no `pattern`; did you mean `patterns`?"), "{wrong}");
}

/// The sample with every option switched on.
fn sample() -> String {
    let text = include_str!("../../../../packaging/connmon.toml");
    let on = |line: &str| match line.strip_prefix('#') {
        Some(option) if option.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => {
            format!("{option}\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(on).collect()
}

#[test]
fn the_sample_has_every_option_with_its_default() {
    let text = sample();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let keys = |table: &toml::Table| table.keys().cloned().collect::<std::collections::BTreeSet<_>>();
    let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(keys(&table), known(&OPTIONS));
    assert_eq!(keys(table["redact"].as_table().unwrap()), known(&OF_REDACT));
    assert_eq!(keys(table["retention"].as_table().unwrap()), known(&OF_RETENTION));
    assert_eq!(keys(table["rule"][0].as_table().unwrap()), known(&OF_RULE));
    let alerts = table["alert"].as_array().unwrap();
    let of_alerts = alerts.iter().flat_map(|alert| keys(alert.as_table().unwrap())).collect();
    assert_eq!(known(&OF_ALERT), of_alerts);
    assert_eq!(alerts.len(), 6);
    let file = File::read(&text, "c.toml", Path::new("/etc/connmon"), NOW).unwrap();
    let without = read("").unwrap().settings(cli::plain_recording());
    let examples = ["metrics", "filter", "filter-file", "ioc", "geo-db", "geo-dir", "location"];
    for (said, usual) in file.settings(cli::plain_recording()).iter().zip(&without) {
        assert_eq!(said.name, usual.name);
        assert!(said.value == usual.value || examples.contains(&said.name.as_str()), "{said:?} {usual:?}");
    }
    let names: std::collections::BTreeSet<_> = without.into_iter().map(|setting| setting.name).collect();
    let mut plain: std::collections::BTreeSet<String> = known(&OPTIONS);
    plain.retain(|name| {
        table[name].is_table()
            || !table[name].as_array().is_some_and(|all| all.iter().any(toml::Value::is_table))
    });
    plain.retain(|name| !table[name].is_table());
    assert_eq!(names, plain, "`config show` has every option");
}
