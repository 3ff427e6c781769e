//! What was meant: options resolved and checked.

mod file;
mod judging;

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::capture::{Backend, Options};
use crate::cli;
use crate::filter::{Filter, FilterError, Networks, ParseNetworkError};
use crate::live::socket_of;
use crate::model::{Coordinates, HostLocation, Timestamp, Zone, length};
use crate::summary::Selection;

pub use file::{File, FileError};
pub use judging::lists;

/// An option that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A time cannot be read.
    #[error(transparent)]
    Time(#[from] crate::model::ParseTimeError),
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
    Ioc(String, crate::ioc::IocError),
    /// A share of the time cannot be read.
    #[error("--at-least {0}: write a share of the time, such as 50%")]
    Share(String),
    /// The interval is empty.
    #[error("--since {0} is not before --until {1}")]
    Interval(Timestamp, Timestamp),
}

/// A recording to be made.
#[derive(Debug)]
pub struct Recording {
    /// The store.
    pub db: PathBuf,
    /// One backend, or any.
    pub backend: Option<Backend>,
    /// Stop by itself after this time.
    pub length: Option<Duration>,
    /// The capture file.
    pub capture: Option<PathBuf>,
    /// Where viewers attach; `None` if none may.
    pub socket: Option<PathBuf>,
    /// The report to be made when done.
    pub report: Option<PathBuf>,
    /// What the kernel side is to do.
    pub options: Options,
    /// Where places come from.
    pub places: Places,
    /// Whom reverse DNS is asked of; `None` if nobody is, and within it the servers of this host.
    pub resolve: Option<Option<SocketAddr>>,
}

/// Where the places of addresses and of this host come from.
#[derive(Debug)]
pub struct Places {
    /// Databases that were named, in that order.
    pub files: Vec<PathBuf>,
    /// The folder with further ones.
    pub folder: Option<PathBuf>,
    /// Where this host stands, if it was told.
    pub location: Option<HostLocation>,
}

impl TryFrom<cli::Places> for Places {
    type Error = ConfigError;

    fn try_from(args: cli::Places) -> Result<Self, ConfigError> {
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

impl TryFrom<cli::Record> for Recording {
    type Error = ConfigError;

    fn try_from(args: cli::Record) -> Result<Self, ConfigError> {
        let length = args.length.map(|text| length(&text).ok_or(ConfigError::Length(text))).transpose()?;
        let usual = Options::default();
        let ring_bytes = args.ring_bytes.unwrap_or(usual.ring_bytes);
        let max_connections = args.max_connections.unwrap_or(usual.max_connections);
        check_limits(ring_bytes, max_connections)?;
        let db = args.db.unwrap_or_else(|| cli::DEFAULT_DB.into());
        let socket = args.socket.unwrap_or_else(|| socket_of(&db, Path::new(cli::DEFAULT_DB)));
        Ok(Self {
            socket: (!args.no_socket).then_some(socket),
            db,
            backend: args.backend.and_then(cli::Backend::wanted),
            length,
            capture: args.capture,
            report: args.report,
            options: Options {
                ring_bytes,
                max_connections,
                idle_ns: args.udp_idle.as_deref().map_or(Ok(usual.idle_ns), idle_ns)?,
                wire: !args.no_wire.unwrap_or(false),
                names: !args.no_names.unwrap_or(false),
                empty: args.empty_probes,
                blind: args.blind,
            },
            places: args.places.try_into()?,
            resolve: args
                .resolve
                .map(|server| server.map(|text| server_at(&text)).transpose())
                .transpose()?,
        })
    }
}

/// The server that `--resolve` names.
fn server_at(text: &str) -> Result<SocketAddr, ConfigError> {
    let alone = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53));
    text.parse().ok().or_else(alone).ok_or_else(|| ConfigError::Server(text.to_owned()))
}

/// The pause that `--udp-idle` names, in nanoseconds.
fn idle_ns(text: &str) -> Result<u64, ConfigError> {
    let pause = length(text).filter(|pause| *pause >= Duration::from_secs(1));
    let nanoseconds = pause.and_then(|pause| u64::try_from(pause.as_nanos()).ok());
    nanoseconds.ok_or_else(|| ConfigError::Idle(text.to_owned()))
}

/// What the kernel would refuse.
fn check_limits(ring_bytes: u32, max_connections: u32) -> Result<(), ConfigError> {
    match () {
        () if !ring_bytes.is_power_of_two() || ring_bytes < 4096 => Err(ConfigError::Ring(ring_bytes)),
        () if max_connections == 0 => Err(ConfigError::MaxConnections),
        () => Ok(()),
    }
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

impl Recording {
    /// Makes the folder of the default store, which nobody else makes. Any other place is the user's business.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make_folder(&self) -> Result<(), ConfigError> {
        let default = Path::new(cli::DEFAULT_DB);
        match default.parent() {
            Some(folder) if self.db.parent() == Some(folder) => crate::files::make_folder(folder, 0o700)
                .map_err(|error| ConfigError::Folder(folder.display().to_string(), error)),
            _ => Ok(()),
        }
    }
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
    let filter = filter(&source.choice, now)?;
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
    let mut filter = Filter::parse(choice.filter.as_deref().unwrap_or_default(), now)?;
    for file in &choice.filter_file {
        let path = file.strip_prefix('!').unwrap_or(file);
        let list = fs::read_to_string(path).map_err(|error| ConfigError::FilterFile(path.into(), error))?;
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
    fn pauses() {
        assert_eq!(idle_ns("1m 30s").ok(), Some(90_000_000_000));
        for text in ["", "0", "999ms", "soon", "-5s"] {
            assert!(idle_ns(text).is_err(), "{text}");
        }
    }

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
