//! What was meant: options resolved and checked.

mod classification;
mod file;
mod recording;
mod settings;

use std::path::{Path, PathBuf};

use crate::cli;
use crate::follow::known_findings;
use connmon_analysis::Selection;
use connmon_filter::{Filter, FilterError, FindingSource, Networks, ParseNetworkError};
use connmon_record::{Coordinates, HostLocation, Timestamp, Zone};
use connmon_store::Store;

pub use classification::lists;
pub use file::{DEFAULT, File, FileError};
pub use recording::{Recording, retention};
pub use settings::{Origin, Setting};

/// An option that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A time cannot be read.
    #[error(transparent)]
    Time(#[from] connmon_record::ParseTimeError),
    /// A length of time cannot be read.
    #[error("--for {0}: not a valid duration; write 30s, 10m or 2h")]
    Length(String),
    /// The ring's size does not suit the kernel.
    #[error("--ring-bytes {0}: it must be a power of two, at least 4096")]
    Ring(u32),
    /// No connection at all.
    #[error("--max-connections 0: at least 1 is needed")]
    MaxConnections,
    /// A pause cannot be read, or is too short to be told from a flow that goes on.
    #[error("--udp-idle {0}: not a valid pause; write a duration of at least 1s, such as 30s or 2m")]
    Idle(String),
    /// An age cannot be read.
    #[error("--max-age {0}: not a valid age; write a duration of at least 1s, such as 12h or 30d")]
    MaxAge(String),
    /// A size cannot be read.
    #[error("--max-size {0}: not a valid size; write at least 1M, such as 500M or 20G")]
    MaxSize(String),
    /// The default store's folder.
    #[error("{0} cannot be created: {1}")]
    Folder(String, std::io::Error),
    /// An expression cannot be understood.
    #[error("--filter, {0}")]
    Filter(#[from] FilterError),
    /// A list of addresses cannot be read.
    #[error("--filter-file {0} cannot be read: {1}")]
    FilterFile(String, std::io::Error),
    /// A list of addresses has a line that is none.
    #[error("--filter-file {0}, line {1}: {2}; write one per line, # begins a comment")]
    FilterList(String, usize, ParseNetworkError),
    /// A place cannot be read.
    #[error("--location {0}: not a valid location; write latitude and longitude, as in 53.55,9.99")]
    Location(String),
    /// No server.
    #[error("--resolve={0}: not a valid address; write 9.9.9.9, 9.9.9.9:53 or [2620:fe::fe]:53")]
    Server(String),
    /// A configuration cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A list of indicators cannot be read.
    #[error("--ioc {0} cannot be read: {1}")]
    IocFile(String, std::io::Error),
    /// A list of indicators cannot be used.
    #[error("--ioc {0}: {1}")]
    Ioc(String, connmon_filter::ioc::IocError),
    /// A share of the time cannot be read.
    #[error("--at-least {0}: write a share of the time, such as 50%")]
    Share(String),
    /// The interval is empty.
    #[error("--since {0} is not before --until {1}")]
    Interval(Timestamp, Timestamp),
}

/// Where the places of addresses and of this host come from.
#[derive(Debug)]
pub struct GeoConfig {
    /// Databases that were named, in that order.
    pub files: Vec<PathBuf>,
    /// The folder with further ones.
    pub folder: Option<PathBuf>,
    /// Where this host stands, if it was told.
    pub location: Option<HostLocation>,
}

impl TryFrom<cli::GeoArgs> for GeoConfig {
    type Error = ConfigError;

    fn try_from(args: cli::GeoArgs) -> Result<Self, ConfigError> {
        let location = args.location.map(|text| location(&text)).transpose()?;
        Ok(Self { files: args.databases.geo_db, folder: geo_folder(args.databases.geo_dir), location })
    }
}

/// The folder of geo databases: the one that was named, else the usual one if it is there.
pub fn geo_folder(named: Option<PathBuf>) -> Option<PathBuf> {
    named.or_else(|| Some(PathBuf::from(cli::DEFAULT_GEO_DIR)).filter(|folder| folder.exists()))
}

/// The place that `--location` names: latitude and longitude in degrees.
///
/// # Errors
/// It cannot be read.
pub fn location(text: &str) -> Result<HostLocation, ConfigError> {
    let degrees = |text: &str| text.trim().parse::<f64>().ok();
    let at = text
        .split_once(',')
        .and_then(|(north, east)| Coordinates::new(degrees(north)?, degrees(east)?))
        .ok_or_else(|| ConfigError::Location(text.to_owned()))?;
    Ok(HostLocation { label: "this host".into(), at, source: "configured".into(), country_only: false })
}

/// The share that `--at-least` names, from 0 to 1.
///
/// # Errors
/// It cannot be read.
pub fn share(text: &str) -> Result<f64, ConfigError> {
    let percent = text.strip_suffix('%').and_then(|percent| percent.trim().parse::<f64>().ok());
    let share = percent.map(|percent| percent / 100.0).filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| ConfigError::Share(text.to_owned()))
}

/// A part of a store.
#[derive(Debug, Default)]
pub struct Choice {
    /// The interval, and the words of the filter.
    pub selection: Selection,
    /// Which connections of the interval.
    pub filter: Filter,
}

/// The interval of `--since` and `--until`, and the filters; a length of time counts back from `now`.
///
/// # Errors
/// A time or a filter cannot be read, or the interval is empty.
pub fn choice(source: &cli::Source, now: Timestamp) -> Result<Choice, ConfigError> {
    let (since, until) = interval(&source.since, &source.until, now, &zone(source.local))?;
    let known = || {
        let store = Store::open(&source.db);
        store.and_then(|store| known_findings(&store)).map_err(|error| error.to_string())
    };
    let filter = filter_with(&source.choice, now, Some(&known))?;
    // `since:` in a filter says the same as `--since`, so the answer covers the same time.
    let (from, to) = filter.interval();
    let (since, until) = (since.max(from), [until, to].into_iter().flatten().min());
    let selection = Selection::new(since, until, filter.text().to_owned(), now);
    Ok(Choice { selection, filter })
}

/// The zone in which times are read and shown to people.
pub fn zone(local: bool) -> Zone {
    if local { Zone::local() } else { Zone::UTC }
}

/// The interval of `--since` and `--until`; a length of time counts back from `now`.
///
/// # Errors
/// A time cannot be read, or the interval is empty.
pub fn interval(
    since: &Option<String>,
    until: &Option<String>,
    now: Timestamp,
    zone: &Zone,
) -> Result<(Option<Timestamp>, Option<Timestamp>), ConfigError> {
    let time =
        |text: &Option<String>| text.as_deref().map(|text| Timestamp::parse_in(text, now, zone)).transpose();
    let (since, until) = (time(since)?, time(until)?);
    match (since, until) {
        (Some(since), Some(until)) if since >= until => Err(ConfigError::Interval(since, until)),
        _ => Ok((since, until)),
    }
}

/// What `--filter` and all `--filter-file` choose together.
///
/// # Errors
/// An expression or a list cannot be read.
pub fn filter(choice: &cli::Choice, now: Timestamp) -> Result<Filter, ConfigError> {
    filter_with(choice, now, None)
}

/// The same where findings are known.
fn filter_with(
    choice: &cli::Choice,
    now: Timestamp,
    findings: Option<FindingSource<'_>>,
) -> Result<Filter, ConfigError> {
    let mut filter = Filter::parse_with(choice.filter.as_deref().unwrap_or_default(), now, findings)?;
    for file in &choice.filter_file {
        let path = file.strip_prefix('!').unwrap_or(file);
        let list = connmon_system::files::read_text(Path::new(path))
            .map_err(|error| ConfigError::FilterFile(path.into(), error))?;
        let networks = Networks::of_list(&list)
            .map_err(|(line, error)| ConfigError::FilterList(path.into(), line, error))?;
        filter = filter.and(Filter::of_remotes(networks, path == file, format!("addresses of {file}")));
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let at =
            |text: &str| location(text).ok().map(|location| (location.at.latitude, location.at.longitude));
        assert_eq!(at("53.55, -9.9"), Some((53.55, -9.9)));
        for text in ["", "1", "91,0", "0,181", "a,b", "1,2,3", "NaN,0"] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
