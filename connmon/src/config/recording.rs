//! A recording: what `connmon record` was told, and what the kernel side is to do for it.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ConfigError, GeoConfig};
use crate::cli;
use connmon_filter::bytes_of;
use connmon_live::socket_of;
use connmon_record::{Backend, CaptureOptions, length};
use connmon_store::Policy;

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
    /// How long what is kept. Which connections are kept longer is not in it.
    pub retention: Policy,
    /// What the kernel side is to do.
    pub options: CaptureOptions,
    /// Where places come from.
    pub places: GeoConfig,
    /// Where figures about the recorder are offered, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// Whom reverse DNS is asked of; `None` if nobody is, and within it the servers of this host.
    pub resolve: Option<Option<SocketAddr>>,
}

impl TryFrom<cli::RecordArgs> for Recording {
    type Error = ConfigError;

    fn try_from(args: cli::RecordArgs) -> Result<Self, ConfigError> {
        let length = args.length.map(|text| length(&text).ok_or(ConfigError::Length(text))).transpose()?;
        let usual = CaptureOptions::default();
        let ring_bytes = args.ring_bytes.unwrap_or(usual.ring_bytes);
        let max_connections = args.max_connections.unwrap_or(usual.max_connections);
        check_limits(ring_bytes, max_connections)?;
        let db = args.db.unwrap_or_else(|| cli::DEFAULT_DB.into());
        let socket = args.socket.unwrap_or_else(|| socket_of(&db, Path::new(cli::DEFAULT_DB)));
        Ok(Self {
            socket: (!args.no_socket).then_some(socket),
            db,
            backend: args.backend.and_then(cli::BackendArg::wanted),
            length,
            capture: args.capture,
            report: args.report,
            retention: retention(&args.retention)?,
            options: CaptureOptions {
                ring_bytes,
                max_connections,
                idle_ns: args.udp_idle.as_deref().map_or(Ok(usual.idle_ns), idle_ns)?,
                wire: !args.no_wire.unwrap_or(false),
                names: !args.no_names.unwrap_or(false),
                empty: args.empty_probes,
                probe_log: args.probe_log,
                blind: args.blind,
            },
            metrics: args.metrics,
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
pub(super) fn idle_ns(text: &str) -> Result<u64, ConfigError> {
    let pause = length(text).filter(|pause| *pause >= Duration::from_secs(1));
    let nanoseconds = pause.and_then(|pause| u64::try_from(pause.as_nanos()).ok());
    nanoseconds.ok_or_else(|| ConfigError::Idle(text.to_owned()))
}

/// What the options about retention say.
///
/// # Errors
/// One of them cannot be read.
pub fn retention(args: &cli::RetentionArgs) -> Result<Policy, ConfigError> {
    Ok(Policy {
        max_age: args.max_age.as_deref().map(max_age).transpose()?,
        max_bytes: args.max_size.as_deref().map(max_bytes).transpose()?,
        segments_max_age: args.segments_max_age.as_deref().map(max_age).transpose()?,
        segments_max_bytes: args.segments_max_size.as_deref().map(max_bytes).transpose()?,
        keep: Vec::new(),
    })
}

/// What `--max-age` names.
pub(super) fn max_age(text: &str) -> Result<Duration, ConfigError> {
    let age = length(text).filter(|age| *age >= Duration::from_secs(1));
    age.ok_or_else(|| ConfigError::MaxAge(text.to_owned()))
}

/// What `--max-size` names, in bytes.
pub(super) fn max_bytes(text: &str) -> Result<u64, ConfigError> {
    let bytes =
        bytes_of(text).and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes >= 1_000_000);
    bytes.ok_or_else(|| ConfigError::MaxSize(text.to_owned()))
}

/// What the kernel would refuse.
pub(super) fn check_limits(ring_bytes: u32, max_connections: u32) -> Result<(), ConfigError> {
    match () {
        () if !ring_bytes.is_power_of_two() || ring_bytes < 4096 => Err(ConfigError::Ring(ring_bytes)),
        () if max_connections == 0 => Err(ConfigError::MaxConnections),
        () => Ok(()),
    }
}

impl Recording {
    /// Makes the folder of the default store, which nobody else makes. Any other place is the user's business.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make_folder(&self) -> Result<(), ConfigError> {
        let default = Path::new(cli::DEFAULT_DB);
        match default.parent() {
            Some(folder) if self.db.parent() == Some(folder) => {
                connmon_system::files::make_folder(folder, 0o700)
                    .map_err(|error| ConfigError::Folder(folder.display().to_string(), error))
            }
            _ => Ok(()),
        }
    }
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
}
