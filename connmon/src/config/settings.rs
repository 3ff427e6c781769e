//! The options in force, and where each comes from: the environment, the configuration file, or the default.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::File;
use crate::cli;

/// An option and its value.
#[derive(Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Its name; behind that of its section, as in `redact.options`, or of its rule, counted from one: `rule 1.label`.
    pub name: String,
    /// Its value; none where nothing was set and there is no default.
    pub value: Value,
    /// Where the value comes from.
    #[serde(rename = "from")]
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Origin {
    /// Nobody said anything else.
    Default,
    /// A line of the configuration file, counted from one.
    Line(usize),
    /// A variable of the environment.
    Environment(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Line(line) => write!(f, "line {line}"),
            Self::Environment(name) => write!(f, "environment: {name}"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl File {
    /// Every option of the file with the value that a recording takes. `args` is a recording of which nothing was typed.
    pub fn settings(&self, mut args: cli::RecordArgs) -> Vec<Setting> {
        let lines = Lines::parse(&self.text);
        let databases = &args.places.databases;
        let environment = [
            ("geo-dir", "CONNMON_GEO_DIR", databases.geo_dir.is_some()),
            ("location", "CONNMON_LOCATION", args.places.location.is_some()),
        ];
        self.fill(&mut args);
        let mut settings: Vec<Setting> = values(&args)
            .into_iter()
            .map(|(name, value)| {
                let variable = environment.iter().find(|(option, _, is_set)| *option == name && *is_set);
                let origin = match (variable, lines.of_option(name)) {
                    (Some((_, variable, _)), _) => Origin::Environment(variable),
                    (None, Some(line)) => Origin::Line(line),
                    (None, None) => Origin::Default,
                };
                Setting { name: name.to_owned(), value, origin }
            })
            .collect();
        settings.extend(lines.of_sections());
        settings
    }
}

/// The options that stand in no section, as a recording takes them.
fn values(args: &cli::RecordArgs) -> Vec<(&'static str, Value)> {
    let usual = connmon_record::CaptureOptions::default();
    let databases = &args.places.databases;
    let paths = |paths: &[std::path::PathBuf]| {
        json!(paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>())
    };
    let backend = args.backend.and_then(cli::BackendArg::wanted);
    let folder = super::geo_folder(databases.geo_dir.clone());
    vec![
        (
            "db",
            json!(args.db.as_deref().unwrap_or(std::path::Path::new(cli::DEFAULT_DB)).display().to_string()),
        ),
        ("backend", json!(backend.map_or("auto", |backend| backend.name()))),
        ("filter", json!(args.choice.filter)),
        ("filter-file", json!(args.choice.filter_file)),
        ("ioc", paths(&args.classification.ioc)),
        ("geo-db", paths(&databases.geo_db)),
        ("geo-dir", json!(folder.map(|folder| folder.display().to_string()))),
        ("location", json!(args.places.location)),
        ("ring-bytes", json!(args.ring_bytes.unwrap_or(usual.ring_bytes))),
        ("max-connections", json!(args.max_connections.unwrap_or(usual.max_connections))),
        (
            "udp-idle",
            json!(args.udp_idle.clone().unwrap_or_else(|| format!("{}s", usual.idle_ns / 1_000_000_000))),
        ),
        ("no-wire", json!(args.no_wire.unwrap_or(false))),
        ("no-names", json!(args.no_names.unwrap_or(false))),
        ("metrics", json!(args.metrics.map(|address| address.to_string()))),
    ]
}

/// A configuration with the places of what is in it.
struct Lines<'a> {
    text: &'a str,
    table: DeTable<'a>,
}

impl<'a> Lines<'a> {
    /// Of a text that has been read without an error.
    fn parse(text: &'a str) -> Self {
        let table = DeTable::parse(text).map(Spanned::into_inner).unwrap_or_default();
        Self { text, table }
    }

    fn line(&self, at: usize) -> usize {
        1 + self.text.get(..at).unwrap_or_default().matches('\n').count()
    }

    fn of_option(&self, name: &str) -> Option<usize> {
        self.table.keys().find(|key| key.get_ref() == name).map(|key| self.line(key.span().start))
    }

    /// What stands in sections: tables, and arrays of them.
    fn of_sections(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        for (key, value) in &self.table {
            match value.get_ref() {
                DeValue::Table(table) => self.add(key.get_ref(), table, &mut settings),
                DeValue::Array(items) => {
                    let tables = items.iter().filter_map(|item| item.get_ref().as_table());
                    for (number, table) in (1..).zip(tables) {
                        self.add(&format!("{} {number}", key.get_ref()), table, &mut settings);
                    }
                }
                _ => {}
            }
        }
        settings
    }

    fn add(&self, section: &str, table: &DeTable<'_>, settings: &mut Vec<Setting>) {
        let mut here: Vec<_> = table.iter().map(|(key, value)| (key.span().start, key, value)).collect();
        here.sort_by_key(|(at, ..)| *at);
        settings.extend(here.into_iter().map(|(at, key, value)| Setting {
            name: format!("{section}.{}", key.get_ref()),
            value: json(value.get_ref()),
            origin: Origin::Line(self.line(at)),
        }));
    }
}

/// A value of TOML.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::Boolean(yes) => json!(yes),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| json!(number.as_str()), |number| json!(number)),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::String(text) => json!(text),
        DeValue::Float(number) => json!(number.as_str()),
        DeValue::Datetime(time) => json!(time.to_string()),
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect()
        }
    }
}
