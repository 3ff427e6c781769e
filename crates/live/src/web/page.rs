//! The page, and the report as a file: both of the live state as it is.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::feed::{Feed, View};
use super::guard::plain;
use crate::save::{collect, summarise};
use connmon_analysis::Selection;
use connmon_record::HostLocation;
use connmon_render::report::payload::DEFAULT_ROWS;
use connmon_render::report::{PictureOptions, html};
use connmon_system::memory;

/// The requested path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    /// A page that goes on.
    Live,
    /// Its top, as it is now.
    Top,
    /// The report as a file.
    Report,
}

/// `GET /`: the report as a page that goes on.
pub(super) async fn page(State(feed): State<Arc<Feed>>) -> Response {
    answer(feed, Route::Live).await
}

/// `GET /top`: what the page says of the recording as a whole, written anew.
pub(super) async fn top(State(feed): State<Arc<Feed>>) -> Response {
    answer(feed, Route::Top).await
}

/// `GET /report.html`: what `connmon report` writes.
pub(super) async fn report(State(feed): State<Arc<Feed>>) -> Response {
    let mut answer = answer(feed, Route::Report).await;
    if answer.status() == StatusCode::OK {
        let name = HeaderValue::from_static("attachment; filename=\"connmon-report.html\"");
        answer.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    answer
}

async fn answer(feed: Arc<Feed>, part: Route) -> Response {
    feed.ready().await;
    // Never closed: the feed keeps the semaphore.
    let Ok(_turn) = feed.renders.acquire().await else { return failed() };
    let shown = feed.clone();
    let made = tokio::task::spawn_blocking(move || {
        let made = render(shown.view(), shown.home.as_ref(), part);
        // Hands back the memory of a second copy of all connections, and of what was made of them.
        memory::give_back();
        made
    });
    let made = made.await;
    match made {
        Ok(Ok(page)) => {
            let mut headers = HeaderMap::new();
            let mut put = |name: HeaderName, value: &str| {
                if let Ok(value) = HeaderValue::from_str(value) {
                    headers.insert(name, value);
                }
            };
            put(header::CONTENT_TYPE, "text/html; charset=utf-8");
            // The top is put into a page that has its policy.
            if part != Route::Top {
                let policy = format!("{}; frame-ancestors 'none'", html::policy(part == Route::Live));
                put(header::CONTENT_SECURITY_POLICY, &policy);
            }
            (headers, Body::from(page)).into_response()
        }
        Ok(Err(error)) => {
            tracing::warn!("the page could not be built: {error}");
            failed()
        }
        Err(_) => failed(),
    }
}

fn failed() -> Response {
    plain(StatusCode::INTERNAL_SERVER_ERROR, "The page could not be built.")
}

/// Writes this part of the report of a live state.
fn render(view: View, home: Option<&HostLocation>, part: Route) -> io::Result<Vec<u8>> {
    let view = if part == Route::Report { view } else { view.until_now() };
    let connections = view.connections.into_iter();
    let found = view.found;
    let mut page = Vec::new();
    if part == Route::Top {
        let mut summary = summarise(view.runs, Selection::default(), connections);
        summary.completeness.note_elsewhere(view.forgotten, view.unseen);
        let options = PictureOptions { found, ..PictureOptions::for_summary(&summary) };
        html::write_top(&summary, &options, &mut page)?;
        return Ok(page);
    }
    let (mut summary, payload) = collect(view.runs, Selection::default(), connections, DEFAULT_ROWS);
    summary.completeness.note_elsewhere(view.forgotten, view.unseen);
    let recorded = PictureOptions::for_summary(&summary);
    let options = PictureOptions { home: home.cloned().or(recorded.home), found, ..recorded };
    match part {
        Route::Live => html::write_live(&summary, payload, &options, &view.last, &mut page)?,
        _ => html::write(&summary, payload, &options, &mut page)?,
    }
    Ok(page)
}
