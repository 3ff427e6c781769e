//! Reverse DNS, which is asked only where `--resolve` says so: each address once, on a thread of its own, and never faster
//! than [`RATE`]. What is found comes back as a frame.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use std::{io, thread};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData};
use tokio::sync::{Semaphore, mpsc as asynchronous};

use connmon_record::{AddressNames, Untrusted};

/// Questions a second at most.
pub const RATE: u32 = 20;
/// Questions that wait for their answers at a time.
const AT_ONCE: usize = 8;
/// Addresses that wait to be asked for; beyond, they are left out.
const WAITING: usize = 4096;
/// Addresses that are remembered.
const REMEMBERED: usize = 131_072;
/// How long a server has.
const PATIENCE: Duration = Duration::from_secs(4);
/// Names of an address that are kept.
const MAX_NAMES: usize = 4;

/// Why reverse DNS cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No thread, or no event loop for it.
    #[error("reverse DNS cannot start: {0}")]
    Thread(#[from] io::Error),
    /// The host's list of servers.
    #[error("--resolve: the DNS servers of this host cannot be read from /etc/resolv.conf: {0}")]
    Servers(String),
}

/// The thread, and the ways to it and back. It ends with its owner.
pub struct Resolver {
    addresses: asynchronous::Sender<IpAddr>,
    names: Receiver<(IpAddr, Vec<Untrusted>)>,
    known: HashSet<IpAddr>,
}

impl Resolver {
    /// Starts the thread, which asks this server, or those of the host.
    ///
    /// # Errors
    /// There is no room for a thread, or the host's servers cannot be read.
    pub fn start(server: Option<SocketAddr>) -> Result<Self, ResolveError> {
        let (addresses, to_ask) = asynchronous::channel(WAITING);
        let (found, names) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let resolver = {
            let _guard = runtime.enter();
            resolver(server)?
        };
        thread::Builder::new().name("resolve".into()).spawn(move || {
            runtime.block_on(ask_all(to_ask, Arc::new(resolver), found));
        })?;
        Ok(Self { addresses, names, known: HashSet::new() })
    }

    /// Asks for the names of an address, unless that was done before. What is no single host's address has none.
    pub fn ask(&mut self, ip: IpAddr) {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        if !ip.is_unspecified() && !ip.is_multicast() && !self.known.contains(&ip) {
            // Where there is no room now, the next connection asks again.
            if self.addresses.try_send(ip).is_ok() {
                self.known.insert(ip);
            }
        }
    }

    /// What has been found since the last call.
    pub fn answers(&self) -> AddressNames {
        self.names.try_iter().collect()
    }

    /// Waits for what has been asked, but not longer than `patience` for any of it.
    pub fn finish(self, patience: Duration) -> AddressNames {
        let Self { addresses, names, .. } = self;
        drop(addresses);
        std::iter::from_fn(|| names.recv_timeout(patience).ok()).collect()
    }
}

fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, ResolveError> {
    let failed = |error: &dyn std::fmt::Display| ResolveError::Servers(error.to_string());
    let mut builder = match server {
        None => TokioResolver::builder_tokio().map_err(|error| failed(&error))?,
        Some(server) => {
            let mut name_server = NameServerConfig::udp_and_tcp(server.ip());
            for connection in &mut name_server.connections {
                connection.port = server.port();
            }
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.timeout = PATIENCE;
    options.attempts = 1;
    builder.build().map_err(|error| failed(&error))
}

async fn ask_all(
    mut to_ask: asynchronous::Receiver<IpAddr>,
    resolver: Arc<TokioResolver>,
    found: mpsc::Sender<(IpAddr, Vec<Untrusted>)>,
) {
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut pace = tokio::time::interval(Duration::from_secs(1) / RATE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while let Some(ip) = to_ask.recv().await {
        pace.tick().await;
        // Never closed.
        let Ok(permit) = Arc::clone(&at_once).acquire_owned().await else { return };
        let (resolver, found) = (Arc::clone(&resolver), found.clone());
        tokio::spawn(async move {
            let names = ask(&resolver, ip).await;
            drop(permit);
            // The owner may have gone: nobody wants to know.
            let _ = found.send((ip, names));
        });
    }
    // Those under way.
    let _ = at_once.acquire_many(AT_ONCE as u32).await;
}

async fn ask(resolver: &TokioResolver, ip: IpAddr) -> Vec<Untrusted> {
    let Ok(answer) = resolver.reverse_lookup(Name::from(ip)).await else { return Vec::new() };
    let names = answer.answers().iter().filter_map(|record| match &record.data {
        RData::PTR(name) => Some(name.0.to_ascii().trim_end_matches('.').to_ascii_lowercase()),
        _ => None,
    });
    names.filter(|name| !name.is_empty()).take(MAX_NAMES).map(Untrusted::from).collect()
}
