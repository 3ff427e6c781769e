//! Figures about the recorder itself, for monitoring: `GET /metrics` and `GET /healthz`. They name no process, address or user, so
//! whoever reaches the address may read them; nothing can be changed here.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{ServeError, guard, net};

/// The content type of OpenMetrics (OpenMetrics 1.0, Exposition).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The source of the figures.
pub trait Figures: Send + Sync + 'static {
    /// All figures, as OpenMetrics has them.
    fn metrics(&self) -> String;

    /// Whether everything goes as it should.
    ///
    /// # Errors
    /// The part that is not in order, and why.
    fn health(&self) -> Result<(), String>;
}

/// An address at which figures can be asked for.
pub struct Metrics {
    listener: TcpListener,
    address: SocketAddr,
}

impl Metrics {
    /// Listens.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn bind(listen: SocketAddr) -> Result<Self, ServeError> {
        let listener = TcpListener::bind(listen).map_err(|error| ServeError::Listen(listen, error))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for ever, on a thread of its own.
    ///
    /// # Errors
    /// The thread or its runtime cannot be created.
    pub fn serve(self, figures: Arc<dyn Figures>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let app = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(health))
            .fallback(guard::nothing)
            .with_state(figures);
        std::thread::Builder::new().name("metrics".into()).spawn(move || {
            let listener = {
                let _guard = runtime.enter();
                tokio::net::TcpListener::from_std(self.listener)
            };
            match listener {
                Ok(listener) => runtime.block_on(net::accept(listener, None, app)),
                Err(error) => tracing::warn!("metrics cannot be served at {}: {error}", self.address),
            }
        })?;
        Ok(())
    }
}

async fn metrics(State(figures): State<Arc<dyn Figures>>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], Body::from(figures.metrics())).into_response()
}

async fn health(State(figures): State<Arc<dyn Figures>>) -> Response {
    match figures.health() {
        Ok(()) => guard::plain(StatusCode::OK, "ok"),
        Err(why) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            (StatusCode::SERVICE_UNAVAILABLE, kind, Body::from(format!("{why}\n"))).into_response()
        }
    }
}
