//! The configuration file: options of a recording, rules that label connections, and alerts.

mod alert;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::recording::{check_limits, idle_ns, max_age, max_bytes};
use super::{ConfigError, location};
use crate::alert::Alert;
use crate::cli;
use alert::{OF_ALERT, RawAlert};
use connmon_filter::rules::Rules;
use connmon_filter::{Filter, alike};
use connmon_record::secrets::Secrets;
use connmon_record::{Backend, CaptureOptions, Color, Rule, Timestamp};
use connmon_system::files;

/// The file that is read where none is named.
pub const DEFAULT: &str = "/etc/connmon/config.toml";
/// Bytes of a configuration at most.
const LARGEST: usize = 1 << 20;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("the configuration {0} cannot be read: {1}")]
    Read(String, std::io::Error),
    /// It is no configuration.
    #[error("the configuration {0} has more than 1 MiB")]
    TooLarge(String),
    /// It was needed for its rules and has none.
    #[error("the configuration {0} has no [[rule]]")]
    NoRules(String),
    /// There is none, and it was needed.
    #[error("{DEFAULT} does not exist: name the file with the rules with --config")]
    None,
    /// Something in it is wrong.
    #[error("{file}, line {line}, column {column}: {what}")]
    Wrong {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong, and what to write instead.
        what: String,
        /// Lines that point at it within an expression.
        picture: Option<String>,
    },
}

/// What a configuration says. Paths in it are relative to its folder.
#[derive(Debug, Default)]
pub struct File {
    /// Where it is; `None` if there is none.
    pub path: Option<String>,
    /// Rules that label connections.
    pub rules: Rules,
    /// What is redacted from command lines besides what connmon knows of itself.
    pub secrets: Secrets,
    /// Connections that match one of these are not pruned.
    pub keep: Vec<Filter>,
    /// Findings that somebody is told of.
    pub alerts: Vec<Alert>,
    record: Record,
    /// As it is written.
    pub(super) text: String,
}

/// The options of a recording, as they are written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Record {
    db: Option<PathBuf>,
    backend: Option<Spanned<String>>,
    filter: Option<Spanned<String>>,
    filter_file: Texts,
    ioc: Texts,
    geo_db: Texts,
    geo_dir: Option<PathBuf>,
    location: Option<Spanned<String>>,
    ring_bytes: Option<Spanned<u32>>,
    max_connections: Option<Spanned<u32>>,
    udp_idle: Option<Spanned<String>>,
    no_wire: Option<bool>,
    no_names: Option<bool>,
    metrics: Option<Spanned<String>>,
    rule: Vec<RawRule>,
    alert: Vec<RawAlert>,
    redact: RawRedact,
    retention: RawRetention,
}

/// The options, for suggestions.
const OPTIONS: [&str; 18] = [
    "db",
    "backend",
    "filter",
    "filter-file",
    "ioc",
    "geo-db",
    "geo-dir",
    "location",
    "ring-bytes",
    "max-connections",
    "udp-idle",
    "no-wire",
    "no-names",
    "metrics",
    "rule",
    "alert",
    "redact",
    "retention",
];

/// What is redacted, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawRedact {
    options: Vec<String>,
    names: Vec<String>,
    patterns: Vec<Spanned<String>>,
}

/// What `[redact]` has, for suggestions.
const OF_REDACT: [&str; 3] = ["options", "names", "patterns"];

/// How long what is kept, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct RawRetention {
    max_age: Option<Spanned<String>>,
    max_size: Option<Spanned<String>>,
    segments_max_age: Option<Spanned<String>>,
    segments_max_size: Option<Spanned<String>>,
    keep: Vec<Spanned<String>>,
}

/// What `[retention]` has, for suggestions.
const OF_RETENTION: [&str; 5] = ["max-age", "max-size", "segments-max-age", "segments-max-size", "keep"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    label: Spanned<String>,
    color: Option<Spanned<String>>,
    r#match: Spanned<String>,
    #[serde(default = "yes")]
    text: bool,
}

/// What a rule has, for suggestions.
const OF_RULE: [&str; 4] = ["label", "color", "match", "text"];

fn yes() -> bool {
    true
}

/// A text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Default for Texts {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Texts {
    fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
        .iter()
        .map(String::as_str)
    }
}

impl File {
    /// The configuration that is named, else the usual one if it is there. Times in rules refer to `now`.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong.
    pub fn load(named: Option<&Path>, now: Timestamp) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new(DEFAULT));
        let name = path.display().to_string();
        let text = match files::read_text(path) {
            Ok(text) if text.len() > LARGEST => return Err(FileError::TooLarge(name).into()),
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(FileError::Read(name, error).into()),
        };
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self::read(&text, &name, &folder, now)?)
    }

    /// The configuration of a text. `name` is for people, `folder` what its paths are relative to.
    ///
    /// # Errors
    /// Something in it is wrong.
    pub fn read(text: &str, name: &str, folder: &Path, now: Timestamp) -> Result<Self, FileError> {
        let reader = Reader { text, name };
        let mut record: Record = toml::from_str(text).map_err(|error| reader.syntax(&error))?;
        reader.check(&record, now)?;
        let rules = std::mem::take(&mut record.rule);
        let rules = rules.into_iter().map(|rule| reader.rule(rule, now)).collect::<Result<_, _>>()?;
        let secrets = reader.secrets(std::mem::take(&mut record.redact))?;
        let keep =
            record.retention.keep.iter().map(|keep| reader.filter(keep, now)).collect::<Result<_, _>>()?;
        let alerts = reader.alerts(std::mem::take(&mut record.alert), folder, now)?;
        let join = |path: &str| folder.join(path).display().to_string();
        for texts in [&mut record.ioc, &mut record.geo_db] {
            *texts = Texts::Many(texts.iter().map(join).collect());
        }
        let list = |path: &str| match path.strip_prefix('!') {
            Some(path) => format!("!{}", join(path)),
            None => join(path),
        };
        record.filter_file = Texts::Many(record.filter_file.iter().map(list).collect());
        for path in [&mut record.db, &mut record.geo_dir].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        Ok(Self {
            path: Some(name.to_owned()),
            rules: Rules::new(rules),
            secrets,
            keep,
            alerts,
            record,
            text: text.to_owned(),
        })
    }

    /// Puts what it says where the command line of a recording says nothing.
    pub fn fill(&self, args: &mut cli::RecordArgs) {
        let record = &self.record;
        args.db = args.db.take().or_else(|| record.db.clone());
        args.ring_bytes = args.ring_bytes.or(record.ring_bytes.as_ref().map(|bytes| *bytes.get_ref()));
        args.max_connections =
            args.max_connections.or(record.max_connections.as_ref().map(|most| *most.get_ref()));
        args.udp_idle =
            args.udp_idle.take().or(record.udp_idle.as_ref().map(|pause| pause.get_ref().clone()));
        let retention = &record.retention;
        let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.get_ref().clone());
        let limits = &mut args.retention;
        for (limit, here) in [
            (&mut limits.max_age, &retention.max_age),
            (&mut limits.max_size, &retention.max_size),
            (&mut limits.segments_max_age, &retention.segments_max_age),
            (&mut limits.segments_max_size, &retention.segments_max_size),
        ] {
            *limit = limit.take().or_else(|| text(here));
        }
        args.metrics = args.metrics.or_else(|| record.metrics.as_ref()?.get_ref().parse().ok());
        args.no_wire = args.no_wire.or(record.no_wire);
        args.no_names = args.no_names.or(record.no_names);
        args.backend = args.backend.or_else(|| match record.backend.as_ref()?.get_ref().as_str() {
            "auto" => Some(cli::BackendArg::Auto),
            name => Backend::ALL.into_iter().find(|backend| backend.name() == name).map(Into::into),
        });
        self.fill_shared(&mut args.choice, &mut args.places, &mut args.classification);
    }

    /// The same, for what a replay has too.
    pub fn fill_shared(
        &self,
        choice: &mut cli::Choice,
        places: &mut cli::GeoArgs,
        classification: &mut cli::ClassificationArgs,
    ) {
        let record = &self.record;
        let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.get_ref().clone());
        choice.filter = choice.filter.take().or_else(|| text(&record.filter));
        if choice.filter_file.is_empty() {
            choice.filter_file = record.filter_file.iter().map(str::to_owned).collect();
        }
        if classification.ioc.is_empty() {
            classification.ioc = record.ioc.iter().map(PathBuf::from).collect();
        }
        places.location = places.location.take().or_else(|| text(&record.location));
        let databases = &mut places.databases;
        if databases.geo_db.is_empty() {
            databases.geo_db = record.geo_db.iter().map(PathBuf::from).collect();
        }
        databases.geo_dir = databases.geo_dir.take().or_else(|| record.geo_dir.clone());
    }
}

/// Says where in a text something is wrong.
struct Reader<'a> {
    text: &'a str,
    name: &'a str,
}

impl Reader<'_> {
    fn wrong(&self, at: Range<usize>, what: impl Into<String>) -> FileError {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or(before);
        FileError::Wrong {
            file: self.name.to_owned(),
            line: 1 + before.matches('\n').count(),
            column: 1 + line.chars().count(),
            what: what.into(),
            picture: None,
        }
    }

    /// What the reader of TOML says, with the known key that was meant.
    fn syntax(&self, error: &toml::de::Error) -> FileError {
        let at = error.span().unwrap_or(0..0);
        let message = error.message().trim().replace('\n', ", ");
        if !message.starts_with("unknown field") {
            return self.wrong(at, message);
        }
        let key = self.text.get(at.clone()).unwrap_or_default().trim_matches(['"', '\'']);
        let tables = [
            (&OF_RULE[..], "a rule has"),
            (&OF_ALERT, "an alert has"),
            (&OF_REDACT, "[redact] has"),
            (&OF_RETENTION, "[retention] has"),
        ];
        let is_of = |known: &[&str]| known.iter().all(|known| message.contains(&format!("`{known}`")));
        let table = tables.into_iter().find(|(known, _)| is_of(known));
        let (known, of) = table.unwrap_or((&OPTIONS, "there is"));
        let hint = match alike(&key.replace('_', "-"), known.iter().copied()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        self.wrong(at, format!("{of} no `{key}`; {hint}"))
    }

    /// Everything whose error would else be told as if it had been typed.
    fn check(&self, record: &Record, now: Timestamp) -> Result<(), FileError> {
        if let Some(name) = &record.backend {
            let names: Vec<&str> = ["auto"].into_iter().chain(Backend::ALL.map(Backend::name)).collect();
            if !names.contains(&name.get_ref().as_str()) {
                let what = format!("`{}` is not a backend; choose from {}", name.get_ref(), names.join(", "));
                return Err(self.wrong(name.span(), what));
            }
        }
        if let Some(filter) = &record.filter {
            self.filter(filter, now)?;
        }
        if let Some(place) = &record.location {
            location(place.get_ref()).map_err(|_| {
                self.wrong(place.span(), "write latitude and longitude, as in \"53.55,9.99\"")
            })?;
        }
        if let Some(pause) = &record.udp_idle {
            idle_ns(pause.get_ref()).map_err(|error| self.wrong(pause.span(), error.to_string()))?;
        }
        let limits = &record.retention;
        for age in [&limits.max_age, &limits.segments_max_age].into_iter().flatten() {
            max_age(age.get_ref()).map_err(|error| self.wrong(age.span(), error.to_string()))?;
        }
        for size in [&limits.max_size, &limits.segments_max_size].into_iter().flatten() {
            max_bytes(size.get_ref()).map_err(|error| self.wrong(size.span(), error.to_string()))?;
        }
        if let Some(address) = &record.metrics {
            address.get_ref().parse::<SocketAddr>().map_err(|_| {
                self.wrong(address.span(), "write an address and a port, as in \"127.0.0.1:9478\"")
            })?;
        }
        let usual = CaptureOptions::default();
        let ring = record.ring_bytes.as_ref();
        check_limits(ring.map_or(usual.ring_bytes, |bytes| *bytes.get_ref()), 1)
            .map_err(|error| self.wrong(ring.map_or(0..0, Spanned::span), error.to_string()))?;
        let most = record.max_connections.as_ref();
        check_limits(usual.ring_bytes, most.map_or(1, |most| *most.get_ref()))
            .map_err(|error| self.wrong(most.map_or(0..0, Spanned::span), error.to_string()))
    }

    fn filter(&self, expression: &Spanned<String>, now: Timestamp) -> Result<Filter, FileError> {
        Filter::parse(expression.get_ref(), now).map_err(|error| {
            match self.wrong(expression.span(), format!("in this expression, {error}")) {
                FileError::Wrong { file, line, column, what, .. } => {
                    FileError::Wrong { file, line, column, what, picture: Some(error.picture()) }
                }
                other => other,
            }
        })
    }

    fn secrets(&self, raw: RawRedact) -> Result<Secrets, FileError> {
        let pattern = |text: Spanned<String>| {
            let built = regex::RegexBuilder::new(text.get_ref()).size_limit(1 << 20).build();
            // What is told of it is drawn over several lines; the last one says what is wrong.
            let why = |error: regex::Error| error.to_string().lines().last().unwrap_or_default().to_owned();
            built.map_err(|error| self.wrong(text.span(), format!("not a valid pattern: {}", why(error))))
        };
        let patterns = raw.patterns.into_iter().map(pattern).collect::<Result<_, _>>()?;
        Ok(Secrets::new(&raw.options, &raw.names, patterns))
    }

    fn rule(&self, raw: RawRule, now: Timestamp) -> Result<(Rule, Filter), FileError> {
        let filter = self.filter(&raw.r#match, now)?;
        if raw.label.get_ref().trim().is_empty() {
            return Err(self.wrong(raw.label.span(), "a label needs at least one character"));
        }
        let color = match raw.color {
            Some(color) => Some(
                color
                    .get_ref()
                    .parse::<Color>()
                    .map_err(|error| self.wrong(color.span(), error.to_string()))?,
            ),
            None => None,
        };
        let expression = raw.r#match.into_inner().into();
        Ok((Rule { label: raw.label.into_inner().into(), color, expression, text: raw.text }, filter))
    }
}

#[cfg(test)]
mod tests;
