//! Decides who gets an answer: requests for this host, from the page itself or from a person, by GET, with the token.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Token;
use super::net::Visitor;

/// The paths that there are.
const PATHS: [&str; 4] = ["/", "/events", "/report.html", "/top"];
/// On every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
/// The policy of answers that are no page.
pub(super) const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// Knows what a request must have.
pub(super) struct Guard {
    /// Values of `Host`, in lower case.
    hosts: Vec<String>,
    token: Token,
    scheme: &'static str,
    /// The name of the cookie. It has the port in it, because browsers share cookies between all ports of a host, and there can be two
    /// servers.
    cookie: String,
}

impl Guard {
    pub(super) fn new(address: SocketAddr, names: &[String], token: Token, tls: bool) -> Self {
        let port = address.port();
        let scheme = if tls { "https" } else { "http" };
        let usual = if tls { 443 } else { 80 };
        let own = (!address.ip().is_unspecified()).then(|| address.to_string());
        let names = names.iter().map(|name| format!("{}:{port}", name.to_lowercase()));
        let loopback = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
        // The first is the one that is printed.
        let mut hosts: Vec<String> = names.chain(own).chain(loopback).collect();
        if port == usual {
            let short = hosts.iter().filter_map(|host| Some(host.rsplit_once(':')?.0.to_owned()));
            hosts.extend(short.collect::<Vec<_>>());
        }
        Self { hosts, token, scheme, cookie: format!("connmon-{port}") }
    }

    /// The address with the token.
    pub(super) fn url(&self) -> String {
        format!("{}://{}/?token={}", self.scheme, self.hosts[0], self.token.text())
    }

    /// The answer to what may not go on.
    fn refuse(&self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        if !self.is_for_us(request) {
            return Some(plain(StatusCode::MISDIRECTED_REQUEST, "connmon does not serve this host name."));
        }
        if !self.is_from_here(headers) {
            return Some(plain(StatusCode::FORBIDDEN, "Requests from other sites are refused."));
        }
        if request.method() != Method::GET {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET is supported.");
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
            return Some(answer);
        }
        if !PATHS.contains(&request.uri().path()) {
            return Some(plain(StatusCode::NOT_FOUND, "Not found."));
        }
        if let Some(given) = token_of(request) {
            return Some(if self.token.is(given) { self.welcome() } else { self.unknown() });
        }
        (!self.has_cookie(headers)).then(|| self.unknown())
    }

    /// Whether there is exactly one `Host`, which is one of ours; a host in the request line must be one of ours too.
    fn is_for_us(&self, request: &Request) -> bool {
        let known = |host: &str| self.hosts.iter().any(|one| one.eq_ignore_ascii_case(host));
        let mut found = request.headers().get_all(header::HOST).iter();
        let one = found.next().and_then(|host| host.to_str().ok());
        let in_line = request.uri().authority().is_none_or(|authority| known(authority.as_str()));
        one.is_some_and(known) && found.next().is_none() && in_line
    }

    /// Whether a person or this page made the browser ask, and not another site. Pages on other ports of this host are other sites.
    fn is_from_here(&self, headers: &HeaderMap) -> bool {
        let text = |value: &HeaderValue| value.to_str().unwrap_or("?").to_owned();
        let site = headers.get("sec-fetch-site").map(text);
        let origin = headers.get(header::ORIGIN).map(text);
        let ours = |origin: &str| {
            let host = origin.strip_prefix(self.scheme).and_then(|rest| rest.strip_prefix("://"));
            host.is_some_and(|host| self.hosts.iter().any(|one| one == host))
        };
        site.is_none_or(|site| site == "same-origin" || site == "none")
            && origin.is_none_or(|origin| ours(&origin))
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let cookies = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut values = cookies.filter(|(name, _)| *name == self.cookie).map(|(_, value)| value);
        values.any(|value| self.token.is_cookie(value))
    }

    /// The token becomes a cookie, and leaves the address.
    fn welcome(&self) -> Response {
        let secure = if self.scheme == "https" { "; Secure" } else { "" };
        let cookie =
            format!("{}={}; HttpOnly; SameSite=Strict; Path=/{secure}", self.cookie, self.token.cookie());
        let headers = [(header::LOCATION, "/".to_owned()), (header::SET_COOKIE, cookie)];
        (StatusCode::SEE_OTHER, headers).into_response()
    }

    fn unknown(&self) -> Response {
        plain(StatusCode::UNAUTHORIZED, "Open the URL that connmon printed when it started.")
    }
}

/// The token in an address, if it has one.
fn token_of(request: &Request) -> Option<&str> {
    let pairs = request.uri().query()?.split('&').filter_map(|pair| pair.split_once('='));
    (request.uri().path() == "/").then_some(())?;
    pairs.filter(|(name, _)| *name == "token").map(|(_, value)| value).next()
}

/// A sentence.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, kind, Body::from(format!("{text}\n"))).into_response()
}

/// The answer for a path that does not exist.
pub(super) async fn nothing() -> Response {
    plain(StatusCode::NOT_FOUND, "Not found.")
}

/// Stands in front of everything.
pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let visitor = request.extensions().get::<Arc<Visitor>>().cloned();
    let mut answer = match guard.refuse(&request) {
        Some(refusal) => refusal,
        None if !visitor.is_none_or(|visitor| visitor.admit()) => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "Too many browsers look at this page.")
        }
        None => next.run(request).await,
    };
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NOTHING));
    answer
}
