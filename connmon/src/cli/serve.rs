//! `connmon serve`

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Shown below the options.
pub(super) const HELP: &str = "Examples:
  connmon serve                              prints a URL for browsers on this host
  connmon serve --db a.db --listen 127.0.0.1:8470 --token /etc/connmon/token
  connmon serve --listen 0.0.0.0:8470 --host box.example --tls-cert box.pem --tls-key box.key";

/// `connmon serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// The store that is being recorded into
    #[arg(long, default_value = super::DEFAULT_DB, value_name = "FILE")]
    pub db: PathBuf,
    /// The recorder's socket [default: /run/connmon/live.sock; for another store, its name and .sock]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one. An address beyond loopback needs a certificate
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// A host name under which other hosts may open the page
    #[arg(long = "host", value_name = "NAME")]
    pub hosts: Vec<String>,
    /// A file with the token that browsers need, created if missing; without this option each start has a new token
    #[arg(long, value_name = "FILE")]
    pub token: Option<PathBuf>,
    /// The certificate and its chain, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Location of the host, instead of the recorded one: latitude and longitude, as in 53.55,9.99
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true)]
    pub location: Option<String>,
}
