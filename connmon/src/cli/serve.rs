//! `connmon serve`

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Shown below the options.
pub(super) const HELP: &str = "Examples:
  connmon serve                              prints an address for the browsers of this host
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
    /// Where to listen; port 0 takes one that is free. Beyond loopback it needs a certificate
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// A name under which browsers of other hosts may ask for the page
    #[arg(long = "host", value_name = "NAME")]
    pub hosts: Vec<String>,
    /// A file with the token that browsers must have, made if it does not exist; otherwise each start has another one
    #[arg(long, value_name = "FILE")]
    pub token: Option<PathBuf>,
    /// The certificate, and those that lead to its authority, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Where the host stands, instead of what the recording says: degrees north and east, as in 53.55,9.99
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true)]
    pub location: Option<String>,
}
