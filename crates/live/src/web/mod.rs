//! The page of a recording that goes on: the report's own page, fed by server-sent events.
//!
//! ```text
//! recorder → attach → Feed (a LiveState, what changed) ─ at most 4 times a second ─→ one message → every browser
//!                      └ GET /, GET /top and GET /report.html: the report of the live state as it is
//! ```
//!
//! What a host's network does is private: only requests for this host with the token get an answer (`guard`), everything that strangers can
//! occupy is limited (`net`), and nothing can be changed here.

mod events;
mod feed;
mod guard;
pub mod metrics;
mod net;
mod page;
mod tls;
mod token;

pub use token::Token;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use super::attach::Updates;
use connmon_record::HostLocation;
use feed::Feed;
use guard::Guard;

/// Connections that are over and still on the page.
const KEPT: usize = 100_000;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Others could listen in.
    #[error(
        "{0} is reachable from other hosts: give a certificate with --tls-cert and its key with --tls-key, or listen on 127.0.0.1"
    )]
    NeedsTls(SocketAddr),
    /// Nobody can listen there.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The certificate or its key.
    #[error("{0}: {1}")]
    Tls(PathBuf, String),
    /// The token.
    #[error("{0}: {1}")]
    Token(PathBuf, String),
    /// The system's random numbers.
    #[error("the system provides no random numbers: {0}")]
    Random(String),
    /// Threads or sockets.
    #[error("the page cannot be served: {0}")]
    Io(#[from] io::Error),
}

/// Settings of the server.
pub struct Settings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Names under which browsers may ask, besides those of the loopback.
    pub hosts: Vec<String>,
    /// The token that a browser needs.
    pub token: Token,
    /// Files with a certificate and its key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The location of this host, if it is not the recorded one.
    pub home: Option<HostLocation>,
}

/// A page that can be asked for as soon as it [runs](Server::run).
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<tokio_rustls::TlsAcceptor>,
    guard: Guard,
    home: Option<HostLocation>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// Others could reach it without TLS, or the address or the certificate cannot be used.
    pub fn bind(settings: Settings) -> Result<Self, ServeError> {
        let Settings { listen, hosts, token, tls, home } = settings;
        if !listen.ip().is_loopback() && tls.is_none() {
            return Err(ServeError::NeedsTls(listen));
        }
        let tls = tls.map(|(cert, key)| tls::acceptor(&cert, &key)).transpose()?;
        let listener = TcpListener::bind(listen).map_err(|error| ServeError::Listen(listen, error))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let guard = Guard::new(address, &hosts, token, tls.is_some());
        Ok(Self { listener, address, tls, guard, home })
    }

    /// The address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL to open in a browser, with the token.
    pub fn url(&self) -> String {
        self.guard.url()
    }

    /// Serves until `stop`. `updates` feed the page; when they end, `again` is asked for new ones, once a second.
    ///
    /// # Errors
    /// Threads or sockets.
    pub fn run(
        self,
        updates: Updates,
        again: impl FnMut() -> Option<Updates> + Send + 'static,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let feed = Arc::new(Feed::new(self.home, self.address.port(), KEPT)?);
        let feeding = feed.clone();
        std::thread::Builder::new().name("feed".into()).spawn(move || feeding.take(updates, again))?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
        let guard = Arc::new(self.guard);
        let app = Router::new()
            .route("/", get(page::page))
            .route("/top", get(page::top))
            .route("/report.html", get(page::report))
            .route("/events", get(events::events))
            .fallback(guard::nothing)
            .with_state(feed.clone())
            .layer(from_fn_with_state(guard, guard::check));
        let (listener, tls) = (self.listener, self.tls);
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::select! {
                () = net::accept(listener, tls, app) => {}
                () = feed.clone().tick() => {}
                () = stop => {}
            }
            Ok::<(), io::Error>(())
        })?;
        runtime.shutdown_background();
        Ok(())
    }
}
