//! Connections: how many there can be, and how long each may take.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Connections at once of browsers that know the token.
const MAX_CONNECTIONS: usize = 64;
/// The largest number of simultaneous connections of which that is not known yet.
const MAX_STRANGERS: usize = 64;
/// The time limit for the headers of a request, and for a connection until its next request.
const HEADERS: Duration = Duration::from_secs(5);
/// The size limit of headers, bytes.
const MAX_HEADERS: usize = 16 << 10;
/// The time limit of a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// A browser that takes nothing for so long has gone.
const STALLED: Duration = Duration::from_secs(30);
/// Before the next try when the system has no more files to give.
const PAUSE: Duration = Duration::from_millis(50);
/// One connection. A stranger's gives way to newer ones; once a request on it has passed the checks, it has a place of its own.
pub(super) struct Visitor {
    room: Arc<Semaphore>,
    place: OnceLock<OwnedSemaphorePermit>,
    away: Notify,
}

impl Visitor {
    fn new(room: &Arc<Semaphore>) -> Arc<Self> {
        Arc::new(Self { room: room.clone(), place: OnceLock::new(), away: Notify::new() })
    }

    /// Gives it a place of its own; returns whether there was one.
    pub(super) fn admit(&self) -> bool {
        if self.is_admitted() {
            return true;
        }
        // Requests of one connection come one after the other, so nobody else sets it.
        self.room.clone().try_acquire_owned().is_ok_and(|place| self.place.set(place).is_ok())
    }

    fn is_admitted(&self) -> bool {
        self.place.get().is_some()
    }
}

/// Takes connections in, for ever.
pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, app: Router) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut strangers: VecDeque<Weak<Visitor>> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let is_stranger = |visitor: &Weak<Visitor>| visitor.upgrade().is_some_and(|one| !one.is_admitted());
        strangers.retain(is_stranger);
        // The one that has had most time goes: whoever knows the token needs little.
        if strangers.len() >= MAX_STRANGERS
            && let Some(oldest) = strangers.pop_front().and_then(|visitor| visitor.upgrade())
        {
            oldest.away.notify_one();
        }
        let visitor = Visitor::new(&room);
        strangers.push_back(Arc::downgrade(&visitor));
        let (tls, app) = (tls.clone(), app.clone().layer(Extension(visitor.clone())));
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let served = async {
                match tls {
                    None => serve(stream, app).await,
                    Some(tls) => serve_tls(stream, &tls, app).await,
                }
            };
            tokio::select! {
                () = served => {}
                () = visitor.away.notified() => {}
            }
        });
    }
}

async fn serve_tls(stream: TcpStream, tls: &TlsAcceptor, app: Router) {
    match timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, app).await,
        Ok(Err(error)) => tracing::debug!("a handshake failed: {error}"),
        Err(_) => tracing::debug!("a handshake took too long"),
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, app: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(MAX_HEADERS);
    let stream = TokioIo::new(Impatient { stream, waiting: None });
    if let Err(error) = http.serve_connection(stream, TowerToHyperService::new(app)).await {
        tracing::debug!("a connection ended: {error}");
    }
}

/// A stream that ends when nobody takes what is written.
struct Impatient<S> {
    stream: S,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    /// The result of a write, or an error that it took too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.waiting = None;
            return result;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(STALLED)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => result,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, result)
    }
}
